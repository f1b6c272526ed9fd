// Package grade grades what students hand in for the practicals.
//
// It exists because a class of hundreds cannot be graded by executing notebooks:
// that is slow, trusts everything in them, and lets threaded code pass that only
// happened to work. From a submission it takes the student's solution cells and
// nothing else, vets them, and compiles them together with our checks into one Go
// test program, which runs under the race detector several times, with other
// numbers of cores and with delays woven in, in a sandbox. Points go to
// criteria; what cost points is said in words, with the seed that shows it again.
package grade

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	practicalchecks "manyhands/helpers/practical"
	"manyhands/internal/course"
	"manyhands/internal/gonb"
	"manyhands/internal/practical"
	"manyhands/internal/tempdir"
)

// Options say how to grade.
type Options struct {
	Unsandboxed bool          // run students' code as any program: only for code that you trust
	Limit       time.Duration // how long a criterion may take; 0 means DefaultLimit
	Seeds       []uint64      // of the delays, one run each beside one without; nil means DefaultSeeds
	Workers     string        // URL of a broker through which classes go to graders on other machines, see Serve
}

// DefaultLimit is how long a criterion may take: none needs a second by itself,
// but grading keeps all cores busy.
const DefaultLimit = 10 * time.Second

// DefaultSeeds are the seeds of the delays that every answer is run with. They
// are the same for all, so that the same answer always gets the same grade.
var DefaultSeeds = []uint64{1, 2, 3, 4, 5}

// A Grader grades answers to one practical. Its methods may be called from
// several goroutines; the same answer to the same question is graded once, while it
// is remembered.
type Grader struct {
	Practical *practical.Practical

	course   *course.Course
	version  string // see there
	sandbox  *sandbox
	opt      Options
	around   map[string]*surroundings // of a question, by its id
	mu       sync.Mutex
	verdicts map[string]*verdict // by the question and the answer; guarded by mu
	recent   []string            // their keys, the oldest first; guarded by mu
}

// keptVerdicts is how many verdicts are kept for others who gave the same answer:
// those of a hundred students or so, as a class may have any size.
const keptVerdicts = 500

// machine is held for writing by a speed that is measured again, by all others
// that build and run for reading.
var machine sync.RWMutex

// A verdict is the outcome for one answer, once done is closed.
type verdict struct {
	key    string // in Grader.verdicts
	done   chan struct{}
	graded *Graded
	err    error
}

// Graded is what became of the answer to a question.
type Graded struct {
	ID      string   `json:"id"`
	Title   string   `json:"title"`
	Points  int      `json:"points"`
	Worth   int      `json:"worth"`
	Written bool     `json:"written,omitempty"` // people mark it
	Marked  bool     `json:"marked,omitempty"`  // and have done so
	Answer  string   `json:"answer,omitempty"`  // of a written one
	Notes   []string `json:"notes,omitempty"`
	Marks   []Mark   `json:"marks,omitempty"`
}

// A Mark says whether a criterion is met.
type Mark struct {
	Name   string   `json:"name"`
	What   string   `json:"what"`
	Points int      `json:"points"` // all or nothing
	Worth  int      `json:"worth"`
	Hidden bool     `json:"hidden,omitempty"`
	Why    []string `json:"why,omitempty"`   // it is not met
	Trace  string   `json:"trace,omitempty"` // of a race or a panic: the lines that name the answer
	Seed   uint64   `json:"seed,omitempty"`  // of the delays that showed it
	Cores  int      `json:"cores,omitempty"` // GOMAXPROCS then
}

// New makes a grader for one practical, and sees that all it needs is there.
func New(ctx context.Context, c *course.Course, p *practical.Practical, opt Options) (*Grader, error) {
	if opt.Limit == 0 {
		opt.Limit = DefaultLimit
	}
	if opt.Seeds == nil {
		opt.Seeds = DefaultSeeds
	}
	v, err := version(p)
	if err != nil {
		return nil, err
	}
	g := &Grader{Practical: p, course: c, version: v, opt: opt, around: map[string]*surroundings{}, verdicts: map[string]*verdict{}}
	if opt.Workers != "" {
		return g, nil // what it takes is there, not here
	}
	if _, err := exec.LookPath("go"); err != nil {
		return nil, fmt.Errorf("grading compiles, and there is no go command: %w", err)
	}
	if !gonb.HasCompiler(ctx) {
		return nil, fmt.Errorf("the race detector needs a C compiler; install gcc (apt-get install gcc libc6-dev)")
	}
	if g.sandbox, err = newSandbox(ctx, opt.Unsandboxed); err != nil {
		return nil, err
	}
	for _, q := range p.Questions {
		if q.Written {
			continue
		}
		if g.around[q.ID], err = surround(p, q); err != nil {
			return nil, err
		}
	}
	return g, nil
}

// Grade grades the answers of one student, by the ids of their questions, and
// returns one Graded for every question of the practical. The error is never the
// student's fault.
func (g *Grader) Grade(ctx context.Context, answers map[string]string) ([]*Graded, error) {
	graded := make([]*Graded, len(g.Practical.Questions))
	mine := map[string]string{}
	verdicts := make([]*verdict, len(graded))
	for i, q := range g.Practical.Questions {
		cell, answered := answers[q.ID]
		switch {
		case q.Written:
			graded[i] = written(q, cell)
		case !answered:
			graded[i] = refused(q, "there is no answer: its cell is gone")
		case strings.TrimSpace(cell) == strings.TrimSpace(q.Starter()):
			graded[i] = refused(q, "not answered: the cell is as it was handed out")
		default:
			var first bool
			if verdicts[i], first = g.claim(q.ID, cell); first {
				mine[q.ID] = cell
			}
		}
	}
	done, err := g.gradeAnew(ctx, mine)
	for i, q := range g.Practical.Questions {
		if _, ok := mine[q.ID]; ok {
			g.reach(verdicts[i], done[q.ID], err)
		}
	}
	for i, v := range verdicts {
		if v == nil {
			continue
		}
		<-v.done // by whoever has claimed it, who waits for nobody before
		if v.err != nil {
			return nil, v.err
		}
		graded[i] = v.graded
	}
	return graded, nil
}

// claim returns the verdict on an answer, and whether it is the caller's to reach.
func (g *Grader) claim(question, cell string) (v *verdict, first bool) {
	key := fmt.Sprintf("%s %x", question, sha256.Sum256([]byte(cell)))
	g.mu.Lock()
	defer g.mu.Unlock()
	if v, ok := g.verdicts[key]; ok {
		return v, false
	}
	v = &verdict{key: key, done: make(chan struct{})}
	g.verdicts[key] = v
	if g.recent = append(g.recent, key); len(g.recent) > keptVerdicts {
		delete(g.verdicts, g.recent[0])
		g.recent = g.recent[1:]
	}
	return v, true
}

// reach ends the work on a verdict. What failed is forgotten: it may not the next
// time.
func (g *Grader) reach(v *verdict, graded *Graded, err error) {
	v.graded, v.err = graded, err
	if err != nil {
		g.mu.Lock()
		delete(g.verdicts, v.key)
		g.mu.Unlock()
	}
	close(v.done)
}

// written is what there is to say about an answer in words.
func written(q *practical.Question, cell string) *Graded {
	graded := &Graded{ID: q.ID, Title: q.Title, Worth: q.Points, Written: true, Answer: strings.TrimSpace(cell)}
	if graded.Answer == q.Starter() || graded.Answer == "" {
		graded.Answer = ""
		graded.Notes = []string{"not answered"}
	}
	return graded
}

// notTried is why no criterion of a refused answer is met; its notes say more.
const notTried = "not tried"

// refused is the grade of an answer that cannot be run.
func refused(q *practical.Question, why string) *Graded {
	graded := open(q)
	graded.Notes = append(graded.Notes, why)
	for i := range graded.Marks {
		graded.Marks[i].Why = []string{notTried}
	}
	return graded
}

// open is the grade of an answer that nothing speaks against yet.
func open(q *practical.Question) *Graded {
	graded := &Graded{ID: q.ID, Title: q.Title, Worth: q.Points}
	for _, c := range q.Criteria {
		graded.Marks = append(graded.Marks, Mark{Name: c.Name, What: c.What, Worth: c.Points, Hidden: c.Hidden})
	}
	return graded
}

// gradeAnew grades answers that were not graded before.
func (g *Grader) gradeAnew(ctx context.Context, cells map[string]string) (map[string]*Graded, error) {
	graded := map[string]*Graded{}
	var answers []answer
	for _, q := range g.Practical.Questions {
		cell, ok := cells[q.ID]
		if !ok {
			continue
		}
		v, err := vet(q, cell, g.around[q.ID].reserved)
		if err != nil {
			graded[q.ID] = refused(q, err.Error())
			if err == errEmpty {
				graded[q.ID].Notes = append(graded[q.ID].Notes, magics(cell)...)
			}
			continue
		}
		graded[q.ID] = open(q)
		graded[q.ID].Notes = v.notes
		answers = append(answers, answer{q, g.around[q.ID].with(q, v)})
	}
	if len(answers) == 0 {
		return graded, nil
	}
	dir, err := tempdir.Make("", "manyhands-grade-*")
	if err != nil {
		return nil, err
	}
	defer dir.Remove()
	program, broken, err := build(ctx, g.course, dir.Path, answers)
	failed := (*buildError)(nil)
	if errors.As(err, &failed) {
		if len(answers) > 1 {
			return g.apart(ctx, cells)
		}
		if err := g.control(ctx, answers[0].question); err != nil {
			return nil, err
		}
		program, broken, err = build(ctx, g.course, dir.Path, answers) // what lacked then may be there again
	}
	if errors.As(err, &failed) {
		broken, err = map[string]string{answers[0].question.ID: "it cannot be built: " + failed.why}, nil
	}
	if err != nil {
		return nil, err
	}
	r := &runs{Grader: g, program: program}
	for _, a := range answers {
		if why, ok := broken[a.question.ID]; ok {
			notes := graded[a.question.ID].Notes
			graded[a.question.ID] = refused(a.question, why)
			graded[a.question.ID].Notes = append(graded[a.question.ID].Notes, notes...)
			continue
		}
		r.add(a.question, graded[a.question.ID])
	}
	err = r.all(ctx)
	if err == errNotBegun {
		return g.apart(ctx, cells)
	}
	if err != nil {
		return nil, err
	}
	for _, q := range graded {
		for i, m := range q.Marks {
			if len(m.Why) == 0 {
				q.Marks[i].Points = m.Worth
				q.Points += m.Worth
			}
		}
	}
	return graded, nil
}

// apart grades each answer in a program of its own, where one of them keeps that of
// all from being built or from beginning: only its own points are lost.
func (g *Grader) apart(ctx context.Context, cells map[string]string) (map[string]*Graded, error) {
	all := map[string]*Graded{}
	for id, cell := range cells {
		graded, err := g.gradeAnew(ctx, map[string]string{id: cell})
		if err != nil {
			return nil, err
		}
		maps.Copy(all, graded)
	}
	return all, nil
}

// control builds our solution, before it is the fault of a student's that theirs
// cannot be built.
func (g *Grader) control(ctx context.Context, q *practical.Question) error {
	v, err := vet(q, q.Solved(), g.around[q.ID].reserved)
	if err != nil {
		return err
	}
	dir, err := tempdir.Make("", "manyhands-grade-*")
	if err != nil {
		return err
	}
	defer dir.Remove()
	_, _, err = build(ctx, g.course, dir.Path, []answer{{q, g.around[q.ID].with(q, v)}})
	return err
}

// errNotBegun says that a program with answers to several questions ended before
// any check began.
var errNotBegun = errors.New("the checks did not begin")

// runs are the runs of one program.
type runs struct {
	*Grader
	program  string
	criteria []*trial // in the order of the program
}

// A trial is a criterion that is being tried.
type trial struct {
	*Mark
	key      string // in the plan of a run
	question *Graded
	speed    bool
}

func (r *runs) add(q *practical.Question, graded *Graded) {
	for i, c := range q.Criteria {
		r.criteria = append(r.criteria, &trial{&graded.Marks[i], q.ID + "/" + c.Key(), graded, c.Speed})
	}
}

// all runs the program by every schedule: as it is, and with delays by every seed
// on one core, two and four. A speed is measured only without delays, and anew,
// as again does it, before its points are lost.
func (r *runs) all(ctx context.Context) error {
	if err := r.once(ctx, schedule{}, r.left(func(t *trial) bool { return true })); err != nil {
		return err
	}
	for _, t := range r.criteria {
		if t.speed {
			if err := r.again(ctx, t); err != nil {
				return err
			}
		}
	}
	for _, seed := range r.opt.Seeds {
		how := schedule{procs: []int{4, 1, 2}[seed%3], seed: seed} // by the seed, so that it shows the same again
		if err := r.once(ctx, how, r.left(func(t *trial) bool { return !t.speed })); err != nil {
			return err
		}
	}
	return nil
}

// again measures a speed that was too low once more, and then alone on the machine,
// before its points are lost; and as often as it takes, within reason, where other
// programs kept the machine too busy. They never cost points.
func (r *runs) again(ctx context.Context, t *trial) error {
	for attempt := 0; len(t.Why) > 0; attempt++ {
		busy := t.Why[0] == practicalchecks.Busy
		switch {
		case busy && attempt == 10:
			t.Why = nil
			t.question.Notes = append(t.question.Notes, t.What+": "+practicalchecks.Busy+"; the points are given")
			return nil
		case !busy && attempt >= 2:
			return nil
		}
		t.Why, t.Trace = nil, ""
		run := r.alone
		if attempt == 0 { // most were only unlucky, and alone it stops all others
			run = r.once
		}
		if err := run(ctx, schedule{}, []*trial{t}); err != nil {
			return err
		}
	}
	return nil
}

// left returns the criteria that are not lost yet and that which holds for.
func (r *runs) left(which func(*trial) bool) []*trial {
	return slices.DeleteFunc(slices.Clone(r.criteria), func(t *trial) bool { return len(t.Why) > 0 || !which(t) })
}

func (r *runs) once(ctx context.Context, how schedule, trials []*trial) error {
	machine.RLock()
	defer machine.RUnlock()
	return r.run(ctx, how, trials)
}

// alone does the same while nothing else is built or run.
func (r *runs) alone(ctx context.Context, how schedule, trials []*trial) error {
	machine.Lock()
	defer machine.Unlock()
	return r.run(ctx, how, trials)
}

// run runs the trials, in as many programs as it takes: each ends with the first
// criterion that is not met.
func (r *runs) run(ctx context.Context, how schedule, trials []*trial) error {
	slow := map[*Graded]int{} // criteria that took all their time
	for len(trials) > 0 {
		if slow[trials[0].question] > 1 {
			trials[0].lose(how, "not tried, as two before it took all their time")
			trials = trials[1:]
			continue
		}
		keys := make([]string, len(trials))
		for i, t := range trials {
			keys[i] = t.key
		}
		o, err := r.sandbox.run(ctx, r.program, keys, r.opt.Limit, how)
		if err != nil {
			return err
		}
		if o.pending == "" && len(o.ended) == 0 && !o.done && r.criteria[0].question != r.criteria[len(r.criteria)-1].question {
			return errNotBegun
		}
		next := 0
		for _, record := range o.ended {
			i := slices.Index(keys, record.Criterion)
			if i < next {
				continue // ours never reports twice
			}
			for _, t := range trials[next:i] {
				t.lose(how, "the check was not reached")
			}
			next = i + 1
			if !record.Passed {
				trials[i].lose(how, record.Messages...)
			}
			if record.Took >= r.opt.Limit {
				slow[trials[i].question]++
			}
		}
		switch {
		case o.done:
			for _, t := range trials[next:] {
				t.lose(how, "the check was not reached")
			}
			return nil
		case o.pending != "" || len(o.ended) == 0:
			t := trials[max(next, slices.Index(keys, o.pending))]
			t.lose(how, o.why)
			t.Trace = trace(o.output)
			if o.why == errSilence.Error() {
				slow[t.question]++
			}
			next = slices.Index(trials, t) + 1
		}
		trials = trials[next:]
	}
	return nil
}

// lose notes why a criterion is not met, and under which schedule.
func (t *trial) lose(how schedule, why ...string) {
	if len(why) == 0 {
		why = []string{"the check failed"}
	}
	t.Why, t.Seed, t.Cores = why, how.seed, how.procs
	if how.procs == 0 {
		t.Cores = runtime.GOMAXPROCS(0)
	}
}
