package maximum

import (
	"bufio"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/viterin/vek"

	"manyhands/helpers/measure"
	"manyhands/helpers/vector"
	"manyhands/helpers/workload"
	"manyhands/internal/testparts"
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

// BenchmarkWall reports how near the best rung comes to what the memory
// delivers, and how it compares with numpy.max where Python has numpy: times as
// fast, in the same rounds. Run it with -benchtime 1x -v to see the table.
func BenchmarkWall(b *testing.B) {
	size := workload.Fit(300_000_000, 8)
	b.Log(size)
	xs := fill(size.N)
	numpy := numpyMax(b, size.N)
	for b.Loop() {
		c, err := measure.Plan{Repeats: 20, Budget: time.Minute}.Run(b.Context(),
			measure.Case("vek.Max, one core", func() { measure.Keep(vek.Max(xs)) }),
			measure.Case("numpy.max, one core", func() error { return numpy("one") }),
			measure.Case("vek.Max, all cores", func() { measure.Keep(inChunks(xs, chunk, vek.Max)) }),
			measure.Case("numpy.max, all cores", func() error { return numpy("all") }),
			measure.Case("reading by sum, all cores", func() { measure.Keep(inChunks(xs, chunk, vek.Sum)) }),
			measure.Case("reading by count, all cores", func() { measure.Keep(inChunks(xs, chunk, countBytes)) }),
		)
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("\n%s", c)
		one, all, read := c.Results[0], c.Results[2], c.Results[4]
		if count := c.Results[5]; count.Median().Value < read.Median().Value {
			read = count
		}
		b.ReportMetric(one.SpeedUp(c.Results[1]).Value, "x-numpy-one")
		b.ReportMetric(all.SpeedUp(c.Results[3]).Value, "x-numpy-all")
		b.ReportMetric(all.SpeedUp(read).Value, "x-read")
		b.ReportMetric(8*float64(size.N)/read.Median().Value/1e9, "GB/s-read")
	}
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

// numpyMax starts a Python that has n random numbers, and returns what has it
// search them, on "one" core or on "all", and waits: a round trip of some 50 µs
// beside the search.
func numpyMax(b *testing.B, n int) func(cores string) error {
	cmd := exec.CommandContext(b.Context(), testparts.Python(b), "-c", fmt.Sprintf(`
import sys
import numpy as np
from concurrent.futures import ThreadPoolExecutor
xs = np.random.default_rng(1).random(%d)
chunks = np.array_split(xs, 100)
with ThreadPoolExecutor(%d) as pool:
    for cores in sys.stdin:
        print(xs.max() if cores == "one\n" else max(pool.map(np.max, chunks)), flush=True)
`, n, runtime.GOMAXPROCS(0)))
	ask, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	answers, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	cmd.Stderr = b.Output()
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ask.Close()
		cmd.Wait()
	})
	lines := bufio.NewReader(answers)
	return func(cores string) error {
		if _, err := io.WriteString(ask, cores+"\n"); err != nil {
			return err
		}
		_, err := lines.ReadString('\n')
		return err
	}
}
