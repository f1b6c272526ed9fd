//go:build linux && !race

// All of this happens in other programs, which the race detector does not see.

package main_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"manyhands/internal/brokerd"
	"manyhands/internal/course"
	"manyhands/internal/practical"
)

// A school has a broker, the course's command, and students who have handed in.
type school struct {
	program
	url       string // the broker's
	practical *practical.Practical
}

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

func newSchool(t *testing.T) *school {
	t.Helper()
	c, p := firstPractical(t)
	b, err := brokerd.Start("nats")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	s := &school{program{filepath.Join(t.TempDir(), "manyhands"), c.Root}, b.URL, p}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", s.path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return s
}

// endless answers the second question by a program that never ends.
const endless = "func AtOnce(n int, task func(i int)) {\n\tfor {\n\t}\n}"

// handIn hands in answers to the second question, and to no other.
func handIn(t *testing.T, p *practical.Practical, answers ...string) (dir string) {
	t.Helper()
	dir = t.TempDir()
	for i, answer := range answers {
		handInOne(t, p, answer, filepath.Join(dir, fmt.Sprintf("student%d.ipynb", i)))
	}
	return dir
}

func handInOne(t *testing.T, p *practical.Practical, answer, path string) {
	t.Helper()
	nb := p.Release()
	for _, c := range nb.Cells {
		if c.ID == p.Questions[1].ID {
			c.Source = answer
		}
	}
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
}

// start starts the command, whose words come to the result when it has ended.
func (s *school) start(t *testing.T, args ...string) (*exec.Cmd, *bytes.Buffer) {
	t.Helper()
	cmd, said := s.command(t, args...), new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	return cmd, said
}

// await waits until a process has others that it has started, or none.
func await(t *testing.T, cmd *exec.Cmd, busy bool) {
	t.Helper()
	for limit := time.Now().Add(time.Minute); time.Now().Before(limit); time.Sleep(5 * time.Millisecond) {
		if (len(children(cmd.Process.Pid)) > 0) == busy {
			return
		}
	}
	t.Fatalf("after a minute, the process is busy: %v", !busy)
}

// children lists the processes that a process has started.
func children(pid int) (list []string) {
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/children", pid))
	for _, file := range files {
		data, _ := os.ReadFile(file)
		list = append(list, strings.Fields(string(data))...)
	}
	return list
}

// TestGradersElsewhere has classes graded by other processes.
func TestGradersElsewhere(t *testing.T) {
	t.Parallel()
	s := newSchool(t)
	t.Run("killed", s.testKilled)
	t.Run("another practical", s.testAnotherPractical)
	t.Run("nobody", s.testNobody)
}

// testKilled kills the first grader with submissions in hand. The grades are those
// that are given here.
func (s *school) testKilled(t *testing.T) {
	question := s.practical.Questions[1]
	class := handIn(t, s.practical, question.Solved()+"\n// me", question.Wrong[0].Cell.Source, question.Wrong[1].Cell.Source)
	here, there := t.TempDir(), t.TempDir()

	grading, said := s.start(t, "grade", class, "--out", there, "--workers", s.url)
	first, _ := s.start(t, "grader", s.url)
	await(t, first, true)
	if err := first.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	first.Wait()
	second, _ := s.start(t, "grader", s.url)
	if err := grading.Wait(); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if !strings.Contains(said.String(), "graded: 3 by ") {
		t.Errorf("it said\n%s", said)
	}
	s.run(t, 0, "grading", "grade", class, "--out", here)
	for _, name := range []string{"grades.csv", "moodle.csv", "canvas.csv"} { // a race is not told in the same words every time
		remote, err := os.ReadFile(filepath.Join(there, name))
		if err != nil {
			t.Error(err)
		}
		local, err := os.ReadFile(filepath.Join(here, name))
		if err != nil {
			t.Error(err)
		}
		if !bytes.Equal(remote, local) {
			t.Errorf("%s, graded elsewhere:\n%s\nand here:\n%s", name, remote, local)
		}
	}

	// What is graded is not graded again, and interrupted, nothing goes on there.
	s.run(t, 0, "3 of 3 were graded before", "grade", class, "--out", there, "--workers", s.url)
	stopped, said := s.start(t, "grade", handIn(t, s.practical, endless), "--out", t.TempDir(), "--workers", s.url)
	await(t, second, true)
	if err := stopped.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	stopped.Wait()
	if stopped.ProcessState.ExitCode() != 1 || !strings.Contains(said.String(), "another run goes on from there") {
		t.Errorf("interrupted: %v: %s", stopped.ProcessState, said)
	}
	await(t, second, false)
	if err := second.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := second.Wait(); err != nil {
		t.Errorf("a grader that is interrupted: %v", err)
	}
}

// testAnotherPractical has a grader whose practical is not the same.
func (s *school) testAnotherPractical(t *testing.T) {
	other := t.TempDir()
	source, err := os.ReadFile(s.practical.Path)
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		"go.mod": "module " + course.Module + "\n",
		"lessons/practicals/" + filepath.Base(s.practical.Path): string(source) + "\nOne more word.\n",
	} {
		path = filepath.Join(other, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	elsewhere := *s
	elsewhere.dir = other
	elsewhere.start(t, "grader", s.url)
	class := handIn(t, s.practical, s.practical.Questions[1].Solved())
	s.run(t, 1, "is not the same as here; bring both machines to the same state", "grade", class, "--out", t.TempDir(), "--workers", s.url)
}

// testNobody says what to do where no grader is there, and no broker.
func (s *school) testNobody(t *testing.T) {
	class := handIn(t, s.practical, s.practical.Questions[1].Solved())
	cmd := s.command(t, "grade", class, "--out", t.TempDir(), "--workers", s.url)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer time.AfterFunc(time.Minute, func() { cmd.Process.Kill() }).Stop() // it says so after five seconds
	var said strings.Builder
	lines := bufio.NewScanner(out)
	for lines.Scan() && !strings.Contains(lines.Text(), "no grader has taken a submission yet") {
		fmt.Fprintln(&said, lines.Text())
	}
	if lines.Text() == "" {
		t.Errorf("it never said that no grader is there, but\n%s", &said)
	}
	cmd.Process.Signal(os.Interrupt)
	io.Copy(io.Discard, out)
	cmd.Wait()
	s.run(t, 1, "see that it runs", "grade", class, "--out", t.TempDir(), "--workers", "nats://127.0.0.1:1")
	s.run(t, 1, "see that it runs", "grader", "nats://127.0.0.1:1")
}

// TestNoSandbox checks and grades where no sandbox can be made, for want of
// bubblewrap or of rights: a student's own code runs all the same, others' does not.
func TestNoSandbox(t *testing.T) {
	c, p := firstPractical(t)
	tool := program{built(t), c.Root}
	class := handIn(t, p, p.Questions[1].Solved())
	bin := t.TempDir()
	for _, name := range []string{"go", "gcc", "as", "ld"} { // to build what is checked
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(bin, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	both := func(t *testing.T) {
		said := tool.run(t, 1, "your code runs as in the notebook", "check", filepath.Join(class, "student0.ipynb"))
		if !strings.Contains(said, "All at once: 4 of 4") {
			t.Errorf("checked:\n%s", said)
		}
		tool.run(t, 1, "or pass --unsandboxed", "grade", class, "--out", t.TempDir())
		tool.run(t, 1, "or pass --unsandboxed", "grader", "nats://127.0.0.1:1")
	}
	t.Run("no bubblewrap", both)
	if err := os.WriteFile(filepath.Join(bin, "bwrap"), []byte("#!/bin/sh\necho no rights >&2; exit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Run("no rights", both)
}
