package grade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"manyhands/helpers/cluster"
	"manyhands/internal/course"
	"manyhands/internal/practical"
	"manyhands/internal/progress"
)

// An order is one student's answers on their way to a grader.
type order struct {
	Practical string
	Version   string // of the practical, see there
	Limit     time.Duration
	Seeds     []uint64
	Answers   map[string]string
}

// A reply is what comes back. A refusal is no error, as nobody shall try again.
type reply struct {
	Questions []*Graded
	Refused   string
}

// ordered is what graders on other machines do.
var ordered = cluster.Register("grade", func(ctx context.Context, o order) (reply, error) {
	return ctx.Value(serverKey{}).(*server).grade(ctx, o)
})

type serverKey struct{}

// engine is how both sides use package cluster. A grader builds and runs on all
// cores, so it may be silent for a while; a submission is given up when ten
// graders have ended with it in hand.
func engine(url string) cluster.Options {
	return cluster.Options{URL: url, Name: "grading", Workers: cluster.None, Silence: 5 * time.Second, Tries: 10}
}

// remoteAtOnce is how many submissions of a class are with the broker at once: more
// than there are graders.
const remoteAtOnce = 512

// patience is how long nobody may take a submission before it is said what to do.
const patience = 5 * time.Second

// A remote has the graders of a broker grade.
type remote struct {
	*Grader
	pool    *cluster.Pool[order, reply]
	silence *time.Timer

	mu    sync.Mutex
	hosts map[string]int // how many submissions each has graded
	bars  *progress.Progress
}

func (g *Grader) remote(ctx context.Context, bars *progress.Progress) (*remote, error) {
	r := &remote{Grader: g, hosts: map[string]int{}, bars: bars}
	r.silence = time.AfterFunc(patience, func() {
		bars.Printf("no grader has taken a submission yet; start some on other machines: go run . grader URL")
	})
	o := engine(g.opt.Workers)
	o.OnEvent = func(e cluster.Event) {
		r.silence.Stop()
		if e.What == cluster.Done {
			r.mu.Lock()
			defer r.mu.Unlock()
			r.hosts[e.Host]++
		}
	}
	var err error
	if r.pool, err = ordered.Start(ctx, o); err != nil {
		r.silence.Stop()
		return nil, err
	}
	return r, nil
}

func (r *remote) close() {
	r.silence.Stop()
	r.pool.Close()
	var done []string
	for _, host := range slices.Sorted(maps.Keys(r.hosts)) {
		done = append(done, fmt.Sprintf("%d by %s", r.hosts[host], host))
	}
	if len(done) > 0 {
		r.bars.Printf("graded: %s", strings.Join(done, ", "))
	}
}

func (r *remote) grade(ctx context.Context, answers map[string]string) ([]*Graded, error) {
	o := order{r.Practical.Name, r.version, r.opt.Limit, r.opt.Seeds, answers}
	done, err := r.pool.Call(ctx, o)
	if err == nil && done.Refused != "" {
		err = errors.New(done.Refused)
	}
	return done.Questions, err
}

// Serve grades for other machines until the context ends: what a class with
// [Options].Workers hands to the broker at url.
func Serve(ctx context.Context, c *course.Course, url string, unsandboxed bool, w io.Writer) error {
	if _, err := newSandbox(ctx, unsandboxed); err != nil {
		return err
	}
	bars := progress.New(w)
	defer bars.Wait()
	s := &server{course: c, unsandboxed: unsandboxed, graders: map[string]*Grader{}}
	s.task = bars.Task("grading for others (Ctrl-C ends)", 0)
	group, serving := errgroup.WithContext(context.WithValue(ctx, serverKey{}, s))
	for range atOnce() {
		group.Go(func() error { return ordered.Serve(serving, engine(url)) })
	}
	err := group.Wait()
	s.task.Done(err)
	return err
}

// A server grades what is ordered.
type server struct {
	course      *course.Course
	unsandboxed bool
	task        *progress.Task

	mu      sync.Mutex
	graders map[string]*Grader // by what grades depend on
	done    int
}

func (s *server) grade(ctx context.Context, o order) (reply, error) {
	g, err := s.grader(ctx, o)
	if err != nil {
		host, _ := os.Hostname()
		return reply{Refused: fmt.Sprintf("the grader on %s refuses it: %v", host, err)}, nil
	}
	questions, err := g.Grade(ctx, o.Answers)
	if err != nil {
		return reply{}, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.done++
	s.task.Step(fmt.Sprintf("%d graded", s.done))
	return reply{Questions: questions}, nil
}

// grader returns the grader that an order asks for. The two machines must have the
// same practical, so that a grade does not depend on where it was given.
func (s *server) grader(ctx context.Context, o order) (*Grader, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := fmt.Sprint(o.Practical, o.Version, o.Limit, o.Seeds)
	if g, ok := s.graders[key]; ok {
		return g, nil
	}
	all, err := practical.All(s.course)
	if err != nil {
		return nil, err
	}
	i := slices.IndexFunc(all, func(p *practical.Practical) bool { return p.Name == o.Practical })
	if i < 0 {
		return nil, fmt.Errorf("there is no practical %q there; bring the course there to the same state (git pull)", o.Practical)
	}
	g, err := New(ctx, s.course, all[i], Options{Unsandboxed: s.unsandboxed, Limit: o.Limit, Seeds: o.Seeds})
	if err != nil {
		return nil, err
	}
	if g.version != o.Version {
		return nil, fmt.Errorf("its practical %s, its course or its Go (%s) is not the same as here; bring both machines to the same state (git pull) and start the grader again",
			o.Practical, runtime.Version())
	}
	s.graders[key] = g
	return g, nil
}
