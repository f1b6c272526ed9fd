//go:build !race

package practical_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"manyhands/internal/course"
	"manyhands/internal/grade"
)

// BenchmarkClass grades a class of a hundred, and a few of its submissions with
// nbgrader as well, whose time per submission is steady. Both have their turns in
// one run: nbgrader three submissions, the grader half of the class. No two
// answers are the same text, so none is graded on another's account.
//
// It does not compare the same work: nbgrader runs each check once, without the
// race detector.
func BenchmarkClass(b *testing.B) {
	const class, turns, sample = 100, 2, 3 // sample submissions a turn
	c, err := course.Find()
	if err != nil {
		b.Fatal(err)
	}
	p := all(b)[0]
	s := newSchool(b, c, p)
	for i := range class {
		dir := filepath.Join(s.dir, "submitted", fmt.Sprintf("student%03d", i), p.Name)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			b.Fatal(err)
		}
		if err := p.Sample(i).Write(filepath.Join(dir, p.Name+".ipynb")); err != nil {
			b.Fatal(err)
		}
	}
	submissions, err := grade.Submissions(filepath.Join(s.dir, "submitted"))
	if err != nil {
		b.Fatal(err)
	}
	s.nbgrader(b, s.dir, "autograde", p.Name, "--student="+submissions[class-1].Student) // both caches are warm
	var theirs, ours time.Duration
	for b.Loop() {
		g, err := grade.New(b.Context(), c, p, grade.Options{})
		if err != nil {
			b.Fatal(err)
		}
		out := b.TempDir()
		for turn := range turns {
			start := time.Now()
			few := fmt.Sprintf("--student=student%02d[0-%d]", turn, sample-1) // several at once: Python starts once
			s.nbgrader(b, s.dir, "autograde", p.Name, "--force", few)
			theirs += time.Since(start)
			start = time.Now()
			if err := g.Class(b.Context(), submissions[turn*class/turns:(turn+1)*class/turns], out, io.Discard); err != nil {
				b.Fatal(err)
			}
			ours += time.Since(start)
		}
	}
	perMinute := func(submissions int, took time.Duration) float64 {
		return float64(b.N*submissions) / took.Minutes()
	}
	b.ReportMetric(perMinute(class, ours), "submissions/min")
	b.ReportMetric(perMinute(turns*sample, theirs), "nbgrader-submissions/min")
	b.ReportMetric(perMinute(class, ours)/perMinute(turns*sample, theirs), "x-nbgrader")
}
