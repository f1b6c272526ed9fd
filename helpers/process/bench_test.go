//go:build unix

package process_test

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"unsafe"

	"manyhands/helpers/measure"
	"manyhands/helpers/process"
	"manyhands/internal/benchtest"
)

// BenchmarkCall is the round trip of a small call to a worker that is ready,
// beside the floor, a few bytes there and back over a bare socket between two
// programs that do nothing else, and beside Python's pools.
func BenchmarkCall(b *testing.B) {
	const calls = 200
	p, socket, python := start(b, square, process.Options{Workers: 1}), pingPong(b), benchtest.Twin(b, "processes.py")
	again := func(call func() error) func() error {
		return func() error {
			for range calls {
				if err := call(); err != nil {
					return err
				}
			}
			return nil
		}
	}
	benchtest.Figure{Title: fmt.Sprintf("%d small calls, one after the other", calls), Each: calls, Plan: measure.Plan{Repeats: 20},
		Must: map[string]float64{"a bare socket": 0.5, "Python, Pool.apply": 3, "Python, ProcessPoolExecutor": 3}}.Compare(b,
		measure.Case("Pool.Call", again(func() error {
			_, err := p.Call(b.Context(), 7)
			return err
		})),
		measure.Case("Pool.Submit and Wait", again(func() error {
			_, err := p.Submit(b.Context(), 7).Wait()
			return err
		})),
		measure.Case("a bare socket", again(socket)),
		measure.Case("Python, Pool.apply", func() error { return python(calls, "calls_pool", calls) }),
		measure.Case("Python, ProcessPoolExecutor", func() error { return python(calls, "calls_executor", calls) }))
}

// BenchmarkMap has two workers do many small tasks.
func BenchmarkMap(b *testing.B) {
	const n = 10_000
	p, python, numbers, sum := start(b, square, process.Options{Workers: 2}), benchtest.Twin(b, "processes.py"), make([]int, n), 0
	for i := range numbers {
		numbers[i] = i
		sum += i * i
	}
	benchtest.Figure{Title: fmt.Sprintf("%d small tasks for two workers", n), Each: n,
		Notes: func() []string {
			return []string{"Python's chunks travel together; Pool.Map sends each task by itself, so that none waits behind a slow one"}
		},
		Must: map[string]float64{"Python, ProcessPoolExecutor": 3, "Python, Pool": 1}}.Compare(b,
		measure.Case("Pool.Map", func() error {
			squares, err := p.Map(b.Context(), numbers)
			got := 0
			for _, s := range squares {
				got += s
			}
			if err == nil && got != sum {
				err = fmt.Errorf("the squares add up to %d instead of %d", got, sum)
			}
			return err
		}),
		measure.Case("Python, Pool", func() error { return python(sum, "map_pool", n, 1) }),
		measure.Case("Python, Pool, chunks of 100", func() error { return python(sum, "map_pool", n, 100) }),
		measure.Case("Python, ProcessPoolExecutor", func() error { return python(sum, "map_executor", n, 1) }),
		measure.Case("Python, ProcessPoolExecutor, chunks of 100", func() error { return python(sum, "map_executor", n, 100) }))
}

// ball is as large as a small call.
const ball = 32

// pingPong starts a program that sends back what it gets, and returns a function
// that plays with it.
func pingPong(b *testing.B) func() error {
	fds, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		b.Fatal(err)
	}
	syscall.CloseOnExec(fds[0])
	syscall.CloseOnExec(fds[1])
	ping, pong := os.NewFile(uintptr(fds[0]), "ping"), os.NewFile(uintptr(fds[1]), "pong")
	defer pong.Close()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "PROCESS_TEST_ROLE=pong")
	cmd.ExtraFiles = []*os.File{pong}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		ping.Close()
		cmd.Wait()
	})
	message := make([]byte, ball)
	return func() error {
		if _, err := ping.Write(message); err != nil {
			return err
		}
		_, err := io.ReadFull(ping, message)
		return err
	}
}

// sendBack is the other side of pingPong.
func sendBack() {
	message, socket := make([]byte, ball), os.NewFile(3, "pong")
	for {
		if _, err := io.ReadFull(socket, message); err != nil {
			return
		}
		socket.Write(message)
	}
}

// BenchmarkGrowth has two workers do more and more small tasks, and more and more
// workers started.
func BenchmarkGrowth(b *testing.B) {
	b.Run("tasks", func(b *testing.B) {
		p := start(b, square, process.Options{Workers: 2})
		benchtest.Growth{Title: "so many small tasks for two workers", Sizes: []int{100, 1000, 10_000, 100_000, 1_000_000}}.Measure(b, func(n int) func() error {
			return func() error {
				_, err := p.Map(b.Context(), make([]int, n))
				return err
			}
		})
	})
	b.Run("workers", func(b *testing.B) {
		benchtest.Growth{Title: "so many workers, started and ended", Sizes: []int{1, 2, 4, 8, 16, 32, 64}}.Measure(b, func(n int) func() error {
			return func() error {
				p, err := square.Start(process.Options{Workers: n})
				if err == nil {
					p.Close()
				}
				return err
			}
		})
	})
}

// BenchmarkStart is the time until a pool of two is ready, has done a task each,
// and is gone.
func BenchmarkStart(b *testing.B) {
	python := benchtest.Twin(b, "processes.py")
	benchtest.Figure{Title: "a pool of two, started and ended", Must: map[string]float64{"Python, fork": 1, "Python, spawn": 5}}.Compare(b,
		measure.Case("Func.Start", func() error {
			p, err := square.Start(process.Options{Workers: 2})
			if err != nil {
				return err
			}
			defer p.Close()
			_, err = p.Map(b.Context(), []int{1, 1})
			return err
		}),
		measure.Case("Python, fork", func() error { return python(2, "start", "fork") }),
		measure.Case("Python, spawn", func() error { return python(2, "start", "spawn") }))
}

// greatest is the work of BenchmarkMaximum and BenchmarkTravel.
func greatest(values []float64) float64 {
	most := math.Inf(-1)
	for _, v := range values {
		if v > most {
			most = v
		}
	}
	return most
}

var (
	greatestOfShared = process.Register("greatest of shared", func(_ context.Context, c chunk) (float64, error) {
		return greatest(c.Array.Slice()[c.From:c.To]), nil
	})
	greatestOfGob = process.Register("greatest of gob", func(_ context.Context, values []float64) (float64, error) {
		return greatest(values), nil
	})
	greatestOfBytes = process.Register("greatest of bytes", func(_ context.Context, b []byte) (float64, error) {
		return greatest(unsafe.Slice((*float64)(unsafe.Pointer(unsafe.SliceData(b))), len(b)/8)), nil
	})
)

// BenchmarkMaximum finds the greatest of many numbers that lie in shared memory,
// in four chunks, two at a time: in goroutines and in workers.
func BenchmarkMaximum(b *testing.B) {
	array, chunks, parts := numbers(b, 50_000_000)
	want := greatest(array.Slice())
	benchtest.Figure{Title: "the maximum of 50 million numbers in shared memory, two at work", Must: map[string]float64{"goroutines": 1 / 1.15}}.Compare(b,
		measure.Case("workers", inPool(b, greatestOfShared, chunks, want)),
		measure.Case("goroutines", func() error { return check(want, inGoroutines(parts), nil) }))
}

// BenchmarkTravel has workers find the greatest of 100 MB of numbers, which
// travel to them in one way or another, or not at all.
func BenchmarkTravel(b *testing.B) {
	array, chunks, parts := numbers(b, 12_500_000)
	want := greatest(array.Slice())
	var raw [][]byte
	for _, part := range parts {
		raw = append(raw, unsafe.Slice((*byte)(unsafe.Pointer(&part[0])), 8*len(part)))
	}
	n, python := len(array.Slice()), benchtest.Twin(b, "processes.py")
	benchtest.Figure{
		Title: "the maximum of 100 MB of numbers, which travel to two workers or not",
		Notes: func() []string {
			return []string{"numpy compares several numbers at a time, the Go here one: see the group talks for vek"}
		},
	}.Compare(b,
		measure.Case("shared memory", inPool(b, greatestOfShared, chunks, want)),
		measure.Case("raw bytes", inPool(b, greatestOfBytes, raw, want)),
		measure.Case("gob", inPool(b, greatestOfGob, parts, want)),
		measure.Case("Python, numpy, shared memory", func() error { return python("1.0", "travel_shared", n) }),
		measure.Case("Python, numpy, pickle", func() error { return python("1.0", "travel_pickle", n) }))
}

// numbers returns an array in shared memory, and its quarters as workers and as
// goroutines see them.
func numbers(b *testing.B, n int) (array *process.Shared[float64], chunks []chunk, parts [][]float64) {
	array, err := process.NewShared[float64](n)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { array.Close() })
	for i := range array.Slice() {
		array.Slice()[i] = float64(i*7919%n) + 0.1 // no zeros at the end, which gob would leave out
	}
	for i := range 4 {
		c := chunk{array, i * n / 4, (i + 1) * n / 4}
		chunks, parts = append(chunks, c), append(parts, array.Slice()[c.From:c.To])
	}
	return array, chunks, parts
}

// inGoroutines has two goroutines take the parts in turn.
func inGoroutines(parts [][]float64) []float64 {
	maxima, next := make([]float64, len(parts)), make(chan int)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			for i := range next {
				maxima[i] = greatest(parts[i])
			}
		})
	}
	for i := range parts {
		next <- i
	}
	close(next)
	both.Wait()
	return maxima
}

func inPool[In any](b *testing.B, f *process.Func[In, float64], parts []In, want float64) func() error {
	p := start(b, f, process.Options{Workers: 2})
	return func() error {
		maxima, err := p.Map(b.Context(), parts)
		return check(want, maxima, err)
	}
}

func check(want float64, maxima []float64, err error) error {
	if got := greatest(maxima); err == nil && got != want {
		err = fmt.Errorf("the greatest is %v instead of %v", got, want)
	}
	return err
}
