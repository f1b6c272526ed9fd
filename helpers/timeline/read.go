package timeline

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/exp/trace"
)

// ReadTrace tells what the scheduler did in a trace written by [runtime/trace],
// of any Go version that golang.org/x/exp/trace reads (1.11 to 1.26). Of a trace
// made by [Trace], it shows the part within.
func ReadTrace(r io.Reader) (s *Schedule, err error) {
	limited := &io.LimitedReader{R: r, N: MaxTrace + 1}
	// The reader of traces trusts its input in places, and panics there.
	defer func() {
		if p := recover(); p != nil {
			s, err = nil, fmt.Errorf("timeline: the trace is damaged: %v", p)
		}
	}()
	events, err := trace.NewReader(limited)
	if err != nil {
		return nil, fmt.Errorf("timeline: this is not an execution trace: %w", err)
	}
	b := newBuilder()
	for !b.ended {
		ev, err := events.ReadEvent()
		if limited.N == 0 {
			return nil, fmt.Errorf("timeline: the trace is larger than %d MB: trace a shorter run", MaxTrace>>20)
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("timeline: the trace is damaged: %w", err)
		}
		b.event(ev)
	}
	if len(b.procs) == 0 {
		return nil, errors.New("timeline: the trace is damaged: nothing ever ran in it")
	}
	return b.schedule(), nil
}

// A builder follows the state of every goroutine and processor through the
// events of a trace, and adds a span whenever one changes.
type builder struct {
	zero   trace.Time // where the picture begins
	now    trace.Time
	ended  bool
	clock  *trace.ClockSnapshot
	live   map[trace.GoID]*goroutine
	procs  map[trace.ProcID]*processor
	phases map[string]trace.Time // of garbage collection under way, by name
	twins  map[string]int        // goroutines so far, by what they would be called

	goroutines, regions []*Lane
	collector           Lane
	spans               int // in all lanes together
	omitted             Omission
}

type goroutine struct {
	lane    *Lane // nil for the runtime's own goroutines, and beyond maxLanes
	state   trace.GoState
	reason  string // of the state
	since   trace.Time
	proc    trace.ProcID
	born    bool // within the picture
	entry   string
	name    string // from timeline.Name or the stack; "" while unknown
	twin    string // " #2" for the second of a name
	title   string // name and twin, once asked for
	site    string // where it was created
	open    []openRegion
	regions *Lane
}

type openRegion struct {
	kind  string
	since trace.Time
}

type processor struct {
	lane    Lane
	label   string     // of a goroutine's span, "on P 0"
	runs    *goroutine // nil when idle
	syscall bool
	since   trace.Time
}

func newBuilder() *builder {
	return &builder{
		live:      map[trace.GoID]*goroutine{},
		procs:     map[trace.ProcID]*processor{},
		phases:    map[string]trace.Time{},
		twins:     map[string]int{},
		collector: Lane{Name: "garbage collection"},
	}
}

func (b *builder) event(ev trace.Event) {
	b.now = ev.Time()
	if b.zero == 0 {
		b.zero = b.now
	}
	b.locate(ev)
	switch ev.Kind() {
	case trace.EventSync:
		if b.clock == nil {
			b.clock = ev.Sync().ClockSnapshot
		}
	case trace.EventStateTransition:
		switch tr := ev.StateTransition(); tr.Resource.Kind {
		case trace.ResourceGoroutine:
			b.goroutineMoves(ev, tr)
		case trace.ResourceProc:
			if _, to := tr.Proc(); !to.Executing() {
				b.leave(b.proc(tr.Resource.Proc()))
			}
		}
	case trace.EventRegionBegin:
		if g := b.live[ev.Goroutine()]; g != nil {
			g.open = append(g.open, openRegion{ev.Region().Type, b.now})
		}
	case trace.EventRegionEnd:
		if g := b.live[ev.Goroutine()]; g != nil {
			b.endRegion(g, ev.Region().Type)
		}
	case trace.EventRangeBegin, trace.EventRangeActive:
		if name := ev.Range().Name; isCollection(name) {
			b.phases[name] = b.now
		}
	case trace.EventRangeEnd:
		b.endPhase(ev.Range().Name, false)
	case trace.EventLog:
		if l := ev.Log(); l.Category == logCategory {
			b.mark(ev, l.Message)
		}
	}
}

// locate learns on which processor a goroutine runs that ran when the trace began.
func (b *builder) locate(ev trace.Event) {
	g := b.live[ev.Goroutine()]
	if g != nil && g.state == trace.GoRunning && g.proc == trace.NoProc && ev.Proc() != trace.NoProc {
		b.enter(g, ev.Proc(), false)
	}
}

// mark obeys the marks that Trace and Name leave.
func (b *builder) mark(ev trace.Event, message string) {
	switch {
	case message == logBegin:
		if g := b.live[ev.Goroutine()]; g != nil {
			g.describe(ev.Stack()) // it may run to the end and show no other
		}
		b.restart()
	case message == logEnd:
		b.ended = true
	default:
		name, ok := strings.CutPrefix(message, logName)
		if g := b.live[ev.Goroutine()]; ok && g != nil {
			g.name, g.twin, g.title = name, b.twin(name), ""
		}
	}
}

// restart forgets all spans so far: the picture begins now.
func (b *builder) restart() {
	b.zero = b.now
	b.goroutines, b.regions, b.collector.Spans, b.spans = nil, nil, nil, 0
	b.omitted = Omission{}
	for _, g := range b.live {
		g.since, g.born, g.lane, g.regions = b.now, false, nil, nil
		for i := range g.open {
			g.open[i].since = b.now
		}
		b.addLane(g)
	}
	for _, p := range b.procs {
		p.since, p.lane.Spans = b.now, nil
	}
	for name := range b.phases {
		b.phases[name] = b.now
	}
}

func (b *builder) goroutineMoves(ev trace.Event, tr trace.StateTransition) {
	id := tr.Resource.Goroutine()
	from, to := tr.Goroutine()
	g := b.live[id]
	if g == nil {
		g = &goroutine{proc: trace.NoProc, born: from == trace.GoNotExist}
		g.describe(tr.Stack)
		switch {
		case g.born:
			g.site = creator(ev.Stack())
		case g.entry == "" && to == trace.GoWaiting:
			g.entry = runtimeWorker
		}
		g.twin = b.twin(g.kind())
		b.live[id] = g
		b.addLane(g)
	} else {
		g.describe(tr.Stack)
		if g.state == to { // told again, as the trace does every second
			return
		}
		b.endState(g, false)
	}
	g.state, g.since, g.reason = to, b.now, tr.Reason
	if from == trace.GoUndetermined {
		g.since = b.zero // the trace tells only now, but it has been so all along
	}
	switch to {
	case trace.GoNotExist:
		delete(b.live, id)
		for len(g.open) > 0 {
			b.endRegion(g, g.open[len(g.open)-1].kind)
		}
	case trace.GoRunning:
		b.enter(g, ev.Proc(), false)
	case trace.GoSyscall:
		g.reason = systemCall(tr.Stack)
		if g.proc != trace.NoProc {
			b.enter(g, g.proc, true)
		}
	}
}

// addLane gives a goroutine of the program its lane.
func (b *builder) addLane(g *goroutine) {
	if g.system() {
		return
	}
	if len(b.goroutines) == maxLanes {
		b.omitted.Lanes++
		return
	}
	g.lane = &Lane{}
	b.goroutines = append(b.goroutines, g.lane)
}

// endState ends the state that g is in: a span in its lane and in that of its
// processor.
func (b *builder) endState(g *goroutine, open bool) {
	span := Span{State: stateOf(g.state), Label: g.reason, Open: open}
	if p := b.procs[g.proc]; p != nil && g.proc != trace.NoProc {
		if g.state == trace.GoRunning {
			span.Label = p.label
		}
		if p.runs == g {
			b.leave(p)
		}
	}
	if g.state != trace.GoRunning {
		g.proc = trace.NoProc
	}
	switch {
	case g.state == trace.GoNotExist || g.state == trace.GoUndetermined:
	case g.lane == nil:
		if !g.system() {
			b.omitted.Spans++
		}
	default:
		g.lane.Name = g.called()
		b.add(g.lane, span, g.since)
	}
}

// enter puts g on a processor.
func (b *builder) enter(g *goroutine, id trace.ProcID, syscall bool) {
	g.proc = id
	if id == trace.NoProc {
		return
	}
	p := b.proc(id)
	b.leave(p)
	p.runs, p.syscall, p.since = g, syscall, b.now
}

// leave ends what the processor runs.
func (b *builder) leave(p *processor) {
	if p.runs == nil {
		return
	}
	state := Running
	switch {
	case p.syscall:
		state = Syscall
	case p.runs.collects():
		state = GC
	}
	b.add(&p.lane, Span{State: state, Label: p.runs.called()}, p.since)
	p.runs = nil
}

func (b *builder) endRegion(g *goroutine, kind string) {
	i := len(g.open) - 1
	for i >= 0 && g.open[i].kind != kind {
		i--
	}
	if i < 0 {
		return
	}
	since := g.open[i].since
	g.open = slices.Delete(g.open, i, i+1)
	if g.lane == nil {
		return
	}
	if g.regions == nil {
		g.regions = &Lane{}
		b.regions = append(b.regions, g.regions)
	}
	g.regions.Name = g.called()
	b.add(g.regions, Span{State: State(kind)}, since)
}

func (b *builder) endPhase(name string, open bool) {
	if since, ok := b.phases[name]; ok {
		delete(b.phases, name)
		b.add(&b.collector, Span{State: GC, Label: name, Open: open}, since)
	}
}

// add adds a span from since to now; once there are too many, it merges short
// ones.
func (b *builder) add(l *Lane, s Span, since trace.Time) {
	s.Start, s.End = time.Duration(since-b.zero), time.Duration(b.now-b.zero)
	if s.End <= s.Start {
		return
	}
	if n := len(l.Spans); n == cap(l.Spans) {
		l.Spans = slices.Grow(l.Spans, max(4, n)) // append alone grows large slices by a quarter
	}
	l.Spans = append(l.Spans, s)
	if b.spans++; b.spans > maxSpans {
		b.thin()
	}
}

func (b *builder) thin() {
	lanes := slices.Concat(b.goroutines, b.regions, []*Lane{&b.collector})
	for _, p := range b.procs {
		lanes = append(lanes, &p.lane)
	}
	full := Timeline{Length: time.Duration(b.now - b.zero), Lanes: make([]Lane, len(lanes))}
	for i, l := range lanes {
		sortSpans(l.Spans) // regions end inside out
		full.Lanes[i] = *l
	}
	half := full.Thin(maxSpans / 4)
	b.spans = 0
	for i, l := range lanes {
		l.Spans = half.Lanes[i].Spans
		b.spans += len(l.Spans)
	}
	b.omitted.Shorter = max(b.omitted.Shorter, half.Omitted.Shorter)
}

func (b *builder) proc(id trace.ProcID) *processor {
	p := b.procs[id]
	if p == nil {
		name := fmt.Sprintf("P %d", id)
		p = &processor{lane: Lane{Name: name}, label: "on " + name}
		b.procs[id] = p
	}
	return p
}

// schedule ends what is still going on and returns the pictures.
func (b *builder) schedule() *Schedule {
	for id, g := range b.live {
		idle := g.state == trace.GoWaiting || g.state == trace.GoSyscall
		if asleep := idle && !g.born && (g.lane == nil || len(g.lane.Spans) == 0); !asleep {
			b.endState(g, true)
		}
		for len(g.open) > 0 {
			b.endRegion(g, g.open[len(g.open)-1].kind)
		}
		delete(b.live, id)
	}
	for name := range maps.Clone(b.phases) {
		b.endPhase(name, true)
	}
	var processors []*Lane
	for _, p := range b.procs {
		b.leave(p)
		processors = append(processors, &p.lane)
	}
	slices.SortFunc(processors, func(a, b *Lane) int { return compareNatural(a.Name, b.Name) })
	return &Schedule{
		Goroutines: b.timeline(b.goroutines, b.omitted),
		Processors: b.timeline(append(processors, &b.collector), Omission{Shorter: b.omitted.Shorter}),
		Regions:    b.timeline(b.regions, Omission{Shorter: b.omitted.Shorter}),
	}
}

// timeline makes a picture of those lanes that have spans and turned out to be
// the program's.
func (b *builder) timeline(lanes []*Lane, omitted Omission) *Timeline {
	t := &Timeline{Length: time.Duration(b.now - b.zero), Omitted: omitted}
	if b.clock != nil {
		t.Start = b.clock.Wall.Add(b.zero.Sub(b.clock.Trace)).Round(0)
	}
	for _, l := range lanes {
		if len(l.Spans) > 0 && !strings.HasPrefix(l.Name, runtimeWorker) {
			sortSpans(l.Spans)
			t.Lanes = append(t.Lanes, *l)
		}
	}
	sortTwins(t.Lanes)
	for _, s := range t.Spans() {
		t.Omitted.Merged += s.spans() - 1
	}
	if t.Omitted.Merged == 0 {
		t.Omitted.Shorter = 0
	}
	return t
}

// sortTwins puts lanes of one kind side by side, in the order of their
// numbers; the kinds stay in the order of their first lane.
func sortTwins(lanes []Lane) {
	kind := func(l Lane) string { name, _, _ := strings.Cut(l.Name, " #"); return name }
	first := map[string]int{}
	for i, l := range slices.Backward(lanes) {
		first[kind(l)] = i
	}
	slices.SortStableFunc(lanes, func(a, b Lane) int {
		return cmp.Or(cmp.Compare(first[kind(a)], first[kind(b)]), compareNatural(a.Name, b.Name))
	})
}

func stateOf(s trace.GoState) State {
	switch s {
	case trace.GoRunning:
		return Running
	case trace.GoRunnable:
		return Runnable
	case trace.GoSyscall:
		return Syscall
	default:
		return Blocked
	}
}

// isCollection tells phases of garbage collection from the pauses of the tracer
// itself.
func isCollection(name string) bool {
	return name == "GC concurrent mark phase" || strings.HasPrefix(name, "stop-the-world (GC")
}

// twin returns " #2" for the second goroutine of a kind, "" for the first.
func (b *builder) twin(kind string) string {
	b.twins[kind]++
	if n := b.twins[kind]; n > 1 {
		return fmt.Sprintf(" #%d", n)
	}
	return ""
}

// describe learns from a stack of g what it runs.
func (g *goroutine) describe(stack trace.Stack) {
	if g.entry != "" && g.name != "" {
		return
	}
	own := "" // the outermost function that is not a wrapper's
	for f := range stack.Frames() {
		g.entry = f.Func
		if !isWrapper(f.Func) {
			own = f.Func
		}
	}
	if g.name == "" && own != "" {
		g.name, g.title = shortFunction(own), ""
	}
}

// kind is what tells a goroutine from others when it is born: its function, or
// where it was created if that is a wrapper's.
func (g *goroutine) kind() string {
	switch {
	case g.name == "" && g.site == "" && g.entry == "" && g.born:
		return "goroutine" // of a trace without stacks
	case g.name == "" && g.site == "" && g.entry == "":
		return runtimeWorker
	}
	return cmp.Or(g.name, g.site, g.entry)
}

// called is the name of g in the pictures.
func (g *goroutine) called() string {
	if g.title == "" {
		g.title = g.kind() + g.twin
	}
	return g.title
}

// runtimeWorker stands for a goroutine of the runtime that began before the
// trace: stacks leave the runtime's frames out, and it has no others.
const runtimeWorker = "runtime.worker"

// system tells the goroutines of the runtime from those of the program, as
// internal/trace.IsSystemGoroutine does.
func (g *goroutine) system() bool {
	return strings.HasPrefix(g.entry, "runtime.") && g.entry != "runtime.main" ||
		strings.HasPrefix(g.entry, "runtime/trace.") || g.entry == "os/signal.loop"
}

// collects tells the goroutines of the garbage collector.
func (g *goroutine) collects() bool {
	switch g.entry {
	case "runtime.gcBgMarkWorker", "runtime.bgsweep", "runtime.bgscavenge":
		return true
	}
	return false
}

// isWrapper tells the functions that start a goroutine for another function.
func isWrapper(function string) bool {
	for _, prefix := range []string{"runtime.", "sync.", "golang.org/x/sync/", "testing.", "testing/", "internal/"} {
		if strings.HasPrefix(function, prefix) {
			return true
		}
	}
	return false
}

// creator is the place in the program that created a goroutine, by the stack at
// that time.
func creator(stack trace.Stack) string {
	for f := range stack.Frames() {
		if !isWrapper(f.Func) {
			return fmt.Sprintf("%s:%d", shortFunction(f.Func), f.Line)
		}
	}
	return ""
}

// systemCall is the name of the call that a stack leads to.
func systemCall(stack trace.Stack) string {
	name := ""
	for f := range stack.Frames() {
		switch pkg, call, _ := strings.Cut(f.Func, "."); pkg {
		case "syscall", "internal/runtime/syscall/linux":
			name = call
		default:
			if name != "" {
				return name
			}
		}
	}
	return name
}

// shortFunction drops the path of a function's package, and main.
func shortFunction(name string) string {
	name = name[strings.LastIndexByte(name, '/')+1:]
	return strings.TrimPrefix(name, "main.")
}
