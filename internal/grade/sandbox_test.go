//go:build linux && !race

// The sandbox is Linux's; students' programs are built with the race detector in
// any case.

package grade

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/unix"

	"manyhands/internal/practical"
)

// TestWalls runs code that no vetting has seen, in the sandbox: what it tries must
// fail there too, and nothing of it is left. Each answer panics when it succeeds, and
// does its work when not.
func TestWalls(t *testing.T) {
	adopt(t)
	c, p := firstPractical(t)
	g, err := New(t.Context(), c, p, Options{Limit: 20 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()

	q := p.Questions[1]
	all := func(result bool) map[string]bool {
		m := map[string]bool{}
		for _, criterion := range q.Criteria {
			m[criterion.Name] = result
		}
		return m
	}
	checkSearch(t, g, q)
	t.Run("walls", func(t *testing.T) { // ends with the last of them
		for name, test := range map[string]struct {
			evil string
			met  map[string]bool // criteria; nil if either may be
		}{
			"solutions": {fmt.Sprintf("os.ReadFile(%q)", p.Path), all(true)},
			"passwords": {`os.ReadFile("/etc/passwd")`, all(true)},
			"others":    {`os.ReadDir("/root")`, all(true)},
			"system":    {`os.Create("/lib/evil")`, all(true)},
			"itself":    {`os.OpenFile("/check", os.O_WRONLY, 0)`, all(true)},
			"network":   {fmt.Sprintf("net.DialTimeout(\"tcp\", %q, time.Second)", listener.Addr()), all(true)},
			"disk":      {`fill()`, all(true)},
			"forks":     {`fork()`, nil}, // the limit of processes or that of memory, whichever comes first
			"threads":   {`threads()`, all(false)},
			"memory":    {`hoard()`, all(false)},
			"forged":    {`forge()`, all(false)},
			"exit":      {`leave()`, all(false)},
		} {
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				r, graded := trying(t, g, q, test.evil)
				if err := r.once(t.Context(), schedule{}, r.criteria); err != nil {
					t.Fatal(err)
				}
				for _, m := range graded.Marks {
					if met := len(m.Why) == 0; test.met != nil && met != test.met[m.Name] && !(name == "forged" && m.Name == "none") {
						t.Errorf("criterion %s met: %v (%v %s)", m.Name, met, m.Why, m.Trace)
					}
				}
				if name == "memory" && graded.Marks[0].Why[0] != errMemory.Error() {
					t.Errorf("10 GB ended with %q", graded.Marks[0].Why)
				}
			})
		}
	})
	checkGone(t)
}

// TestSandboxFails has bubblewrap begin what is no program: that is not the student's.
func TestSandboxFails(t *testing.T) {
	s, err := newSandbox(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(t.TempDir(), "check")
	if err := os.WriteFile(program, []byte("\x7fELF, but no more"), 0o755); err != nil {
		t.Fatal(err)
	}
	o, err := s.run(t.Context(), program, nil, time.Second, schedule{})
	if err == nil || !strings.Contains(err.Error(), "the sandbox failed: bwrap: ") {
		t.Errorf("got %+v, %v; want that the sandbox failed", o, err)
	}
}

// trying builds our solution, which first tries what is evil, as a program to run.
func trying(t *testing.T, g *Grader, q *practical.Question, what string) (*runs, *Graded) {
	t.Helper()
	v, err := vet(q, q.Solved(), g.around[q.ID].reserved)
	if err != nil {
		t.Fatal(err)
	}
	files := g.around[q.ID].with(q, v)
	files["evil.go"] = fmt.Sprintf(evil, what)
	files[answerFile] = strings.Replace(files[answerFile], "var group sync.WaitGroup", "try(); var group sync.WaitGroup", 1)
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	os.Chmod(filepath.Dir(dir), 0o755)
	program, broken, err := build(t.Context(), g.course, dir, []answer{{q, files}})
	if err != nil || len(broken) > 0 {
		t.Fatal(err, broken)
	}
	graded := open(q)
	r := &runs{Grader: g, program: program}
	r.add(q, graded)
	return r, graded
}

// checkSearch sees that sandboxed finds a program that runs, and that it goes when its
// run is cancelled.
func checkSearch(t *testing.T, g *Grader, q *practical.Question) {
	t.Helper()
	r, _ := trying(t, g, q, "wait()")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- r.once(ctx, schedule{}, r.criteria) }()
	for found := []string{}; !slices.Contains(found, "/check") || len(found) < 2; {
		select {
		case err := <-ended:
			t.Fatalf("of a program that ran and its bubblewrap only %q was found: the check at the end would not see all (%v)", found, err)
		case <-time.After(10 * time.Millisecond):
			found = slices.Collect(maps.Values(sandboxed(t)))
		}
	}
	cancel()
	checkGone(t)
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// checkGone fails the test if something of a sandbox is left; what is killed takes a
// moment to go.
func checkGone(t *testing.T) {
	t.Helper()
	left := sandboxed(t)
	for end := time.Now().Add(10 * time.Second); len(left) > 0 && time.Now().Before(end); left = sandboxed(t) {
		time.Sleep(20 * time.Millisecond)
	}
	for pid, line := range left {
		t.Errorf("process %d is left: %s", pid, line)
		unix.Kill(int(pid), unix.SIGKILL)
	}
}

// adopt makes this process, during the test, the parent of all that its children leave
// behind: so that is told apart from what another test does on the same machine.
func adopt(t *testing.T) {
	t.Helper()
	if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0) })
}

// sandboxed returns the command lines, by process, of this process's living descendants
// that are a program in a sandbox, or the bubblewrap around one: the program's name in
// there is the last argument of both.
func sandboxed(t *testing.T) map[int32]string {
	t.Helper()
	all, err := ps.Processes()
	if err != nil {
		t.Fatal(err)
	}
	found := map[int32]string{}
	for _, p := range all {
		args, err := p.CmdlineSlice()
		if err == nil && len(args) > 0 && args[len(args)-1] == "/check" && descends(p) {
			found[p.Pid] = strings.Join(args, " ")
		}
	}
	return found
}

// descends tells whether a process is this one or descends from it. It says so too
// where one of the line has just ended: the next look will know.
func descends(p *ps.Process) bool {
	for p.Pid > 1 && int(p.Pid) != os.Getpid() {
		parent, err := p.Ppid()
		if err != nil {
			return true
		}
		p = &ps.Process{Pid: parent}
	}
	return int(p.Pid) == os.Getpid()
}

const evil = `package answer

import (
	"fmt"
	"net"
	"os"
	"runtime"
	"syscall"
	"time"
)

var _ = net.Dial
var _ = time.Now

func try() {
	if x, err := %s; err == nil {
		panic(fmt.Sprint("done: ", x))
	}
}

func wait() (int, error) {
	select {}
}

func fill() (int, error) {
	f, err := os.Create("/tmp/large")
	if err != nil {
		return 0, err
	}
	defer f.Close()
	for range 1024 {
		if _, err := f.Write(make([]byte, 1<<20)); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

func fork() (int, error) {
	r, w, err := os.Pipe() // the children wait for their plan, and each keeps it from ever ending
	if err != nil {
		return 0, err
	}
	defer w.Close()
	for range 256 {
		_, err := syscall.ForkExec("/check", []string{"/check"}, &syscall.ProcAttr{Files: []uintptr{r.Fd(), w.Fd()}})
		if err != nil {
			return 0, err
		}
	}
	return 0, nil
}

func hoard() (int, error) {
	var all [][]byte
	for range 160 {
		b := make([]byte, 64<<20)
		for i := 0; i < len(b); i += 4096 {
			b[i] = 1
		}
		all = append(all, b)
	}
	return len(all), nil
}

func threads() (int, error) {
	for range 1000 {
		go func() {
			runtime.LockOSThread()
			select {}
		}()
	}
	time.Sleep(time.Second)
	return 0, nil
}

func forge() (int, error) {
	f := os.NewFile(3, "report")
	for _, name := range []string{"each", "waits", "together"} {
		fmt.Fprintf(f, "{\"Key\":\"\",\"Event\":\"end\",\"Criterion\":\"at-once/TestAtOnce/%%s\",\"Passed\":true}\n", name)
	}
	fmt.Fprintln(f, "{\"Key\":\"\",\"Event\":\"done\"}")
	return leave()
}

func leave() (int, error) {
	fmt.Println("PASS")
	os.Exit(0)
	return 0, nil
}
`
