package chart

import (
	"fmt"
	"math"

	"manyhands/helpers/measure"
)

// A Curve is a law of scaling beside measured speed-ups, such as one that package scaling has fitted: workers are At(workers)
// times faster than one. Beyond the measured points it is a prediction, and drawn dashed.
type Curve struct {
	Name  string
	At    func(workers float64) float64
	Until float64 // the most workers to draw it for, if more than were measured
}

// SpeedUp draws how many times faster each result is than the first one, against the ideal of as many times as there
// are workers, and beside the curves. workers[i] is the number of workers of c.Results[i]; the first is the
// base, and usually 1. The title tells the best point and its part of the ideal.
func SpeedUp(workers []int, c measure.Comparison, curves ...Curve) Chart {
	if len(workers) != len(c.Results) {
		return empty("speedup", fmt.Sprintf("%d numbers of workers for %d results", len(workers), len(c.Results)))
	}
	measured := Series{Name: "measured"}
	t := table{Columns: []string{"workers", "speed-up", "95 % interval", "of the ideal"}}
	for i, r := range c.Results {
		if workers[i] < 1 {
			return empty("speedup", fmt.Sprintf("%d workers for %q: at least 1 is needed", workers[i], r.Name))
		}
		s, n := r.SpeedUp(c.Results[0]), float64(workers[i])
		if !finite(s.Value) || s.Value <= 0 {
			continue
		}
		p := Point{X: n, Y: s.Value}
		interval := "needs 4 repeats"
		if i == 0 {
			p.Y, interval = 1, "by definition"
		} else if s.Known {
			p.Lo, p.Hi = s.Lo, s.Hi
			interval = unit{scale: 1}.interval(s.Lo, s.Hi)
		}
		measured.Points = append(measured.Points, p)
		t.Rows = append(t.Rows, []string{fmt.Sprint(workers[i]), number(p.Y) + "×", interval, percent(p.Y / n * float64(workers[0]))})
	}
	if len(measured.Points) < 2 {
		return empty("speedup", "a speed-up needs results for at least two numbers of workers")
	}
	d, err := prepare(Axis{Name: "workers"}, Axis{Name: "times as fast"}, []Series{measured})
	if err != nil {
		return empty("speedup", err.Error())
	}
	base, measuredTo, last, highest := float64(workers[0]), d.last, d.last, 0.0
	for _, curve := range curves {
		d.series = append(d.series, Series{Name: curve.Name, curve: true, Points: sampled(curve.At, d.first, measuredTo)})
		if curve.Until > measuredTo {
			last = max(last, curve.Until)
			d.series = append(d.series, Series{Name: curve.Name, Dashed: true, continuing: true,
				Points: sampled(curve.At, measuredTo, curve.Until)})
		}
	}
	for _, s := range d.series {
		for _, p := range s.Points {
			highest = max(highest, p.Y, p.Hi)
		}
	}
	d.series = append(d.series, Series{Name: "ideal", Dashed: true, Points: []Point{{X: d.first, Y: d.first / base}, {X: last, Y: last / base}}})
	chart := d.chart("speedup")
	points := chart.option["series"].(list)[0].(option)
	points["z"] = 4
	if len(curves) > 0 { // the curves join them
		points["lineStyle"] = option{"width": 0}
	}
	chart.option["xAxis"].(option)["min"] = d.first
	chart.option["xAxis"].(option)["max"] = last
	if last/base > 1.5*highest { // room for the points rather than for all of the ideal
		top := 1.25 * highest
		step := math.Ceil(top / 5)
		chart.option["yAxis"].(option)["max"], chart.option["yAxis"].(option)["interval"] = step*math.Ceil(top/step), step
	}
	if last > measuredTo {
		chart.note = "Dashed and shaded: more workers than were measured, a prediction."
		points["markArea"] = option{
			"silent": true, "itemStyle": option{"color": "@faint", "opacity": 0.12},
			"label": option{"color": "@muted", "position": "insideTop", "formatter": "prediction"},
			"data":  list{list{option{"xAxis": measuredTo}, option{"xAxis": last}}},
		}
	}
	best := measured.Points[0]
	for _, p := range measured.Points {
		if p.Y > best.Y {
			best = p
		}
	}
	chart.title = fmt.Sprintf("%s workers: %s as fast as %s, %s of the ideal", number(best.X), ratio(best.Y), number(base), percent(best.Y*base/best.X))
	if best.X <= base {
		chart.title = fmt.Sprintf("More than %s worker: never faster", number(base))
	}
	chart.table = t.bounded()
	chart.description = describe("Speed-up against the number of workers.", t)
	return chart
}

// sampled are points of a curve, close enough together to look smooth.
func sampled(at func(float64) float64, from, to float64) []Point {
	const n = 48
	points := make([]Point, 0, n+1)
	for i := range n + 1 {
		x := from + (to-from)*float64(i)/n
		points = append(points, Point{X: x, Y: at(x)})
	}
	return points
}
