package timeline_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"go.uber.org/goleak"

	"manyhands/helpers/timeline"
)

func TestMain(m *testing.M) {
	workerMain()
	goleak.VerifyTestMain(m)
}

const ms = time.Millisecond

func span(start, end int, state timeline.State) timeline.Span {
	return timeline.Span{Start: time.Duration(start) * ms, End: time.Duration(end) * ms, State: state}
}

func lanes(length int, spans ...[]timeline.Span) *timeline.Timeline {
	t := &timeline.Timeline{Length: time.Duration(length) * ms}
	for i, s := range spans {
		t.Lanes = append(t.Lanes, timeline.Lane{Name: fmt.Sprint("worker ", i+1), Spans: s})
	}
	return t
}

func TestFacts(t *testing.T) {
	tl := lanes(100,
		[]timeline.Span{span(0, 40, timeline.Runnable), span(40, 80, timeline.Running)},
		[]timeline.Span{span(0, 40, timeline.Running), span(50, 100, timeline.Running)},
		nil,
	)
	l, ok := tl.Lane("worker 1")
	if !ok || l.Share(timeline.Runnable) != 0.5 || l.Total(timeline.Running) != 40*ms {
		t.Errorf("worker 1: %v, share %v, total %v", ok, l.Share(timeline.Runnable), l.Total(timeline.Running))
	}
	if _, ok := tl.Lane("worker 9"); ok {
		t.Error("found a lane that is not there")
	}
	if got := tl.Total(timeline.Running); got != 130*ms {
		t.Errorf("total running = %v, want 130ms", got)
	}
	if got := tl.Count(timeline.Running); got != 3 {
		t.Errorf("running spans = %d, want 3", got)
	}
	if got, want := tl.Durations(timeline.Running), []time.Duration{40 * ms, 40 * ms, 50 * ms}; !reflect.DeepEqual(got, want) {
		t.Errorf("durations = %v, want %v", got, want)
	}
	if got := (timeline.Lane{}).Share(timeline.Running); got != 0 {
		t.Errorf("share of an empty lane = %v", got)
	}
}

func TestMaxConcurrent(t *testing.T) {
	running := func(pairs ...int) (spans []timeline.Span) {
		for i := 0; i < len(pairs); i += 2 {
			spans = append(spans, span(pairs[i], pairs[i+1], timeline.Running))
		}
		return spans
	}
	for _, test := range []struct {
		name string
		tl   *timeline.Timeline
		want int
	}{
		{"empty", &timeline.Timeline{}, 0},
		{"one", lanes(9, running(0, 9)), 1},
		{"one after the other", lanes(9, running(0, 3), running(3, 6), running(6, 9)), 1},
		{"two lanes", lanes(9, running(0, 5), running(4, 9)), 2},
		{"within one lane", lanes(9, running(0, 9, 1, 8, 2, 7)), 3},
		{"no length", lanes(9, running(3, 3), running(3, 3)), 0},
		{"backwards", lanes(9, running(5, 3), running(5, 3)), 0},
		{"other state", lanes(9, []timeline.Span{span(0, 9, timeline.Blocked)}, running(0, 1)), 1},
	} {
		if got := test.tl.MaxConcurrent(timeline.Running); got != test.want {
			t.Errorf("%s: %d at once, want %d", test.name, got, test.want)
		}
	}
}

// TestMaxConcurrentRandom compares with counting at every instant.
func TestMaxConcurrentRandom(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		tl := lanes(50, nil, nil, nil)
		at := make([]int, 50)
		for range 30 {
			start := r.IntN(49)
			end := start + 1 + r.IntN(49-start)
			l := &tl.Lanes[r.IntN(3)]
			l.Spans = append(l.Spans, span(start, end, timeline.Running))
			for i := start; i < end; i++ {
				at[i]++
			}
		}
		want := 0
		for _, n := range at {
			want = max(want, n)
		}
		if got := tl.MaxConcurrent(timeline.Running); got != want {
			t.Fatalf("%d at once, want %d in\n%v", got, want, tl)
		}
	}
}

func TestValidate(t *testing.T) {
	bad := func(change func(*timeline.Span)) *timeline.Timeline {
		s := span(10, 20, timeline.Running)
		change(&s)
		return lanes(100, nil, []timeline.Span{span(0, 5, timeline.Running), s})
	}
	for _, test := range []struct {
		tl   *timeline.Timeline
		want string // part of the error; "" for none
	}{
		{&timeline.Timeline{}, ""},
		{bad(func(*timeline.Span) {}), ""},
		{bad(func(s *timeline.Span) { s.End = 9 * ms }), `lane "worker 2", span 1 (10ms to 9ms): it ends before it starts`},
		{bad(func(s *timeline.Span) { s.End = 101 * ms }), "outside the timeline's 100ms"},
		{bad(func(s *timeline.Span) { s.Start = -1 }), "outside"},
		{bad(func(s *timeline.Span) { s.State = "" }), "no state"},
		{bad(func(s *timeline.Span) { s.Count = -1 }), "-1 spans"},
		{&timeline.Timeline{Length: -1}, "length of -1ns"},
		{&timeline.Timeline{Length: 1 << 62}, "100 years"},
	} {
		err := test.tl.Validate()
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.Contains(err.Error(), test.want)) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

func TestJSON(t *testing.T) {
	tl := lanes(100, []timeline.Span{span(0, 40, timeline.Runnable), {Start: 1, End: 2, State: "mine", Label: `</script>"`, Count: 3, Open: true}})
	tl.Start = time.Date(2026, 5, 1, 10, 0, 0, 123456789, time.UTC)
	tl.Source = "process 7"
	tl.Omitted = timeline.Omission{Merged: 2, Shorter: ms, Lanes: 1, Spans: 9}
	data, err := json.Marshal(tl)
	if err != nil {
		t.Fatal(err)
	}
	var got timeline.Timeline
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(&got, tl) {
		t.Errorf("got  %+v\nwant %+v\nthrough %s", &got, tl, data)
	}
}

func TestString(t *testing.T) {
	many := lanes(100)
	for i := range 1000 {
		many.Lanes = append(many.Lanes, timeline.Lane{Name: fmt.Sprint("goroutine ", i), Spans: []timeline.Span{span(i%100, i%100+1, timeline.Blocked)}})
	}
	states := lanes(1000, nil)
	for i := range 1000 {
		states.Lanes[0].Spans = append(states.Lanes[0].Spans, span(i, i+1, timeline.State(fmt.Sprint("state number ", i))))
	}
	odd := lanes(10, []timeline.Span{span(-50, -20, timeline.Running), span(8, 2, timeline.Running), span(5, 5000, "a\nb")})
	odd.Lanes[0].Name = "two\nlines\x1b[31m and a name that is far too long to be shown whole"
	for _, test := range []struct {
		name string
		tl   *timeline.Timeline
		has  []string
	}{
		{"empty", &timeline.Timeline{}, []string{"empty timeline"}},
		{"no length", lanes(0, []timeline.Span{span(0, 0, timeline.Running)}), []string{"empty timeline"}},
		{"many lanes", many, []string{"goroutine 39 ", "… and 960 more lanes", "· blocked", "100ms"}},
		{"many states", states, []string{"…"}},
		{"odd", odd, []string{"shown whole", "a a?b"}},
	} {
		got := test.tl.String()
		for _, want := range test.has {
			if !strings.Contains(got, want) {
				t.Errorf("%s: %q is not in\n%s", test.name, want, got)
			}
		}
		for line := range strings.Lines(got) {
			if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > 100 {
				t.Errorf("%s: a line of %d columns: %s", test.name, n, line)
			}
		}
		if strings.ContainsAny(got, "\x1b\r") {
			t.Errorf("%s: control characters came through: %q", test.name, got)
		}
	}
}
