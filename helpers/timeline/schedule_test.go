package timeline_test

import (
	"bytes"
	"context"
	"fmt"
	"runtime"
	"runtime/trace"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"manyhands/helpers/timeline"
)

func traced(t *testing.T, f func()) *timeline.Schedule {
	t.Helper()
	s, err := timeline.Trace(f)
	if err != nil {
		t.Fatal(err)
	}
	for name, tl := range map[string]*timeline.Timeline{"goroutines": s.Goroutines, "processors": s.Processors, "regions": s.Regions} {
		if err := tl.Validate(); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, tl := range []*timeline.Timeline{s.Goroutines, s.Processors} {
		for _, l := range tl.Lanes[:max(0, len(tl.Lanes)-1)] { // the last processor lane is the collector's
			checkNoOverlap(t, l)
		}
	}
	return s
}

func checkNoOverlap(t *testing.T, l timeline.Lane) {
	t.Helper()
	for i := 1; i < len(l.Spans); i++ {
		if l.Spans[i].Start < l.Spans[i-1].End {
			t.Errorf("%s: span %d %+v overlaps %+v", l.Name, i, l.Spans[i], l.Spans[i-1])
		}
	}
}

func burn(d time.Duration) {
	for start := time.Now(); time.Since(start) < d; {
	}
}

// TestEightOnTwo is the picture of more CPU-bound goroutines than cores.
func TestEightOnTwo(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(2))
	s := traced(t, func() {
		var wg sync.WaitGroup
		for i := range 8 {
			wg.Go(func() {
				timeline.Name(fmt.Sprint("worker ", i+1))
				for x := range 30_000_000 {
					_ = x * x
				}
			})
		}
		wg.Wait()
	})
	if n := s.Goroutines.MaxConcurrent(timeline.Running); n < 1 || n > 2 {
		t.Errorf("%d goroutines ran at one instant on 2 processors", n)
	}
	if n := s.Goroutines.MaxConcurrent(timeline.Runnable); n < 4 {
		t.Errorf("at most %d waited for a core at once, want 6 or so", n)
	}
	if got := s.Goroutines.Total(timeline.Runnable); got <= s.Goroutines.Length {
		t.Errorf("waited %v for a core in %v; want more", got, s.Goroutines.Length)
	}
	if n := len(s.Goroutines.Durations(timeline.Runnable)); n < 8 {
		t.Errorf("%d scheduling latencies, want at least 8", n)
	}
	for i := range 8 {
		l, ok := s.Goroutines.Lane(fmt.Sprint("worker ", i+1))
		if !ok {
			t.Fatalf("no lane of worker %d in\n%v", i+1, s.Goroutines)
		}
		if l.Total(timeline.Running) <= 0 || l.Share(timeline.Runnable) <= 0 {
			t.Errorf("%s: running %v, waiting for a core %v", l.Name, l.Total(timeline.Running), l.Total(timeline.Runnable))
		}
	}
	var onProcessors time.Duration // the same work, seen from both sides
	for _, l := range s.Processors.Lanes {
		for _, sp := range l.Spans {
			if sp.State == timeline.Running && strings.HasPrefix(sp.Label, "worker ") {
				onProcessors += sp.Duration()
			}
		}
	}
	var byWorkers time.Duration
	for _, l := range s.Goroutines.Lanes {
		if strings.HasPrefix(l.Name, "worker ") {
			byWorkers += l.Total(timeline.Running)
		}
	}
	// A worker's first moments, before it has its name, are listed under another.
	if diff := (onProcessors - byWorkers).Abs(); diff > byWorkers/10 {
		t.Errorf("workers ran %v, processors ran them %v", byWorkers, onProcessors)
	}
	if t.Failed() {
		t.Logf("\n%v\n%v", s.Goroutines, s.Processors)
	}
}

// TestMutexFight is the picture of a lock: at most one goroutine inside, and
// those outside blocked on a lock, not on anything else.
func TestMutexFight(t *testing.T) {
	const inside = "holds the lock"
	var mu sync.Mutex
	start := make(chan struct{})
	s := traced(t, func() {
		var wg sync.WaitGroup
		for i := range 4 {
			wg.Go(func() {
				timeline.Name(fmt.Sprint("fighter ", i+1))
				<-start
				mu.Lock()
				defer mu.Unlock()
				trace.WithRegion(context.Background(), inside, func() { time.Sleep(10 * ms) })
			})
		}
		wg.Go(func() {
			timeline.Name("bystander")
			time.Sleep(20 * ms)
		})
		close(start)
		wg.Wait()
	})
	if n := s.Regions.MaxConcurrent(inside); n != 1 {
		t.Errorf("%d inside the lock at once, want 1", n)
	}
	if n := s.Regions.Count(inside); n != 4 {
		t.Errorf("%d times inside, want 4", n)
	}
	blockedOn := func(name, reason string) (spans []timeline.Span) {
		l, ok := s.Goroutines.Lane(name)
		if !ok {
			t.Fatalf("no lane %q in\n%v", name, s.Goroutines)
		}
		for _, sp := range l.Spans {
			if sp.State == timeline.Blocked && sp.Label == reason {
				spans = append(spans, sp)
			}
		}
		return spans
	}
	var all, others time.Duration // blocked on the lock; that while another was inside
	for i := range 4 {
		name := fmt.Sprint("fighter ", i+1)
		for _, sp := range blockedOn(name, "sync") {
			all += sp.Duration()
			for fighter, region := range s.Regions.Spans() {
				if fighter != name {
					others += max(0, min(sp.End, region.End)-max(sp.Start, region.Start))
				}
			}
		}
		if naps := blockedOn(name, "sleep"); len(naps) != 1 || naps[0].Duration() < 9*ms {
			t.Errorf("%s slept %+v, want once 10ms, inside the lock", name, naps)
		}
	}
	if all < 20*ms { // 10 + 20 + 30 ms if all come at once
		t.Errorf("fighters were blocked on the lock for %v in sum, want 60ms", all)
	}
	if others < all/2 {
		t.Errorf("of the %v blocked on the lock, another was inside for only %v", all, others)
	}
	if spans := blockedOn("bystander", "sync"); len(spans) != 0 {
		t.Errorf("the bystander was blocked on a lock: %+v", spans)
	}
	if t.Failed() {
		t.Logf("\n%v\n%v", s.Goroutines, s.Regions)
	}
}

func TestThousandSleepers(t *testing.T) {
	const nap = time.Second
	s := traced(t, func() {
		var wg sync.WaitGroup
		night := make(chan bool) // on a busy machine to start them takes as long as to sleep
		for range 1000 {
			wg.Go(func() { <-night; time.Sleep(nap) })
		}
		close(night)
		wg.Wait()
	})
	if n := s.Goroutines.MaxConcurrent(timeline.Blocked); n < 900 {
		t.Errorf("%d slept at once, want 1000", n)
	}
	sleepers := 0
	for _, l := range s.Goroutines.Lanes {
		for _, sp := range l.Spans {
			if sp.State == timeline.Blocked && sp.Label == "sleep" && sp.Duration() >= nap*9/10 {
				sleepers++
			}
		}
	}
	if sleepers != 1000 {
		t.Errorf("%d goroutines slept, want 1000", sleepers)
	}
	if got := s.Goroutines.Total(timeline.Running); got > 100*nap {
		t.Errorf("sleeping took %v of running", got)
	}
}

var sink []byte

func TestGarbageCollection(t *testing.T) {
	s := traced(t, func() {
		for range 3 {
			sink = make([]byte, 1<<20)
			runtime.GC()
		}
	})
	l, ok := s.Processors.Lane("garbage collection")
	marks := 0
	for _, sp := range l.Spans {
		if sp.State == timeline.GC && strings.Contains(sp.Label, "mark") {
			marks++
		}
	}
	if !ok || marks < 3 {
		t.Errorf("%d mark phases, want 3:\n%v", marks, s.Processors)
	}
	for _, l := range s.Goroutines.Lanes {
		if strings.Contains(l.Name, "gcBgMark") || strings.Contains(l.Name, "goroutine") || strings.Contains(l.Name, "runtime") {
			t.Errorf("the runtime's own goroutine %q is shown", l.Name)
		}
	}
}

func namedFunction(done chan<- bool) { done <- true }

func TestNames(t *testing.T) {
	done := make(chan bool)
	timeline.Name("no trace is running")
	s := traced(t, func() {
		for range 3 {
			go namedFunction(done)
		}
		for range 3 {
			<-done
		}
		var wg sync.WaitGroup
		for range 2 {
			wg.Go(func() {
				timeline.Name("twins")
				time.Sleep(ms)
			})
		}
		wg.Go(func() { time.Sleep(ms) })
		wg.Wait()
	})
	for _, name := range []string{
		"timeline_test.TestNames", // the caller
		"timeline_test.namedFunction", "timeline_test.namedFunction #2", "timeline_test.namedFunction #3",
		"twins", "twins #2",
		"timeline_test.TestNames.func1.2", // not sync.(*WaitGroup).Go.func1
	} {
		if l, ok := s.Goroutines.Lane(name); !ok || len(l.Spans) == 0 {
			t.Errorf("no lane %q", name)
		}
	}
	lanes := 0
	for _, l := range s.Goroutines.Lanes {
		if !strings.HasPrefix(l.Name, "main") { // the one that runs the tests may wake for a moment
			lanes++
		}
	}
	if lanes != 7 {
		t.Errorf("%d lanes, want 7", lanes)
	}
	if t.Failed() {
		t.Logf("\n%v", s.Goroutines)
	}
}

// On one processor the goroutine that was started last runs first, and so takes
// the first name.
func TestTwinsStandInOrder(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	s := traced(t, func() {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() {
				timeline.Name("twins")
				time.Sleep(ms)
			})
		}
		wg.Wait()
	})
	var order []string
	for _, l := range s.Goroutines.Lanes { // there may be others: of the runtime, of the test
		if strings.HasPrefix(l.Name, "twins") {
			order = append(order, l.Name)
		}
	}
	if want := []string{"twins", "twins #2", "twins #3"}; !slices.Equal(order, want) {
		t.Errorf("the lanes are %q, want %q", order, want)
	}
}

// TestLeaked shows a goroutine that outlives the trace as open.
func TestLeaked(t *testing.T) {
	named, stop, stopped := make(chan struct{}), make(chan struct{}), make(chan struct{})
	s := traced(t, func() {
		go func() {
			timeline.Name("leak")
			close(named)
			<-stop
			close(stopped)
		}()
		<-named
		time.Sleep(50 * ms) // until it waits, which nothing tells
	})
	close(stop)
	<-stopped
	l, _ := s.Goroutines.Lane("leak")
	if n := len(l.Spans); n == 0 || !l.Spans[n-1].Open || l.Spans[n-1].Label != "chan receive" || l.Spans[n-1].End != s.Goroutines.Length {
		t.Errorf("%+v", l.Spans)
	}
}

// TestWindow checks that the picture shows f and nothing around it.
func TestWindow(t *testing.T) {
	before := time.Now()
	s := traced(t, func() { burn(20 * ms) })
	took := time.Since(before)
	if l := s.Goroutines.Length; l < 20*ms || l > took {
		t.Errorf("length %v of f's 20ms, in a call of %v", l, took)
	}
	if d := s.Goroutines.Start.Sub(before); d < -ms || d > took {
		t.Errorf("starts %v after the call, which took %v", d, took)
	}
	l, _ := s.Goroutines.Lane("timeline_test.TestWindow")
	if sum := l.Total(timeline.Running) + l.Total(timeline.Runnable) + l.Total(timeline.Blocked) + l.Total(timeline.Syscall); sum < s.Goroutines.Length*99/100 {
		t.Errorf("the caller's states add up to %v of %v", sum, s.Goroutines.Length)
	}
}

func TestTraceErrors(t *testing.T) {
	if _, err := timeline.Trace(nil); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("nil function: %v", err)
	}
	_, err := timeline.Trace(func() {
		if _, err := timeline.Trace(func() {}); err == nil || !strings.Contains(err.Error(), "one trace can run") {
			t.Errorf("trace in a trace: %v", err)
		}
	})
	if err != nil {
		t.Errorf("around a failed trace: %v", err)
	}
	if _, err = timeline.TraceWithin(1000, func() { burn(ms) }); err == nil || !strings.Contains(err.Error(), "shorter run") {
		t.Errorf("too large: %v", err)
	}
	for _, test := range []struct {
		in   string
		want string
	}{
		{"", "not an execution trace"},
		{"GIF89a, and no trace at all", "not an execution trace"},
		{"go 1.26 trace\x00\x00\x00\x01\x02\x03", "damaged"},
	} {
		if _, err := timeline.ReadTrace(strings.NewReader(test.in)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%q: %v, want %q", test.in, err, test.want)
		}
	}
}

func TestTracePanic(t *testing.T) {
	func() {
		defer func() {
			if p := recover(); p != "mine" {
				t.Errorf("recovered %v", p)
			}
		}()
		timeline.Trace(func() { panic("mine") })
		t.Error("the panic was swallowed")
	}()
	if trace.IsEnabled() {
		t.Error("the trace still runs")
	}
	traced(t, func() {})
}

// rawTrace is a trace as runtime/trace writes it, without the marks of Trace.
func rawTrace(t testing.TB, f func()) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := trace.Start(&buf); err != nil {
		t.Fatal(err)
	}
	f()
	trace.Stop()
	return buf.Bytes()
}

func TestReadTrace(t *testing.T) {
	data := rawTrace(t, func() {
		done := make(chan bool)
		go namedFunction(done)
		<-done
		burn(5 * ms)
	})
	s, err := timeline.ReadTrace(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := s.Goroutines.Lane("timeline_test.namedFunction"); !ok || s.Goroutines.Length < 5*ms {
		t.Errorf("\n%v", s.Goroutines)
	}
	if _, err := timeline.ReadTrace(bytes.NewReader(data[:len(data)*2/3])); err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("cut short: %v", err)
	}
}

// TestTwoSeconds crosses the borders that the tracer puts into a trace every
// second, where it tells every goroutine's state again.
func TestTwoSeconds(t *testing.T) {
	s := traced(t, func() {
		var wg sync.WaitGroup
		wg.Go(func() {
			timeline.Name("long")
			trace.WithRegion(context.Background(), "whole", func() { burn(2100 * ms) })
		})
		wg.Wait()
	})
	l, _ := s.Goroutines.Lane("long")
	if got := l.Total(timeline.Running) + l.Total(timeline.Runnable); got < 2090*ms {
		t.Errorf("ran or could have run for %v, want 2.1s", got)
	}
	if got := s.Regions.Total("whole"); got < 2090*ms || s.Regions.Count("whole") != 1 {
		t.Errorf("region of %v", got)
	}
}
