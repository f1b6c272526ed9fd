// Package timeline shows what really happened when.
//
// A speed-up says how much was gained; only a picture of who was doing what at
// each moment says why. This package takes that picture from running code, in
// four ways that share one plain model, [Timeline]:
//
//   - [Recorder] keeps the spans a program marks itself: worker, state, label.
//   - [Trace] runs a function under Go's execution tracer and tells what the
//     scheduler did with every goroutine: running, waiting for a core, blocked
//     (and on what), in a system call, and which processor ran it.
//   - [CPU] samples how busy each core of the machine was.
//   - [Merge] puts timelines of several processes or machines on one clock.
//
// Nothing is drawn by hand and nothing is guessed: [Timeline.Thin] says what it
// left out.
package timeline

import (
	"cmp"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// State is what a lane is doing during a span. The values below are those that
// this package records and that charts give a colour of their own; a program may
// use any other word for its own spans.
type State string

// States of a goroutine, a worker or a processor.
const (
	Running  State = "running"            // executing on a core
	Runnable State = "waiting for a core" // ready to run, but every core is busy
	Blocked  State = "blocked"            // on a lock, a channel, a timer, the network
	Syscall  State = "system call"        // in the operating system
	Waiting  State = "waiting"            // by the program's own account
	GC       State = "garbage collection"
	Mixed    State = "several states" // merged by Thin from more states than it keeps apart
)

// A Span is one state of one lane, from Start up to but excluding End.
type Span struct {
	Start time.Duration `json:"start"` // since the timeline's Start, in ns
	End   time.Duration `json:"end"`
	State State         `json:"state"`
	Label string        `json:"label,omitempty"` // the task, or the reason of the state
	Count int           `json:"count,omitempty"` // spans merged into this one by Thin; 0 means it is itself
	Open  bool          `json:"open,omitempty"`  // had not ended when the picture was taken
}

// Duration is how long the span lasted.
func (s Span) Duration() time.Duration { return s.End - s.Start }

// spans is how many recorded spans s stands for.
func (s Span) spans() int { return max(s.Count, 1) }

// A Lane is the life of one worker, goroutine or processor: its spans in order
// of their start.
type Lane struct {
	Name  string `json:"name"`
	Spans []Span `json:"spans"`
}

// Total is the time that the lane spent in a state.
func (l Lane) Total(state State) time.Duration {
	var sum time.Duration
	for _, s := range l.Spans {
		if s.State == state {
			sum += s.Duration()
		}
	}
	return sum
}

// Share is the part, from 0 to 1, of the lane's life (first start to last end)
// that it spent in a state; 0 for an empty lane.
func (l Lane) Share(state State) float64 {
	first, last := l.bounds()
	if last <= first {
		return 0
	}
	return float64(l.Total(state)) / float64(last-first)
}

// bounds returns the lane's first start and last end, 0 and 0 if it is empty.
func (l Lane) bounds() (first, last time.Duration) {
	for i, s := range l.Spans {
		if i == 0 {
			first, last = s.Start, s.End
		}
		first, last = min(first, s.Start), max(last, s.End)
	}
	return first, last
}

// A Timeline is a set of lanes on one clock. It is plain data: it survives JSON,
// so that a worker process can send its timeline to the one that draws.
type Timeline struct {
	Start   time.Time     `json:"start"`            // wall clock at offset 0
	Length  time.Duration `json:"length"`           // in ns; no span ends later
	Source  string        `json:"source,omitempty"` // process or machine, for Merge
	Lanes   []Lane        `json:"lanes"`
	Omitted Omission      `json:"omitzero"`
}

// Spans yields every span with the name of its lane.
func (t *Timeline) Spans() iter.Seq2[string, Span] {
	return func(yield func(string, Span) bool) {
		for _, l := range t.Lanes {
			for _, s := range l.Spans {
				if !yield(l.Name, s) {
					return
				}
			}
		}
	}
}

// Lane returns the lane of that name.
func (t *Timeline) Lane(name string) (Lane, bool) {
	i := slices.IndexFunc(t.Lanes, func(l Lane) bool { return l.Name == name })
	if i < 0 {
		return Lane{}, false
	}
	return t.Lanes[i], true
}

// Count is the number of spans recorded in a state, merged ones included.
func (t *Timeline) Count(state State) int {
	n := 0
	for _, s := range t.Spans() {
		if s.State == state {
			n += s.spans()
		}
	}
	return n
}

// Total is the time that all lanes together spent in a state.
func (t *Timeline) Total(state State) time.Duration {
	var sum time.Duration
	for _, l := range t.Lanes {
		sum += l.Total(state)
	}
	return sum
}

// Durations returns how long each span in a state lasted, shortest first. Those
// of [Runnable] in a [Schedule] are the scheduling latencies.
func (t *Timeline) Durations(state State) []time.Duration {
	var ds []time.Duration
	for _, s := range t.Spans() {
		if s.State == state {
			ds = append(ds, s.Duration())
		}
	}
	slices.Sort(ds)
	return ds
}

// MaxConcurrent is the largest number of spans that were in a state at one
// instant: 5 when "five ran at once". A span that ends as another starts does
// not overlap it. Ask before [Timeline.Thin], which moves short spans a little.
func (t *Timeline) MaxConcurrent(state State) int {
	type edge struct {
		at    time.Duration
		delta int
	}
	var edges []edge
	for _, s := range t.Spans() {
		if s.State == state && s.Duration() > 0 {
			edges = append(edges, edge{s.Start, +1}, edge{s.End, -1})
		}
	}
	slices.SortFunc(edges, func(a, b edge) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.delta, b.delta))
	})
	now, most := 0, 0
	for _, e := range edges {
		now += e.delta
		most = max(most, now)
	}
	return most
}

// maxLength leaves room to move a timeline without an overflow.
const maxLength = 100 * 365 * 24 * time.Hour

// Validate says what is wrong with a timeline that came from elsewhere: a span
// that ends before it starts, lies outside the timeline or has no state.
func (t *Timeline) Validate() error {
	if t.Length < 0 || t.Length > maxLength {
		return fmt.Errorf("timeline: a length of %v, which should be from 0 to 100 years", t.Length)
	}
	for _, l := range t.Lanes {
		for i, s := range l.Spans {
			var wrong string
			switch {
			case s.End < s.Start:
				wrong = "it ends before it starts"
			case s.Start < 0 || s.End > t.Length:
				wrong = fmt.Sprintf("it lies outside the timeline's %v", t.Length)
			case s.State == "":
				wrong = "it has no state"
			case s.Count < 0:
				wrong = fmt.Sprintf("it stands for %d spans", s.Count)
			default:
				continue
			}
			return fmt.Errorf("timeline: lane %q, span %d (%v to %v): %s", l.Name, i, s.Start, s.End, wrong)
		}
	}
	return nil
}

// sort orders lanes by name, numbers by value ("worker 2" before "worker 10"),
// and each lane's spans by start.
func (t *Timeline) sort() {
	slices.SortStableFunc(t.Lanes, func(a, b Lane) int { return compareNatural(a.Name, b.Name) })
	for _, l := range t.Lanes {
		sortSpans(l.Spans)
	}
}

func sortSpans(spans []Span) {
	byStart := func(a, b Span) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	}
	if !slices.IsSortedFunc(spans, byStart) { // most lanes are, and large
		slices.SortStableFunc(spans, byStart)
	}
}

// compareNatural compares strings as people count: runs of digits by value.
func compareNatural(a, b string) int {
	for a != "" && b != "" {
		na, nb := digits(a), digits(b)
		if na > 0 && nb > 0 {
			x, y := strings.TrimLeft(a[:na], "0"), strings.TrimLeft(b[:nb], "0")
			if c := cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(x, y), cmp.Compare(na, nb)); c != 0 {
				return c
			}
			a, b = a[na:], b[nb:]
			continue
		}
		if a[0] != b[0] {
			return cmp.Compare(a[0], b[0])
		}
		a, b = a[1:], b[1:]
	}
	return cmp.Compare(len(a), len(b))
}

// digits is the length of the run of digits that s starts with.
func digits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}
