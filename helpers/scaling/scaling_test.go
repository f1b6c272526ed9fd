package scaling_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"

	"manyhands/helpers/scaling"
)

// measured makes the points that a law with these parameters would give, each rate off by a random factor around 1.
func measured(law scaling.Law, parameters []float64, noise float64, workers ...int) []scaling.Point {
	random := rand.New(rand.NewPCG(1, 2))
	points := make([]scaling.Point, len(workers))
	for i, n := range workers {
		seconds := make([]float64, 10)
		for j := range seconds {
			seconds[j] = 3 / law.SpeedUp(float64(n), parameters...) * math.Exp(noise*random.NormFloat64())
		}
		points[i] = scaling.Measured(n, 6, seconds...)
	}
	return points
}

var laws = []struct {
	law        scaling.Law
	parameters []float64
}{
	{scaling.Amdahl, []float64{0.05}},
	{scaling.Amdahl, []float64{0}}, // ideal
	{scaling.Amdahl, []float64{1}}, // never faster
	{scaling.Gustafson, []float64{0.2}},
	{scaling.USL, []float64{0.04, 0.004}},
	{scaling.USL, []float64{0.3, 0}},
	{scaling.USL, []float64{0, 0.01}},
	{scaling.USL, []float64{0, 0}},
	{scaling.USL, []float64{0.5, 0.5}}, // retrograde from the second worker on
}

func TestKnownParametersAreFound(t *testing.T) {
	for _, test := range laws {
		fit, err := scaling.Do(test.law, measured(test.law, test.parameters, 0, 1, 2, 3, 4, 8, 16)...)
		if err != nil {
			t.Fatal(err)
		}
		for i, name := range test.law.Parameters() {
			if got := fit.Values[i]; math.Abs(got.Value-test.parameters[i]) > 1e-4 || math.Abs(got.Hi-got.Lo) > 1e-4 {
				t.Errorf("%s %v: %s is %v", test.law, test.parameters, name, got)
			}
		}
		if math.Abs(fit.Rate.Value-2) > 1e-3 || fit.Deviation > 1e-3 {
			t.Errorf("%s %v: one worker does %v a second, deviation %v; expected 2 and 0", test.law, test.parameters, fit.Rate, fit.Deviation)
		}
	}
}

// TestNoiseStaysWithinTheInterval fits noisy points: the true speed-up far beyond them is within the interval, whose
// width follows the noise.
func TestNoiseStaysWithinTheInterval(t *testing.T) {
	true64 := scaling.USL.SpeedUp(64, 0.04, 0.002)
	width := make(map[float64]float64)
	for _, noise := range []float64{0.01, 0.1} {
		fit, err := scaling.Do(scaling.USL, measured(scaling.USL, []float64{0.04, 0.002}, noise, 1, 2, 4, 8, 16, 32)...)
		if err != nil {
			t.Fatal(err)
		}
		at := fit.SpeedUp(64)
		if !at.Known || at.Lo > true64 || at.Hi < true64 || at.Lo > at.Value || at.Hi < at.Value {
			t.Errorf("noise %v: 64 workers are %v as fast, in truth %.3g", noise, at, true64)
		}
		width[noise] = at.Hi - at.Lo
	}
	if width[0.1] < 3*width[0.01] {
		t.Errorf("ten times the noise, and the interval grows from %v to %v only", width[0.01], width[0.1])
	}
}

func TestPeakAndLimit(t *testing.T) {
	for _, test := range []struct {
		law         scaling.Law
		parameters  []float64
		peak, limit float64
	}{
		{scaling.Amdahl, []float64{0.25}, math.Inf(1), 4},
		{scaling.Gustafson, []float64{0.25}, math.Inf(1), math.Inf(1)},
		{scaling.USL, []float64{0.36, 0.01}, 8, 8 / (1 + 0.36*7 + 0.01*8*7)},
		{scaling.USL, []float64{0.5, 0.6}, 1, 1}, // one worker is best
		{scaling.Amdahl, []float64{0}, math.Inf(1), math.Inf(1)},
		{scaling.USL, []float64{0, 0}, math.Inf(1), math.Inf(1)},
		{scaling.USL, []float64{0.1, 0}, math.Inf(1), 10},
	} {
		fit, err := scaling.Do(test.law, measured(test.law, test.parameters, 0, 1, 2, 4, 8, 16, 32)...)
		if err != nil {
			t.Fatal(err)
		}
		near := func(got, want float64) bool { return got == want || math.Abs(got/want-1) < 0.01 }
		if test.law == scaling.Gustafson && test.parameters[0] < 1 {
			near = func(got, want float64) bool { return got == want }
		}
		if peak, limit := fit.Peak().Value, fit.Limit().Value; !near(peak, test.peak) || !near(limit, test.limit) {
			t.Errorf("%s %v: highest at %v workers, %v; expected %v and %v", test.law, test.parameters, peak, limit, test.peak, test.limit)
		}
	}
}

// TestSuperlinear fits points better than the ideal, which no parameters allow: it stays at the ideal.
func TestSuperlinear(t *testing.T) {
	points := []scaling.Point{scaling.Measured(1, 1, 1), scaling.Measured(2, 1, 0.4), scaling.Measured(4, 1, 0.15)}
	for _, law := range []scaling.Law{scaling.Amdahl, scaling.Gustafson, scaling.USL} {
		fit, err := scaling.Do(law, points...)
		if err != nil {
			t.Fatal(err)
		}
		if got := fit.SpeedUp(8); math.Abs(got.Value-8) > 0.01 || got.Known {
			t.Errorf("%s: 8 workers are %v times as fast; expected 8, and no interval of single values", law, got)
		}
		if fit.Deviation < 0.05 {
			t.Errorf("%s: the deviation is %v, as if the law suited", law, fit.Deviation)
		}
	}
}

func TestOutlierMovesNoMedian(t *testing.T) {
	points := measured(scaling.Amdahl, []float64{0.1}, 0.001, 1, 2, 4, 8)
	points[3].Rates[0] /= 100
	fit, err := scaling.Do(scaling.Amdahl, points...)
	if err != nil {
		t.Fatal(err)
	}
	if s := fit.Values[0].Value; math.Abs(s-0.1) > 0.005 {
		t.Errorf("one bad repeat in ten moves the serial part from 0.1 to %v", s)
	}
}

func TestErrors(t *testing.T) {
	one := scaling.Measured(1, 1, 0.5)
	for _, test := range []struct {
		law    scaling.Law
		points []scaling.Point
		want   string
	}{
		{scaling.Amdahl, nil, "2 unknowns"},
		{scaling.Amdahl, []scaling.Point{one}, "measure with 2 different numbers of workers, not 1"},
		{scaling.USL, []scaling.Point{one, one, scaling.Measured(2, 1, 0.3)}, "measure with 3 different numbers of workers, not 2"},
		{scaling.Amdahl, []scaling.Point{one, scaling.Measured(0, 1, 0.5)}, "0 workers"},
		{scaling.Amdahl, []scaling.Point{one, scaling.Measured(2, 1)}, "no rates for 2 workers"},
		{scaling.Amdahl, []scaling.Point{one, scaling.Measured(2, 1, 0)}, "a rate of +Inf with 2 workers"},
		{scaling.Amdahl, []scaling.Point{one, scaling.Measured(2, 1, math.NaN())}, "a rate of NaN with 2 workers"},
		{scaling.Amdahl, []scaling.Point{one, scaling.Measured(2, 1, -1)}, "a rate of -1 with 2 workers"},
		{"Moore", []scaling.Point{one}, `no law is called "Moore"`},
	} {
		if _, err := scaling.Do(test.law, test.points...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s of %v: %v, expected %q", test.law, test.points, err, test.want)
		}
	}
}

func ExampleDo() {
	fit, err := scaling.Do(scaling.USL,
		scaling.Measured(1, 1, 1.000),
		scaling.Measured(2, 1, 0.530),
		scaling.Measured(4, 1, 0.310),
		scaling.Measured(8, 1, 0.230))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(fit)
	fmt.Printf("fastest with %.0f workers, %s times as fast as one\n", fit.Peak().Value, fit.Limit())
	// Output:
	// USL, contention 4 %, coherency 1 %
	// fastest with 10 workers, 4.43 times as fast as one
}
