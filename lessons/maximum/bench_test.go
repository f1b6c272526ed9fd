package maximum

import (
	"fmt"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/viterin/vek"

	"manyhands/helpers/measure"
	"manyhands/helpers/vector"
	"manyhands/helpers/workload"
	"manyhands/internal/benchtest"
)

// rungs are the ways to search on one core.
var rungs = []struct {
	name string
	find func([]float64) float64
}{
	{"builtin", slices.Max[[]float64]},
	{"four", four},
	{"if", workload.Max},
	{"vek", vek.Max},
	{"read-sum", vek.Sum},
	{"read-count", countBytes},
}

// chunk is a good size: see lesson 06.
const chunk = 100_000

// BenchmarkRungs is the speed of each rung, on one core and on all, in the cache
// and out of it.
func BenchmarkRungs(b *testing.B) {
	for _, size := range []workload.Size{workload.Fit(100_000, 8), workload.Fit(300_000_000, 8)} {
		xs, share := fill(size.N), size.N/runtime.GOMAXPROCS(0)+1
		run := func(name string, find func([]float64) float64) {
			b.Run(fmt.Sprintf("%d/%s", size.N, name), func(b *testing.B) {
				b.SetBytes(8 * int64(size.N))
				for b.Loop() {
					measure.Keep(find(xs))
				}
			})
		}
		for _, rung := range rungs {
			run(rung.name+"/one", rung.find)
			run(rung.name+"/all", func(xs []float64) float64 { return inChunks(xs, min(chunk, share), rung.find) })
		}
	}
}

// BenchmarkWall compares the best rung with numpy.max, which took the talks
// 0.167 s for 300 million numbers, on one core and on all, and there with what
// the memory delivers: the fastest plain read.
func BenchmarkWall(b *testing.B) {
	size := workload.Fit(300_000_000, 8)
	xs := fill(size.N)
	xs[len(xs)/3] = 1
	python := benchtest.Twin(b, "talks.py")
	plan := measure.Plan{Repeats: 20, Budget: time.Minute}
	find := func(f func([]float64) float64) func() { return func() { measure.Keep(inChunks(xs, chunk, f)) } }
	b.Run("one", func(b *testing.B) {
		benchtest.Figure{Title: fmt.Sprintf("the maximum of %.3g million numbers, one core", float64(size.N)/1e6), Plan: plan,
			Must: map[string]float64{"numpy.max": 0.95}}.Compare(b,
			measure.Case("vek.Max", func() { measure.Keep(vek.Max(xs)) }),
			measure.Case("numpy.max", func() error { return python("1.0", "maximum_numpy", size.N) }))
	})
	b.Run("all", func(b *testing.B) {
		benchtest.Figure{Title: fmt.Sprintf("the maximum of %.3g million numbers, all cores", float64(size.N)/1e6), Plan: plan,
			Must: map[string]float64{"numpy.max, threads": 0.95, "plain read, a sum": 0.9, "plain read, a count": 0.9}}.Compare(b,
			measure.Case("vek.Max, goroutines", find(vek.Max)),
			measure.Case("numpy.max, threads", func() error { return python("1.0", "maximum_numpy_threads", size.N) }),
			measure.Case("plain read, a sum", find(vek.Sum)),
			measure.Case("plain read, a count", find(countBytes)))
	})
}

// BenchmarkArchsimd compares the standard library's experiment with vek: run it
// with GOEXPERIMENT=simd.
func BenchmarkArchsimd(b *testing.B) {
	xs := fill(workload.Fit(300_000_000, 8).N)
	if _, err := vector.Max(xs); err != nil {
		b.Skip(err)
	}
	for b.Loop() {
		c := measure.Compare(
			measure.Case("vek.Max", func() { measure.Keep(vek.Max(xs)) }),
			measure.Case("simd/archsimd", func() error { _, err := vector.Max(xs); return err }),
		)
		b.Logf("\n%s", c)
		b.ReportMetric(c.Results[1].SpeedUp(c.Results[0]).Value, "x-vek")
	}
}
