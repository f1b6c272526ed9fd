package scaling

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"

	"gonum.org/v1/gonum/optimize"
)

// Repeats is how many values each point needs for an interval.
const Repeats = 6

// resamples is how often the points are drawn anew for an interval; Efron and Tibshirani, chapter 13, want some hundreds
// to a thousand for one of 95 %.
const resamples = 400

// A Point is what was measured with one number of workers.
type Point struct {
	Workers int       // at least 1
	Rates   []float64 // work per second, one value a repeat, in any unit of work that all points share
}

// Measured is a point of times: workers did an amount of work in each of the seconds. For Amdahl's law the work of all
// points is the same, for Gustafson's it grows with the workers.
func Measured(workers int, work float64, seconds ...float64) Point {
	p := Point{Workers: workers, Rates: make([]float64, len(seconds))}
	for i, s := range seconds {
		p.Rates[i] = work / s
	}
	return p
}

// Do fits a law to points. There have to be as many different numbers of workers as the law has unknowns: its
// parameters and the rate of one worker; otherwise, and for rates that are not above zero, the error says what is
// missing.
//
// The intervals are found by the bootstrap's percentiles (Efron and Tibshirani, An Introduction to the Bootstrap, 1993,
// 13.3): each point's repeats are drawn anew, with replacement, and the law is fitted again. The draws are the same
// every time.
func Do(law Law, points ...Point) (Fit, error) {
	if err := check(law, points); err != nil {
		return Fit{}, fmt.Errorf("scaling: %w", err)
	}
	sample := make([]median, len(points))
	for i, p := range points {
		sample[i] = medianOf(p.Workers, p.Rates)
	}
	rate, best, err := solve(law, sample)
	if err != nil {
		return Fit{}, fmt.Errorf("scaling: %s: %w", law, err)
	}
	fit := Fit{Law: law, Rate: Estimate{Value: rate}, best: best}
	_, sum := mismatch(law, sample, best)
	fit.Deviation = math.Sqrt(sum / float64(len(sample)))
	if slices.MinFunc(points, func(a, b Point) int { return len(a.Rates) - len(b.Rates) }).enough() {
		if err := fit.bootstrap(points); err != nil {
			return Fit{}, fmt.Errorf("scaling: %s: %w", law, err)
		}
	}
	for i := range best {
		fit.Values = append(fit.Values, fit.estimate(func(p []float64) float64 { return p[i] }))
	}
	return fit, nil
}

func (p Point) enough() bool { return len(p.Rates) >= Repeats }

func check(law Law, points []Point) error {
	names := law.Parameters()
	if names == nil {
		return fmt.Errorf("no law is called %q: take %s, %s or %s", law, Amdahl, Gustafson, USL)
	}
	numbers := make(map[int]bool)
	for _, p := range points {
		numbers[p.Workers] = true
		if p.Workers < 1 {
			return fmt.Errorf("%d workers: at least 1 is needed", p.Workers)
		}
		if len(p.Rates) == 0 {
			return fmt.Errorf("no rates for %d workers", p.Workers)
		}
		for _, r := range p.Rates {
			if !(r > 0) || math.IsInf(r, 1) {
				return fmt.Errorf("a rate of %v with %d workers: rates are above zero, and finite", r, p.Workers)
			}
		}
	}
	if need := len(names) + 1; len(numbers) < need {
		return fmt.Errorf("%s has %d unknowns (the rate of one worker, %s): measure with %d different numbers of workers, not %d",
			law, need, strings.Join(names, ", "), need, len(numbers))
	}
	return nil
}

// A median is a point as it is fitted: on a logarithmic scale, where ratios are distances.
type median struct{ workers, logRate float64 }

// medianOf sorts the rates.
func medianOf(workers int, rates []float64) median {
	rates = slices.Sorted(slices.Values(rates))
	middle := len(rates) / 2
	m := rates[middle]
	if len(rates)%2 == 0 {
		m = (rates[middle-1] + m) / 2
	}
	return median{float64(workers), math.Log(m)}
}

// mismatch returns the rate of one worker that suits parameters best, and the sum of the squared distances.
func mismatch(law Law, points []median, parameters []float64) (rate, sum float64) {
	var total, squares float64
	for _, p := range points {
		d := p.logRate - math.Log(law.SpeedUp(p.workers, parameters...))
		total += d
		squares += d * d
	}
	n := float64(len(points))
	return math.Exp(total / n), max(0, squares-total*total/n)
}

// tolerance is what two sums of squares may differ by and be the same.
const tolerance = 1e-12

// solve finds the parameters of least mismatch. They are searched for as x with sin² x and x², which may be any numbers
// and keep them between 0 and 1 and at least 0; those limits included, where much of what is measured lies.
func solve(law Law, points []median) (rate float64, parameters []float64, err error) {
	bounded := func(x []float64) []float64 {
		p := []float64{math.Pow(math.Sin(x[0]), 2)}
		if len(x) > 1 {
			p = append(p, x[1]*x[1])
		}
		return p
	}
	problem := optimize.Problem{Func: func(x []float64) float64 {
		_, sum := mismatch(law, points, bounded(x))
		return sum
	}}
	start := []float64{math.Asin(math.Sqrt(0.05)), math.Sqrt(0.001)}[:len(law.Parameters())]
	found, err := optimize.Minimize(problem, start,
		&optimize.Settings{Converger: &optimize.FunctionConverge{Absolute: tolerance, Iterations: 40}},
		&optimize.NelderMead{SimplexSize: 0.05})
	if err != nil {
		return 0, nil, errors.Join(errors.New("no best parameters found"), err)
	}
	parameters = bounded(found.X)
	// The search comes near a limit and never quite there; where the limit suits as well, it is the limit that is meant.
	_, least := mismatch(law, points, parameters)
	for i := range parameters {
		at := slices.Clone(parameters)
		at[i] = 0
		if _, sum := mismatch(law, points, at); sum <= least+tolerance {
			parameters = at
		}
	}
	rate, _ = mismatch(law, points, parameters)
	return rate, parameters, nil
}

// bootstrap fits the law to points drawn anew, and fills in the interval of the rate.
func (f *Fit) bootstrap(points []Point) error {
	draw := rand.New(rand.NewPCG(1967, 2007))
	rates := make([]float64, resamples)
	for i := range resamples {
		sample := make([]median, len(points))
		for j, p := range points {
			drawn := make([]float64, len(p.Rates))
			for k := range drawn {
				drawn[k] = p.Rates[draw.IntN(len(p.Rates))]
			}
			sample[j] = medianOf(p.Workers, drawn)
		}
		rate, parameters, err := solve(f.Law, sample)
		if err != nil {
			return err
		}
		rates[i] = rate
		f.others = append(f.others, parameters)
	}
	f.Rate.Lo, f.Rate.Hi = interval(rates)
	f.Rate.Known = true
	return nil
}

// interval returns what 2.5 % of the values are below, and 2.5 % above. It sorts them.
func interval(values []float64) (lo, hi float64) {
	slices.Sort(values)
	cut := len(values) / 40
	return values[cut], values[len(values)-1-cut]
}
