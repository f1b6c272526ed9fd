//go:build !race

// All of this happens in other programs, which the race detector does not see.

package practical_test

import (
	"bytes"
	"encoding/csv"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"manyhands/internal/course"
	"manyhands/internal/gonb"
	"manyhands/internal/notebook"
	"manyhands/internal/practical"
	"manyhands/internal/testparts"
)

// nbgraderVersion is the one that the practicals are proven with.
const nbgraderVersion = "0.9.6"

// nbgrader returns the Python that has nbgrader: the course's, if the peers are
// installed there, or one of its own, as nobody but a school needs it.
func nbgrader(t testing.TB, c *course.Course) string {
	t.Helper()
	dir := c.Path(".cache", "nbgrader-"+nbgraderVersion)
	own := filepath.Join(dir, "bin", "python")
	for _, python := range []string{c.Path(".venv", "bin", "python"), own} {
		if exec.Command(python, "-c", "import nbgrader; assert nbgrader.__version__ == '"+nbgraderVersion+"'").Run() == nil {
			return python
		}
	}
	if !testparts.All() {
		testparts.Missing(t, "nbgrader "+nbgraderVersion+" is not there; go run . bench --install puts it into .venv, "+
			"MANYHANDS_TEST_ALL=1 into "+dir)
	}
	run(t, "", nil, testparts.Python(t), "-m", "venv", dir)
	run(t, "", nil, own, "-m", "pip", "install", "-q", "nbgrader=="+nbgraderVersion)
	return own
}

// run runs a program to its end and returns what it printed.
func run(t testing.TB, dir string, env []string, program string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", program, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// A school has nbgrader and the course's kernel, and has generated a practical.
type school struct {
	dir, home string // the school's course, and a student's folder
	python    string
	env       []string
}

func newSchool(t testing.TB, c *course.Course, p *practical.Practical) *school {
	t.Helper()
	dir := t.TempDir()
	s := &school{dir: dir, home: filepath.Join(dir, "home"), python: nbgrader(t, c)}
	share := filepath.Join(dir, "share")
	toolchain, err := gonb.Install(t.Context(), c, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if err := toolchain.WriteKernelspec(c, share); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(c.Path("lessons", "practicals", "nbgrader_config.py"))
	if err != nil {
		t.Fatal(err)
	}
	exchange := filepath.Join(dir, "exchange")
	config = append(config, "\nc.CourseDirectory.course_id = 'go'\nc.CourseDirectory.root = '"+dir+
		"'\nc.Exchange.root = '"+exchange+"'\nc.Exchange.cache = '"+filepath.Join(dir, "cache")+"'\n"...)
	for _, dir := range []string{exchange, s.home} {
		if err := os.MkdirAll(dir, 0o777); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(dir, 0o777); err != nil { // to nbgrader an exchange is everybody's
			t.Fatal(err)
		}
	}
	for _, dir := range []string{dir, s.home} {
		if err := os.WriteFile(filepath.Join(dir, "nbgrader_config.py"), config, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	source := filepath.Join(dir, "source", p.Name)
	if err := os.MkdirAll(source, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := p.Instructors().Write(filepath.Join(source, p.Name+".ipynb")); err != nil {
		t.Fatal(err)
	}
	// nbgrader calls alembic
	s.env = []string{"JUPYTER_PATH=" + share, "PATH=" + filepath.Dir(s.python) + ":" + os.Getenv("PATH")}
	s.nbgrader(t, dir, "generate_assignment", p.Name)
	return s
}

// nbgrader runs one of nbgrader's commands in a folder.
func (s *school) nbgrader(t testing.TB, dir string, args ...string) {
	t.Helper()
	run(t, dir, s.env, s.python, append([]string{"-m", "nbgrader"}, args...)...)
}

// TestNbgrader takes practical 1 through a school's nbgrader: one student, who
// answers all but one question, fetches, submits, and is collected and graded.
func TestNbgrader(t *testing.T) {
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	p := all(t)[0]
	s := newSchool(t, c, p)

	released, err := os.ReadFile(filepath.Join(s.dir, "release", p.Name, p.Name+".ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(released, []byte("TestPoolMore")) || !bytes.Contains(released, []byte("// Your code here")) {
		t.Error("nbgrader hands out hidden checks, or lost the starter")
	}
	s.nbgrader(t, s.dir, "release_assignment", p.Name)
	s.nbgrader(t, s.home, "fetch_assignment", p.Name)
	open := "blur-threads"
	answer(t, p, filepath.Join(s.home, p.Name, p.Name+".ipynb"), open)
	s.nbgrader(t, s.home, "submit", p.Name)
	s.nbgrader(t, s.dir, "collect", p.Name)
	s.nbgrader(t, s.dir, "autograde", p.Name)
	s.nbgrader(t, s.dir, "export", "--to=grades.csv")

	f, err := os.Open(filepath.Join(s.dir, "grades.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil || len(rows) != 2 {
		t.Fatalf("%v: exported %d rows, want the head and a student", err, len(rows))
	}
	exported := map[string]string{}
	for i, name := range rows[0] {
		exported[name] = rows[1][i]
	}
	t.Logf("nbgrader says %v", exported)
	want := 0
	for _, q := range p.Questions {
		if !q.Written && q.ID != open {
			want += q.Points
		}
	}
	if exported["raw_score"] != fmt.Sprintf("%d.0", want) || exported["max_score"] != fmt.Sprintf("%d.0", p.Sum()) {
		t.Errorf("nbgrader gives %s of %s points to somebody who left %s open, want %d of %d",
			exported["raw_score"], exported["max_score"], open, want, p.Sum())
	}
}

// answer writes our solutions into a student's notebook, but for one question.
func answer(t *testing.T, p *practical.Practical, path, open string) {
	t.Helper()
	nb, err := notebook.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range p.Questions {
		for _, cell := range nb.Cells {
			if cell.ID == q.ID && q.ID != open {
				cell.Source = q.Solved()
			}
		}
	}
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
}
