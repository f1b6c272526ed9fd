package grade

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/google/renameio/v2"
	"golang.org/x/sync/errgroup"

	"manyhands/internal/practical"
	"manyhands/internal/progress"
)

// edition is part of what a grade depends on: raise it when grading changes, so
// that what was graded before is graded again.
const edition = 2

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
// to the folder out what [Grader.write] describes. What is graded there already is
// not graded again, so that a stopped run goes on where it was: a grade depends on
// the submission, the practical and the options only. It keeps no results in
// memory, however large the class is.
func (g *Grader) Class(ctx context.Context, submissions []Submission, out string, w io.Writer) error {
	for _, dir := range []string{"results", "feedback"} {
		if err := os.MkdirAll(filepath.Join(out, dir), 0o755); err != nil {
			return fmt.Errorf("make the folder for grades: %w", err)
		}
	}
	marked, err := readMarks(filepath.Join(out, writtenFile))
	if err != nil {
		return err
	}
	bars := progress.New(w)
	defer bars.Wait()
	grade, limit := g.Grade, atOnce()
	if g.opt.Workers != "" {
		r, err := g.remote(ctx, bars)
		if err != nil {
			return err
		}
		defer r.close()
		grade, limit = r.grade, remoteAtOnce
	}
	task := bars.Task("grading", len(submissions))
	var known atomic.Int32
	group, grading := errgroup.WithContext(ctx)
	group.SetLimit(limit)
	for _, s := range submissions {
		group.Go(func() error {
			r, before, err := g.student(grading, s, grade, out)
			if err != nil {
				return fmt.Errorf("%s: %w", s.Student, err)
			}
			if before {
				known.Add(1)
			}
			r.mark(marked[s.Student])
			task.Step(s.Student)
			return g.writeFeedback(out, r)
		})
	}
	err = group.Wait()
	task.Done(err)
	if err != nil {
		return fmt.Errorf("%w; what is graded is kept, and another run goes on from there", err)
	}
	if n := known.Load(); n > 0 {
		bars.Printf("%d of %d were graded before and have not changed", n, len(submissions))
	}
	if marked, err = readMarks(filepath.Join(out, writtenFile)); err != nil { // who marks on meanwhile loses nothing
		return err
	}
	err = g.write(out, marked, func(yield func(*Result, error) bool) {
		for _, s := range submissions {
			r, err := readResult(out, s.Student)
			if err == nil {
				r.mark(marked[s.Student])
			}
			if !yield(r, err) {
				return
			}
		}
	})
	if err == nil && len(marked) > 0 {
		bars.Printf("%s keeps the rows of %d who are not in this run, such as %s", writtenFile, len(marked), slices.Sorted(maps.Keys(marked))[0])
	}
	return err
}

// atOnce is how many submissions are graded at once here: three times as many as
// cores, as most of its time a program under check waits.
func atOnce() int { return 3 * runtime.GOMAXPROCS(0) }

// student grades one submission, unless its result is in the folder out already.
func (g *Grader) student(ctx context.Context, s Submission, grade grading, out string) (r *Result, before bool, err error) {
	in, err := s.read(g.Practical)
	if err != nil {
		return nil, false, err
	}
	key := g.key(in)
	if r, err := readResult(out, s.Student); err == nil && r.Key == key && r.Student == s.Student {
		return r, true, nil
	}
	r = &Result{Student: s.Student, Practical: g.Practical.Name, Worth: g.Practical.Sum(), Notes: in.notes, Key: key}
	if r.Questions, err = grade(ctx, in.answers); err != nil {
		return nil, false, err
	}
	for _, q := range r.Questions {
		r.Points += q.Points
	}
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return nil, false, err
	}
	return r, false, renameio.WriteFile(resultFile(out, s.Student), append(data, '\n'), 0o644)
}

// A grading grades the answers of one student, as [Grader.Grade] does.
type grading func(ctx context.Context, answers map[string]string) ([]*Graded, error)

func resultFile(out, student string) string { return filepath.Join(out, "results", student+".json") }

// readResult reads the result of a student, without what people have marked.
func readResult(out, student string) (*Result, error) {
	data, err := os.ReadFile(resultFile(out, student))
	if err != nil {
		return nil, err
	}
	r := &Result{}
	return r, json.Unmarshal(data, r)
}

// version names what a grade depends on, but for the submission and the options.
func version(p *practical.Practical) (string, error) {
	source, err := os.ReadFile(p.Path)
	if err != nil {
		return "", err
	}
	h := sha256.New()
	fmt.Fprintln(h, edition, runtime.Version())
	h.Write(source)
	return hex.EncodeToString(h.Sum(nil)), nil
}

// key hashes all that a grade depends on.
func (g *Grader) key(in *handedIn) string {
	h := sha256.New()
	fmt.Fprintln(h, g.version, g.opt.Limit, g.opt.Seeds, in.hash, strings.Join(in.notes, "\n"))
	return hex.EncodeToString(h.Sum(nil))
}

// mark gives the points of people to the written answers that they gave them to. One
// that has other words by now waits again, with a note.
func (r *Result) mark(rows []mark) {
	r.Points = 0
	for i, q := range r.Questions {
		q := *q // another student's may be the same
		before := -1
		for _, m := range rows {
			switch {
			case m.points < 0 || m.row[1] != q.ID:
			case m.of(&q):
				q.Points, q.Marked = min(m.points, q.Worth), true
			case q.Written:
				before = m.points
			}
		}
		if before >= 0 && !q.Marked {
			r.Notes = append(r.Notes, fmt.Sprintf("%s: the answer has changed; its points were %d before", q.Title, before))
		}
		r.Questions[i] = &q
		r.Points += q.Points
	}
}

// others returns the marks among a student's rows that are of no answer here.
func (r *Result) others(rows []mark) []mark {
	return slices.DeleteFunc(slices.Clone(rows), func(m mark) bool {
		return m.points < 0 || slices.ContainsFunc(r.Questions, m.of)
	})
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
				if why == notTried {
					continue
				}
				fmt.Fprintln(&b, "      "+strings.ReplaceAll(why, "\n", "\n      "))
			}
			if m.Seed > 0 {
				fmt.Fprintf(&b, "      with --seed %d\n", m.Seed)
			}
		}
	}
	return b.String()
}
