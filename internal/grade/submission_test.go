package grade

import (
	"bytes"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"testing"

	"manyhands/internal/course"
	"manyhands/internal/practical"
)

// FuzzSubmission reads any file as what a student handed in: it brings answers or
// notes, and an answer that passes the vetting is Go, with the delays and without.
func FuzzSubmission(f *testing.F) {
	c, err := course.Find()
	if err != nil {
		f.Fatal(err)
	}
	p, err := practical.Read(c.Path("lessons", "practicals", "1-threads-and-pools.md"))
	if err != nil {
		f.Fatal(err)
	}
	around := map[string]*surroundings{}
	for _, q := range p.Questions {
		if around[q.ID], err = surround(p, q); err != nil {
			f.Fatal(err)
		}
	}
	for i := range 30 {
		data, err := p.HandedIn(i)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Add([]byte(`{"cells":[{"cell_type":"code","id":"pool","source":["func Pool(", 1]}],"metadata":{},"nbformat":4,"nbformat_minor":5}`))
	f.Add([]byte(`{"cells":[{"cell_type":"code","id":"pool","metadata":{"nbgrader":7},"source":"var a [1<<62]int\ntype T[P T[P]] P"}],"metadata":{"kernelspec":[],"manyhands":{"practical":1}},"nbformat":4,"nbformat_minor":5}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "answers.ipynb")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		in, err := Submission{"student", []string{path}}.read(p)
		if err != nil {
			t.Fatal("it stops the class:", err)
		}
		if len(in.answers) == 0 && len(in.notes) == 0 && !bytes.Contains(data, []byte("cells")) {
			t.Error("no answers, and no word why")
		}
		for _, q := range p.Questions {
			cell, answered := in.answers[q.ID]
			if q.Written || !answered {
				continue
			}
			v, err := vet(q, cell, around[q.ID].reserved)
			if err != nil {
				continue // a word to the student
			}
			for name, text := range around[q.ID].with(q, v) {
				if _, err := parser.ParseFile(token.NewFileSet(), name, text, 0); err != nil {
					t.Errorf("%s of question %s is no Go: %v\n%s", name, q.ID, err, text)
				}
			}
		}
	})
}
