package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"runtime"
	"sync"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"manyhands/helpers/measure"
	"manyhands/helpers/process"
	"manyhands/helpers/server"
	"manyhands/helpers/workload"
	"manyhands/internal/benchtest"
)

// The pairs below are the figures that the talks printed. The sizes are smaller
// than theirs, and the same in both languages.

const talks = "talks.py"

// atOnce does the tasks 0 to n-1, a goroutine each.
func atOnce(n int, task func(i int) error) error {
	var group errgroup.Group
	for i := range n {
		group.Go(func() error { return task(i) })
	}
	return group.Wait()
}

func inARow(n int, task func(i int) error) error {
	for i := range n {
		if err := task(i); err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkWaits is slow(), five times: the talks' took 50 s in a row, and 10 s
// in five threads.
func BenchmarkWaits(b *testing.B) {
	python := benchtest.Twin(b, talks)
	slow := func(int) error { workload.Slow(100 * time.Millisecond); return nil }
	benchtest.Figure{Title: "five waits of 0.1 s", Must: map[string]float64{"Python, in a row": 4.75, "Python, threads": 0.95}}.Compare(b,
		measure.Case("Go, goroutines", func() error { return atOnce(5, slow) }),
		measure.Case("Go, in a row", func() error { return inARow(5, slow) }),
		measure.Case("Python, threads", func() error { return python(5, "waits_threads", 5, 100) }),
		measure.Case("Python, coroutines", func() error { return python(5, "waits_coroutines", 5, 100) }),
		measure.Case("Python, in a row", func() error { return python(5, "waits_in_a_row", 5, 100) }))
}

// BenchmarkPowers is eight times pow(42, n): 6.22 s in a row, 6.19 s in threads,
// 1.64 s in processes.
func BenchmarkPowers(b *testing.B) {
	python, exponent := benchtest.Twin(b, talks), workload.Scaled(125_000)
	want := workload.Power(42, int64(exponent)).BitLen()
	power := func(int) error { return same(want, workload.Power(42, int64(exponent)).BitLen()) }
	benchtest.Figure{Title: fmt.Sprint("eight powers, 42 to that of ", exponent), Must: map[string]float64{"Python, processes": 0.95}}.Compare(b,
		measure.Case("Go, goroutines", func() error { return atOnce(8, power) }),
		measure.Case("Go, in a row", func() error { return inARow(8, power) }),
		measure.Case("Python, processes", func() error { return python(8*want, "powers_processes", 8, exponent) }),
		measure.Case("Python, threads", func() error { return python(8*want, "powers_threads", 8, exponent) }),
		measure.Case("Python, in a row", func() error { return python(8*want, "powers_in_a_row", 8, exponent) }))
}

func same[T comparable](want, got T) error {
	if got != want {
		return fmt.Errorf("%v instead of %v", got, want)
	}
	return nil
}

// BenchmarkSums adds up four ranges: 7.63 s in a row, 7.65 s in two threads; with
// numpy 2.36 s and 1.34 s, and 1.27 s by way of asyncio's executor.
func BenchmarkSums(b *testing.B) {
	python, scale := benchtest.Twin(b, talks), workload.Scaled(3000)
	years, total := []int{2017, 2018, 2019, 2020}, 0
	for _, year := range years {
		total += year * scale * (year*scale - 1) / 2
	}
	sum := func(i int) error {
		n := years[i] * scale
		return same(n*(n-1)/2, workload.SumRange(0, n))
	}
	ask := func(how string) func() error { return func() error { return python(total, how, scale) } }
	benchtest.Figure{Title: "the sums of four ranges", Must: map[string]float64{"Python, numpy, threads": 1}}.Compare(b,
		measure.Case("Go, goroutines", func() error { return atOnce(4, sum) }),
		measure.Case("Go, in a row", func() error { return inARow(4, sum) }),
		measure.Case("Python, numpy, threads", ask("sums_numpy_threads")),
		measure.Case("Python, numpy, run_in_executor", ask("sums_numpy_executor")),
		measure.Case("Python, numpy, in a row", ask("sums_numpy")),
		measure.Case("Python, threads", ask("sums_threads")),
		measure.Case("Python, in a row", ask("sums_in_a_row")))
}

// BenchmarkJobs is four jobs on two workers: 2017 2016 2019 2018, as they finish.
func BenchmarkJobs(b *testing.B) {
	python := benchtest.Twin(b, talks)
	takes := []int{150, 50, 250, 100}
	benchtest.Figure{Title: "four jobs of 50 to 250 ms on two workers", Must: map[string]float64{"Python, as_completed": 0.95}}.Compare(b,
		measure.Case("Go, a pool of two", func() error {
			var group errgroup.Group
			group.SetLimit(2)
			for _, ms := range takes {
				group.Go(func() error { workload.Slow(time.Duration(ms) * time.Millisecond); return nil })
			}
			return group.Wait()
		}),
		measure.Case("Python, as_completed", func() error { return python(2016+2017+2018+2019, "jobs_completed") }),
		measure.Case("Python, map", func() error { return python(2016+2017+2018+2019, "jobs_in_order") }))
}

// BenchmarkRequests asks a server that serves ten at a time: 10 requests took
// 20.10 s in a row, 2.08 s at once, 2.02 s with asyncio; 20 at once 4.04 s.
func BenchmarkRequests(b *testing.B) {
	s := server.Sleepy(server.Limits{AtOnce: 10, Takes: 100 * time.Millisecond}).Start()
	b.Cleanup(s.Close)
	for _, n := range []int{10, 20} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			length, err := get(s.URL)
			if err != nil {
				b.Fatal(err)
			}
			fetch(b, Fetch{Title: fmt.Sprintf("%d requests of 0.1 s to a server of ten places", n), N: n, URLs: []string{s.URL}, Bytes: n * length})
		})
	}
}

// BenchmarkDownloads fetches five files over a narrow link: four small ones took
// 0.37 to 0.42 s (with asyncio 0.35 to 0.45 s), the large one 5.8 s.
func BenchmarkDownloads(b *testing.B) {
	s := server.Files(0.05, server.Limits{Takes: 18 * time.Millisecond, Connection: 9e6, Link: 36e6}).Start()
	b.Cleanup(s.Close)
	for _, n := range []int{4, 5} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			bytes := 0
			for _, size := range server.FileSizes(0.05)[:n] {
				bytes += int(size)
			}
			fetch(b, Fetch{Title: fmt.Sprintf("the downloads of %d files over a narrow link", n), N: n, URLs: s.URLs()[:n], Bytes: bytes})
		})
	}
}

// Fetch is N requests for URLs in turn, which bring so many bytes.
type Fetch struct {
	Title    string
	N, Bytes int
	URLs     []string
}

func fetch(b *testing.B, f Fetch) {
	python := benchtest.Twin(b, talks)
	task := func(i int) error { _, err := get(f.URLs[i%len(f.URLs)]); return err }
	ask := func(how string) func() error {
		arguments := []any{f.N}
		for _, url := range f.URLs {
			arguments = append(arguments, url)
		}
		return func() error { return python(f.Bytes, how, arguments...) }
	}
	benchtest.Figure{Title: f.Title, Must: map[string]float64{"Python, threads": 0.95, "Python, coroutines": 0.95}}.Compare(b,
		measure.Case("Go, goroutines", func() error { return atOnce(f.N, task) }),
		measure.Case("Go, in a row", func() error { return inARow(f.N, task) }),
		measure.Case("Python, threads", ask("get_threads")),
		measure.Case("Python, coroutines", ask("get_coroutines")),
		measure.Case("Python, in a row", ask("get_in_a_row")))
}

// get fetches a page and returns its length in bytes.
func get(url string) (int, error) {
	resp, err := http.Get(url)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	n, err := io.Copy(io.Discard, resp.Body)
	return int(n), err
}

type chunk struct {
	Array      *process.Shared[float64]
	Start, End int
}

var (
	maximumOfShared = process.Register("maximum of shared", func(_ context.Context, c chunk) (float64, error) {
		return workload.Max(c.Array.Slice()[c.Start:c.End]), nil
	})
	maximumOfSent = process.Register("maximum of sent", func(_ context.Context, xs []float64) (float64, error) {
		return workload.Max(xs), nil
	})
)

// BenchmarkMaximum finds the largest of many numbers in a list, in 100 chunks:
// 15.65 s in one thread, 16.24 s in several. BenchmarkWall of lessons/maximum
// has numpy, which took 0.167 s.
func BenchmarkMaximum(b *testing.B) {
	python, n := benchtest.Twin(b, talks), workload.Scaled(3_000_000)
	xs := numbers(make([]float64, n))
	part := func(i int) error { _ = workload.Max(xs[i*n/100 : (i+1)*n/100]); return nil }
	benchtest.Figure{Title: fmt.Sprintf("the maximum of %.3g million numbers", float64(n)/1e6), Must: map[string]float64{"Python, threads": 4}}.Compare(b,
		measure.Case("Go, all cores", func() error { return onAllCores(100, part) }),
		measure.Case("Go, one core", func() error { return same(1, workload.Max(xs)) }),
		measure.Case("Python, one thread", func() error { return python("1.0", "maximum", n) }),
		measure.Case("Python, threads", func() error { return python("1.0", "maximum_threads", n) }))
}

// numbers fills xs with random numbers, of which the largest is 1.
func numbers(xs []float64) []float64 {
	workload.Fill(xs, 1)
	xs[len(xs)/3] = 1
	return xs
}

// onAllCores does the tasks 0 to n-1, as many at once as Go has cores.
func onAllCores(n int, task func(i int) error) error {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() error { return task(i) })
	}
	return group.Wait()
}

// BenchmarkProcesses has worker processes find it: 8.22 s where the chunks were
// sent to them, 6.65 s in shared memory.
func BenchmarkProcesses(b *testing.B) {
	python, n := benchtest.Twin(b, talks), workload.Scaled(3_000_000)
	array, err := process.NewShared[float64](n)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { array.Close() })
	xs := numbers(array.Slice())
	var chunks []chunk
	var parts [][]float64
	for i := range 100 {
		c := chunk{array, i * n / 100, (i + 1) * n / 100}
		chunks, parts = append(chunks, c), append(parts, xs[c.Start:c.End])
	}
	benchtest.Figure{Title: fmt.Sprintf("the maximum of %.3g million numbers, by worker processes", float64(n)/1e6),
		Must: map[string]float64{"Python, shared memory": 1, "Python, sent to them": 1}}.Compare(b,
		measure.Case("Go, shared memory", inWorkers(b, maximumOfShared, chunks)),
		measure.Case("Go, sent to them", inWorkers(b, maximumOfSent, parts)),
		measure.Case("Python, shared memory", func() error { return python("1.0", "maximum_shared", n) }),
		measure.Case("Python, sent to them", func() error { return python("1.0", "maximum_processes", n) }))
}

// inWorkers starts workers and returns what has them find the maximum of the parts.
func inWorkers[In any](b *testing.B, f *process.Func[In, float64], parts []In) func() error {
	pool, err := f.Start(process.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	return func() error {
		maxima, err := pool.Map(b.Context(), parts)
		if err != nil {
			return err
		}
		return same(1, workload.Max(append(maxima, math.Inf(-1))))
	}
}

// BenchmarkSleepers is ten thousand waits at once, for which the talks took
// asyncio.
func BenchmarkSleepers(b *testing.B) {
	python, n := benchtest.Twin(b, talks), workload.Scaled(10_000)
	benchtest.Figure{Title: fmt.Sprintf("%d waits of a second at once", n), Must: map[string]float64{"Python, coroutines": 1}}.Compare(b,
		measure.Case("Go, goroutines", func() {
			var group sync.WaitGroup
			for range n {
				group.Go(func() { time.Sleep(time.Second) })
			}
			group.Wait()
		}),
		measure.Case("Python, coroutines", func() error { return python(n, "waits_coroutines", n, 1000) }))
}

var errLost = errors.New("part 2 is lost")

// BenchmarkFailure is a group of five tasks of 200 ms of which one fails after
// 20 ms: who ends then, as Trio's nurseries do?
func BenchmarkFailure(b *testing.B) {
	python := benchtest.Twin(b, talks)
	cases := []measure.Alternative{
		measure.Case("Go, errgroup", func() error {
			group, ctx := errgroup.WithContext(b.Context())
			for i := range 5 {
				group.Go(func() error { return part(ctx, i) })
			}
			return same(errLost, group.Wait())
		}),
		measure.Case("Python, gather", func() error { return python(1, "failure_gather") }),
	}
	must := map[string]float64{"Python, gather": 5}
	if python("True", "has_groups") == nil { // from Python 3.11
		cases = append(cases, measure.Case("Python, TaskGroup", func() error { return python(1, "failure_group") }))
		must["Python, TaskGroup"] = 0.95
	}
	benchtest.Figure{Title: "five waits of 0.2 s, of which one fails after 0.02 s", Must: must}.Compare(b, cases...)
}

func part(ctx context.Context, i int) error {
	if i == 2 {
		workload.Slow(20 * time.Millisecond)
		return errLost
	}
	select {
	case <-time.After(200 * time.Millisecond):
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
