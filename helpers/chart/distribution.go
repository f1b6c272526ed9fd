package chart

import (
	"fmt"
	"math"
	"slices"
	"time"

	"manyhands/helpers/ledger"
)

// The bounds of a distribution chart.
const (
	bins             = 72
	maxDistributions = 12
)

// Durations makes a figure, for [Distribution] and [Figures], of times such as those of
// [manyhands/helpers/timeline.Timeline.Durations].
func Durations(name string, times []time.Duration) ledger.Figure {
	f := ledger.Figure{Name: name, Unit: "s", Values: make([]float64, len(times))}
	for i, d := range times {
		f.Values[i] = d.Seconds()
	}
	return f
}

// Distribution draws how often which values occurred, a histogram for each figure above one axis, with marks at the
// median and at the value that 99 % do not exceed. The axis is logarithmic where the values span more than a factor of
// 100. All figures must have one unit. The title tells the two marks of the first figure, or that of all at 99 %.
func Distribution(figures ...ledger.Figure) Chart {
	var drawn []distribution
	dropped := 0
	for _, f := range figures {
		if f.Unit != figures[0].Unit {
			return twoUnits("distribution", figures[0], f)
		}
		values, n := onlyFinite(f.Values)
		dropped += n
		if len(values) == 0 {
			continue
		}
		slices.Sort(values)
		drawn = append(drawn, distribution{label(f.Name), values})
	}
	if len(drawn) == 0 {
		return empty("distribution", "no values to draw")
	}
	cut := max(0, len(drawn)-maxDistributions)
	drawn = drawn[:len(drawn)-cut]

	least, most := math.Inf(1), math.Inf(-1)
	for _, d := range drawn {
		least, most = min(least, d.values[0]), max(most, d.values[len(d.values)-1])
	}
	u := unitFor(figures[0].Unit, max(math.Abs(least), math.Abs(most)))
	axis := newBins(least, most)
	names, bars, medians, tails := list{}, list{}, list{}, list{}
	t := table{Columns: []string{"", "values", "least", "median", "90 %", "99 %", "most"}}
	for i, d := range drawn {
		names = append(names, d.name)
		counts := axis.count(d.values)
		highest := slices.Max(counts)
		for j, n := range counts {
			if n > 0 {
				from, to := axis.edge(j)*u.scale, axis.edge(j+1)*u.scale
				bars = append(bars, list{i, short(from), short(to), round(float64(n)/float64(highest), 3)})
			}
		}
		medians = append(medians, list{i, short(d.quantile(0.5) * u.scale), short(d.quantile(0.5) * u.scale)})
		tails = append(tails, list{i, short(d.quantile(0.99) * u.scale), short(d.quantile(0.99) * u.scale), 0.6})
		row := []string{d.name, fmt.Sprint(len(d.values))}
		for _, q := range []float64{0, 0.5, 0.9, 0.99, 1} {
			row = append(row, d.text(figures[0].Unit, q))
		}
		t.Rows = append(t.Rows, row)
	}
	marks := func(name, colour string, data list) option {
		return option{
			"type": "custom", "name": name, "renderItem": "@lanes", "itemPayload": option{"height": 0.86, "least": 3},
			"itemStyle": option{"color": colour}, "encode": option{"x": list{1, 2}, "y": 0}, "data": data, "z": 3,
		}
	}
	xAxis := option{"type": "value", "name": u.axis(quantity(figures[0].Unit)), "nameLocation": "middle", "nameGap": 28, "scale": true}
	note := "Each histogram is as high as its lane, whatever its number of values"
	if axis.log {
		xAxis["type"] = "log"
		xAxis["min"], xAxis["max"] = short(least*u.scale*0.9), short(most*u.scale*1.1)
		xAxis["axisLabel"] = option{"showMinLabel": false, "showMaxLabel": false}
		note += ". The axis is logarithmic"
	}
	return Chart{
		kind:   "distribution",
		title:  distributionFinding(figures[0].Unit, drawn),
		height: min(max(64*len(drawn), 120), 620) + 90,
		table:  t.bounded(),
		note: sentences(note, left(dropped, "value", "(infinite or not a number)"),
			left(cut, "figure", "for lack of room")),
		description: describe(fmt.Sprintf("Histograms of %d figures.", len(drawn)), t),
		option: option{
			"grid":    grid(30, 26),
			"legend":  option{"left": "left", "top": 0},
			"tooltip": option{"formatter": "@bin"},
			"xAxis":   xAxis,
			"yAxis":   option{"type": "category", "inverse": true, "data": names, "axisLabel": beside(names), "splitLine": option{"show": true}},
			"series": list{
				option{
					"type": "custom", "name": "how often", "renderItem": "@lanes", "itemPayload": option{"height": 0.86},
					"itemStyle": option{"color": "@blue"}, "encode": option{"x": list{1, 2}, "y": 0}, "data": bars,
				},
				marks("median", "@text", medians),
				marks("99 % are below", "@orange", tails),
			},
		},
	}
}

// quantity is what an axis of values in a unit is called before the unit.
func quantity(unit string) string {
	switch unit {
	case "s":
		return "time"
	case "":
		return "value"
	}
	return ""
}

func distributionFinding(unit string, drawn []distribution) string {
	first := drawn[0]
	if len(drawn) == 1 {
		return fmt.Sprintf("%s: half within %s, 99 %% within %s", first.name, first.text(unit, 0.5), first.text(unit, 0.99))
	}
	title := "99 % within"
	for i, d := range drawn {
		if i == 3 {
			return title + ", …"
		}
		if i > 0 {
			title += ","
		}
		title += fmt.Sprintf(" %s (%s)", d.text(unit, 0.99), d.name)
	}
	return title
}

// short keeps five significant digits.
func short(x float64) float64 { return round(x, precision(math.Abs(x))) }

// A distribution is a figure's values, sorted and finite.
type distribution struct {
	name   string
	values []float64
}

// quantile returns the smallest value that a part q of the values does not exceed (Hyndman and Fan's type 1).
func (d distribution) quantile(q float64) float64 {
	return d.values[max(0, int(math.Ceil(q*float64(len(d.values))))-1)]
}

func (d distribution) text(unit string, q float64) string {
	x := d.quantile(q)
	return unitFor(unit, math.Abs(x)).format(x)
}

// A binning cuts an axis into equal parts, equal in the logarithm if it is logarithmic.
type binning struct {
	from, to float64
	log      bool
}

func newBins(least, most float64) binning {
	if least == most { // one bin around the only value
		width := max(math.Abs(least)/100, 1e-9)
		return binning{least - width, most + width, false}
	}
	return binning{least, most, least > 0 && most/least > 100}
}

func (b binning) edge(i int) float64 {
	part := float64(i) / bins
	if b.log {
		return b.from * math.Pow(b.to/b.from, part)
	}
	return b.from + (b.to-b.from)*part
}

func (b binning) count(values []float64) []int {
	counts := make([]int, bins)
	for _, x := range values {
		part := (x - b.from) / (b.to - b.from)
		if b.log {
			part = math.Log(x/b.from) / math.Log(b.to/b.from)
		}
		counts[min(max(int(part*bins), 0), bins-1)]++
	}
	return counts
}
