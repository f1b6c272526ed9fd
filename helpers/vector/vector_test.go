package vector_test

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"manyhands/helpers/vector"
	"manyhands/helpers/workload"
)

// TestMax finds the largest number wherever it is, for every length up to some
// rounds of the loop, or is told what is missing.
func TestMax(t *testing.T) {
	if _, err := vector.Max([]float64{1}); err != nil {
		if !errors.Is(err, vector.ErrMissing) || !strings.Contains(err.Error(), "use a plain loop") {
			t.Fatal(err)
		}
		t.Logf("only the error is tested: %v", err)
		return
	}
	if _, err := vector.Max(nil); !errors.Is(err, vector.ErrEmpty) {
		t.Errorf("the largest of none: %v", err)
	}
	for n := 1; n <= 70; n++ {
		xs := make([]float64, n)
		for at := range xs {
			workload.Fill(xs, uint64(n))
			for i := range xs {
				xs[i] -= 2 // below zero, which is not in xs
			}
			xs[at] = -0.5
			if m, err := vector.Max(xs); m != -0.5 || err != nil {
				t.Fatalf("the largest of %d, at %d, is -0.5, not %v (%v)", n, at, m, err)
			}
		}
	}
}

// TestExperiment runs the tests above with the experiment, where the toolchain
// has it, as nobody would set it for all tests.
func TestExperiment(t *testing.T) {
	if strings.Contains(os.Getenv("GOEXPERIMENT"), "simd") || runtime.GOARCH != "amd64" {
		return
	}
	test := exec.CommandContext(t.Context(), "go", "test", "-v", "-run", "^TestMax$", ".")
	test.Env = append(os.Environ(), "GOEXPERIMENT=simd")
	out, err := test.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if text := string(out); strings.Contains(text, "only the error") && !strings.Contains(text, "no AVX2") {
		t.Errorf("the experiment was not compiled in:\n%s", text)
	}
}

// BenchmarkMax goes over numbers in the cache.
func BenchmarkMax(b *testing.B) {
	xs := workload.Floats(100_000, 1)
	if _, err := vector.Max(xs); err != nil {
		b.Skip(err)
	}
	b.SetBytes(8 * int64(len(xs)))
	for b.Loop() {
		vector.Max(xs)
	}
}
