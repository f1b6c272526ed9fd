// Package measure compares alternatives fairly, on the reader's own machine.
//
// A single timing says little: the clock speed changes, caches are cold at
// first, other programs want the processor. So Compare runs every alternative
// several times, interleaved in rounds and in a new random order each round,
// and reports the median with an interval that holds it 95 times in 100. When
// two alternatives cannot be told apart, it says so instead of naming a winner.
//
//	fmt.Print(measure.Compare(
//		measure.Case("in a row", inARow),
//		measure.Case("five at once", fiveAtOnce),
//	))
//
// Interleaving in random order is the method of Abedi and Brecht, "Conducting
// Repeatable Experiments in Highly Variable Cloud Computing Environments",
// ICPE 2017: whatever slows the machine down for a while slows all
// alternatives down alike. The statistics assume nothing about the shape of
// the distribution, and are those of golang.org/x/perf/benchmath, on which
// benchstat stands.
//
// # Cost
//
// A measured call is charged about 3 ns, for calling it: a function that takes
// less than 10 ms is called so many times a repeat that they take that long
// together, and the time is divided. Collecting garbage before a repeat and
// starting the goroutine it runs in take 0.1 to 3 ms, outside the measured time.
// BenchmarkCall and BenchmarkRepeat prove the figures.
package measure

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"time"
)

// What a zero Plan means.
const (
	DefaultRepeats = 10
	DefaultBudget  = 20 * time.Second
	DefaultLimit   = 2 * time.Minute
)

// A Plan says how much to measure. Its zero value is good for most cells.
type Plan struct {
	// Repeats is the number of rounds wanted; in each round every case runs
	// once. 0 means DefaultRepeats. An interval for a median needs 6.
	Repeats int

	// Budget is the time that warm-up and rounds may take together. A round
	// that would not fit any more is not begun, but one round is always made.
	// 0 means DefaultBudget.
	Budget time.Duration

	// Limit is the longest that one repeat may take before Run gives it up
	// with an error. 0 means DefaultLimit.
	Limit time.Duration

	// Cold leaves out the warm-up round, so that the first call, with cold
	// caches and unopened connections, counts like the others. A repeat is
	// then a single call, however fast.
	Cold bool
}

// Compare measures the cases as the zero Plan says; see [Plan.Compare].
func Compare(cases ...Alternative) Comparison {
	return Plan{}.Compare(cases...)
}

// Compare is [Plan.Run] for a notebook cell: what Run returns as an error ends
// the cell, as a panic whose message names the case; so does an interrupt, as it
// ends any cell.
func (p Plan) Compare(cases ...Alternative) Comparison {
	c, err := p.Run(context.Background(), cases...)
	if err != nil {
		panic(err)
	}
	return c
}

// Run measures the cases and returns what it found. The first case is the one
// that the others are compared with.
//
// After a warm-up round that does not count, come rounds in each of which
// every case runs once, in random order, until there are p.Repeats of them or
// p.Budget is spent. Before every repeat Run collects garbage, as package
// testing does, so that nobody pays for what another left behind; the garbage
// collection that a case itself causes is part of its time.
//
// The error names the case that panicked, returned an error, or was still
// running at p.Limit. Go cannot kill a goroutine: a function that does not
// heed its context goes on after the limit, and takes its core and memory
// until the program ends. If ctx ends, Run returns its cause. Along with the
// error Run returns the rounds completed before it.
func (p Plan) Run(ctx context.Context, cases ...Alternative) (Comparison, error) {
	p, err := p.withDefaults()
	if err == nil {
		err = check(cases)
	}
	if err != nil {
		return Comparison{}, fmt.Errorf("measure: %w", err)
	}
	c := Comparison{Wanted: p.Repeats, Results: make([]Result, len(cases))}
	for i, a := range cases {
		c.Results[i] = Result{Name: a.name, Wall: a.samples, Calls: 1}
	}
	if err := p.rounds(ctx, cases, &c); err != nil {
		return c, fmt.Errorf("measure: %w", err)
	}
	return c, nil
}

func (p Plan) withDefaults() (Plan, error) {
	if p.Repeats < 0 || p.Budget < 0 || p.Limit < 0 {
		return p, fmt.Errorf("a negative repeat count or time in %+v: leave it out for the default", p)
	}
	if p.Repeats == 0 {
		p.Repeats = DefaultRepeats
	}
	if p.Budget == 0 {
		p.Budget = DefaultBudget
	}
	if p.Limit == 0 {
		p.Limit = DefaultLimit
	}
	return p, nil
}

func check(cases []Alternative) error {
	if len(cases) == 0 {
		return errors.New("nothing to compare: give at least one measure.Case")
	}
	seen := make(map[string]bool)
	for i, a := range cases {
		switch {
		case a.name == "":
			return fmt.Errorf("case %d has no name", i+1)
		case seen[a.name]:
			return fmt.Errorf("two cases are named %q: give each its own name", a.name)
		case a.err != nil:
			return fmt.Errorf("case %q: %w", a.name, a.err)
		}
		seen[a.name] = true
	}
	return nil
}

// rounds warms up and appends the samples of as many rounds to c as fit.
func (p Plan) rounds(ctx context.Context, cases []Alternative, c *Comparison) error {
	var live []int // the cases to run; the others brought their samples along
	for i, a := range cases {
		if a.run != nil {
			live = append(live, i)
		}
	}
	if len(live) == 0 {
		return nil
	}
	start := time.Now()
	if !p.Cold {
		for _, i := range live {
			calls, err := p.warmUp(ctx, cases[i])
			if err != nil {
				return err
			}
			c.Results[i].Calls = calls
		}
	}
	var longest time.Duration
	for c.Rounds < p.Repeats && (c.Rounds == 0 || time.Since(start)+longest <= p.Budget) {
		began := time.Now()
		if err := p.round(ctx, cases, live, c); err != nil {
			return err
		}
		longest = max(longest, time.Since(began))
	}
	return nil
}

// round repeats the live cases once each and appends a sample of each to c, or
// on an error none, so that all cases keep equally many.
func (p Plan) round(ctx context.Context, cases []Alternative, live []int, c *Comparison) error {
	samples := make([]sample, len(cases))
	for _, k := range rand.Perm(len(live)) {
		i := live[k]
		runtime.GC()
		s, err := p.repeat(ctx, cases[i], c.Results[i].Calls)
		if err == nil && c.Rounds == 0 && !p.Cold && s.wall*float64(c.Results[i].Calls) < batch.Seconds()/2 {
			// Only the first call was slow: the warm-up counted too few.
			if c.Results[i].Calls, err = p.warmUp(ctx, cases[i]); err == nil {
				s, err = p.repeat(ctx, cases[i], c.Results[i].Calls)
			}
		}
		if err != nil {
			return err
		}
		samples[i] = s
	}
	for _, i := range live {
		c.Results[i].Wall = append(c.Results[i].Wall, samples[i].wall)
		c.Results[i].CPU = append(c.Results[i].CPU, samples[i].cpu)
	}
	c.Rounds++
	return nil
}

// batch is the shortest time a repeat should last: long enough for the CPU time
// of Unix, whose unit is 1 µs, to be exact to 0.1 ‰, and to average over what
// the collection of garbage before it did to the caches.
const batch = 10 * time.Millisecond

// warmUp runs a case once or more, uncounted, and returns how many calls make
// a repeat of at least batch.
func (p Plan) warmUp(ctx context.Context, a Alternative) (calls int, err error) {
	for calls = 1; ; {
		s, err := p.repeat(ctx, a, calls)
		if err != nil {
			return 0, err
		}
		total := s.wall * float64(calls)
		if total >= batch.Seconds() {
			return calls, nil
		}
		// A step too long would be dear if the first calls happened to be
		// quick, so grow as package testing does: 20 % over, at most 100-fold.
		next := 1.2 * batch.Seconds() / max(s.wall, 1e-12)
		calls = int(math.Ceil(min(next, float64(100*calls))))
	}
}
