package timeline

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime/trace"
)

// A Schedule is what Go's scheduler did during a trace, three ways on one clock.
type Schedule struct {
	// Goroutines has a lane for each goroutine of the program, in order of
	// creation, but those of one name side by side: [Running] (its label says on which processor), [Runnable],
	// [Blocked] and [Syscall] (labelled with the reason). A goroutine that was
	// blocked throughout is left out.
	Goroutines *Timeline

	// Processors has a lane for each processor (P; there are GOMAXPROCS of them)
	// that ran anything, with the goroutines it ran as labels, [GC] when it
	// worked for the collector, and a last lane for the collector's cycles.
	Processors *Timeline

	// Regions has a lane for each goroutine that marked regions (see
	// [runtime/trace.WithRegion]), labelled with their types. Nested regions
	// overlap.
	Regions *Timeline
}

// MaxTrace is the largest trace, in bytes, that [Trace] and [ReadTrace] take: about
// two million switches of goroutines, and some seconds to read.
const MaxTrace = 32 << 20

// Name names the calling goroutine in the pictures of a [Trace] that is running;
// otherwise it costs a few nanoseconds and does nothing.
//
//	go func() {
//		timeline.Name("worker 1")
//		…
//	}()
func Name(name string) { trace.Log(context.Background(), logCategory, logName+name) }

// Marks that this package leaves in a trace.
const (
	logCategory = "timeline"
	logName     = "name "
	logBegin    = "begin"
	logEnd      = "end"
)

// Trace runs f under Go's execution tracer and tells what the scheduler did
// until f returned. Tracing adds about a third of a microsecond to every switch of
// goroutines and next to nothing to what runs between them. If f panics, the trace
// is stopped and the panic goes on.
//
// It is an error if a trace is running already, or if the trace grows beyond
// [MaxTrace].
func Trace(f func()) (*Schedule, error) { return traceWithin(MaxTrace, f) }

func traceWithin(limit int, f func()) (*Schedule, error) {
	if f == nil {
		return nil, errors.New("timeline: Trace needs a function to run, not nil")
	}
	w := &boundedBuffer{limit: limit}
	if err := trace.Start(w); err != nil {
		return nil, fmt.Errorf("timeline: only one trace can run at a time (a Trace within another, or go test -trace?): %w", err)
	}
	func() {
		defer trace.Stop()
		ctx := context.Background()
		trace.Log(ctx, logCategory, logBegin)
		f()
		trace.Log(ctx, logCategory, logEnd)
	}()
	if w.dropped > 0 {
		return nil, fmt.Errorf("timeline: the trace grew to %d MB, of which %d MB can be kept: trace a shorter run, or less of it", (w.Len()+w.dropped)>>20, limit>>20)
	}
	return ReadTrace(&w.Buffer)
}

// boundedBuffer drops what does not fit, and counts it: the tracer would not
// listen to an error.
type boundedBuffer struct {
	bytes.Buffer
	limit, dropped int
}

func (b *boundedBuffer) Write(p []byte) (int, error) {
	if b.dropped > 0 || b.Len()+len(p) > b.limit {
		b.dropped += len(p)
		return len(p), nil
	}
	return b.Buffer.Write(p)
}
