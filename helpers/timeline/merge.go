package timeline

import (
	"errors"
	"fmt"
	"slices"
	"time"
)

// Merge puts timelines of several processes or machines on one clock: that of
// the earliest, by each one's wall clock at offset 0. Lanes keep their order;
// those of a timeline with a Source are named "source: lane".
//
// Processes of one machine read the same clock, so their timelines fit as they
// are (to the microsecond; unless the clock was set in between). Clocks of
// different machines differ: [MeasureOffset] tells by how much, and
// [Timeline.Shift] mends it.
func Merge(timelines ...*Timeline) (*Timeline, error) {
	out, none := &Timeline{}, true
	for i, t := range timelines {
		if t == nil {
			return nil, fmt.Errorf("timeline: merge: timeline %d is nil", i)
		}
		if err := t.Validate(); err != nil {
			return nil, fmt.Errorf("merge: timeline %d (%s): %w", i, t.Source, err)
		}
		if len(t.Lanes) > 0 && (none || t.Start.Before(out.Start)) {
			out.Start, none = t.Start, false
		}
	}
	for i, t := range timelines {
		if len(t.Lanes) == 0 {
			continue
		}
		offset := t.Start.Sub(out.Start)
		if offset > maxApart {
			return nil, fmt.Errorf("timeline: merge: timeline %d (%s) starts %v after the first: are both from the same run?", i, t.Source, offset)
		}
		out.Length = max(out.Length, offset+t.Length)
		for _, l := range t.Lanes {
			l.Spans = slices.Clone(l.Spans)
			for j := range l.Spans {
				l.Spans[j].Start += offset
				l.Spans[j].End += offset
			}
			if t.Source != "" {
				l.Name = t.Source + ": " + l.Name
			}
			out.Lanes = append(out.Lanes, l)
		}
		out.Omitted = out.Omitted.add(t.Omitted)
	}
	return out, nil
}

// maxApart is further apart than parts of one run can be: beyond it a clock is
// wrong, and the picture would show nothing but the gap.
const maxApart = 30 * 24 * time.Hour

// Shift moves the timeline's clock: a timeline from a machine whose clock is
// ahead by offset belongs offset earlier.
func (t *Timeline) Shift(offset Offset) { t.Start = t.Start.Add(-offset.Ahead) }

// An Offset is how far another machine's clock is ahead of this one's.
type Offset struct {
	Ahead time.Duration `json:"ahead"` // negative if it is behind
	Error time.Duration `json:"error"` // the truth lies within ± this
}

// MeasureOffset asks another machine for its time, several times over (8 is
// plenty), and takes the answer of the shortest round trip: the clock was read
// somewhere within it, so half of it bounds the error, however lopsided the way.
//
// This is Cristian's algorithm (F. Cristian, "Probabilistic clock
// synchronization", Distributed Computing 3, 1989, pp. 146–158); keeping the
// sample of least delay is also NTP's clock filter (RFC 5905, section 10).
func MeasureOffset(times int, ask func() (time.Time, error)) (Offset, error) {
	if ask == nil || times < 1 {
		return Offset{}, errors.New("timeline: MeasureOffset needs a function that asks for the time, and at least one question")
	}
	var best Offset
	for i := range times {
		sent := time.Now()
		remote, err := ask()
		trip := time.Since(sent)
		if err != nil {
			return Offset{}, fmt.Errorf("timeline: ask the other machine for its time: %w", err)
		}
		if half := trip / 2; i == 0 || half < best.Error {
			best = Offset{Ahead: remote.Sub(sent.Round(0).Add(half)), Error: half}
		}
	}
	return best, nil
}
