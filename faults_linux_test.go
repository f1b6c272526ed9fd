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
	"strings"
	"syscall"
	"testing"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"

	"manyhands/internal/course"
	"manyhands/internal/gonb"
	"manyhands/internal/notebook"
	"manyhands/internal/testparts"
)

// A fault is a job of the command that is to be hit in the middle.
type fault struct {
	name   string
	args   []string
	middle func(out io.Reader) error // waits until the job is half done, reading what it prints
	serves bool                      // it goes on until it is told to end
	result string                    // the path of what it makes, whole or not there; empty: nothing
	ending string                    // how that ends
}

// TestFaults ends the command in the middle of its jobs, by each signal that ends
// programs. Afterwards no process of it runs, no temporary file is left, what it
// was to make is not there or whole, and the same job can begin again, and is
// done in the end.
func TestFaults(t *testing.T) {
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	tool := program{filepath.Join(dir, "manyhands"), c.Root}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", tool.path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	half := filepath.Join(dir, "half") // the cell opens it for writing when it is at work
	if err := syscall.Mkfifo(half, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, f := range []fault{
		{
			name: "build", result: filepath.Join(dir, "executed.ipynb"), ending: "}",
			args:   []string{"build", "--notebook", waiting(t, dir), "--out", filepath.Join(dir, "executed.ipynb")},
			middle: func(io.Reader) error { _, err := os.ReadFile(half); return err },
		},
		{name: "site", result: filepath.Join(dir, "site", "index.html"), ending: "</html>", args: []string{"site", "--out", filepath.Join(dir, "site")}, middle: says("pages")},
		{name: "serve", serves: true, args: []string{"site", "--serve", "--out", filepath.Join(dir, "served")}, middle: says("the pages are at")},
		{name: "broker", serves: true, args: []string{"broker", "nats"}, middle: says("nats://")},
		{name: "broker redis", serves: true, args: []string{"broker", "redis"}, middle: says("redis://")},
	} {
		t.Run(f.name, func(t *testing.T) {
			for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGKILL} {
				t.Run(s.String(), func(t *testing.T) { f.hit(t, tool, s, half) })
			}
			t.Run("done", func(t *testing.T) { f.do(t, tool) })
		})
	}
}

// waiting writes a notebook whose cell starts a process and waits for ever, if it
// is told to where to say so.
func waiting(t *testing.T, dir string) string {
	nb := notebook.New()
	nb.Metadata["kernelspec"] = map[string]any{"name": gonb.Name, "display_name": "Go (gonb)", "language": "go"}
	nb.Cells = []*notebook.Cell{{ID: "wait", Type: notebook.Code, Source: `import (
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
fmt.Println("done")`}}
	path := filepath.Join(dir, "waiting.ipynb")
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
	return path
}

// says waits for a line that has the words in it.
func says(words string) func(io.Reader) error {
	return func(out io.Reader) error {
		var all strings.Builder
		for lines := bufio.NewScanner(out); lines.Scan(); {
			if strings.Contains(lines.Text(), words) {
				return nil
			}
			all.WriteString(lines.Text() + "\n")
		}
		return fmt.Errorf("it never said %q, but\n%s", words, &all)
	}
}

// hit begins the job and ends it by a signal, half done.
func (f fault) hit(t *testing.T, tool program, s syscall.Signal, half string) {
	r := f.start(t, tool, "MANYHANDS_TEST_HALF="+half)
	if err := f.middle(r.out); err != nil {
		t.Fatal(err)
	}
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
	whole, err := os.ReadFile(f.result)
	if f.result != "" && err == nil && !bytes.HasSuffix(bytes.TrimSpace(whole), []byte(f.ending)) {
		t.Errorf("%s is half written", f.result)
	}
	if t.Failed() {
		t.Logf("it said\n%s", said)
	}
}

// do does the whole job.
func (f fault) do(t *testing.T, tool program) {
	r := f.start(t, tool)
	if f.serves {
		if err := f.middle(r.out); err != nil {
			t.Fatal(err)
		}
		r.cmd.Process.Signal(syscall.SIGTERM)
	}
	if state, said := r.end(); !state.Success() {
		t.Errorf("%v\n%s", state, said)
	}
	if whole, err := os.ReadFile(f.result); f.result != "" && !bytes.HasSuffix(bytes.TrimSpace(whole), []byte(f.ending)) {
		t.Errorf("%s is not whole: %v", f.result, err)
	}
	r.gone(t)
}

// running is a job under way.
type running struct {
	cmd  *exec.Cmd
	out  *os.File
	temp string // its temporary folder, which marks all its processes
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
	r := &running{tool.command(t, f.args...), out, temp}
	r.cmd.Env = append(append(os.Environ(), "TMPDIR="+temp), env...)
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
	if left, err := os.ReadDir(r.temp); len(left) > 0 || err != nil {
		t.Errorf("left in the temporary folder: %v, %v", left, err)
	}
}

// processes lists the living processes whose temporary folder is the job's, or
// within that.
func (r *running) processes(t *testing.T) []*ps.Process {
	t.Helper()
	all, err := ps.Processes()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p *ps.Process) bool {
		env, err := p.Environ()
		own := func(pair string) bool { return strings.HasPrefix(pair+"/", "TMPDIR="+r.temp+"/") }
		if err != nil || !slices.ContainsFunc(env, own) {
			return true
		}
		status, err := p.Status()
		return err != nil || slices.Contains(status, ps.Zombie)
	})
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
	for _, want := range []string{"no space left on device", "status 1"} {
		if !bytes.Contains(out, []byte(want)) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if bytes.Contains(out, []byte(".html")) || bytes.Contains(out, []byte("assets")) {
		t.Errorf("files of a site that is not whole are left:\n%s", out)
	}
}
