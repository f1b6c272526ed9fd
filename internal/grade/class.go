package grade

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"manyhands/internal/progress"
)

// edition is part of what a grade depends on: raise it when grading changes, so
// that what was graded before is graded again.
const edition = 1

// A Result is the grade of one student.
type Result struct {
	Student   string    `json:"student"`
	Practical string    `json:"practical"`
	Points    int       `json:"points"`
	Worth     int       `json:"worth"`
	Notes     []string  `json:"notes,omitempty"`
	Questions []*Graded `json:"questions"`
	Key       string    `json:"key"` // what the grade depends on, hashed
}

// Class grades submissions, several at once, shows its progress on w, and writes
// to the folder out what [Write] describes. What is graded there already is not
// graded again, so that a stopped run goes on where it was: a grade depends on
// the submission, the practical and the options only.
func (g *Grader) Class(ctx context.Context, submissions []Submission, out string, w io.Writer) ([]*Result, error) {
	for _, dir := range []string{"results", "feedback"} {
		if err := os.MkdirAll(filepath.Join(out, dir), 0o755); err != nil {
			return nil, fmt.Errorf("make the folder for grades: %w", err)
		}
	}
	marked, err := readMarks(filepath.Join(out, writtenFile))
	if err != nil {
		return nil, err
	}
	bars := progress.New(w)
	defer bars.Wait()
	task := bars.Task("grading", len(submissions))
	results := make([]*Result, len(submissions))
	var again sync.Map // indices of what was graded before
	// Twice as many as cores, as half of the time a program under check waits.
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(2 * runtime.NumCPU())
	for i, s := range submissions {
		group.Go(func() error {
			r, known, err := g.student(ctx, s, filepath.Join(out, "results", s.Student+".json"))
			if err != nil {
				return fmt.Errorf("%s: %w", s.Student, err)
			}
			if known {
				again.Store(i, true)
			}
			r.mark(marked[s.Student])
			results[i] = r
			task.Step(s.Student)
			return g.writeFeedback(out, r)
		})
	}
	err = group.Wait()
	task.Done(err)
	if err != nil {
		return nil, fmt.Errorf("%w; what is graded is kept, and another run goes on from there", err)
	}
	n := 0
	again.Range(func(_, _ any) bool { n++; return true })
	if n > 0 {
		bars.Printf("%d of %d were graded before and have not changed", n, len(submissions))
	}
	return results, g.write(out, results)
}

// student grades one submission, unless its result is in the file path already.
func (g *Grader) student(ctx context.Context, s Submission, path string) (r *Result, known bool, err error) {
	in, err := s.read(g.Practical)
	if err != nil {
		return nil, false, err
	}
	key, err := g.key(in)
	if err != nil {
		return nil, false, err
	}
	if data, err := os.ReadFile(path); err == nil {
		r := &Result{}
		if json.Unmarshal(data, r) == nil && r.Key == key && r.Student == s.Student {
			return r, true, nil
		}
	}
	r = &Result{Student: s.Student, Practical: g.Practical.Name, Worth: g.Practical.Sum(), Notes: in.notes, Key: key}
	if r.Questions, err = g.Grade(ctx, in.answers); err != nil {
		return nil, false, err
	}
	for _, q := range r.Questions {
		r.Points += q.Points
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, false, err
	}
	return r, false, renameio.WriteFile(path, append(data, '\n'), 0o644)
}

// key hashes all that a grade depends on.
func (g *Grader) key(in *handedIn) (string, error) {
	source, err := os.ReadFile(g.Practical.Path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, edition, runtime.Version(), g.opt.Limit, g.opt.Seeds, in.hash, strings.Join(in.notes, "\n"))
	h.Write(source)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// mark gives the points of people to written answers.
func (r *Result) mark(points map[string]int) {
	r.Points = 0
	for i, q := range r.Questions {
		if n, ok := points[q.ID]; ok && q.Written {
			q := *q // another student's may be the same
			q.Points, q.Marked = min(n, q.Worth), true
			r.Questions[i] = &q
		}
		r.Points += r.Questions[i].Points
	}
}

// waiting tells whether people still have written answers to mark.
func (r *Result) waiting() bool {
	return slices.ContainsFunc(r.Questions, func(q *Graded) bool { return q.Written && !q.Marked && q.Answer != "" })
}

// Check grades one submission and writes no file.
func (g *Grader) Check(ctx context.Context, s Submission, w io.Writer) (*Result, error) {
	in, err := s.read(g.Practical)
	if err != nil {
		return nil, err
	}
	bars := progress.New(w)
	defer bars.Wait()
	task := bars.Task("checking", 0)
	r := &Result{Student: s.Student, Practical: g.Practical.Name, Worth: g.Practical.Sum(), Notes: in.notes}
	r.Questions, err = g.Grade(ctx, in.answers)
	task.Done(err)
	r.mark(nil)
	return r, err
}

// Lost tells whether points were lost other than those that people give.
func (r *Result) Lost() bool {
	return slices.ContainsFunc(r.Questions, func(q *Graded) bool { return !q.Written && q.Points < q.Worth })
}

// String lists the criteria, and why those that are not met are not.
func (r *Result) String() string {
	var b strings.Builder
	for _, n := range r.Notes {
		fmt.Fprintln(&b, n)
	}
	for _, q := range r.Questions {
		if q.Written {
			fmt.Fprintf(&b, "\n%s: marked by people (%d)\n", q.Title, q.Worth)
			continue
		}
		fmt.Fprintf(&b, "\n%s: %d of %d\n", q.Title, q.Points, q.Worth)
		for _, n := range q.Notes {
			fmt.Fprintln(&b, "  "+n)
		}
		for _, m := range q.Marks {
			if len(m.Why) == 0 {
				fmt.Fprintf(&b, "  ✓ %s (%d)\n", m.What, m.Worth)
				continue
			}
			fmt.Fprintf(&b, "  ✗ %s (%d)\n", m.What, m.Worth)
			for _, why := range m.Why {
				fmt.Fprintln(&b, "      "+strings.ReplaceAll(why, "\n", "\n      "))
			}
			if m.Seed > 0 {
				fmt.Fprintf(&b, "      with --seed %d\n", m.Seed)
			}
		}
	}
	return b.String()
}
