package timeline_test

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"manyhands/helpers/timeline"
)

func TestRecorder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tl timeline.Recorder
		start := time.Now()
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				s := tl.StartAs(fmt.Sprint("worker ", 9+i), timeline.Waiting, "its turn")
				time.Sleep(time.Duration(i) * time.Second)
				s.To(timeline.Running, "slow")
				time.Sleep(time.Second)
				s.End()
			})
		}
		wg.Wait()
		got := tl.Timeline()
		sec := func(start, end int, state timeline.State, label string) timeline.Span {
			return timeline.Span{Start: time.Duration(start) * time.Second, End: time.Duration(end) * time.Second, State: state, Label: label}
		}
		want := &timeline.Timeline{Start: start.Round(0), Length: 3 * time.Second, Lanes: []timeline.Lane{
			{Name: "worker 9", Spans: []timeline.Span{sec(0, 0, timeline.Waiting, "its turn"), sec(0, 1, timeline.Running, "slow")}},
			{Name: "worker 10", Spans: []timeline.Span{sec(0, 1, timeline.Waiting, "its turn"), sec(1, 2, timeline.Running, "slow")}},
			{Name: "worker 11", Spans: []timeline.Span{sec(0, 2, timeline.Waiting, "its turn"), sec(2, 3, timeline.Running, "slow")}},
		}}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got  %+v\nwant %+v", got, want)
		}
		if n := got.MaxConcurrent(timeline.Running); n != 1 {
			t.Errorf("%d running at once, want 1", n)
		}
	})
}

func TestRecorderOpenSpans(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var tl timeline.Recorder
		a := tl.Start("worker", "forgotten")
		time.Sleep(time.Second)
		b := tl.Start("worker", "ended")
		b.End()
		b.End()                        // must not end another
		c := tl.Start("worker", "new") // in b's slot
		b.End()
		b.To(timeline.Blocked, "too late")
		time.Sleep(time.Second)
		l, _ := tl.Timeline().Lane("worker")
		want := []timeline.Span{
			{Start: 0, End: 2 * time.Second, State: timeline.Running, Label: "forgotten", Open: true},
			{Start: time.Second, End: time.Second, State: timeline.Running, Label: "ended"},
			{Start: time.Second, End: 2 * time.Second, State: timeline.Running, Label: "new", Open: true},
		}
		if !reflect.DeepEqual(l.Spans, want) {
			t.Errorf("got  %+v\nwant %+v", l.Spans, want)
		}
		a.End()
		c.End()
		for _, s := range tl.Timeline().Spans() {
			if s.Open {
				t.Errorf("still open: %+v", s)
			}
		}
		timeline.Active{}.End()
		timeline.Active{}.To(timeline.Running, "nothing")
	})
}

func TestRecorderEmpty(t *testing.T) {
	var tl timeline.Recorder
	if got := tl.Timeline(); len(got.Lanes) != 0 || got.Length != 0 || got.MaxConcurrent(timeline.Running) != 0 {
		t.Errorf("%+v", got)
	}
}

func TestRecorderNothingLost(t *testing.T) {
	const workers, spans = 16, 5000
	var tl timeline.Recorder
	var wg sync.WaitGroup
	for w := range workers {
		wg.Go(func() {
			own := fmt.Sprint("worker ", w)
			for i := range spans {
				s := tl.Start(own, "task")
				tl.Start("shared", fmt.Sprint("task ", i%7)).End()
				if i == spans/2 {
					tl.Timeline() // pictures may be taken at any time
				}
				s.End()
			}
		})
	}
	wg.Wait()
	got := tl.Timeline()
	if n := got.Count(timeline.Running); n != 2*workers*spans {
		t.Errorf("%d spans, want %d", n, 2*workers*spans)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
	if got.Omitted != (timeline.Omission{}) {
		t.Errorf("omitted %+v", got.Omitted)
	}
}

// TestRecorderFull goes beyond what is kept whole: memory stays bounded, counts
// and totals exact, the long spans as they were, and span labels right.
func TestRecorderFull(t *testing.T) {
	if testing.Short() {
		t.Skip("records 1.5 million spans")
	}
	synctest.Test(t, func(t *testing.T) {
		const n = timeline.MaxSpans * 3 / 2
		var tl timeline.Recorder
		r := rand.New(rand.NewPCG(7, 8))
		states := []timeline.State{timeline.Running, timeline.Waiting}
		total := map[timeline.State]time.Duration{}
		lane := tl.StartAs("one", timeline.Waiting, "")
		state := timeline.Waiting
		for i := range n {
			var d time.Duration // mostly none: a bubble's sleep takes real time
			switch {
			case i%(n/8) == n/16:
				d = time.Second
			case i%16 == 0:
				d = time.Duration(1 + r.IntN(1000))
			}
			if d > 0 {
				time.Sleep(d)
			}
			total[state] += d
			state = states[r.IntN(2)]
			lane.To(state, fmt.Sprint("task ", i)) // no label twice
		}
		lane.End()
		tl.Start("two", "comes late").End()

		got := tl.Timeline()
		shown, stoodFor := countSpans(got)
		if stoodFor != n+2 || shown > timeline.MaxSpans+2048 {
			t.Errorf("%d spans stand for %d, want %d", shown, stoodFor, n+2)
		}
		for state, want := range total {
			if d := got.Total(state); d != want {
				t.Errorf("%v %s, want %v", d, state, want)
			}
		}
		seconds := 0
		for _, s := range got.Spans() {
			if s.Duration() == time.Second && s.Label != "" && s.Count == 0 {
				seconds++
			}
		}
		if seconds != 8 {
			t.Errorf("%d of the 8 long spans are left as they were", seconds)
		}
		if got.Omitted.Merged != stoodFor-shown || got.Omitted.Shorter == 0 {
			t.Errorf("omitted %+v of %d", got.Omitted, stoodFor-shown)
		}
		if l, _ := got.Lane("two"); len(l.Spans) != 1 || l.Spans[0].Label != "comes late" {
			t.Errorf("two: %+v", l)
		}
	})
}

func TestRecorderManyLanes(t *testing.T) {
	var tl timeline.Recorder
	const n = timeline.MaxLanes + 1000
	for i := range n {
		tl.Start(fmt.Sprint("goroutine ", i), "").End()
	}
	got := tl.Timeline()
	if len(got.Lanes) != timeline.MaxLanes+1 || got.Count(timeline.Running) != n {
		t.Errorf("%d lanes, %d spans", len(got.Lanes), got.Count(timeline.Running))
	}
	if l, _ := got.Lane("more lanes"); len(l.Spans) != 1000 {
		t.Errorf("%d spans in the lane of the rest, want 1000", len(l.Spans))
	}
}

// TestRecorderNeverEnded starts more spans than can be open at once.
func TestRecorderNeverEnded(t *testing.T) {
	var tl timeline.Recorder
	for range timeline.MaxSpans + 10 {
		tl.Start("worker", "leaked")
	}
	got := tl.Timeline()
	if n := got.Count(timeline.Running); n != timeline.MaxSpans || got.Omitted.Spans != 10 {
		t.Errorf("%d spans, %d dropped", n, got.Omitted.Spans)
	}
	runtime.KeepAlive(&tl)
}
