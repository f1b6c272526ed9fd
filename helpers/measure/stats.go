package measure

import (
	"math"
	"slices"
	"sort"

	"github.com/aclements/go-moremath/stats"
	"golang.org/x/perf/benchmath"
)

const confidence = 0.95

// A Result is what was measured of one case. It is plain data: encode it as
// JSON, chart it, record it.
//
// Times are seconds as float64. A time.Duration counts whole nanoseconds, too
// coarse for the mean of a million calls of 0.3 ns; and seconds are what JSON,
// the ledger, Python and the statistics below want.
type Result struct {
	Name string `json:"name"`

	// Wall is the time that passed, in seconds a call, a value per repeat in
	// the order they were made.
	Wall []float64 `json:"wall"`

	// CPU is the time that the processor cores worked, in seconds a call:
	// all threads of this process and of the children it waited for. Twice
	// the wall time means two cores busy. It is empty for [Samples].
	CPU []float64 `json:"cpu,omitempty"`

	// Calls is the number of calls that each value is the mean of: 1, or
	// more for a function too fast for the clock.
	Calls int `json:"calls"`
}

// An Estimate is a value with the interval that holds the true one with a
// probability of at least 95 %. With too few repeats there is no such
// interval: Known is false, and Lo and Hi are 0.
type Estimate struct {
	Value, Lo, Hi float64
	Known         bool
}

// Median returns the median wall time in seconds. Its interval is made of
// order statistics (David and Nagaraja, Order Statistics, 3rd ed., 7.1) and
// needs 6 repeats.
func (r Result) Median() Estimate { return median(r.Wall) }

// MedianCPU returns the median CPU time in seconds, NaN where it is unknown.
func (r Result) MedianCPU() Estimate { return median(r.CPU) }

// Busy returns how many cores were at work on average: CPU time over wall
// time. Near 0 the case waits (I/O-bound), near 1 it fills one core. The value
// is NaN where the CPU time is unknown.
func (r Result) Busy() Estimate {
	if len(r.CPU) != len(r.Wall) {
		return median(nil)
	}
	busy := make([]float64, len(r.Wall))
	for i := range busy {
		busy[i] = r.CPU[i] / r.Wall[i]
	}
	return median(busy)
}

func median(values []float64) Estimate {
	if len(values) == 0 {
		return Estimate{Value: math.NaN()}
	}
	s := benchmath.AssumeNothing.Summary(newSample(values), confidence)
	if math.IsInf(s.Lo, 0) || math.IsInf(s.Hi, 0) {
		return Estimate{Value: s.Center}
	}
	return Estimate{Value: s.Center, Lo: s.Lo, Hi: s.Hi, Known: true}
}

// newSample copies the values, because benchmath sorts them.
func newSample(values []float64) *benchmath.Sample {
	return benchmath.NewSample(slices.Clone(values), &benchmath.DefaultThresholds)
}

// SpeedUp returns how many times faster r is than base: 2 means half the time.
//
// The value is the median over the ratios of each of base's repeats to each of
// r's; the interval is the one that Mann and Whitney's test implies (Hodges and
// Lehmann 1963; Moses; Hollander, Wolfe and Chicken, Nonparametric Statistical
// Methods, 3rd ed., 4.2 and 4.3, on the logarithms of the times). It is exact
// for any distribution, needs 4 repeats of each, and holds 1 exactly when
// [Result.Distinguishable] is false (but for ties).
func (r Result) SpeedUp(base Result) Estimate {
	n := len(base.Wall) * len(r.Wall)
	if n == 0 {
		return Estimate{Value: math.NaN()}
	}
	ratios := make([]float64, 0, n)
	for _, b := range base.Wall {
		for _, t := range r.Wall {
			ratios = append(ratios, b/t)
		}
	}
	slices.Sort(ratios)
	e := Estimate{Value: (ratios[(n-1)/2] + ratios[n/2]) / 2}
	if k := tail(len(base.Wall), len(r.Wall)); k > 0 {
		e.Lo, e.Hi, e.Known = ratios[k-1], ratios[n-k], true
	}
	return e
}

// tail returns the largest k for which Mann and Whitney's U, of two samples
// from the same distribution, is below k with a probability of at most 2.5 %.
func tail(n1, n2 int) int {
	if n1 > 50 || n2 > 50 { // where benchmath takes the normal approximation too
		a, b := float64(n1), float64(n2)
		return max(0, int(a*b/2-1.96*math.Sqrt(a*b*(a+b+1)/12)))
	}
	u := stats.UDist{N1: n1, N2: n2}
	return sort.Search(n1*n2, func(k int) bool { return u.CDF(float64(k)) > (1-confidence)/2 })
}

// Efficiency returns the speed-up over base for each worker: 1 if all of them
// were fully of use.
func (r Result) Efficiency(base Result, workers int) Estimate {
	e, w := r.SpeedUp(base), float64(workers)
	return Estimate{Value: e.Value / w, Lo: e.Lo / w, Hi: e.Hi / w, Known: e.Known}
}

// Distinguishable reports whether the wall times of r and other differ by more
// than chance explains: Mann and Whitney's U test finds a probability below 5 %
// of such samples coming from the same distribution. It takes at least 4
// repeats to tell anything apart.
func (r Result) Distinguishable(other Result) bool {
	c := benchmath.AssumeNothing.Compare(newSample(r.Wall), newSample(other.Wall))
	return c.P < c.Alpha
}
