package timeline

import (
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"
)

// A Recorder keeps the spans that a program marks, at any number of goroutines
// at once. Its zero value is ready to use; it must not be copied after first use.
//
//	var tl timeline.Recorder
//	for i := range 5 {
//		wg.Go(func() {
//			defer tl.Start(fmt.Sprint("worker ", i), "slow(3)").End()
//			slow(3)
//		})
//	}
//
// Times are monotonic, counted from the recorder's first span. A span costs about
// 100 ns, of which two readings of the clock are more than half, and no allocation
// of its own.
//
// Memory is bounded. Up to 1 048 576 spans (24 bytes each) all are kept; from there on a
// lane that outgrows its share has its shortest spans merged, as [Timeline.Thin]
// does, so that a picture of 10 million spans still shows every long one. The
// counts and, in lanes whose spans do not overlap, the time in each state stay
// exact. Lanes beyond the 65 536th share one called "more lanes".
type Recorder struct {
	epoch   atomic.Pointer[time.Time]
	room    atomic.Int64 // spans that all lanes together have room for
	lanes   atomic.Int64
	opened  atomic.Int64 // spans ever open at once, all lanes together
	dropped atomic.Int64
	merged  atomic.Int64 // merged spans were shorter than this, in ns
	shards  [64]shard
}

const (
	maxSpans  = 1 << 20 // kept whole by a Recorder and by Trace
	maxLanes  = 1 << 16
	moreLanes = "more lanes"
)

// A shard guards the lanes whose names share a hash, so that workers on
// different lanes seldom meet at one lock.
type shard struct {
	mu     sync.Mutex
	tracks map[string]*track
	_      [48]byte // a cache line each
}

// A track is a lane being recorded.
type track struct {
	rec   *Recorder
	shard *shard
	name  string
	kinds []kind
	ids   map[kind]uint32 // index into kinds
	done  [][]record      // chunks, all but the last one full
	slots []*slot         // every slot of the lane, in use or free
	free  []*slot
}

// A kind is what a record says beside its times. Lanes do few kinds of things
// many times, so a record holds a number and no pointer: a third of a Span's
// size, and nothing for the garbage collector to look at.
type kind struct {
	state State
	label string
}

type record struct {
	start, end time.Duration
	kind       uint32
	count      uint32 // as in Span
}

// A slot holds a span that has not ended. Slots are used again, so generation
// tells an Active whether the span in the slot is still its own.
type slot struct {
	track      *track
	generation uint64 // odd while in use
	start      time.Duration
	kind       uint32
}

// Active is a span that has started. It is a small value to copy freely; its
// zero value is a span that ended long ago.
type Active struct {
	slot       *slot
	generation uint64
}

var seed = maphash.MakeSeed()

// Start begins a span in state [Running] on a lane, which is made if need be.
// A span that is never ended is drawn up to the moment of the picture.
func (r *Recorder) Start(lane, label string) Active {
	return r.StartAs(lane, Running, label)
}

// StartAs begins a span in any state.
func (r *Recorder) StartAs(lane string, state State, label string) Active {
	s := &r.shards[maphash.String(seed, lane)%uint64(len(r.shards))]
	s.mu.Lock()
	t := s.tracks[lane]
	if t == nil {
		if lane != moreLanes && r.lanes.Add(1) > maxLanes {
			s.mu.Unlock()
			return r.StartAs(moreLanes, state, label)
		}
		t = s.add(r, lane)
	}
	o := t.take()
	if o == nil {
		s.mu.Unlock()
		r.dropped.Add(1)
		return Active{}
	}
	o.generation++
	a := Active{o, o.generation}
	o.kind, o.start = t.id(kind{state, label}), r.now()
	s.mu.Unlock()
	return a
}

// To ends the span's present state and begins the next one in the same lane, at
// the same instant. It does nothing after End.
func (a Active) To(state State, label string) {
	if a.slot == nil {
		return
	}
	t := a.slot.track
	now := t.rec.now()
	t.shard.mu.Lock()
	defer t.shard.mu.Unlock()
	if a.slot.generation == a.generation {
		t.finish(a.slot, now)
		a.slot.kind, a.slot.start = t.id(kind{state, label}), now
	}
}

// End ends the span. A second End does nothing.
func (a Active) End() {
	if a.slot == nil {
		return
	}
	t := a.slot.track
	now := t.rec.now()
	t.shard.mu.Lock()
	if a.slot.generation == a.generation {
		t.finish(a.slot, now)
		a.slot.generation++
		t.free = append(t.free, a.slot)
	}
	t.shard.mu.Unlock()
}

// Timeline returns a picture of all spans so far. Recording may go on meanwhile:
// spans that have not ended are shown up to now and marked Open.
func (r *Recorder) Timeline() *Timeline {
	out := &Timeline{Omitted: Omission{
		Spans:   int(r.dropped.Load()),
		Shorter: time.Duration(r.merged.Load()),
	}}
	if e := r.epoch.Load(); e != nil {
		out.Start = e.Round(0)
	}
	for i := range r.shards {
		s := &r.shards[i]
		s.mu.Lock()
		for _, t := range s.tracks {
			out.Lanes = append(out.Lanes, t.lane())
		}
		s.mu.Unlock()
	}
	for _, s := range out.Spans() {
		out.Length = max(out.Length, s.End)
		out.Omitted.Merged += s.spans() - 1
	}
	out.sort()
	return out
}

// now is the time since the recorder's first span.
func (r *Recorder) now() time.Duration {
	e := r.epoch.Load()
	if e == nil {
		now := time.Now()
		if r.epoch.CompareAndSwap(nil, &now) {
			return 0
		}
		e = r.epoch.Load()
	}
	return time.Since(*e)
}

func (s *shard) add(r *Recorder, lane string) *track {
	if s.tracks == nil {
		s.tracks = make(map[string]*track)
	}
	t := &track{rec: r, shard: s, name: lane, ids: make(map[kind]uint32)}
	s.tracks[lane] = t
	return t
}

// id returns the number of a kind.
func (t *track) id(k kind) uint32 {
	if n := len(t.kinds); n > 0 && t.kinds[n-1] == k {
		return uint32(n - 1)
	}
	id, ok := t.ids[k]
	if !ok {
		id = uint32(len(t.kinds))
		t.ids[k] = id
		t.kinds = append(t.kinds, k)
	}
	return id
}

// take returns a free slot, or nil when too many spans were never ended.
func (t *track) take() *slot {
	if n := len(t.free); n > 0 {
		o := t.free[n-1]
		t.free = t.free[:n-1]
		return o
	}
	if t.rec.opened.Add(1) > maxSpans {
		return nil
	}
	o := &slot{track: t}
	t.slots = append(t.slots, o)
	return o
}

// finish moves a slot's span to those done.
func (t *track) finish(o *slot, now time.Duration) {
	if t.full() {
		room, have := t.rec.room.Load(), mostRecords*len(t.done)
		fair := have <= maxSpans/int(max(1, t.rec.lanes.Load())) && room <= 2*maxSpans
		if room > maxSpans && !fair && len(t.done) > 1 {
			t.thin() // gives kinds new numbers
		}
	}
	t.append(record{start: o.start, end: max(now, o.start), kind: o.kind})
}

// Records come in chunks of 4 at first, 1024 in the end.
const leastRecords, mostRecords = 4, 1024

func (t *track) full() bool {
	n := len(t.done)
	return n == 0 || len(t.done[n-1]) == cap(t.done[n-1])
}

func (t *track) append(r record) {
	if t.full() {
		size := leastRecords
		if n := len(t.done); n > 0 {
			size = min(2*cap(t.done[n-1]), mostRecords)
		}
		t.rec.room.Add(int64(size))
		t.done = append(t.done, make([]record, 0, size))
	}
	last := len(t.done) - 1
	t.done[last] = append(t.done[last], r)
}

// thin halves the track, its kinds included.
func (t *track) thin() {
	full := &Timeline{Lanes: []Lane{{Spans: t.spans(nil)}}}
	sortSpans(full.Lanes[0].Spans)
	_, full.Length = full.Lanes[0].bounds()
	half := full.Thin(len(full.Lanes[0].Spans) / 2)

	for _, chunk := range t.done {
		t.rec.room.Add(int64(-cap(chunk)))
	}
	open := make([]kind, len(t.slots))
	for i, o := range t.slots {
		open[i] = t.kinds[o.kind]
	}
	t.done, t.kinds = nil, nil
	clear(t.ids)
	for i, o := range t.slots {
		o.kind = t.id(open[i])
	}
	for _, s := range half.Lanes[0].Spans {
		t.append(record{s.Start, s.End, t.id(kind{s.State, s.Label}), uint32(s.Count)})
	}
	shorter := int64(half.Omitted.Shorter)
	for old := t.rec.merged.Load(); old < shorter; old = t.rec.merged.Load() {
		t.rec.merged.CompareAndSwap(old, shorter)
	}
}

// spans appends the track's spans that have ended.
func (t *track) spans(spans []Span) []Span {
	for _, chunk := range t.done {
		for _, r := range chunk {
			k := t.kinds[r.kind]
			spans = append(spans, Span{Start: r.start, End: r.end, State: k.state, Label: k.label, Count: int(r.count)})
		}
	}
	return spans
}

// lane copies the track; the caller holds the shard's lock.
func (t *track) lane() Lane {
	n := len(t.slots)
	for _, chunk := range t.done {
		n += len(chunk)
	}
	spans := t.spans(make([]Span, 0, n))
	for _, o := range t.slots {
		if o.generation%2 == 1 {
			k := t.kinds[o.kind]
			spans = append(spans, Span{Start: o.start, End: max(t.rec.now(), o.start), State: k.state, Label: k.label, Open: true})
		}
	}
	return Lane{Name: t.name, Spans: spans}
}
