package echarts_test

import (
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"manyhands/helpers/chart"
	"manyhands/helpers/ledger"
	"manyhands/helpers/measure"
	"manyhands/helpers/timeline"
	"manyhands/internal/echarts"
	"manyhands/internal/notebook"
)

// gallery is one chart of every kind, and then some that are hard to draw.
var gallery = []struct {
	name  string
	chart func() chart.Chart
	marks int      // shapes that its picture has at the least
	texts []string // and what is written on it
}{
	{"bars", bars, 20, []string{"in a row", "five at once", "time, s"}},
	{"bars few repeats", func() chart.Chart {
		return chart.Bars(measure.Comparison{Results: []measure.Result{{Name: "threads", Wall: []float64{7.6}}, {Name: "one loop", Wall: []float64{7.5}}}})
	}, 4, []string{"threads", "7.60 s"}},
	{"figures", func() chart.Chart {
		return chart.Figures(
			ledger.Figure{Name: "one core", Unit: "MB/s", Values: []float64{9100, 9240, 9080, 9150, 9200, 9130}},
			ledger.Figure{Name: "two cores", Unit: "MB/s", Values: []float64{12100, 12240, 12080, 12150, 12200, 12130}})
	}, 4, []string{"two cores", "MB/s"}},
	{"within a limit", func() chart.Chart {
		return chart.Within(
			ledger.Figure{Name: "reading", Unit: "MB/s", Values: []float64{20100, 20240, 20080, 20150, 20200, 20130}},
			ledger.Figure{Name: "one core", Unit: "MB/s", Values: []float64{9100, 9240, 9080, 9150, 9200, 9130}})
	}, 12, []string{"one core"}}, // with the dashed line
	{"five at once", func() chart.Chart { return chart.Lanes(spans(5, func(i int) time.Duration { return 0 })) }, 5,
		[]string{"worker 4", "slow(3)", "time, s"}},
	{"in a row", func() chart.Chart {
		return chart.Lanes(spans(5, func(i int) time.Duration { return time.Duration(i) * 2030 * time.Millisecond }))
	}, 5, []string{"worker 0"}},
	{"schedule", func() chart.Chart { return chart.Lanes(schedule(8, 2, 400)) }, 500, []string{"waiting for a core", "goroutine 7"}},
	{"100 000 spans", func() chart.Chart { return chart.Lanes(schedule(8, 2, 25_000)) }, 500, []string{"waiting for a core"}},
	{"1000 sleepers", func() chart.Chart { return chart.Lanes(sleepers(1000)) }, 300, []string{"blocked"}},
	{"cpu", func() chart.Chart { return chart.CPU(usage(2)) }, 100, []string{"core 0", "core 1"}},
	{"cpu 64 cores", func() chart.Chart { return chart.CPU(usage(64)) }, 1000, []string{"core 0"}},
	{"speed-up", speedUp, 8, []string{"workers", "ideal", "Amdahl", "prediction"}},
	{"distribution", func() chart.Chart { return chart.Distribution(latencies("latency", 1, 5000)) }, 30, []string{"latency", "median"}},
	{"distributions", func() chart.Chart {
		return chart.Distribution(latencies("mutex", 1, 5000), latencies("atomic", 0.3, 5000), latencies("channel", 4, 5000))
	}, 90, []string{"mutex", "atomic", "channel"}},
	{"depth", func() chart.Chart { return chart.Depth(8, queue(8, 900)) }, 2, []string{"capacity", "items waiting"}},
	{"lines", lines, 4, []string{"workers", "time, ms", "two cores"}},
	{"a legend of two rows", names, 4, []string{"as fast as in a row", "times as fast", "10\u00a0000"}},
	{"a point", func() chart.Chart {
		return chart.Lines(chart.Axis{Name: "x"}, chart.Axis{Name: "y"}, chart.Series{Name: "alone", Points: []chart.Point{{}}})
	}, 0, []string{"alone"}},
	{"no length", func() chart.Chart {
		return chart.Lanes(&timeline.Timeline{Lanes: []timeline.Lane{{Name: "short", Spans: []timeline.Span{{State: timeline.Running}}}}})
	}, 1, []string{"short"}},
	{"hostile", hostile, 2, []string{"alert"}},
}

func results(name string, median, spread float64) measure.Result {
	rng := rand.New(rand.NewPCG(1, uint64(len(name))))
	r := measure.Result{Name: name, Calls: 1}
	for range 10 {
		r.Wall = append(r.Wall, median*(1+spread*rng.NormFloat64()))
	}
	return r
}

func bars() chart.Chart {
	return chart.Bars(measure.Comparison{Rounds: 10, Results: []measure.Result{
		results("in a row", 10.02, 0.004), results("five at once", 2.03, 0.01), results("two workers over one queue", 6.01, 0.04),
	}})
}

func spans(n int, start func(i int) time.Duration) *timeline.Timeline {
	t := &timeline.Timeline{}
	for i := range n {
		end := start(i) + 2*time.Second + time.Duration(i)*7*time.Millisecond
		t.Lanes = append(t.Lanes, timeline.Lane{Name: fmt.Sprint("worker ", i), Spans: []timeline.Span{
			{Start: start(i), End: end, State: timeline.Running, Label: "slow(3)"}}})
		t.Length = max(t.Length, end)
	}
	return t
}

// schedule is what goroutines that are always ready do on fewer cores: each runs in turn and waits otherwise.
func schedule(goroutines, cores, turns int) *timeline.Timeline {
	const slice = 10 * time.Millisecond
	rng := rand.New(rand.NewPCG(2, 3))
	t := &timeline.Timeline{Length: time.Duration(turns) * slice / 2}
	for g := range goroutines {
		lane := timeline.Lane{Name: fmt.Sprint("goroutine ", g)}
		at := time.Duration(0)
		add := func(s timeline.State, d time.Duration) {
			end := min(at+d, t.Length)
			if end > at {
				lane.Spans = append(lane.Spans, timeline.Span{Start: at, End: end, State: s})
			}
			at = end
		}
		for i := range turns {
			if (i+g)%(goroutines/cores) == 0 {
				add(timeline.Running, slice/time.Duration(2+rng.IntN(3)))
				if rng.IntN(6) == 0 {
					add(timeline.Blocked, slice)
				}
			} else {
				add(timeline.Runnable, slice/time.Duration(2+rng.IntN(3)))
			}
		}
		add(timeline.Syscall, t.Length)
		t.Lanes = append(t.Lanes, lane)
	}
	return t
}

func sleepers(n int) *timeline.Timeline {
	t := &timeline.Timeline{Length: 102 * time.Millisecond}
	for i := range n {
		at := time.Duration(i) * time.Microsecond
		t.Lanes = append(t.Lanes, timeline.Lane{Name: fmt.Sprint("sleeper ", i), Spans: []timeline.Span{
			{Start: at, End: at + 300*time.Microsecond, State: timeline.Running},
			{Start: at + 300*time.Microsecond, End: at + 100*time.Millisecond, State: timeline.Blocked},
			{Start: at + 100*time.Millisecond, End: at + 100*time.Millisecond + 200*time.Microsecond, State: timeline.Running},
		}})
	}
	return t
}

func usage(cores int) *timeline.Usage {
	rng := rand.New(rand.NewPCG(4, 5))
	u := &timeline.Usage{}
	for i := range 60 {
		u.At = append(u.At, time.Duration(i+1)*100*time.Millisecond)
	}
	for c := range cores {
		var core []float64
		for i := range 60 {
			use := 6 + 6*rng.Float64()
			if i > 10 && (c%2 == 0 || i > 30) && i < 52 {
				use = 92 + 8*rng.Float64()
			}
			core = append(core, use)
		}
		u.Cores = append(u.Cores, core)
	}
	return u
}

func speedUp() chart.Chart {
	workers := []int{1, 2, 3, 4, 6, 8}
	var c measure.Comparison
	for i, w := range workers {
		n := float64(w)
		c.Results = append(c.Results, results(fmt.Sprint("workers ", i), 4*(0.06+0.94/n+0.004*n), 0.015))
	}
	law := func(name string, a, b float64) chart.Curve {
		at := func(n float64) float64 { return n / (1 + a*(n-1) + b*n*(n-1)) }
		return chart.Curve{Name: name, At: at, Until: 32}
	}
	return chart.SpeedUp(workers, c, law("Amdahl", 0.08, 0), law("USL", 0.06, 0.004))
}

func latencies(name string, scale float64, n int) ledger.Figure {
	rng := rand.New(rand.NewPCG(6, uint64(n)))
	times := make([]time.Duration, n)
	for i := range times {
		times[i] = time.Duration(scale * float64(time.Millisecond) * math.Exp(0.6*rng.NormFloat64()))
		if i%50 == 0 {
			times[i] *= 12
		}
	}
	return chart.Durations(name, times)
}

func queue(capacity, n int) chart.Series {
	rng := rand.New(rand.NewPCG(7, 8))
	s := chart.Series{Name: "to convert"}
	depth := 0
	for i := range n {
		step := rng.IntN(3) - 1
		if i < n/2 {
			step = rng.IntN(3)
		} else if i > 3*n/4 {
			step = -rng.IntN(2)
		}
		depth = min(max(depth+step, 0), capacity)
		s.Points = append(s.Points, chart.Point{X: float64(i) * 0.01, Y: float64(depth)})
	}
	return s
}

func lines() chart.Chart {
	one, two := chart.Series{Name: "10 tasks"}, chart.Series{Name: "40 tasks"}
	for _, w := range []float64{1, 2, 3, 4, 6, 8, 12, 16} {
		y := 0.4/math.Min(w, 2) + 0.004*w
		one.Points = append(one.Points, chart.Point{X: w, Y: y, Lo: y * 0.96, Hi: y * 1.06})
		two.Points = append(two.Points, chart.Point{X: w, Y: 1.8 * y})
	}
	return chart.Lines(chart.Axis{Name: "workers"}, chart.Axis{Name: "time", Unit: "s"}, one, two, chart.Limit("two cores, fully used", 0.2, 1, 16))
}

// names is a chart whose legend needs a second row, and whose last number stands on the plot's edge.
func names() chart.Chart {
	var series []chart.Series
	for i, name := range []string{"a goroutine for each task", "a worker for each core", "a pool of twice as many workers"} {
		s := chart.Series{Name: name}
		for x := 0.01; x < 10_000; x *= 10 {
			s.Points = append(s.Points, chart.Point{X: x, Y: float64(i+1) * x / (x + 1)})
		}
		series = append(series, s)
	}
	return chart.Lines(chart.Axis{Name: "time of a task in µs", Log: true}, chart.Axis{Name: "times as fast", Log: true},
		append(series, chart.Limit("as fast as in a row", 1, 0.01, 9000))...)
}

func hostile() chart.Chart {
	name := `</script><img src=x onerror="alert(1)">'"]]>&amp;`
	return chart.Bars(measure.Comparison{Results: []measure.Result{
		{Name: name, Wall: []float64{1, 2, math.NaN(), 1.5}}, {Name: "@lanes", Wall: []float64{math.Inf(1), 0.5, 0.6}},
		{Name: "none", Wall: []float64{math.NaN()}},
	}}).Titled(name).Noted(name)
}

// output is what a notebook holds of a chart.
func output(t testing.TB, c chart.Chart) notebook.Output {
	t.Helper()
	bundle, err := c.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	return notebook.Output{Type: notebook.DisplayData, Data: bundle, Metadata: map[string]any{}}
}

// source is the JSON of a chart.
func source(t testing.TB, c chart.Chart) []byte {
	t.Helper()
	data, err := json.Marshal(output(t, c).Data[echarts.MIME])
	if err != nil {
		t.Fatal(err)
	}
	return data
}
