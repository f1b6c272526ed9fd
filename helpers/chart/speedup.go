package chart

import (
	"fmt"
	"math"
	"strconv"

	"manyhands/helpers/measure"
)

// A Law fits a law of scaling to measured speed-ups: X workers, Y times faster than one.
type Law func(points []Point) Curve

// A Curve is a fitted law. Beyond the measured points it is a prediction, and drawn dashed.
type Curve struct {
	Name  string // with the fitted parameters
	At    func(workers float64) float64
	Until float64 // the most workers to draw it for, if more than were measured
}

// Amdahl fits Amdahl's law, S(N) = 1 / (s + (1-s)/N), for the same work on more workers; s is the part of the work that
// stays serial (AFIPS 1967). The fit is by least squares of 1/S, in which the law is linear.
func Amdahl(points []Point) Curve {
	var xy, xx float64
	for _, p := range points {
		x, y := 1-1/p.X, 1/p.Y-1/p.X
		xy += x * y
		xx += x * x
	}
	s := fraction(xy / xx)
	return Curve{
		Name: fmt.Sprintf("Amdahl, %s serial", share(s)),
		At:   func(n float64) float64 { return 1 / (s + (1-s)/n) },
	}
}

// Gustafson fits Gustafson's law, S(N) = N - s(N-1), for work that grows with the workers; s is the part of the time
// that is serial (CACM 1988). The fit is by least squares.
func Gustafson(points []Point) Curve {
	var xy, xx float64
	for _, p := range points {
		x := p.X - 1
		xy += x * (p.X - p.Y)
		xx += x * x
	}
	s := fraction(xy / xx)
	return Curve{
		Name: fmt.Sprintf("Gustafson, %s serial", share(s)),
		At:   func(n float64) float64 { return n - s*(n-1) },
	}
}

// USL fits Gunther's Universal Scalability Law, S(N) = N / (1 + a(N-1) + bN(N-1)): a is contention, waiting for what
// only one can have; b is the cost of keeping workers coherent, which makes many of them slower than few (Gunther,
// Guerrilla Capacity Planning, 2007). The fit is by least squares of N/S, in which the law is linear; neither may be
// negative.
func USL(points []Point) Curve {
	var uu, uv, vv, uy, vy float64
	for _, p := range points {
		u, v, y := p.X-1, p.X*(p.X-1), p.X/p.Y-1
		uu, uv, vv = uu+u*u, uv+u*v, vv+v*v
		uy, vy = uy+u*y, vy+v*y
	}
	det := uu*vv - uv*uv
	a, b := (uy*vv-vy*uv)/det, (vy*uu-uy*uv)/det
	switch {
	case !finite(a) || !finite(b) || b < 0:
		a, b = max(0, uy/uu), 0
	case a < 0:
		a, b = 0, max(0, vy/vv)
	}
	if !finite(a) {
		a = 0
	}
	return Curve{
		Name: fmt.Sprintf("USL, contention %s, coherence %s", share(a), share(b)),
		At:   func(n float64) float64 { return n / (1 + a*(n-1) + b*n*(n-1)) },
	}
}

// Until makes a law's curve go on to a number of workers that was not measured.
func Until(workers int, law Law) Law {
	return func(points []Point) Curve {
		c := law(points)
		c.Until = float64(workers)
		return c
	}
}

func fraction(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return min(max(x, 0), 1)
}

func share(x float64) string {
	if x >= 0.1 {
		return percent(x)
	}
	return strconv.FormatFloat(100*x, 'g', 2, 64) + " %"
}

// SpeedUp draws how many times faster each result is than the first one, against the ideal of as many times as there
// are workers, with the laws fitted to the points. workers[i] is the number of workers of c.Results[i]; the first is the
// base, and usually 1. The title tells the best point and its part of the ideal.
func SpeedUp(workers []int, c measure.Comparison, laws ...Law) Chart {
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
	for _, law := range laws {
		curve := law(d.series[0].Points)
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
	if len(laws) > 0 { // the curves join them
		points["lineStyle"] = option{"width": 0}
	}
	chart.option["xAxis"].(option)["min"] = d.first
	chart.option["xAxis"].(option)["max"] = last
	if last/base > 1.5*highest { // room for the points rather than for all of the ideal
		chart.option["yAxis"].(option)["max"] = math.Ceil(1.25 * highest)
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
