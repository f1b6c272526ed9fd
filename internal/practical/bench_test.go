//go:build !race

package practical_test

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"manyhands/helpers/measure"
	"manyhands/internal/benchtest"
	"manyhands/internal/course"
	"manyhands/internal/grade"
	"manyhands/internal/kernel"
	"manyhands/internal/kerneltest"
)

// BenchmarkClass grades a class of a hundred, and a few of its submissions with
// nbgrader as well, whose time per submission is steady. Both have their turns in
// one run: nbgrader three submissions, the grader a fifth of the class. No two
// answers are the same text, so none is graded on another's account.
//
// It does not compare the same work: nbgrader runs each check once, without the
// race detector.
func BenchmarkClass(b *testing.B) {
	const class, turns, sample = 100, 5, 3 // sample submissions a turn
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
	var theirs, ours []float64                                                           // seconds a submission
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
			theirs = append(theirs, time.Since(start).Seconds()/sample)
			start = time.Now()
			if err := g.Class(b.Context(), submissions[turn*class/turns:(turn+1)*class/turns], out, io.Discard); err != nil {
				b.Fatal(err)
			}
			ours = append(ours, time.Since(start).Seconds()*turns/class)
		}
	}
	benchtest.Figure{Title: "a submission of a class of 100, graded", Must: map[string]float64{"nbgrader": 8}}.Report(b,
		measure.Result{Name: "go run . grade", Wall: ours}, measure.Result{Name: "nbgrader", Wall: theirs})
}

// BenchmarkFeedback is a student who changes their answer and runs the check below
// it, for each question, right and in the last of its wrong ways: the time of the
// check, in the real kernel.
func BenchmarkFeedback(b *testing.B) {
	p := all(b)[0]
	k := kerneltest.Start(b)
	for _, c := range p.Given {
		kerneltest.Run(b, k, c.Source)
	}
	for _, q := range p.Questions {
		if q.Written {
			continue
		}
		check := q.Checks[0].Source // the visible one
		for _, answer := range []struct{ name, cell string }{{"wrong", q.Wrong[len(q.Wrong)-1].Cell.Source}, {"right", q.Solved()}} {
			b.Run(q.ID+"/"+answer.name, func(b *testing.B) {
				run := func(i int) {
					b.StopTimer()
					kerneltest.Run(b, k, fmt.Sprintf("%s\n// change %d", answer.cell, i))
					b.StartTimer()
					k.Execute(b.Context(), check, kernel.Options{}) // an error where something is missing
				}
				run(-1) // warm
				b.ResetTimer()
				for i := range b.N {
					run(i)
				}
			})
		}
	}
}
