package maximum

import (
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/viterin/vek"

	"manyhands/helpers/workload"
)

// TestRungs has every rung find the largest number wherever it is, in arrays
// that the four accumulators and the chunks divide and in others.
func TestRungs(t *testing.T) {
	for _, n := range []int{1, 2, 3, 4, 5, 8, 63, 64} {
		xs := make([]float64, n)
		for at := range xs {
			workload.Fill(xs, uint64(n))
			for i := range xs {
				xs[i] -= 2 // below zero, which no rung may bring in
			}
			xs[at] = -0.5
			got := map[string]float64{"slices.Max": slices.Max(xs), "if": workload.Max(xs), "four": four(xs), "vek": vek.Max(xs)}
			for _, size := range []int{1, 3, n, n + 1} {
				got[fmt.Sprint("chunks of ", size)] = inChunks(xs, size, vek.Max)
			}
			for rung, m := range got {
				if m != -0.5 {
					t.Errorf("%s: the largest of %d, at %d, is -0.5, not %v", rung, n, at, m)
				}
			}
		}
	}
}

// TestFourKeepsNaN holds the four accumulators to what lesson 06 says of them.
func TestFourKeepsNaN(t *testing.T) {
	for at := range 7 {
		xs := []float64{1, 2, 3, 4, 5, 6, 7}
		xs[at] = math.NaN()
		if m := four(xs); !math.IsNaN(m) {
			t.Errorf("with a NaN at %d the largest is %v", at, m)
		}
	}
}

func TestNothing(t *testing.T) {
	for name, f := range map[string]func(){
		"four":         func() { four(nil) },
		"chunks":       func() { inChunks(nil, 10, slices.Max[[]float64]) },
		"chunks of 0":  func() { inChunks([]float64{1}, 0, slices.Max[[]float64]) },
		"chunks of -1": func() { inChunks([]float64{1}, -1, slices.Max[[]float64]) },
	} {
		func() {
			defer func() {
				if v := fmt.Sprint(recover()); !strings.Contains(v, "at least one") {
					t.Errorf("%s: recovered %v", name, v)
				}
			}()
			f()
		}()
	}
}

// TestFill expects the same numbers on any number of cores, different in each
// part, and all of the length.
func TestFill(t *testing.T) {
	const n = 1<<20 + 7
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	one := fill(n)
	runtime.GOMAXPROCS(4)
	if !slices.Equal(fill(n), one) {
		t.Error("four cores make other numbers than one")
	}
	if slices.Equal(one[:7], one[1<<20:]) || slices.Contains(one[1<<20:], 0) {
		t.Error("the last part is not filled with numbers of its own")
	}
}

func TestCountBytes(t *testing.T) {
	seven := math.Float64frombits(0x07_00_07_00_00_00_00_07)
	if n := countBytes([]float64{0, seven, 1, seven}); n != 6 {
		t.Errorf("counted %v, not the 6 there are", n)
	}
}
