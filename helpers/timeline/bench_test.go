package timeline_test

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"manyhands/helpers/timeline"
	"manyhands/internal/benchtest"
)

// BenchmarkSpan is the cost of one recorded span, start and end, while the
// recorder keeps all.
func BenchmarkSpan(b *testing.B) {
	b.ReportAllocs()
	tl := new(timeline.Recorder)
	for i := 0; b.Loop(); i++ {
		if i%timeline.MaxSpans == timeline.MaxSpans-1 {
			tl = new(timeline.Recorder)
		}
		tl.Start("worker 1", "slow(3)").End()
	}
}

// BenchmarkSpanParallel is the same on all cores, a lane each.
func BenchmarkSpanParallel(b *testing.B) {
	b.ReportAllocs()
	var workers atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		lane := fmt.Sprint("worker ", workers.Add(1))
		tl := new(timeline.Recorder)
		for i := 0; pb.Next(); i++ {
			if i%timeline.MaxSpans == timeline.MaxSpans-1 {
				tl = new(timeline.Recorder)
			}
			tl.Start(lane, "slow(3)").End()
		}
	})
}

// BenchmarkTo is the cost of a change of state.
func BenchmarkTo(b *testing.B) {
	b.ReportAllocs()
	tl := new(timeline.Recorder)
	s := tl.Start("worker 1", "slow(3)")
	for i := 0; b.Loop(); i++ {
		if i%timeline.MaxSpans == timeline.MaxSpans-1 {
			tl = new(timeline.Recorder)
			s = tl.Start("worker 1", "slow(3)")
		}
		s.To(timeline.State([]string{"waiting", "running"}[i%2]), "")
	}
}

// BenchmarkSpans records so many spans at two lanes: the time for each, and the
// memory held in the end.
func BenchmarkSpans(b *testing.B) {
	for _, n := range []int{100_000, 1_000_000, 10_000_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			var held uint64
			for b.Loop() {
				before := heap()
				var tl timeline.Recorder
				var wg sync.WaitGroup
				for _, lane := range []string{"worker 1", "worker 2"} {
					wg.Go(func() {
						for range n / 2 {
							tl.Start(lane, "slow(3)").End()
						}
					})
				}
				wg.Wait()
				held = heap() - before
				runtime.KeepAlive(&tl)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/span")
			b.ReportMetric(float64(held)/1e6, "MB-held")
		})
	}
}

func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// BenchmarkGrowth records more and more spans, reads and thins what they make.
func BenchmarkGrowth(b *testing.B) {
	benchtest.Growth{Title: "so many spans, recorded and thinned", Sizes: []int{1000, 10_000, 100_000, 1_000_000, 10_000_000}}.Measure(b, func(n int) func() error {
		return func() error {
			var tl timeline.Recorder
			for range n {
				tl.Start("worker 1", "slow(3)").End()
			}
			return tl.Timeline().Thin(2000).Validate()
		}
	})
}

// pingPong makes two goroutines take turns n times: nothing but scheduling.
func pingPong(n int) {
	there, back := make(chan bool), make(chan bool)
	go func() {
		for range there {
			back <- true
		}
		close(back)
	}()
	for range n {
		there <- true
		<-back
	}
	close(there)
	<-back
}

// BenchmarkTrace is what tracing adds to the worst case, in ns per switch of
// goroutines; the trace is not read.
func BenchmarkTrace(b *testing.B) {
	const turns = 20_000
	perSwitch := func(b *testing.B) {
		b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/(2*turns), "ns/switch")
	}
	b.Run("off", func(b *testing.B) {
		for b.Loop() {
			pingPong(turns)
		}
		perSwitch(b)
	})
	b.Run("on", func(b *testing.B) {
		for b.Loop() {
			rawTrace(b, func() { pingPong(turns) })
		}
		perSwitch(b)
	})
}

// BenchmarkReadTrace is the speed of reading, and shows that it grows linearly.
func BenchmarkReadTrace(b *testing.B) {
	for _, turns := range []int{10_000, 40_000, 160_000} {
		b.Run(fmt.Sprint(turns), func(b *testing.B) {
			data := rawTrace(b, func() { pingPong(turns) })
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := timeline.ReadTrace(bytes.NewReader(data)); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(turns), "ns/turn")
		})
	}
}

// BenchmarkThin thins what a chart cannot show.
func BenchmarkThin(b *testing.B) {
	for _, spans := range []int{100_000, 1_000_000} {
		b.Run(fmt.Sprint(spans), func(b *testing.B) {
			tl := busyLanes(rand.New(rand.NewPCG(1, 2)), 8, spans/8)
			for b.Loop() {
				tl.Thin(2000)
			}
		})
	}
}
