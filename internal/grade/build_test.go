package grade

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"manyhands/internal/course"
	"manyhands/internal/practical"
	"manyhands/internal/testparts"
)

// firstPractical reads the course's first practical.
func firstPractical(t *testing.T) (*course.Course, *practical.Practical) {
	t.Helper()
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	p, err := practical.Read(c.Path("lessons", "practicals", "1-threads-and-pools.md"))
	if err != nil {
		t.Fatal(err)
	}
	return c, p
}

// TestMomentsFault grades a right answer where the compiler ends, some of the times, as
// it does on a full disk or when the kernel needs its memory: it is not the student who
// pays.
func TestMomentsFault(t *testing.T) {
	if testparts.Race {
		t.Skip("the race detector does not see into other programs")
	}
	c, p := firstPractical(t)
	for name, test := range map[string]struct {
		why   string
		times int
		err   string
	}{
		"killed once":   {"signal: killed", 1, ""},
		"the disk full": {"writing output: write $WORK/b001/_pkg_.a: no space left on device", 9, "no space left on device"},
	} {
		t.Run(name, func(t *testing.T) {
			g, err := New(t.Context(), c, p, Options{Seeds: []uint64{}})
			if err != nil {
				t.Fatal(err)
			}
			failing(t, test.times, "compile: "+test.why)
			graded, err := g.Grade(t.Context(), map[string]string{"at-once": p.Questions[1].Solved()})
			switch {
			case err == nil && test.err == "" && graded[1].Points == graded[1].Worth:
			case err != nil && test.err != "" && strings.Contains(err.Error(), test.err):
			case err == nil:
				t.Errorf("%d of %d points, %v; want all, or the error %q", graded[1].Points, graded[1].Worth, graded[1].Notes, test.err)
			default:
				t.Errorf("error %v, want %q", err, test.err)
			}
		})
	}
}

// failing puts a go command first in PATH that fails so many times, saying why of the
// package of question at-once.
func failing(t *testing.T, times int, why string) {
	t.Helper()
	real, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	script := fmt.Sprintf(`#!/bin/sh
echo >>%[1]s/runs
if [ $(wc -l <%[1]s/runs) -le %[2]d ]; then
	echo '# manyhands/internal/grade/submission/at-once
%[3]s' >&2
	exit 1
fi
exec %[4]s "$@"
`, dir, times, why, real)
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(os.PathListSeparator)+os.Getenv("PATH"))
}
