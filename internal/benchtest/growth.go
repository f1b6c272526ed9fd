package benchtest

import (
	"os"
	"runtime/debug"
	"slices"
	"syscall"
	"testing"
	"time"

	"manyhands/internal/bench"
)

// Growth is how the cost of a job grows with its size.
type Growth struct {
	Title string
	Sizes []int // in ascending order, five or more
	Once  bool  // each size runs once, where it takes minutes; otherwise the median of three counts
}

// Measure prepares the job of each size and takes its time and the memory of this
// program; with -short it takes the three smallest sizes and one run.
func (g Growth) Measure(b *testing.B, prepare func(size int) (run func() error)) {
	b.Helper()
	sizes, repeats := g.Sizes, 3
	if testing.Short() {
		sizes = sizes[:3]
	}
	if testing.Short() || g.Once {
		repeats = 1
	}
	figure := bench.Figure{Benchmark: b.Name(), Title: g.Title}
	for b.Loop() {
		figure.Growth = nil
		for _, n := range sizes {
			run, times := prepare(n), make([]float64, repeats)
			forget()
			for i := range times {
				start := time.Now()
				if err := run(); err != nil {
					b.Fatal(err)
				}
				times[i] = time.Since(start).Seconds()
			}
			slices.Sort(times)
			figure.Growth = append(figure.Growth, bench.Point{Size: n, Seconds: times[repeats/2], MiB: peak(b)})
		}
	}
	b.ReportMetric(0, "ns/op") // of all of it: no figure
	b.ReportMetric(figure.Exponent(), "exponent")
	handOver(b, figure)
}

// forget lets the peak begin anew, where the system can do that, as Linux does.
func forget() {
	debug.FreeOSMemory()
	os.WriteFile("/proc/self/clear_refs", []byte("5"), 0)
}

// peak is the most memory that this program has had since then, in MiB.
func peak(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Maxrss) / 1024 // KiB on Linux
}
