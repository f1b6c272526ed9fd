//go:build !race

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
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"

	"manyhands/internal/brokerd"
	"manyhands/internal/course"
	"manyhands/internal/gonb"
	"manyhands/internal/notebook"
	"manyhands/internal/practical"
	"manyhands/internal/testparts"
)

// A fault is a job of the command that is to be hit in the middle.
type fault struct {
	name   string
	args   []string
	env    []string               // KEY=value pairs
	at     string                 // the folder where it is done; the course's if empty
	long   bool                   // too long to be done to its end here
	middle func(r *running) error // waits until the job is half done
	serves bool                   // it goes on until it is told to end
	result string                 // the path of what it makes, whole or not there; empty: nothing
	ending string                 // how that ends
}

// TestFaults ends the command in the middle of its jobs, by each signal that ends
// programs. Afterwards no process of it runs, no temporary file is left, what it
// was to make is not there or whole, and the same job can begin again, and is
// done in the end.
func TestFaults(t *testing.T) {
	t.Parallel()
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tool := program{filepath.Join(dir, "manyhands"), c.Root}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", tool.path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	elsewhere := filepath.Join(dir, "course") // where release may write
	if err := os.CopyFS(filepath.Join(elsewhere, "lessons", "practicals"), os.DirFS(c.Path("lessons", "practicals"))); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(elsewhere, "go.mod"), []byte("module "+course.Module+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(dir, "half") // the cell opens it for writing when it is at work
	if err := syscall.Mkfifo(half, 0o600); err != nil {
		t.Fatal(err)
	}
	b, err := brokerd.Start("nats")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	p, err := practical.Read(c.Path("lessons", "practicals", "1-threads-and-pools.md"))
	if err != nil {
		t.Fatal(err)
	}
	(&school{program: tool}).start(t, "grade", handIn(t, p, endless), "--out", t.TempDir(), "--workers", b.URL) // work for the grader
	t.Run("grade", func(t *testing.T) {
		t.Parallel()
		testGradeHit(t, p, tool)
	})
	t.Run("no memory", func(t *testing.T) {
		t.Parallel()
		testNoMemory(t, dir, tool)
	})
	for _, f := range []fault{
		{
			name: "build", result: filepath.Join(dir, "executed.ipynb"), ending: "}",
			args:   []string{"build", "--notebook", waiting(t, dir), "--out", filepath.Join(dir, "executed.ipynb")},
			middle: func(*running) error { _, err := os.ReadFile(half); return err },
		},
		{name: "site", result: filepath.Join(dir, "site", "index.html"), ending: "</html>", args: []string{"site", "--out", filepath.Join(dir, "site")}, middle: says("pages")},
		{name: "serve", serves: true, args: []string{"site", "--serve", "--out", filepath.Join(dir, "served")}, middle: says("the pages are at")},
		{name: "release", args: []string{"release", "--class", "1000"}, at: elsewhere, middle: says("1-threads-and-pools.ipynb"),
			result: filepath.Join(elsewhere, "notebooks", "practicals", "4-processes-and-scaling.ipynb"), ending: "}"},
		{name: "bench", long: true, args: []string{"bench", "--short", "cells"}, middle: runs("gonb")},
		{name: "worker", serves: true, args: []string{"worker", "--queue", "class"}, env: []string{"NATS_URL=" + b.URL}, middle: says("a worker")},
		{name: "grader", serves: true, args: []string{"grader", b.URL}, middle: runs("check")},
		{name: "broker", serves: true, args: []string{"broker", "nats"}, middle: says("nats://")},
		{name: "broker redis", serves: true, args: []string{"broker", "redis"}, middle: says("redis://")},
	} {
		t.Run(f.name, func(t *testing.T) {
			t.Parallel()
			f.hits(t, tool, "MANYHANDS_TEST_HALF="+half)
			if !f.long {
				t.Run("done", func(t *testing.T) { f.do(t, tool) })
			}
		})
	}
}

// oneCell writes a notebook of one cell.
func oneCell(t *testing.T, path, source string) {
	t.Helper()
	nb := notebook.New()
	nb.Metadata["kernelspec"] = map[string]any{"name": gonb.Name, "display_name": "Go (gonb)", "language": "go"}
	nb.Cells = []*notebook.Cell{{ID: "only", Type: notebook.Code, Source: source}}
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
}

// waiting writes a notebook whose cell starts a process and waits for ever, if it
// is told to where to say so.
func waiting(t *testing.T, dir string) (path string) {
	path = filepath.Join(dir, "waiting.ipynb")
	oneCell(t, path, `import (
	"fmt"
	"os"
	"os/exec"
)

%%
if half := os.Getenv("MANYHANDS_TEST_HALF"); half != "" {
	if err := exec.Command("sleep", "1000").Start(); err != nil {
		panic(err)
	}
	if err := os.WriteFile(half, []byte("half done"), 0o600); err != nil {
		panic(err)
	}
	select {}
}
fmt.Println("done")`)
	return path
}

// says waits for a line that has the words in it.
func says(words string) func(*running) error {
	return func(r *running) error {
		var all strings.Builder
		for lines := bufio.NewScanner(r.out); lines.Scan(); {
			if strings.Contains(lines.Text(), words) {
				return nil
			}
			all.WriteString(lines.Text() + "\n")
		}
		return fmt.Errorf("it never said %q, but\n%s", words, &all)
	}
}

// hits begins the job anew for each signal, and ends it by that.
func (f fault) hits(t *testing.T, tool program, env ...string) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGKILL} {
		t.Run(s.String(), func(t *testing.T) { f.hit(t, tool, s, env...) })
	}
}

// hit begins the job and ends it by a signal, half done.
func (f fault) hit(t *testing.T, tool program, s syscall.Signal, env ...string) {
	r := f.start(t, tool, env...)
	if err := f.middle(r); err != nil {
		t.Fatal(err)
	}
	r.started = r.descendants()
	pid := r.cmd.Process.Pid
	if s == syscall.SIGINT {
		pid = -pid // as Ctrl-C at a terminal does
	}
	if err := syscall.Kill(pid, s); err != nil {
		t.Fatal(err)
	}
	state, said := r.end()
	if s != syscall.SIGKILL && !state.Exited() {
		t.Errorf("it did not end by itself: %v", state)
	}
	r.gone(t)
	f.whole(t)
	if t.Failed() {
		t.Logf("it said\n%s", said)
	}
}

// whole fails the test for a result that is there and not whole.
func (f fault) whole(t *testing.T) {
	t.Helper()
	if data, err := os.ReadFile(f.result); err == nil && !bytes.HasSuffix(bytes.TrimSpace(data), []byte(f.ending)) {
		t.Errorf("%s is half written", f.result)
	}
}

// do does the whole job.
func (f fault) do(t *testing.T, tool program) (said []byte) {
	t.Helper()
	r := f.start(t, tool)
	if f.serves {
		if err := f.middle(r); err != nil {
			t.Fatal(err)
		}
		r.cmd.Process.Signal(syscall.SIGTERM)
	}
	state, said := r.end()
	if !state.Success() {
		t.Errorf("%v\n%s", state, said)
	}
	if whole, err := os.ReadFile(f.result); f.result != "" && !bytes.HasSuffix(bytes.TrimSpace(whole), []byte(f.ending)) {
		t.Errorf("%s is not whole: %v", f.result, err)
	}
	r.gone(t)
	return said
}

// testGradeHit has a class graded, of which one is done, and ends the grader while
// the program of another runs, or is linked. That other hands in again in the end.
func testGradeHit(t *testing.T, p *practical.Practical, tool program) {
	testparts.Program(t, "apt-get install bubblewrap", "bwrap")
	class, out := handIn(t, p, p.Questions[1].Solved()), filepath.Join(t.TempDir(), "grades")
	f := fault{args: []string{"grade", class, "--out", out}, result: filepath.Join(out, "grades.json"), ending: "]"}
	f.do(t, tool)
	done := filepath.Join(out, "results", "student0.json")
	before, err := os.Stat(done)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(class, "student1.ipynb")
	handInOne(t, p, endless, other)
	for _, program := range []string{"check", "link"} {
		t.Run(program, func(t *testing.T) {
			f.middle = runs(program)
			f.hits(t, tool)
		})
	}
	for _, pattern := range []string{".*", "*/.*", "*/student1.*"} {
		if left, _ := filepath.Glob(filepath.Join(out, pattern)); len(left) > 0 {
			t.Errorf("of a student who was never graded, or half written: %v", left)
		}
	}
	for _, args := range [][]string{{"check", other}, {"check", "--unsandboxed", other}} {
		f := fault{args: args, middle: runs("check")}
		t.Run(strings.Join(args[:len(args)-1], " "), func(t *testing.T) { f.hits(t, tool) })
	}

	handInOne(t, p, p.Questions[1].Solved()+"\n// again", other)
	f = fault{args: []string{"grade", class, "--out", out}, result: filepath.Join(out, "grades.json"), ending: "]"}
	if said := f.do(t, tool); !bytes.Contains(said, []byte("1 of 2 were graded before")) {
		t.Errorf("in the end it said\n%s", said)
	}
	if after, err := os.Stat(done); err != nil || !after.ModTime().Equal(before.ModTime()) {
		t.Errorf("who was done is graded again: %v", err)
	}
}

// running is a job under way.
type running struct {
	cmd  *exec.Cmd
	out  *os.File
	temp string // its temporary folder, which marks its processes

	started []*ps.Process // all those that it had when it was hit, marked or not
}

// start starts the job with a temporary folder of its own and more in its
// environment.
func (f fault) start(t *testing.T, tool program, env ...string) *running {
	t.Helper()
	temp, err := os.MkdirTemp("", "mh-") // short: there will be sockets in it
	if err != nil {
		t.Fatal(err)
	}
	out, in, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	t.Cleanup(func() {
		out.Close()
		os.RemoveAll(temp)
	})
	r := &running{cmd: tool.command(t, f.args...), out: out, temp: temp}
	if f.at != "" {
		r.cmd.Dir = f.at
	}
	r.cmd.Env = slices.Concat(os.Environ(), []string{"TMPDIR=" + temp}, f.env, env)
	r.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	r.cmd.Stdout, r.cmd.Stderr = in, in
	if err := r.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return r
}

// end waits for the job's end and returns how it ended and what it said.
func (r *running) end() (*os.ProcessState, []byte) {
	said, _ := io.ReadAll(r.out)
	r.cmd.Wait()
	return r.cmd.ProcessState, said
}

// gone fails the test for processes of the job that do not end, and for temporary
// files.
func (r *running) gone(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		left := r.processes(t)
		if len(left) == 0 {
			break
		}
		if time.Now().Before(end) {
			continue
		}
		for _, p := range left {
			line, _ := p.Cmdline()
			t.Errorf("process %d is left: %s", p.Pid, line)
			p.Kill()
		}
		break
	}
	left, err := os.ReadDir(r.temp)
	if status, ok := r.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGKILL {
		left = slices.DeleteFunc(left, half) // nobody is left to remove the one that was being written
	}
	if len(left) > 0 || err != nil {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

// half tells whether a file is one that was to be renamed when it is whole.
func half(e os.DirEntry) bool { return e.Type().IsRegular() && strings.HasPrefix(e.Name(), ".") }

// processes lists the living processes that it had when it was hit, and those
// whose temporary folder is the job's, or within that.
func (r *running) processes(t *testing.T) []*ps.Process {
	t.Helper()
	all, err := ps.Processes()
	if err != nil {
		t.Fatal(err)
	}
	left := slices.DeleteFunc(all, func(p *ps.Process) bool {
		env, err := p.Environ()
		own := func(pair string) bool { return strings.HasPrefix(pair+"/", "TMPDIR="+r.temp+"/") }
		return err != nil || !slices.ContainsFunc(env, own) || !lives(p)
	})
	for _, p := range r.started {
		if same, err := p.IsRunning(); err == nil && same && lives(p) { // and no other has its number now
			left = append(left, p)
		}
	}
	return left
}

func lives(p *ps.Process) bool {
	status, err := p.Status()
	return err == nil && !slices.Contains(status, ps.Zombie)
}

// descendants lists the processes that the job has started, those which these have
// started, and so on.
func (r *running) descendants() (list []*ps.Process) {
	pids := []string{fmt.Sprint(r.cmd.Process.Pid)}
	for len(pids) > 0 {
		pid, _ := strconv.Atoi(pids[0])
		pids = append(pids[1:], children(pid)...)
		if p, err := ps.NewProcess(int32(pid)); err == nil && pid != r.cmd.Process.Pid {
			list = append(list, p)
		}
	}
	return list
}

// runs waits until the job has a process whose program has such a name.
func runs(program string) func(*running) error {
	return func(r *running) error {
		job := &ps.Process{Pid: int32(r.cmd.Process.Pid)}
		for ; lives(job); time.Sleep(5 * time.Millisecond) {
			for _, p := range r.descendants() {
				if name, err := p.Name(); err == nil && name == program {
					return nil
				}
			}
		}
		_, said := r.end()
		return fmt.Errorf("it never ran %s, but said\n%s", program, said)
	}
}

// testNoMemory gives the command less memory than its cell takes, and then less than
// it takes itself, which it notices wherever it is.
func testNoMemory(t *testing.T, dir string, tool program) {
	limit := program{testparts.Program(t, "apt-get install util-linux", "prlimit"), tool.dir}
	path, out := filepath.Join(dir, "hungry.ipynb"), filepath.Join(dir, "fed.ipynb")
	oneCell(t, path, `var hoard [][]byte

%%
for range 4096 {
	if os.Getenv("MANYHANDS_TEST_HALF") != "" {
		hoard = append(hoard, bytes.Repeat([]byte{1}, 1<<20))
	}
}`)
	f := fault{args: []string{"--data=800000000", tool.path, "build", "--notebook", path, "--out", out}, result: out, ending: "}"}
	r := f.start(t, limit, "MANYHANDS_TEST_HALF=all")
	state, said := r.end()
	r.gone(t)
	for _, want := range []string{path + ": cell 1", "out of memory"} {
		if !bytes.Contains(said, []byte(want)) || state.ExitCode() != 1 {
			t.Errorf("%v, and no %q in\n%s", state, want, said)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a notebook is written whose cell did not end")
	}
	f.do(t, limit)

	f = fault{result: filepath.Join(dir, "starved", "index.html"), ending: "</html>"}
	for mb := 100; mb <= 180; mb += 20 {
		f.args = []string{fmt.Sprintf("--data=%d000000", mb), tool.path, "site", "--out", filepath.Dir(f.result)}
		r := f.start(t, limit)
		if state, said := r.end(); mb == 100 && state.Success() {
			t.Errorf("it needs no memory?\n%s", said)
		}
		r.gone(t)
		f.whole(t)
	}
	f.args = f.args[2:]
	f.do(t, tool)
}

// TestFullDisk gives the command a disk that is too small for what it writes: it
// says so, and leaves what was there before as it was.
func TestFullDisk(t *testing.T) {
	bwrap := testparts.Program(t, "apt-get install bubblewrap", "bwrap")
	tool := program{filepath.Join(t.TempDir(), "manyhands"), ""}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", tool.path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	disk := t.TempDir()
	on := func(script string) ([]byte, error) {
		return exec.CommandContext(t.Context(), bwrap, "--dev-bind", "/", "/", "--size", "2000000", "--tmpfs", disk,
			"sh", "-c", script, "sh", tool.path, disk).CombinedOutput()
	}
	if out, err := on("true"); err != nil {
		testparts.Missing(t, fmt.Sprintf("bwrap cannot make a small disk: %v\n%s", err, out))
	}
	out, err := on(`"$1" site --out "$2/site"; echo "status $?"; find "$2"`)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	said, left, failed := bytes.Cut(out, []byte("status 1\n"))
	if !failed || !bytes.Contains(said, []byte("no space left on device")) {
		t.Errorf("it does not say that the disk is full, or ends in success:\n%s", out)
	}
	if bytes.Contains(left, []byte(".html")) || bytes.Contains(left, []byte("assets")) {
		t.Errorf("files of a site that is not whole are left:\n%s", out)
	}
}
