package measure_test

import (
	"math"
	"math/rand/v2"
	"testing"

	"manyhands/helpers/measure"
)

// distinct returns a result of n different times, all near 1 s.
func distinct(n int, r *rand.Rand, median float64) measure.Result {
	var result measure.Result
	for range n {
		result.Wall = append(result.Wall, median*math.Exp(r.NormFloat64()/10))
	}
	return result
}

func TestIntervalsNeedRepeats(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for n := range 12 {
		a, b := distinct(n, r, 1), distinct(n, r, 4)
		if m := a.Median(); m.Known != (n >= 6) || math.IsNaN(m.Value) != (n == 0) {
			t.Errorf("median of %d: %+v", n, m)
		}
		if s := b.SpeedUp(a); s.Known != (n >= 4) || math.IsNaN(s.Value) != (n == 0) {
			t.Errorf("speed-up of %d: %+v", n, s)
		}
		if b.Distinguishable(a) != (n >= 4) {
			t.Errorf("1 s and 4 s told apart by %d repeats: %v", n, n < 4)
		}
	}
}

// TestSpeedUpBounds holds the interval's order statistics against the printed
// critical values of U for a two-sided level of 5 % (Hollander, Wolfe and
// Chicken; Mann and Whitney's tables): it starts one after them.
func TestSpeedUpBounds(t *testing.T) {
	for n, critical := range map[int]int{4: 0, 5: 2, 6: 5, 7: 8, 8: 13, 9: 17, 10: 23, 15: 64, 20: 127} {
		// Ratios base/r that are all different and sort like their index.
		var base, r measure.Result
		for i := range n {
			base.Wall = append(base.Wall, math.Exp2(float64(i*n)))
			r.Wall = append(r.Wall, math.Exp2(-float64(i)))
		}
		s := r.SpeedUp(base)
		if lo, hi := math.Log2(s.Lo), math.Log2(s.Hi); int(lo) != critical || int(hi) != n*n-1-critical {
			t.Errorf("n = %d: ratios number %v to %v, want %d to %d", n, lo, hi, critical, n*n-1-critical)
		}
	}
}

// TestCoverage draws from a skewed distribution and counts how often the
// intervals hold the truth: at least 95 times in 100, give or take four
// standard errors of the count.
func TestCoverage(t *testing.T) {
	const trials = 1000
	r := rand.New(rand.NewPCG(2, 2))
	for _, n := range []int{6, 10, 60} {
		medians, ratios, same, apart := 0, 0, 0, 0
		for range trials {
			// Twice as fast, with log-normal noise around medians 2 s and 1 s.
			a, b := distinct(n, r, 2), distinct(n, r, 1)
			if m := a.Median(); m.Lo <= 2 && 2 <= m.Hi {
				medians++
			}
			if s := b.SpeedUp(a); s.Lo <= 2 && 2 <= s.Hi {
				ratios++
			}
			c := distinct(n, r, 2)
			s := c.SpeedUp(a)
			if s.Lo <= 1 && 1 <= s.Hi {
				same++
			}
			if c.Distinguishable(a) {
				apart++
			}
		}
		least := trials * (0.95 - 4*math.Sqrt(0.95*0.05/trials))
		if float64(medians) < least || float64(ratios) < least {
			t.Errorf("n = %d: of %d intervals %d hold the median and %d the speed-up, want %.0f", n, trials, medians, ratios, least)
		}
		if same+apart != trials {
			t.Errorf("n = %d: %d intervals hold 1, but %d of %d pairs are told apart", n, same, apart, trials)
		}
	}
}

func TestBusyAndEfficiency(t *testing.T) {
	base := measure.Result{Wall: seconds(6, 8)}
	r := measure.Result{Wall: seconds(6, 2), CPU: seconds(6, 3)}
	if b := r.Busy(); b.Value != 1.5 || !b.Known {
		t.Errorf("busy %+v", b)
	}
	if b := base.Busy(); !math.IsNaN(b.Value) {
		t.Errorf("busy without CPU time %+v", b)
	}
	if e := r.Efficiency(base, 8); e.Value != 0.5 || e.Lo != 0.5 || !e.Known {
		t.Errorf("efficiency %+v", e)
	}
}
