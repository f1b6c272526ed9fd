//go:build linux && !race

package grade_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"manyhands/internal/grade"
)

// BenchmarkMemory is the most memory that the grader itself has had, programs that
// it starts not counted, for a class of 100 and of 1000. Every submission has
// written answers of its own, and one in code that is built and run; not to build
// for an hour, twenty students share it word for word.
func BenchmarkMemory(b *testing.B) {
	for _, students := range []int{100, 1000} {
		b.Run(fmt.Sprint(students), func(b *testing.B) {
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
			for b.Loop() {
				submissions, err := grade.Submissions(dir)
				if err != nil {
					b.Fatal(err)
				}
				runtime.GC()
				if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0); err != nil { // the peak begins anew
					b.Fatal(err)
				}
				if err := g.Class(b.Context(), submissions, b.TempDir(), io.Discard); err != nil {
					b.Fatal(err)
				}
				b.ReportMetric(peak(b), "MB-peak")
			}
		})
	}
}

// peak returns the most memory that this process had resident, in MB.
func peak(b *testing.B) float64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		b.Fatal(err)
	}
	var kB float64
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	if _, err := fmt.Sscan(string(rest), &kB); err != nil {
		b.Fatal(err)
	}
	return kB / 1024
}
