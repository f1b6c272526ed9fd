package chart

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// maxPoints bounds the points drawn of a series.
const maxPoints = 1200

// An Axis is a quantity to draw against another.
type Axis struct {
	Name string // such as "workers"
	Unit string // "s" for times, which are drawn in the unit that suits them; "" for a plain number
	Log  bool   // a logarithmic scale, for values above zero
}

// A Point is a value measured at X. Lo and Hi are the ends of its interval; none is drawn where both are zero.
type Point struct {
	X, Y   float64
	Lo, Hi float64
}

// A Series is a line through points. Dashed is for what was not measured, such as a limit.
type Series struct {
	Name   string
	Points []Point
	Dashed bool

	curve      bool // drawn without symbols, and left out of the table
	continuing bool // goes on from the series before, in its name and colour
}

// Limit is a dashed horizontal line at y from x = from to x = to, such as the memory's bandwidth.
func Limit(name string, y, from, to float64) Series {
	return Series{Name: name, Dashed: true, Points: []Point{{X: from, Y: y}, {X: to, Y: y}}}
}

// Lines draws one quantity against another, a line for each series. The title tells where the first series is highest,
// or lowest if it is a time.
func Lines(x, y Axis, series ...Series) Chart {
	d, err := prepare(x, y, series)
	if err != nil {
		return empty("lines", err.Error())
	}
	chart := d.chart("lines")
	first := d.series[0]
	by := func(a, b Point) int { return cmp.Compare(a.Y, b.Y) }
	best, word := slices.MaxFunc(first.Points, by), "highest"
	if y.Unit == "s" {
		best, word = slices.MinFunc(first.Points, by), "lowest"
	}
	chart.title = fmt.Sprintf("%s: %s at %s %s, %s", first.Name, word, x.Name, d.x.format(best.X), unitFor(y.Unit, math.Abs(best.Y)).format(best.Y))
	return chart
}

// Depth draws how many items were in each queue over time; X is in seconds since the start, and a point's value holds
// until the next. With a capacity above zero a dashed line marks it, and the title tells how much of the time the first
// queue was full.
func Depth(capacity int, queues ...Series) Chart {
	d, err := prepare(Axis{Name: "time", Unit: "s"}, Axis{Name: "items waiting"}, queues)
	if err != nil {
		return empty("depth", err.Error())
	}
	d.step = true
	first := d.series[0]
	deepest := slices.MaxFunc(first.Points, func(a, b Point) int { return cmp.Compare(a.Y, b.Y) })
	title := fmt.Sprintf("%s: at most %s waiting, after %s", first.Name, number(deepest.Y), duration(seconds(deepest.X)))
	if capacity > 0 {
		d.series = append(d.series, Limit("capacity", float64(capacity), d.first, d.last))
		if share := shareAbove(first.Points, float64(capacity)); share > 0 {
			title = fmt.Sprintf("%s: full %s of the time", first.Name, percent(share))
		} else {
			title = fmt.Sprintf("%s: never full, at most %s of %d waiting", first.Name, number(deepest.Y), capacity)
		}
	}
	chart := d.chart("depth")
	end, _ := d.at(d.last, 0)
	chart.option["xAxis"] = timeAxis(d.x, end)
	chart.title = title
	return chart
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

// shareAbove is the part of the time in which the value, held from point to point, was at least level.
func shareAbove(points []Point, level float64) float64 {
	var above, all float64
	for i := 1; i < len(points); i++ {
		held := points[i].X - points[i-1].X
		all += held
		if points[i-1].Y >= level {
			above += held
		}
	}
	if all == 0 {
		return 0
	}
	return above / all
}

// drawing is what the line charts have in common.
type drawing struct {
	x, y        unit
	xAxis       Axis
	yAxis       Axis
	series      []Series
	first, last float64 // extremes of X
	step        bool    // a value holds until the next
	notes       []string
}

// prepare leaves out what cannot be drawn, sorts the points by X and chooses the units.
func prepare(x, y Axis, series []Series) (drawing, error) {
	d := drawing{xAxis: x, yAxis: y, first: math.Inf(1), last: math.Inf(-1)}
	dropped, largest := 0, 0.0
	for _, s := range series {
		kept := Series{Name: label(s.Name), Dashed: s.Dashed, curve: s.curve, continuing: s.continuing}
		for _, p := range s.Points {
			if !finite(p.X) || !finite(p.Y) || x.Log && p.X <= 0 || y.Log && p.Y <= 0 {
				dropped++
				continue
			}
			if !finite(p.Lo) || !finite(p.Hi) || p.Lo > p.Hi {
				p.Lo, p.Hi = 0, 0
			}
			kept.Points = append(kept.Points, p)
			d.first, d.last = min(d.first, p.X), max(d.last, p.X)
			largest = max(largest, math.Abs(p.Y), math.Abs(p.Hi))
		}
		if len(kept.Points) == 0 {
			continue
		}
		slices.SortStableFunc(kept.Points, func(a, b Point) int { return cmp.Compare(a.X, b.X) })
		d.series = append(d.series, kept)
	}
	if len(d.series) == 0 {
		return d, fmt.Errorf("no points to draw of %s against %s", y.Name, x.Name)
	}
	d.x, d.y = unitFor(x.Unit, max(math.Abs(d.first), math.Abs(d.last))), unitFor(y.Unit, largest)
	if dropped > 0 {
		d.notes = append(d.notes, left(dropped, "point", "that no axis has a place for"))
	}
	return d, nil
}

// symbols tell series apart without their colours.
var symbols = []string{"circle", "rect", "triangle", "diamond", "emptyCircle"}

// chart draws the series, without a title.
func (d drawing) chart(kind string) Chart {
	series, legend := list{}, list{}
	t := table{Columns: []string{"", d.x.axis(d.xAxis.Name), d.y.axis(d.yAxis.Name)}}
	colours := 0
	thinned := false
	for _, s := range d.series {
		points := extremes(s.Points, maxPoints)
		thinned = thinned || len(points) < len(s.Points)
		colour := "@muted"
		if !s.Dashed || s.continuing {
			if !s.continuing {
				colours++
			}
			colour = plain[(colours-1)%len(plain)]
		}
		data, intervals := d.data(points)
		line := option{
			"type": "line", "name": s.Name, "data": data, "symbol": "none",
			"lineStyle": option{"width": 2}, "itemStyle": option{"color": colour},
		}
		icon := "path://M0 0h20v2h-20z"
		switch {
		case s.Dashed:
			icon = "path://M0 0h5v2h-5zM8 0h5v2h-5zM16 0h5v2h-5z"
			line["lineStyle"] = option{"width": 1.5, "type": "dashed", "color": colour}
		case d.step:
			line["step"] = "end"
			if colours == 1 {
				line["areaStyle"] = option{"opacity": 0.15}
			}
		case !s.curve && len(points) <= 40:
			icon = symbols[(colours-1)%len(symbols)]
			line["symbol"], line["symbolSize"] = icon, 7
		}
		if !s.continuing {
			legend = append(legend, option{"name": s.Name, "icon": icon})
		}
		series = append(series, line)
		if len(intervals) > 0 {
			series = append(series, option{
				"type": "custom", "name": "95 % interval", "renderItem": "@interval", "data": intervals,
				"itemPayload": option{"along": "y"}, "itemStyle": option{"color": "@text"},
				"encode": option{"x": 0, "y": list{2, 3}}, "z": 4,
			})
		}
		if !s.Dashed && !s.curve {
			t.Rows = append(t.Rows, d.rows(s)...)
		}
	}
	notes := d.notes
	if thinned {
		notes = append(notes, fmt.Sprintf("Lines are thinned to %d points, keeping what is highest and lowest everywhere", maxPoints))
	}
	return Chart{
		kind:        kind,
		height:      340,
		table:       t.bounded(),
		note:        sentences(notes...),
		description: describe(fmt.Sprintf("%s against %s, %d lines.", d.yAxis.Name, d.xAxis.Name, len(d.series)), t),
		option: option{
			"grid":    grid(56, 26),
			"legend":  option{"left": "left", "top": 0, "data": legend},
			"tooltip": option{"trigger": "axis"},
			"xAxis":   d.axis(d.xAxis, d.x, option{"nameLocation": "middle", "nameGap": 28, "splitLine": option{"show": false}}),
			"yAxis":   d.axis(d.yAxis, d.y, option{"nameTextStyle": option{"align": "left"}}),
			"series":  series,
		},
	}
}

// data returns the points in the units of the axes, and those that have an interval with it.
func (d drawing) data(points []Point) (data, intervals list) {
	data, intervals = list{}, list{}
	for _, p := range points {
		x, y := d.at(p.X, p.Y)
		data = append(data, list{x, y})
		if p.Lo != 0 || p.Hi != 0 {
			_, lo := d.at(p.X, p.Lo)
			_, hi := d.at(p.X, p.Hi)
			intervals = append(intervals, list{x, y, lo, hi})
		}
	}
	return data, intervals
}

// plain are the colours of measured series.
var plain = []string{"@blue", "@orange", "@green", "@purple", "@sky"}

func (d drawing) at(x, y float64) (float64, float64) {
	span := max(math.Abs(d.first), math.Abs(d.last)) * d.x.scale
	dx := precision(span)
	if d.xAxis.Log {
		dx = 9
	}
	return round(x*d.x.scale, dx), round(y*d.y.scale, precision(math.Abs(y*d.y.scale)))
}

func (d drawing) axis(a Axis, u unit, style option) option {
	style["type"], style["name"] = "value", u.axis(a.Name)
	if a.Log {
		style["type"] = "log"
	}
	return style
}

// rows has the points of a series; of a long one the first, the last, and evenly spaced ones between.
func (d drawing) rows(s Series) [][]string {
	const most = 20
	step := max(1, float64(len(s.Points)-1)/(most-1))
	var rows [][]string
	for i := 0.0; int(i+0.5) < len(s.Points); i += step {
		p := s.Points[int(i+0.5)]
		rows = append(rows, []string{s.Name, number(p.X * d.x.scale), number(p.Y * d.y.scale)})
	}
	return rows
}

// extremes returns at most n of the points: from each stretch of equal length along X its lowest and its highest, and
// the first and the last of all.
func extremes(points []Point, n int) []Point {
	if len(points) <= n {
		return points
	}
	from, to := points[0].X, points[len(points)-1].X
	buckets := n/2 - 1
	width := (to - from) / float64(buckets)
	kept := []Point{points[0]}
	for start := 0; start < len(points); {
		bucket := math.Floor((points[start].X - from) / width)
		end, low, high := start, start, start
		for ; end < len(points) && (end == start || math.Floor((points[end].X-from)/width) == bucket); end++ {
			if points[end].Y < points[low].Y {
				low = end
			}
			if points[end].Y > points[high].Y {
				high = end
			}
		}
		kept = append(kept, points[min(low, high)])
		if low != high {
			kept = append(kept, points[max(low, high)])
		}
		start = end
	}
	return append(kept, points[len(points)-1])
}
