// Package scaling fits the laws of scaling to measured points: how much of the work stays serial, what the workers cost
// each other, and what that predicts for more workers than were measured.
//
//	fit, err := scaling.Do(scaling.USL,
//		scaling.Measured(1, 1, 0.51, 0.50, 0.52), // workers, work, seconds
//		scaling.Measured(2, 1, 0.27, 0.26, 0.27),
//		scaling.Measured(4, 1, 0.15, 0.15, 0.16))
//	fmt.Println(fit, fit.SpeedUp(64))
//
// A fit finds the parameters for which the curve is closest to the medians of the points, as ratios: being off by 10 %
// counts the same with one worker and with a hundred. The rate of one worker is fitted along with them, so that bad luck
// in its measurement does not bend the whole curve. That is how Schwarz, Practical Scalability Analysis with the
// Universal Scalability Law (2015), advises to do it, but for the ratios. The line through transformed points that
// Gunther's book draws gives points of many workers far more weight than their precision deserves.
//
// # Cost
//
// A fit with its intervals takes about 0.1 s (BenchmarkDo). The minimum is searched by gonum's optimize,
// which adds 0.1 to 0.2 s to the building of a cell.
package scaling

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// A Law says how many times the work of one worker N workers do in the same time.
type Law string

const (
	// Amdahl is S(N) = 1 / (s + (1-s)/N), for the same work on more workers: a part s of it, between 0 and 1, is done by
	// one worker alone (Amdahl, Validity of the single processor approach…, AFIPS 1967).
	Amdahl Law = "Amdahl"

	// Gustafson is S(N) = N - s(N-1), for work that grows with the workers: a part s of the time, between 0 and 1, is
	// serial (Gustafson, Reevaluating Amdahl's law, CACM 31(5), 1988).
	Gustafson Law = "Gustafson"

	// USL, the Universal Scalability Law, is S(N) = N / (1 + a(N-1) + bN(N-1)). The contention a, between 0 and 1, is
	// waiting for what only one can have, as Amdahl's s. The coherency b, at least 0, is the price of each pair of
	// workers that have to agree; with it many workers are slower than few (Gunther, Guerrilla Capacity Planning, 2007,
	// chapter 4).
	USL Law = "USL"
)

// Parameters returns the names of the law's parameters.
func (l Law) Parameters() []string {
	switch l {
	case Amdahl, Gustafson:
		return []string{"serial"}
	case USL:
		return []string{"contention", "coherency"}
	}
	return nil
}

// SpeedUp returns how many times faster than one n workers are, for parameters in the order of [Law.Parameters].
// It panics if they are too few.
func (l Law) SpeedUp(n float64, parameters ...float64) float64 {
	switch s := parameters[0]; l {
	case Amdahl:
		return n / (1 + s*(n-1))
	case Gustafson:
		return n - s*(n-1)
	default:
		return n / (1 + s*(n-1) + parameters[1]*n*(n-1))
	}
}

// peak returns the number of workers with the highest speed-up, and +Inf where more are always better.
func (l Law) peak(parameters []float64) float64 {
	if l != USL || parameters[1] == 0 {
		return math.Inf(1)
	}
	return max(1, math.Sqrt((1-parameters[0])/parameters[1])) // Gunther 2007, (4.33)
}

// limit returns the highest speed-up of any number of workers.
func (l Law) limit(parameters []float64) float64 {
	n := l.peak(parameters)
	switch {
	case !math.IsInf(n, 1):
		return l.SpeedUp(n, parameters...)
	case l == Gustafson && parameters[0] < 1:
		return n
	default:
		return 1 / parameters[0]
	}
}

// An Estimate is a value with an interval that holds, about 95 times in 100, what measuring without end would have
// given. It knows nothing of whether the law suits. With fewer than [Repeats] values at some point Known is false, and
// Lo and Hi are 0.
type Estimate struct {
	Value, Lo, Hi float64
	Known         bool
}

// String returns the value with its interval, if it has one of any width, such as "4.2 (3.9 to 4.4)".
func (e Estimate) String() string {
	if !e.Known || e.Lo == e.Hi {
		return number(e.Value)
	}
	return fmt.Sprintf("%s (%s to %s)", number(e.Value), number(e.Lo), number(e.Hi))
}

// A Fit is a law with the parameters that suit the points best.
type Fit struct {
	Law       Law
	Rate      Estimate   // work per second of one worker
	Values    []Estimate // of the parameters, in the order of Law.Parameters
	Deviation float64    // root mean square of the medians' distances from the curve: 0.1 is 10 %

	best   []float64   // parameters
	others [][]float64 // parameters of points drawn anew from the repeats; nil if there are too few
}

// SpeedUp returns how many times faster than one n workers are, be they measured or not.
func (f Fit) SpeedUp(n float64) Estimate {
	return f.estimate(func(p []float64) float64 { return f.Law.SpeedUp(n, p...) })
}

// Peak returns the number of workers that is fastest, +Inf where more are always faster.
func (f Fit) Peak() Estimate { return f.estimate(f.Law.peak) }

// Limit returns the highest speed-up that any number of workers can reach, +Inf where there is none.
func (f Fit) Limit() Estimate { return f.estimate(f.Law.limit) }

// estimate is a quantity for the best parameters, with its interval for the others.
func (f Fit) estimate(quantity func(parameters []float64) float64) Estimate {
	e := Estimate{Value: quantity(f.best)}
	if f.others != nil {
		values := make([]float64, len(f.others))
		for i, p := range f.others {
			values[i] = quantity(p)
		}
		e.Lo, e.Hi = interval(values)
		e.Known = true
	}
	return e
}

// String returns the law and its parameters, such as "USL, contention 4.1 % (3.8 to 4.3 %), coherency 0.39 %".
func (f Fit) String() string {
	parts := []string{string(f.Law)}
	for i, name := range f.Law.Parameters() {
		v := f.Values[i]
		part := name + " " + percent(v.Value) + " %"
		if v.Known {
			part += fmt.Sprintf(" (%s to %s %%)", percent(v.Lo), percent(v.Hi))
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ", ")
}

func percent(x float64) string {
	if x < 1e-6 {
		return "0"
	}
	return number(100 * x)
}

// number writes three digits.
func number(x float64) string {
	switch {
	case math.IsInf(x, 1):
		return "∞"
	case x >= 100:
		return strconv.FormatFloat(x, 'f', 0, 64)
	}
	return strconv.FormatFloat(x, 'g', 3, 64)
}
