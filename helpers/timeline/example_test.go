package timeline_test

import (
	"fmt"
	"sync"
	"time"

	"manyhands/helpers/timeline"
)

// Five workers mark what they do; the picture says how many ran at once.
func ExampleRecorder() {
	var tl timeline.Recorder
	var wg, ready sync.WaitGroup
	ready.Add(5)
	for i := range 5 {
		wg.Go(func() {
			defer tl.Start(fmt.Sprint("worker ", i), "slow(3)").End()
			ready.Done()
			ready.Wait() // stands for the work
		})
	}
	wg.Wait()
	picture := tl.Timeline()
	fmt.Println(picture.MaxConcurrent(timeline.Running), "ran at once")
	fmt.Println(len(picture.Lanes), "lanes, the first:", picture.Lanes[0].Name)
	// Output:
	// 5 ran at once
	// 5 lanes, the first: worker 0
}

// A worker says what it waits for, too.
func ExampleActive_To() {
	var tl timeline.Recorder
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range 3 {
		wg.Go(func() {
			s := tl.StartAs(fmt.Sprint("worker ", i), timeline.Waiting, "for the lock")
			defer s.End()
			mu.Lock()
			defer mu.Unlock()
			s.To(timeline.Running, "inside")
			time.Sleep(time.Millisecond)
			s.To("leaving", "") // any word will do
		})
	}
	wg.Wait()
	picture := tl.Timeline()
	fmt.Println("inside at once:", picture.MaxConcurrent(timeline.Running))
	fmt.Println("times inside:", picture.Count(timeline.Running))
	// Output:
	// inside at once: 1
	// times inside: 3
}

func ExampleTrace() {
	schedule, err := timeline.Trace(func() {
		var wg sync.WaitGroup
		for i := range 3 {
			wg.Go(func() {
				timeline.Name(fmt.Sprint("sleeper ", i))
				time.Sleep(200 * time.Millisecond)
			})
		}
		wg.Wait()
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range 3 {
		lane, _ := schedule.Goroutines.Lane(fmt.Sprint("sleeper ", i))
		fmt.Println(lane.Name, "was blocked most of the time:", lane.Share(timeline.Blocked) > 0.5)
	}
	// Output:
	// sleeper 0 was blocked most of the time: true
	// sleeper 1 was blocked most of the time: true
	// sleeper 2 was blocked most of the time: true
}

func ExampleTimeline_String() {
	const ms = time.Millisecond
	tl := &timeline.Timeline{Length: 100 * ms, Lanes: []timeline.Lane{
		{Name: "worker 1", Spans: []timeline.Span{{Start: 0, End: 60 * ms, State: timeline.Running}}},
		{Name: "worker 2", Spans: []timeline.Span{
			{Start: 0, End: 60 * ms, State: timeline.Runnable},
			{Start: 60 * ms, End: 100 * ms, State: timeline.Running},
		}},
	}}
	fmt.Print(tl)
	// Output:
	// worker 1 │██████████████████████████████████████████████████████
	// worker 2 │!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!!████████████████████████████████████
	//          └0────────────────────────────────────────────────────────────────────────────────────100ms
	//           █ running  ! waiting for a core
}

func ExampleTimeline_Thin() {
	var tl timeline.Timeline
	var spans []timeline.Span
	for i := range 1000 {
		start := time.Duration(i) * time.Millisecond
		spans = append(spans, timeline.Span{Start: start, End: start + time.Millisecond/2, State: timeline.Running})
	}
	tl.Lanes, tl.Length = []timeline.Lane{{Name: "worker", Spans: spans}}, time.Second
	thin := tl.Thin(100)
	fmt.Println(len(thin.Lanes[0].Spans) <= 100, thin.Total(timeline.Running), thin.Count(timeline.Running))
	fmt.Println(thin.Omitted)
	// Output:
	// true 500ms 1000
	// 900 spans shorter than 10ms merged with their neighbours
}

func ExampleMerge() {
	at := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	const ms = time.Millisecond
	here := &timeline.Timeline{Start: at, Length: 50 * ms, Lanes: []timeline.Lane{
		{Name: "main", Spans: []timeline.Span{{Start: 0, End: 50 * ms, State: timeline.Waiting}}}}}
	there := &timeline.Timeline{Start: at.Add(3010 * ms), Length: 20 * ms, Source: "worker 1", Lanes: []timeline.Lane{
		{Name: "main", Spans: []timeline.Span{{Start: 0, End: 20 * ms, State: timeline.Running}}}}}
	there.Shift(timeline.Offset{Ahead: 3 * time.Second}) // as MeasureOffset found it
	both, err := timeline.Merge(here, there)
	if err != nil {
		fmt.Println(err)
		return
	}
	for name, s := range both.Spans() {
		fmt.Println(name, s.Start, s.End, s.State)
	}
	// Output:
	// main 0s 50ms waiting
	// worker 1: main 10ms 30ms running
}
