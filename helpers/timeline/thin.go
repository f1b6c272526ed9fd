package timeline

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// An Omission says what a timeline no longer shows one by one.
type Omission struct {
	Merged  int           `json:"merged,omitempty"`  // spans drawn as part of another, whose Count tells
	Shorter time.Duration `json:"shorter,omitempty"` // every merged span was shorter than this, in ns
	Lanes   int           `json:"lanes,omitempty"`   // lanes left out
	Spans   int           `json:"spans,omitempty"`   // spans left out: those of such lanes, and those never recorded
}

// String is a sentence for the foot of a chart; "" if nothing was left out.
func (o Omission) String() string {
	var s string
	if o.Merged > 0 {
		s = fmt.Sprintf("%d spans shorter than %v merged with their neighbours", o.Merged, o.Shorter)
	}
	if o.Lanes > 0 || o.Spans > 0 {
		if s != "" {
			s += "; "
		}
		s += fmt.Sprintf("%d lanes and %d spans left out", o.Lanes, o.Spans)
	}
	return s
}

// Thin returns a timeline of at most limit spans (at least one), for a picture
// that has no room for more; t itself if it has no more. It never changes t.
//
// Leaving short spans out would make a busy lane look idle. So Thin finds the
// shortest resolution that fits, keeps every span of at least that length, and
// merges the shorter ones that begin within one step of the resolution into one
// span per state. In a lane whose spans do not overlap, the time spent in each
// state stays exact; only the order inside a step is lost. When there are more
// lanes than limit, it keeps the lane of the longest span and every n-th one.
// Omitted says what was done.
func (t *Timeline) Thin(limit int) *Timeline {
	limit = max(limit, 1)
	total := 0
	for _, l := range t.Lanes {
		total += len(l.Spans)
	}
	if total <= limit {
		return t
	}
	out := *t
	out.Lanes = t.sampleLanes(limit)
	for _, l := range t.Lanes {
		for _, s := range l.Spans {
			out.Omitted.Spans += s.spans()
		}
	}
	out.Omitted.Lanes += len(t.Lanes) - len(out.Lanes)
	for _, s := range out.Spans() {
		out.Omitted.Spans -= s.spans()
	}
	step := out.resolve(limit)
	for i, l := range out.Lanes {
		spans := make([]Span, 0, count(l.Spans, step))
		merge(l.Spans, step, func(s Span) { spans = append(spans, s) })
		out.Lanes[i].Spans = spans
	}
	out.Omitted.Merged = 0
	for _, s := range out.Spans() {
		out.Omitted.Merged += s.spans() - 1
	}
	if out.Omitted.Merged > t.Omitted.Merged {
		out.Omitted.Shorter = max(out.Omitted.Shorter, step.shorter)
	}
	return &out
}

// sampleLanes returns at most limit lanes, the one of the longest span included.
func (t *Timeline) sampleLanes(limit int) []Lane {
	n := len(t.Lanes)
	if n <= limit {
		return slices.Clone(t.Lanes)
	}
	longest, record := 0, time.Duration(-1)
	for i, l := range t.Lanes {
		for _, s := range l.Spans {
			if s.Duration() > record {
				longest, record = i, s.Duration()
			}
		}
	}
	lanes := make([]Lane, limit)
	for i := range lanes {
		lanes[i] = t.Lanes[i*n/limit]
	}
	lanes[((longest+1)*limit-1)/n] = t.Lanes[longest]
	return lanes
}

// A resolution says which spans are merged: those shorter than shorter that
// begin within the same multiple of it, into at most states spans.
type resolution struct {
	shorter time.Duration
	states  int
}

// maxStates is how many states of a run of short spans are told apart.
const maxStates = 4

// whole merges all that a lane has.
const whole = time.Duration(math.MaxInt64)

// resolve finds a fine resolution at which the timeline has at most limit spans.
// Only when no step will do does it stop telling states apart.
func (t *Timeline) resolve(limit int) resolution {
	finest := max(1, t.Length/time.Duration(limit))
	for _, states := range []int{maxStates, 1} {
		for step := finest; step < whole/2; step *= 2 {
			if !t.fits(limit, resolution{step, states}) {
				continue
			}
			// Between the last step that was too fine and this one: halve the gap
			// a few times, for a picture that uses the room it has.
			for fine := step / 2; step > finest && step-fine > max(1, step/16); {
				if mid := fine + (step-fine)/2; t.fits(limit, resolution{mid, states}) {
					step = mid
				} else {
					fine = mid
				}
			}
			return resolution{step, states}
		}
	}
	return resolution{whole, 1}
}

func (t *Timeline) fits(limit int, at resolution) bool {
	n := 0
	for _, l := range t.Lanes {
		n += count(l.Spans, at)
	}
	return n <= limit
}

// count is how many spans merge emits.
func count(spans []Span, at resolution) int {
	n := 0
	merge(spans, at, func(Span) { n++ })
	return n
}

// merge emits the spans of a lane at a resolution, in order.
func merge(spans []Span, at resolution, emit func(Span)) {
	long := func(s Span) bool { return at.shorter < whole && s.Duration() >= at.shorter }
	step := func(s Span) time.Duration { return s.Start / at.shorter }
	for i := 0; i < len(spans); {
		j := i + 1
		if !long(spans[i]) {
			for j < len(spans) && !long(spans[j]) && (at.shorter == whole || step(spans[j]) == step(spans[i])) {
				j++
			}
		}
		if j == i+1 {
			emit(spans[i])
		} else {
			mergeRun(spans[i:j], at.states, emit)
		}
		i = j
	}
}

// mergeRun emits one span per state for a run of short spans: end to end from
// the run's start, each as long as the time spent in its state.
func mergeRun(run []Span, states int, emit func(Span)) {
	var room [maxStates]Span
	merged := room[:0]
	var busy time.Duration
	end := run[0].End
	for _, s := range run {
		i := slices.IndexFunc(merged, func(m Span) bool { return m.State == s.State })
		switch {
		case i < 0 && len(merged) < states:
			i = len(merged)
			merged = append(merged, Span{State: s.State, Label: s.Label})
		case i < 0:
			i = len(merged) - 1
			merged[i].State = Mixed
		}
		m := &merged[i]
		if m.Label != s.Label {
			m.Label = ""
		}
		m.Count += s.spans()
		m.End += max(0, s.Duration()) // a length until it is placed below
		busy += max(0, s.Duration())
		end = max(end, s.End)
	}
	// Spans that overlap add up to more than the run is long: shrink them alike.
	scale := 1.0
	if length := end - run[0].Start; busy > length {
		scale = float64(length) / float64(busy)
	}
	at := run[0].Start
	for _, m := range merged {
		length := m.End
		if scale < 1 {
			length = time.Duration(float64(length) * scale)
		}
		m.Start, m.End = at, at+length
		at = m.End
		emit(m)
	}
}

// add sums two omissions.
func (o Omission) add(p Omission) Omission {
	return Omission{
		Merged:  o.Merged + p.Merged,
		Shorter: max(o.Shorter, p.Shorter),
		Lanes:   o.Lanes + p.Lanes,
		Spans:   o.Spans + p.Spans,
	}
}
