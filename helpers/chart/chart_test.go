package chart_test

import (
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"manyhands/helpers/chart"
	"manyhands/helpers/ledger"
	"manyhands/helpers/measure"
	"manyhands/helpers/timeline"
)

// result is a result of repeats around a median, in seconds.
func result(name string, median float64) measure.Result {
	r := measure.Result{Name: name, Calls: 1}
	for i := range 11 {
		r.Wall = append(r.Wall, median*(1+0.002*float64(i-5)))
	}
	return r
}

func compared(results ...measure.Result) measure.Comparison {
	return measure.Comparison{Results: results, Rounds: 11}
}

// rate is a recorded figure of one value.
func rate(name string, value float64) ledger.Figure {
	return ledger.Figure{Name: name, Unit: "MB/s", Values: []float64{value}}
}

// lanes is a timeline of one span a lane.
func lanes(spans ...timeline.Span) *timeline.Timeline {
	t := &timeline.Timeline{}
	for i, s := range spans {
		t.Lanes = append(t.Lanes, timeline.Lane{Name: fmt.Sprint("worker ", i), Spans: []timeline.Span{s}})
		t.Length = max(t.Length, s.End)
	}
	return t
}

func span(state timeline.State, from, to time.Duration) timeline.Span {
	return timeline.Span{State: state, Start: from, End: to}
}

// TestFinding proves that titles are computed from the data.
func TestFinding(t *testing.T) {
	series := func(ys ...float64) chart.Series {
		s := chart.Series{Name: "queue"}
		for i, y := range ys {
			s.Points = append(s.Points, chart.Point{X: float64(i), Y: y})
		}
		return s
	}
	for _, test := range []struct {
		chart chart.Chart
		want  string
	}{
		{chart.Bars(compared(result("in a row", 10), result("five at once", 2))), "five at once: 5.0× faster than in a row"},
		{chart.Bars(compared(result("one", 1), result("two", 25))), "two: 25× slower than one"},
		{chart.Bars(compared(result("one", 1), result("two", 1))), "one and two cannot be told apart"},
		{chart.Bars(compared(result("one", 1), result("two", 0.5), result("four", 0.25))), "four: 4.0× faster than one"},
		{chart.Bars(compared(measure.Result{Name: "one", Wall: []float64{1}}, measure.Result{Name: "two", Wall: []float64{0.98}})),
			"two: 1.02× faster than one, by too few repeats to be sure"},
		{chart.Bars(compared(result("alone", 0.0031))), "alone: 3.10 ms"},
		{chart.Figures(ledger.Figure{Name: "a", Unit: "MB/s", Values: []float64{90}}, ledger.Figure{Name: "b", Unit: "MB/s", Values: []float64{120}}),
			"b: 120 MB/s, the highest of 2"},
		{chart.Figures(ledger.Figure{Name: "a", Unit: "s", Values: []float64{90}}, ledger.Figure{Name: "b", Unit: "s", Values: []float64{120}}),
			"a: 90 s, the shortest of 2"},
		{chart.Within(rate("read", 200), rate("one core", 100), rate("all", 180)), "all: 180 MB/s, 90 % of read"},
		{chart.Within(rate("read", 200), ledger.Figure{Name: "not measured", Unit: "MB/s"}, rate("one core", 100)), "one core: 100 MB/s, 50 % of read"},
		{chart.Lanes(lanes(span(timeline.Running, 0, 2*time.Second), span(timeline.Running, 0, 2*time.Second))), "2 at once: 4 s of work in 2 s"},
		{chart.Lanes(lanes(span(timeline.Running, 0, time.Second), span(timeline.Running, time.Second, 2*time.Second))), "One at a time: 2 s of work in 2 s"},
		{chart.Lanes(lanes(span(timeline.Running, 0, time.Second), span(timeline.Runnable, 0, time.Second))),
			"At most 1 of 2 ran at once; 50 % of the time they could have run they waited for a core"},
		{chart.Lanes(lanes(span(timeline.Blocked, 0, 98*time.Second), span(timeline.Running, 0, time.Second), span(timeline.Runnable, 0, time.Second))),
			"3 goroutines, blocked 98 % of their time"},
		{chart.Lanes(lanes(span(timeline.Blocked, 0, 10*time.Second), span(timeline.Syscall, 0, 100*time.Second), span(timeline.Running, 0, time.Second/2))),
			"One at a time: 500 ms of work in 100 s"},
		{chart.CPU(&timeline.Usage{At: []time.Duration{time.Second, 4 * time.Second}, Cores: [][]float64{{100, 100}, {100, 20}}}),
			"1.4 of 2 cores busy on average (70 %)"},
		{chart.SpeedUp([]int{1, 2, 4}, compared(result("1", 4), result("2", 2), result("4", 1.25))), "4 workers: 3.2× as fast as 1, 80 % of the ideal"},
		{chart.SpeedUp([]int{1, 2}, compared(result("1", 4), result("2", 5))), "More than 1 worker: never faster"},
		{chart.Distribution(chart.Durations("latency", []time.Duration{time.Millisecond, 2 * time.Millisecond, 9 * time.Millisecond})),
			"latency: half within 2 ms, 99 % within 9 ms"},
		{chart.Depth(4, series(0, 4, 4, 2, 0)), "queue: full 50 % of the time"},
		{chart.Depth(8, series(0, 4, 3, 2, 0)), "queue: never full, at most 4 of 8 waiting"},
		{chart.Depth(0, series(0, 4, 3, 2, 0)), "queue: at most 4 waiting, after 1 s"},
		{chart.Lines(chart.Axis{Name: "workers"}, chart.Axis{Name: "time", Unit: "s"}, series(5, 3, 4)), "queue: lowest at workers 1, 3 s"},
		{chart.Bars(compared(result("one", 1))).Titled("what the author says"), "what the author says"},
	} {
		if got, _, _ := strings.Cut(test.chart.String(), "\n"); got != test.want {
			t.Errorf("got the title %q, expected %q", got, test.want)
		}
	}
}

// TestNothing proves that a chart of nothing says why, in words.
func TestNothing(t *testing.T) {
	nan := math.NaN()
	for name, c := range map[string]chart.Chart{
		"no results":         chart.Bars(measure.Comparison{}),
		"no repeats":         chart.Bars(compared(measure.Result{Name: "x"})),
		"only NaN":           chart.Bars(compared(measure.Result{Name: "x", Wall: []float64{nan, math.Inf(1)}})),
		"no figures":         chart.Figures(),
		"two units":          chart.Figures(ledger.Figure{Unit: "s", Values: []float64{1}}, ledger.Figure{Unit: "MB", Values: []float64{1}}),
		"a limit of zero":    chart.Within(rate("x", 0), rate("a", 1)),
		"no limit":           chart.Within(ledger.Figure{Unit: "MB/s"}, rate("a", 1)),
		"nothing within":     chart.Within(rate("x", 1)),
		"a limit for times":  chart.Within(ledger.Figure{Unit: "s", Values: []float64{1}}, ledger.Figure{Unit: "s", Values: []float64{1}}),
		"a limit in another": chart.Within(ledger.Figure{Unit: "GB/s", Values: []float64{1}}, rate("a", 1)),
		"nil timeline":       chart.Lanes(nil),
		"no lanes":           chart.Lanes(&timeline.Timeline{}),
		"no spans":           chart.Lanes(&timeline.Timeline{Lanes: []timeline.Lane{{Name: "idle"}}}),
		"a broken timeline":  chart.Lanes(lanes(span(timeline.Running, 2, 1))),
		"nil usage":          chart.CPU(nil),
		"uneven usage":       chart.CPU(&timeline.Usage{At: []time.Duration{1, 2}, Cores: [][]float64{{1}}}),
		"NaN usage":          chart.CPU(&timeline.Usage{At: []time.Duration{1}, Cores: [][]float64{{nan}}}),
		"usage at no time":   chart.CPU(&timeline.Usage{At: []time.Duration{0}, Cores: [][]float64{{1}}}),
		"workers missing":    chart.SpeedUp([]int{1}, compared(result("1", 1), result("2", 2))),
		"no workers":         chart.SpeedUp([]int{0, 1}, compared(result("0", 1), result("1", 2))),
		"one point":          chart.SpeedUp([]int{1}, compared(result("1", 1))),
		"no distribution":    chart.Distribution(),
		"distribution units": chart.Distribution(ledger.Figure{Unit: "s"}, ledger.Figure{Unit: "MB"}),
		"no queue":           chart.Depth(3),
		"NaN points":         chart.Lines(chart.Axis{Name: "x"}, chart.Axis{Name: "y"}, chart.Series{Points: []chart.Point{{X: nan}, {Y: math.Inf(-1)}}}),
		"zero on a log axis": chart.Lines(chart.Axis{Name: "x", Log: true}, chart.Axis{Name: "y"}, chart.Series{Points: []chart.Point{{X: 0, Y: 1}}}),
	} {
		if c.Err() == nil {
			t.Errorf("%s: no error; it would draw %q", name, c)
			continue
		}
		if _, err := c.Bundle(); err == nil || !strings.HasPrefix(err.Error(), "chart: ") {
			t.Errorf("%s: got the error %v", name, err)
		}
	}
}

// TestBundle proves that whatever the names are, the figure is one figure, its JSON is JSON without a null, and what
// was written is not read as HTML.
func TestBundle(t *testing.T) {
	const hostile = `</script><script>alert(1)</script><!--"'&amp;` + "\x00\xff\n@lanes"
	plain := chart.Bars(compared(
		measure.Result{Name: hostile, Wall: []float64{1, math.NaN(), 2}}, measure.Result{Name: "none", Wall: nil},
		measure.Result{Name: strings.Repeat("long ", 100), Wall: []float64{0}}, result("@blue", 1e-9), result("negative", -1),
	))
	if text := plain.String(); !strings.Contains(text, "left out") {
		t.Errorf("the text does not say what is left out:\n%s", text)
	}
	c := plain.Titled(hostile).Described(hostile).Noted(hostile)
	bundle, err := c.Bundle()
	if err != nil {
		t.Fatal(err)
	}
	figure := bundle["text/html"].(string)
	if n := strings.Count(figure, "<script"); n != 2 {
		t.Errorf("%d scripts in the figure, expected the data and the loader:\n%s", n, figure)
	}
	if n := strings.Count(figure, "</script>"); n != 2 {
		t.Errorf("%d script ends in the figure:\n%s", n, figure)
	}
	_, data, _ := strings.Cut(figure, `class="mh-data">`)
	data, _, _ = strings.Cut(data, "</script>")
	var decoded map[string]any
	if err := json.Unmarshal([]byte(data), &decoded); err != nil {
		t.Errorf("the figure's data is no JSON: %v", err)
	}
	for path := range nulls("", bundle[chart.MIME]) {
		t.Errorf("null at %s, which GoNB's protocol cannot carry", path)
	}
}

// TestShortest draws what has hardly any extent.
func TestShortest(t *testing.T) {
	for name, c := range map[string]chart.Chart{
		"a span of no length":  chart.Lanes(lanes(span(timeline.Running, 0, 0))),
		"a point":              chart.Lines(chart.Axis{Name: "x"}, chart.Axis{Name: "y"}, chart.Series{Points: []chart.Point{{}}}),
		"a queue at one time":  chart.Depth(3, chart.Series{Points: []chart.Point{{Y: 2}}}),
		"one value":            chart.Distribution(ledger.Figure{Name: "x", Values: []float64{0}}),
		"equal values":         chart.Distribution(ledger.Figure{Name: "x", Values: []float64{7, 7, 7}}),
		"values of both signs": chart.Distribution(ledger.Figure{Name: "x", Values: []float64{-1, 1e6}}),
		"a time of zero":       chart.Bars(compared(measure.Result{Name: "x", Wall: []float64{0, 0}}, measure.Result{Name: "y", Wall: []float64{0}})),
	} {
		if bundle, err := c.Bundle(); err != nil || strings.Contains(bundle["text/plain"].(string), "NaN") {
			t.Errorf("%s: %v, %v", name, err, c)
		}
	}
}

// nulls yields the paths of the nulls in decoded JSON.
func nulls(path string, value any) map[string]bool {
	found := map[string]bool{}
	add := func(more map[string]bool) {
		for p := range more {
			found[p] = true
		}
	}
	switch value := value.(type) {
	case nil:
		found[path] = true
	case []any:
		for i, v := range value {
			add(nulls(fmt.Sprint(path, "[", i, "]"), v))
		}
	case map[string]any:
		for k, v := range value {
			add(nulls(path+"."+k, v))
		}
	}
	return found
}

// TestWithin proves that the line is where the limit is and within the axis, that each bar is told as a part of it, and
// that its name is a name whatever it is.
func TestWithin(t *testing.T) {
	bundle, err := chart.Within(rate("@lanes", 200), rate("one core", 50)).Bundle()
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(bundle[chart.MIME])
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Table  struct{ Columns []string }
		Option struct {
			YAxis  []struct{ Data []string }
			Series []struct {
				Name     string
				Data     []any
				MarkLine struct {
					Data []struct {
						Name  string
						XAxis float64
					}
				}
			}
		}
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	limit := got.Option.Series[len(got.Option.Series)-1]
	if len(limit.MarkLine.Data) != 1 || limit.MarkLine.Data[0].XAxis != 200 || limit.MarkLine.Data[0].Name != "@lanes: 200 MB/s" {
		t.Errorf("got the line %+v, expected @lanes at 200 MB/s", limit.MarkLine)
	}
	if point := fmt.Sprint(limit.Data); point != "[[200 0]]" {
		t.Errorf("the axis is made to reach %s, expected 200", point)
	}
	if bar := got.Option.YAxis[1].Data[0]; bar != "50 MB/s  (25 %)" {
		t.Errorf("the bar says %q", bar)
	}
	if column := got.Table.Columns[4]; column != "of @lanes" {
		t.Errorf("the parts are in column %q", column)
	}
}

// TestThinning proves that a picture of many spans keeps the extremes and says what it merged.
func TestThinning(t *testing.T) {
	big := many(8, 12_500)
	bundle, err := chart.Lanes(big).Bundle()
	if err != nil {
		t.Fatal(err)
	}
	decoded := bundle[chart.MIME].(map[string]any)
	if note := decoded["note"].(string); !strings.Contains(note, "drawn as one") {
		t.Errorf("the note says nothing of it: %q", note)
	}
	marks, longest := 0, 0.0
	for _, s := range decoded["option"].(map[string]any)["series"].([]any) {
		for _, item := range s.(map[string]any)["data"].([]any) {
			marks++
			v := item.([]any)
			longest = max(longest, v[2].(float64)-v[1].(float64))
		}
	}
	if marks > chart.MaxSpans {
		t.Errorf("%d marks, expected at most %d", marks, chart.MaxSpans)
	}
	if longest < 0.49 {
		t.Errorf("the longest mark lasts %v s; the span of 0.5 s is lost", longest)
	}

	queue := chart.Series{Name: "queue"}
	for i := range 100_000 {
		queue.Points = append(queue.Points, chart.Point{X: float64(i), Y: float64(i % 3)})
	}
	queue.Points[54_321].Y = 99
	bundle, err = chart.Depth(0, queue).Bundle()
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(bundle[chart.MIME])
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), "54321,99]") {
		t.Error("the only peak of 100 000 points is lost")
	}
}

// many is a timeline of short spans, with a long one.
func many(lanes, spans int) *timeline.Timeline {
	t := &timeline.Timeline{}
	for i := range lanes {
		lane := timeline.Lane{Name: fmt.Sprint("goroutine ", i)}
		at := time.Duration(0)
		for j := range spans {
			state, d := timeline.Running, time.Duration(20+(i*7+j*13)%60)*time.Microsecond
			if j%2 == 1 {
				state = timeline.Runnable
			}
			if i == 3 && j == spans/2 {
				d = 500 * time.Millisecond
			}
			lane.Spans = append(lane.Spans, timeline.Span{Start: at, End: at + d, State: state})
			at += d
		}
		t.Lanes = append(t.Lanes, lane)
		t.Length = max(t.Length, at)
	}
	return t
}
