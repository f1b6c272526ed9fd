package chart_test

import (
	"time"

	"manyhands/helpers/chart"
	"manyhands/helpers/measure"
	"manyhands/helpers/timeline"
)

// Outside a notebook a chart is its title, its table and its note.
func ExampleBars() {
	chart.Bars(measure.Comparison{Results: []measure.Result{
		{Name: "in a row", Wall: []float64{10.02, 10.01, 10.03, 10.02, 10.02, 10.01}},
		{Name: "five at once", Wall: []float64{2.01, 2.02, 2.01, 2.00, 2.01, 2.02}},
	}}).Show()
	// Output:
	// five at once: 5.0× faster than in a row
	//                 median  95 % interval     repeats  speed-up
	//   in a row      10.0 s  10.01 to 10.03 s  6
	//   five at once  2.01 s  2.000 to 2.020 s  6        5.0×
	// Bar: median. Dots: each repeat. Line: the interval that holds the true median 95 times in 100.
}

func ExampleLanes() {
	running := func(from, to time.Duration) []timeline.Span {
		return []timeline.Span{{Start: from * time.Second, End: to * time.Second, State: timeline.Running, Label: "slow(2)"}}
	}
	chart.Lanes(&timeline.Timeline{Length: 2 * time.Second, Lanes: []timeline.Lane{
		{Name: "worker 0", Spans: running(0, 2)},
		{Name: "worker 1", Spans: running(0, 2)},
	}}).Show()
	// Output:
	// 2 at once: 4 s of work in 2 s
	//   lane      spans  running
	//   worker 0  1      2 s
	//   worker 1  1      2 s
}
