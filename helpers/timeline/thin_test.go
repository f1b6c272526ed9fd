package timeline_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"manyhands/helpers/timeline"
)

// busyLanes makes lanes of spans end to end, of lengths that vary widely.
func busyLanes(r *rand.Rand, lanes, spans int) *timeline.Timeline {
	states := []timeline.State{timeline.Running, timeline.Runnable, timeline.Blocked, timeline.Syscall}
	tl := &timeline.Timeline{}
	for i := range lanes {
		l := timeline.Lane{Name: fmt.Sprint("worker ", i)}
		at := time.Duration(r.IntN(1000))
		for range spans {
			length := time.Duration(r.ExpFloat64() * float64(time.Millisecond))
			l.Spans = append(l.Spans, timeline.Span{Start: at, End: at + length, State: states[r.IntN(len(states))], Label: "task"})
			at += length + time.Duration(r.IntN(100_000))
		}
		tl.Length = max(tl.Length, at)
		tl.Lanes = append(tl.Lanes, l)
	}
	return tl
}

func countSpans(tl *timeline.Timeline) (shown, stoodFor int) {
	for _, s := range tl.Spans() {
		shown++
		stoodFor += max(1, s.Count)
	}
	return shown, stoodFor
}

func TestThin(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, test := range []struct{ lanes, spans, limit int }{
		{1, 100_000, 2000}, {8, 12_500, 2000}, {2, 1000, 1999}, {5, 300, 100}, {10, 100, 10}, {10, 100, 11}, {1, 50, 1}, {3, 40, 0},
	} {
		tl := busyLanes(r, test.lanes, test.spans)
		before := busyCopy(t, tl)
		thin := tl.Thin(test.limit)
		if !reflect.DeepEqual(tl, before) {
			t.Fatalf("%+v: Thin changed the timeline", test)
		}
		shown, stoodFor := countSpans(thin)
		if shown > max(test.limit, 1) {
			t.Errorf("%+v: %d spans", test, shown)
		}
		if want := test.lanes * test.spans; stoodFor+thin.Omitted.Spans != want {
			t.Errorf("%+v: shows or counts %d spans, leaves %d out, want %d", test, stoodFor, thin.Omitted.Spans, want)
		}
		if thin.Omitted.Merged != stoodFor-shown {
			t.Errorf("%+v: says %d were merged; they are %d", test, thin.Omitted.Merged, stoodFor-shown)
		}
		if err := thin.Validate(); err != nil {
			t.Errorf("%+v: %v", test, err)
		}
		if test.limit >= 100 { // enough room to tell states apart
			checkTotals(t, tl, thin)
			checkExtremes(t, tl, thin)
			if shown < test.limit/4 {
				t.Errorf("%+v: only %d spans left of the %d that fit", test, shown, test.limit)
			}
		}
	}
}

func busyCopy(t *testing.T, tl *timeline.Timeline) *timeline.Timeline {
	t.Helper()
	c := *tl
	c.Lanes = nil
	for _, l := range tl.Lanes {
		c.Lanes = append(c.Lanes, timeline.Lane{Name: l.Name, Spans: append([]timeline.Span(nil), l.Spans...)})
	}
	return &c
}

// checkTotals checks that no lane gained or lost time in any state, and that its
// spans still follow one another.
func checkTotals(t *testing.T, full, thin *timeline.Timeline) {
	t.Helper()
	for i, l := range full.Lanes {
		for _, state := range []timeline.State{timeline.Running, timeline.Runnable, timeline.Blocked, timeline.Syscall} {
			if got, want := thin.Lanes[i].Total(state), l.Total(state); got != want {
				t.Errorf("%s: %v %s, want %v", l.Name, got, state, want)
			}
		}
		var last time.Duration
		for _, s := range thin.Lanes[i].Spans {
			if s.Start < last {
				t.Fatalf("%s: a span starts at %v, before the last one's end at %v", l.Name, s.Start, last)
			}
			last = s.End
		}
	}
}

// checkExtremes checks that every span that was not too short is there as it was.
func checkExtremes(t *testing.T, full, thin *timeline.Timeline) {
	t.Helper()
	for i, l := range full.Lanes {
		kept := map[timeline.Span]bool{}
		for _, s := range thin.Lanes[i].Spans {
			kept[s] = true
		}
		for _, s := range l.Spans {
			if s.Duration() >= thin.Omitted.Shorter && !kept[s] {
				t.Errorf("%s: lost %+v, longer than %v", l.Name, s, thin.Omitted.Shorter)
			}
		}
	}
}

func TestThinNothingToDo(t *testing.T) {
	tl := lanes(10, []timeline.Span{span(0, 1, timeline.Running)})
	if tl.Thin(1) != tl {
		t.Error("Thin copied a timeline that fits")
	}
	if s := tl.Omitted.String(); s != "" {
		t.Errorf("says %q of a whole timeline", s)
	}
}

func TestThinLanes(t *testing.T) {
	tl := &timeline.Timeline{Length: 2000 * ms}
	for i := range 1000 {
		tl.Lanes = append(tl.Lanes, timeline.Lane{Name: fmt.Sprint(i), Spans: []timeline.Span{span(i, i+1, timeline.Running)}})
	}
	tl.Lanes[777].Spans[0] = span(777, 1999, timeline.Running)
	thin := tl.Thin(10)
	if len(thin.Lanes) != 10 || thin.Omitted.Lanes != 990 || thin.Omitted.Spans != 990 {
		t.Errorf("%d lanes, omitted %+v", len(thin.Lanes), thin.Omitted)
	}
	if _, ok := thin.Lane("777"); !ok {
		t.Error("the lane of the longest span is gone")
	}
	if got, want := thin.String(), "990 lanes and 990 spans left out"; !strings.Contains(got, want) {
		t.Errorf("%q is not in\n%s", want, got)
	}
}

// TestThinLanesOnce leaves out lanes of every number of them: none is shown twice, and
// the one with the longest span is there.
func TestThinLanesOnce(t *testing.T) {
	for n := 2; n < 12; n++ {
		for limit := 1; limit < n; limit++ {
			for longest := range n {
				tl := &timeline.Timeline{Length: time.Second}
				for i := range n {
					tl.Lanes = append(tl.Lanes, timeline.Lane{Name: fmt.Sprint(i), Spans: []timeline.Span{span(i, i+1, timeline.Running)}})
				}
				tl.Lanes[longest].Spans[0] = span(longest, 500, timeline.Running)
				names := make(map[string]bool)
				for _, lane := range tl.Thin(limit).Lanes {
					names[lane.Name] = true
				}
				if len(names) != limit || !names[fmt.Sprint(longest)] {
					t.Fatalf("%d of %d lanes, the longest %d: %v", limit, n, longest, names)
				}
			}
		}
	}
}

func TestThinOverlap(t *testing.T) {
	tl := lanes(1000, nil)
	for i := range 900 {
		tl.Lanes[0].Spans = append(tl.Lanes[0].Spans, span(i, i+90, timeline.Running))
	}
	thin := tl.Thin(50)
	if err := thin.Validate(); err != nil {
		t.Fatal(err)
	}
	if shown, stoodFor := countSpans(thin); shown > 50 || stoodFor != 900 {
		t.Errorf("%d spans for %d", shown, stoodFor)
	}
}

// TestThinFits is what a chart counts on: 100 000 spans in less than 300 KB.
func TestThinFits(t *testing.T) {
	data, err := json.Marshal(busyLanes(rand.New(rand.NewPCG(5, 6)), 8, 12_500).Thin(2500))
	if err != nil {
		t.Fatal(err)
	}
	if len(data) > 300_000 {
		t.Errorf("%d bytes", len(data))
	}
}
