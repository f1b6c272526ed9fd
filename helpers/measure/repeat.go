package measure

import (
	"context"
	"errors"
	"fmt"
	"math"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

// An Alternative is one of the things compared: a function to run, made by
// [Case], or times taken elsewhere, made by [Samples].
type Alternative struct {
	name    string
	run     func(context.Context) error
	samples []float64
	err     error
}

// Case is a function to measure, under the name that tables and charts give it.
// A returned error ends the measurement. The context ends at the [Plan.Limit]
// or with the measurement.
func Case[F func() | func() error | func(context.Context) error](name string, f F) Alternative {
	a := Alternative{name: name}
	switch f := any(f).(type) {
	case func():
		if f != nil {
			a.run = func(context.Context) error { f(); return nil }
		}
	case func() error:
		if f != nil {
			a.run = func(context.Context) error { return f() }
		}
	case func(context.Context) error:
		a.run = f
	}
	if a.run == nil {
		a.err = errors.New("the function is nil")
	}
	return a
}

// Samples joins times taken elsewhere, such as a Python cell's read from the
// ledger, to a comparison. They are in seconds, one a repeat. Their CPU time is
// unknown, and as they were not interleaved with the other cases, a change of
// the machine's speed in between is not accounted for. At least 6 of them make
// an interval, 2000 are the most.
func Samples(name string, seconds ...float64) Alternative {
	a := Alternative{name: name, samples: slices.Clone(seconds)}
	if n := len(seconds); n == 0 || n > 2000 { // comparing takes the product of two
		a.err = fmt.Errorf("%d samples: give 1 to 2000", n)
	}
	for i, s := range seconds {
		if !(s > 0) || math.IsInf(s, 1) {
			a.err = fmt.Errorf("sample %d is %v: a time is a positive number of seconds", i+1, s)
			break
		}
	}
	return a
}

// sample is what one repeat took, in seconds a call.
type sample struct{ wall, cpu float64 }

// repeat calls a case so many times in a goroutine of its own, which lets
// repeat return at the limit even if the case does not.
func (p Plan) repeat(ctx context.Context, a Alternative, calls int) (sample, error) {
	limit := fmt.Errorf("still running after the limit of %v (an endless loop, a deadlock? otherwise raise Plan.Limit)", p.Limit)
	ctx, cancel := context.WithTimeoutCause(ctx, p.Limit, limit)
	defer cancel()

	var s sample
	done := make(chan error, 1)
	go func() {
		err := errors.New("its goroutine ended early, by runtime.Goexit")
		defer func() { done <- err }()
		defer func() {
			if v := recover(); v != nil {
				err = fmt.Errorf("panic: %v%s", v, panicSite())
			}
		}()
		s, err = timed(ctx, a.run, calls)
	}()

	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		err = context.Cause(ctx)
	}
	if err != nil {
		return sample{}, fmt.Errorf("case %q: %w", a.name, err)
	}
	return s, nil
}

func timed(ctx context.Context, f func(context.Context) error, calls int) (sample, error) {
	cpu := cpuTime()
	start := time.Now()
	for range calls {
		if err := f(ctx); err != nil {
			return sample{}, err
		}
	}
	wall := time.Since(start)
	cpu = cpuTime() - cpu
	n := float64(calls)
	return sample{wall: wall.Seconds() / n, cpu: cpu.Seconds() / n}, nil
}

// cpuTime is the CPU time, user and system, that all threads of this process
// and all its children that have ended and been waited for have used so far.
func cpuTime() time.Duration {
	var total int64
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			panic(err) // both constants are valid, and u is ours: cannot fail
		}
		total += u.Utime.Nano() + u.Stime.Nano()
	}
	return time.Duration(total)
}

// panicSite tells where the panic being recovered came from, on a line like
// those of a stack trace: GoNB maps these to the line of the cell.
func panicSite() string {
	pcs := make([]uintptr, 32)
	frames := runtime.CallersFrames(pcs[:runtime.Callers(3, pcs)])
	for {
		f, more := frames.Next()
		if f.Function != "" && !strings.HasPrefix(f.Function, "runtime.") {
			return fmt.Sprintf("\n\t%s:%d", f.File, f.Line)
		}
		if !more {
			return ""
		}
	}
}
