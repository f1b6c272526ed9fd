package chart

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"manyhands/helpers/ledger"
	"manyhands/helpers/measure"
)

// maxBars bounds the bars of a chart.
const maxBars = 40

// Bars draws the median time of each alternative as a bar from zero, with the interval that holds the true median 95
// times in 100 as a whisker, and each repeat as a dot. The title compares the fastest with the first alternative, or
// says that the two cannot be told apart.
func Bars(c measure.Comparison) Chart {
	bars := make([]bar, 0, len(c.Results))
	results := make([]measure.Result, 0, len(c.Results))
	for _, r := range c.Results {
		b := newBar(r.Name, r.Wall)
		r.Wall = b.values
		results = append(results, r)
		if s := r.SpeedUp(results[0]).Value; len(bars) > 0 && finite(s) {
			b.remark = ratio(s)
		}
		bars = append(bars, b)
	}
	chart := barChart("time", "s", "speed-up", bars)
	if chart.err == nil {
		chart.title = finding(results)
	}
	return chart
}

// finding is what a comparison found, as a title.
func finding(results []measure.Result) string {
	measured := slices.DeleteFunc(slices.Clone(results), func(r measure.Result) bool { return !finite(r.Median().Value) })
	first := measured[0]
	if len(measured) == 1 {
		return fmt.Sprintf("%s: %s", label(first.Name), unitFor("s", first.Median().Value).format(first.Median().Value))
	}
	best := slices.MinFunc(measured[1:], func(a, b measure.Result) int { return cmp.Compare(a.Median().Value, b.Median().Value) })
	s := best.SpeedUp(first)
	if s.Known && !best.Distinguishable(first) {
		return fmt.Sprintf("%s and %s cannot be told apart", label(first.Name), label(best.Name))
	}
	if !finite(s.Value) || s.Value == 0 { // times of zero have no ratio
		return fmt.Sprintf("%s: %s", label(best.Name), unitFor("s", best.Median().Value).format(best.Median().Value))
	}
	times, word := s.Value, "faster"
	if times < 1 {
		times, word = 1/times, "slower"
	}
	title := fmt.Sprintf("%s: %s %s than %s", label(best.Name), ratio(times), word, label(first.Name))
	if !s.Known {
		title += ", by too few repeats to be sure"
	}
	return title
}

// Figures draws the median of each recorded figure as a bar, with its spread as [Bars] does. All must have one unit.
// The title names the largest, or for times the shortest.
func Figures(figures ...ledger.Figure) Chart {
	bars := make([]bar, 0, len(figures))
	for _, f := range figures {
		if f.Unit != figures[0].Unit {
			return twoUnits("bars", figures[0], f)
		}
		bars = append(bars, newBar(f.Name, f.Values))
	}
	if len(bars) == 0 {
		return empty("bars", "no figures to draw")
	}
	chart := barChart(quantity(figures[0].Unit), figures[0].Unit, "", bars)
	if chart.err != nil {
		return chart
	}
	drawn := slices.DeleteFunc(bars, func(b bar) bool { return !finite(b.median.Value) })
	best, word := slices.MaxFunc(drawn, byMedian), "highest"
	if figures[0].Unit == "s" {
		best, word = slices.MinFunc(drawn, byMedian), "shortest"
	}
	u := unitFor(figures[0].Unit, best.median.Value)
	if len(drawn) == 1 {
		chart.title = fmt.Sprintf("%s: %s", best.name, u.format(best.median.Value))
	} else {
		chart.title = fmt.Sprintf("%s: %s, the %s of %d", best.name, u.format(best.median.Value), word, len(drawn))
	}
	return chart
}

// Within draws figures as [Figures] does, with a dashed line at the median of a limit, such as what the memory can
// deliver, and tells each bar as a part of it. All must have one unit, of which more is better: no times. The title
// names the figure that reaches the largest part.
func Within(limit ledger.Figure, figures ...ledger.Figure) Chart {
	line := newBar(limit.Name, limit.Values)
	if !(line.median.Value > 0) {
		return empty("bars", fmt.Sprintf("%q is no limit: it needs a value above zero", line.name))
	}
	if limit.Unit == "s" {
		return empty("bars", fmt.Sprintf("%q is a time: make figures of which more is better, such as MB/s", line.name))
	}
	bars := make([]bar, 0, len(figures))
	for _, f := range figures {
		if f.Unit != limit.Unit {
			return twoUnits("bars", limit, f)
		}
		b := newBar(f.Name, f.Values)
		b.remark = percent(b.median.Value / line.median.Value)
		bars = append(bars, b)
	}
	column := "of " + line.name
	chart := barChart(quantity(limit.Unit), limit.Unit, column, bars)
	if chart.err != nil {
		return chart
	}
	drawn := slices.DeleteFunc(bars, func(b bar) bool { return !finite(b.median.Value) })
	best, u := slices.MaxFunc(drawn, byMedian), unitFor(limit.Unit, line.median.Value)
	chart.title = fmt.Sprintf("%s: %s, %s %s", best.name, u.format(best.median.Value), best.remark, column)
	said := line.name + ": " + u.format(line.median.Value)
	chart.note = sentences(chart.note, "Dashed: "+said)
	chart.description += " The limit is " + said + "."
	at := round(line.median.Value, precision(line.median.Value))
	chart.option["grid"].(option)["top"] = 26 // room for the line's name
	chart.option["series"] = append(chart.option["series"].(list), option{
		"type": "scatter", "name": line.name, "data": list{list{at, 0}}, "symbolSize": 0, // makes the axis reach the line
		"markLine": option{
			"silent": true, "symbol": "none", "data": list{option{"name": said, "xAxis": at}},
			"lineStyle": option{"type": "dashed", "width": 1.5, "color": "@text"},
			"label":     option{"formatter": "{b}", "position": "start", "align": "right", "color": "@text"}, // above: y is inverse
		},
	})
	return chart
}

// twoUnits is the chart of figures that have no axis in common.
func twoUnits(kind string, a, b ledger.Figure) Chart {
	return empty(kind, fmt.Sprintf("%q is in %s, %q in %s: one axis needs one unit", a.Name, a.Unit, b.Name, b.Unit))
}

// A bar is one row of a bar chart.
type bar struct {
	name    string
	values  []float64 // finite
	median  measure.Estimate
	remark  string // beside the value
	dropped int    // values that were no finite numbers
}

func byMedian(a, b bar) int { return cmp.Compare(a.median.Value, b.median.Value) }

func newBar(name string, values []float64) bar {
	kept, dropped := onlyFinite(values)
	return bar{name: label(name), values: kept, median: measure.Result{Wall: kept}.Median(), dropped: dropped}
}

// onlyFinite returns the values without NaN and infinities, and how many those were.
func onlyFinite(values []float64) ([]float64, int) {
	kept := slices.DeleteFunc(slices.Clone(values), func(x float64) bool { return !finite(x) })
	return kept, len(values) - len(kept)
}

// barChart draws the bars that have a value. In the table their remarks, if there are any, have a column called remark.
func barChart(quantity, unitName, remark string, bars []bar) Chart {
	dropped, missing := 0, 0
	drawn := slices.DeleteFunc(slices.Clone(bars), func(b bar) bool {
		dropped += b.dropped
		none := len(b.values) == 0 || !finite(b.median.Value)
		if none {
			missing++
		}
		return none
	})
	if len(drawn) == 0 {
		return empty("bars", "nothing measured: no alternative has a value to draw")
	}
	cut := max(0, len(drawn)-maxBars)
	drawn = drawn[:len(drawn)-cut]

	largest := 0.0
	for _, b := range drawn {
		largest = max(largest, b.median.Value, b.median.Hi)
	}
	u := unitFor(unitName, largest)
	digits := precision(largest * u.scale)
	scaled := func(x float64) float64 { return round(x*u.scale, digits) }

	names, values, medians, intervals, repeats := list{}, list{}, list{}, list{}, list{} // never nil: no null in the JSON
	t := table{Columns: []string{"", "median", "95 % interval", "repeats"}}
	remarks := slices.ContainsFunc(drawn, func(b bar) bool { return b.remark != "" })
	if remarks {
		t.Columns = append(t.Columns, remark)
	}
	for i, b := range drawn {
		own := unitFor(unitName, b.median.Value)
		text, interval := own.format(b.median.Value), "needs 6 repeats"
		names = append(names, b.name)
		medians = append(medians, scaled(b.median.Value))
		if b.median.Known {
			interval = own.interval(b.median.Lo, b.median.Hi)
			intervals = append(intervals, list{scaled(b.median.Value), i, scaled(b.median.Lo), scaled(b.median.Hi)})
		}
		row := []string{b.name, text, interval, fmt.Sprint(len(b.values))}
		if remarks {
			row = append(row, b.remark)
		}
		t.Rows = append(t.Rows, row)
		for _, v := range thinned(b.values, 200) {
			repeats = append(repeats, list{scaled(v), i})
		}
		if b.remark != "" {
			text += "  (" + b.remark + ")"
		}
		values = append(values, text)
	}

	return Chart{
		kind:   "bars",
		height: 70 + 42*len(drawn),
		table:  t.bounded(),
		note: sentences("Bar: median. Dots: each repeat", whisker(intervals),
			left(dropped, "value", "(infinite or not a number)"), left(missing, "alternative", "without a value"),
			left(cut, "alternative", "for lack of room")),
		description: describe(fmt.Sprintf("Bar chart of the %s of %d alternatives.", quantity, len(drawn)), t),
		option: option{
			"grid":    grid(8, 26),
			"tooltip": option{"trigger": "item"},
			"xAxis":   option{"type": "value", "name": u.axis(quantity), "nameLocation": "middle", "nameGap": 28, "min": 0},
			"yAxis": list{
				option{"type": "category", "inverse": true, "data": names, "axisLabel": beside(names)},
				option{"type": "category", "inverse": true, "data": values, "position": "right", "axisLine": option{"show": false}},
			},
			"series": list{
				option{"type": "bar", "name": "median", "data": medians, "barWidth": "52%", "itemStyle": option{"color": "@blue"}},
				option{"type": "scatter", "name": "repeat", "data": repeats, "symbolSize": 5, "z": 3,
					"itemStyle": option{"color": "@muted", "opacity": 0.7}},
				option{"type": "custom", "name": "95 % interval", "renderItem": "@interval", "itemPayload": option{"along": "x"},
					"data": intervals, "encode": option{"x": list{2, 3}, "y": 1}, "z": 4},
			},
		},
	}
}

func whisker(intervals list) string {
	if len(intervals) == 0 {
		return "An interval needs 6 repeats"
	}
	return "Line: the interval that holds the true median 95 times in 100"
}

// left is the note that n things are not drawn; "" if n is 0.
func left(n int, thing, why string) string {
	switch n {
	case 0:
		return ""
	case 1:
		return fmt.Sprintf("1 %s %s is left out", thing, why)
	}
	return fmt.Sprintf("%d %ss %s are left out", n, thing, why)
}

// thinned returns at most n of the values, the smallest and the largest among them, evenly spread over their ranks.
func thinned(values []float64, n int) []float64 {
	if len(values) <= n {
		return values
	}
	sorted := slices.Sorted(slices.Values(values))
	kept := make([]float64, n)
	for i := range kept {
		kept[i] = sorted[i*(len(sorted)-1)/(n-1)]
	}
	return kept
}

// beside is the style of names on the left of a chart: some 25 of them at most, and long ones on several lines.
func beside(names list) option {
	style := option{"interval": (len(names) - 1) / 25}
	for _, name := range names {
		if utf8.RuneCountInString(name.(string)) > 24 {
			style["width"], style["overflow"] = 170, "break"
		}
	}
	return style
}

// grid is the place of the plot, with pixels above and below it for what stands there.
func grid(above, below int) option {
	return option{"left": 8, "right": 16, "top": above, "bottom": below, "containLabel": true}
}

// describe says in words what a chart and the first rows of its table show.
func describe(what string, t table) string {
	const most = 8
	var b strings.Builder
	b.WriteString(what)
	for i, row := range t.Rows {
		if i == most {
			fmt.Fprintf(&b, " And %d more in the table.", len(t.Rows)-most)
			break
		}
		var cells []string
		for j, cell := range row[1:] {
			if cell != "" {
				cells = append(cells, t.Columns[j+1]+" "+cell)
			}
		}
		fmt.Fprintf(&b, " %s: %s.", row[0], strings.Join(cells, ", "))
	}
	return b.String()
}
