//go:build !race

// The programs under check are always built with the race detector, whether or
// not the grader is.

package grade_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	practicalchecks "manyhands/helpers/practical"
	"manyhands/internal/course"
	"manyhands/internal/grade"
	"manyhands/internal/practical"
)

// repeats is how often the proof is done: MANYHANDS_LONG, or once.
func repeats(t *testing.T) int {
	t.Helper()
	n, err := strconv.Atoi(cmp.Or(os.Getenv("MANYHANDS_LONG"), "1"))
	if err != nil {
		t.Fatal("MANYHANDS_LONG is the number of times that every solution is graded:", err)
	}
	return n
}

// forEach runs a test for every practical of the course.
func forEach(t *testing.T, test func(t *testing.T, c *course.Course, p *practical.Practical)) {
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	all, err := practical.All(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		t.Run(p.Name, func(t *testing.T) { test(t, c, p) })
	}
}

// graded grades answers, on a grader that has seen none before.
func graded(t testing.TB, c *course.Course, p *practical.Practical, opt grade.Options, answers map[string]string) map[string]*grade.Graded {
	t.Helper()
	g, err := grade.New(t.Context(), c, p, opt)
	if err != nil {
		t.Fatal(err)
	}
	list, err := g.Grade(t.Context(), answers)
	if err != nil {
		t.Fatal(err)
	}
	byID := map[string]*grade.Graded{}
	for _, q := range list {
		byID[q.ID] = q
	}
	return byID
}

func TestSolutionsGetAllPoints(t *testing.T) {
	forEach(t, func(t *testing.T, c *course.Course, p *practical.Practical) {
		t.Parallel()
		answers := map[string]string{}
		for _, q := range p.Questions {
			answers[q.ID] = q.Solved()
		}
		for range repeats(t) {
			for _, q := range graded(t, c, p, grade.Options{}, answers) {
				if !q.Written && (q.Points != q.Worth || len(q.Notes) > 0 && !busy(q)) {
					t.Errorf("%s: the solution gets %d of %d points: mend it, or the check\n%s", place(p, q.ID), q.Points, q.Worth, said(q))
				}
			}
		}
	})
}

// TestWrongSolutionsLosePoints grades the n-th wrong solutions of all questions
// together, as the answers of one student.
func TestWrongSolutionsLosePoints(t *testing.T) {
	forEach(t, func(t *testing.T, c *course.Course, p *practical.Practical) {
		for n, wrong := range mistakes(p) {
			t.Run(strconv.Itoa(n+1), func(t *testing.T) {
				t.Parallel()
				for range repeats(t) {
					for id, q := range graded(t, c, p, grade.Options{}, cells(wrong)) {
						proven(t, p, q, wrong[id])
					}
				}
			})
		}
	})
}

// mistakes returns the first wrong solutions of all questions, by their ids, then
// the second, and so on.
func mistakes(p *practical.Practical) []map[string]practical.Mistake {
	var all []map[string]practical.Mistake
	for _, q := range p.Questions {
		for n, wrong := range q.Wrong {
			if n == len(all) {
				all = append(all, map[string]practical.Mistake{})
			}
			all[n][q.ID] = wrong
		}
	}
	return all
}

// place says where in its file a question is.
func place(p *practical.Practical, id string) string {
	i := slices.IndexFunc(p.Questions, func(q *practical.Question) bool { return q.ID == id })
	return fmt.Sprintf("%s:%d: question %s", p.Path, p.Questions[i].Cell.Line, id)
}

func cells(wrong map[string]practical.Mistake) map[string]string {
	answers := map[string]string{}
	for id, m := range wrong {
		answers[id] = m.Cell.Source
	}
	return answers
}

// busy reports whether a speed could not be measured, which costs nobody points.
func busy(q *grade.Graded) bool {
	return slices.ContainsFunc(q.Notes, func(note string) bool { return strings.Contains(note, practicalchecks.Busy) })
}

// proven fails when an answer with a mistake meets a criterion that it must not.
func proven(t *testing.T, p *practical.Practical, q *grade.Graded, wrong practical.Mistake) {
	t.Helper()
	at := fmt.Sprintf("%s:%d: %s", p.Path, wrong.Cell.Line, wrong.Why)
	if busy(q) {
		t.Logf("%s: the machine is too busy to tell", at)
		return
	}
	if len(q.Notes) > 0 && wrong.Why != "" {
		t.Errorf("%s: it was not run: %v", at, q.Notes)
	}
	for _, m := range q.Marks {
		if m.Points > 0 && slices.Contains(wrong.Loses, m.Name) {
			t.Errorf("%s: it meets criterion %q: let the check find the mistake, or take the name out of loses", at, m.Name)
		}
	}
}

// impatient leaves a task out when its goroutine is held up for a moment, where
// a machine hardly ever does.
const impatient = `func AtOnce(n int, task func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() {
			var mu sync.Mutex
			start := time.Now()
			mu.Lock()
			if time.Since(start) < 300*time.Microsecond {
				task(i)
			}
		})
	}
	group.Wait()
}`

// TestSeedShowsItAgain grades an answer whose mistake takes a delay to show. The seed
// that the student's page names shows it again. But a busy machine may hold up a
// goroutine by itself, under a seed that would not have: then it is graded anew.
func TestSeedShowsItAgain(t *testing.T) {
	t.Parallel()
	for try := range 3 {
		if showsAgain(t) {
			return
		}
		t.Logf("try %d: the seed did not show it again", try+1)
	}
	t.Error("in no try the seed that was named showed the mistake again")
}

func showsAgain(t *testing.T) bool {
	t.Helper()
	g := first(t, grade.Options{})
	dir, out := t.TempDir(), t.TempDir()
	nb := g.Practical.Release()
	cell(nb, "at-once").Source = impatient
	if err := nb.Write(filepath.Join(dir, "eve.ipynb")); err != nil {
		t.Fatal(err)
	}
	submissions, err := grade.Submissions(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Class(t.Context(), submissions, out, t.Output()); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(out, "results", "eve.json"))
	var result grade.Result
	if err != nil || json.Unmarshal(data, &result) != nil {
		t.Fatal(err, string(data))
	}
	marks := result.Questions[1].Marks
	shown := slices.IndexFunc(marks, func(m grade.Mark) bool { return m.Seed > 0 })
	if shown < 0 {
		t.Fatalf("no delay shows the mistake: %+v", marks)
	}
	page, err := os.ReadFile(filepath.Join(out, "feedback", "eve.html"))
	if err != nil {
		t.Fatal(err)
	}
	seed := marks[shown].Seed
	if !strings.Contains(string(page), fmt.Sprintf("go run . check --seed %d FILE", seed)) {
		t.Errorf("the page does not name seed %d:\n%s", seed, page)
	}
	for range repeats(t) {
		r, err := first(t, grade.Options{Seeds: []uint64{seed}}).Check(t.Context(), submissions[0], t.Output())
		if err != nil {
			t.Fatal(err)
		}
		if r.Questions[1].Marks[shown].Points > 0 {
			return false
		}
	}
	return true
}

// TestStartersCompile grades what students begin with, all but untouched: it runs,
// and brings less than half of the points.
func TestStartersCompile(t *testing.T) {
	forEach(t, func(t *testing.T, c *course.Course, p *practical.Practical) {
		t.Parallel()
		answers := map[string]string{}
		for _, q := range p.Questions {
			answers[q.ID] = q.Starter() + "\n// touched"
		}
		for _, q := range graded(t, c, p, grade.Options{Seeds: []uint64{1}}, answers) {
			if !q.Written && (len(q.Notes) > 0 || 2*q.Points >= q.Worth) {
				t.Errorf("%s: the starter gets %d of %d points; it must compile, and get less than half\n%s", place(p, q.ID), q.Points, q.Worth, said(q))
			}
		}
	})
}

// BenchmarkDelays tells how many of the criteria that wrong solutions must lose are
// lost without delays, and how many with. Both have their turns in one run.
func BenchmarkDelays(b *testing.B) {
	c, err := course.Find()
	if err != nil {
		b.Fatal(err)
	}
	all, err := practical.All(c)
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range all {
		b.Run(p.Name, func(b *testing.B) {
			due, without, with := 0, 0, 0
			for b.Loop() {
				for _, wrong := range mistakes(p) {
					plain := lost(b, graded(b, c, p, grade.Options{Seeds: []uint64{}}, cells(wrong)), wrong)
					delayed := lost(b, graded(b, c, p, grade.Options{}, cells(wrong)), wrong)
					without, with = without+plain, with+delayed
					for _, m := range wrong {
						due += len(m.Loses)
					}
				}
			}
			b.ReportMetric(100*float64(without)/float64(due), "%found-without")
			b.ReportMetric(100*float64(with)/float64(due), "%found")
		})
	}
}

// lost counts the criteria that are not met, of those that must not be.
func lost(b *testing.B, graded map[string]*grade.Graded, wrong map[string]practical.Mistake) int {
	n := 0
	for id, q := range graded {
		for _, m := range q.Marks {
			if slices.Contains(wrong[id].Loses, m.Name) {
				if m.Points == 0 {
					n++
				} else {
					b.Logf("%s, %s: %s is met", id, wrong[id].Why, m.Name)
				}
			}
		}
	}
	return n
}
