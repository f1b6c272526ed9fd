//go:build linux && !race

package grade_test

import (
	"fmt"
	"io"
	"path/filepath"
	"testing"

	"manyhands/internal/benchtest"
	"manyhands/internal/grade"
)

// BenchmarkGrowth grades larger and larger classes. Every submission has written
// answers of its own, and one in code that is built and run; not to build for an
// hour, twenty students share it word for word. The memory is the grader's own, that
// of programs which it starts not counted.
func BenchmarkGrowth(b *testing.B) {
	benchtest.Growth{Title: "a class of so many students, graded", Sizes: []int{10, 30, 100, 300, 1000}, Once: true}.Measure(b, func(students int) func() error {
		g := first(b, grade.Options{Seeds: []uint64{}})
		dir := b.TempDir()
		for i := range students {
			nb := g.Practical.Sample(i)
			for _, q := range g.Practical.Questions {
				if !q.Written {
					cell(nb, q.ID).Source = fmt.Sprintf("import \"os\" // refused, and by student %d", i)
				}
			}
			cell(nb, "at-once").Source = fmt.Sprintf("%s\n// by %d of a class of %d", right, i/20, students)
			if err := nb.Write(filepath.Join(dir, fmt.Sprintf("student%04d.ipynb", i))); err != nil {
				b.Fatal(err)
			}
		}
		return func() error {
			submissions, err := grade.Submissions(dir)
			if err != nil {
				return err
			}
			return g.Class(b.Context(), submissions, b.TempDir(), io.Discard)
		}
	})
}
