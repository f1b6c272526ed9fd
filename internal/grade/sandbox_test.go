//go:build !race

// Students' programs are built with the race detector in any case.

package grade

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"manyhands/internal/course"
	"manyhands/internal/practical"
)

// TestWalls runs code that no vetting has seen, in the sandbox: what it tries must
// fail there too. Each answer panics when it succeeds, and does its work when not.
func TestWalls(t *testing.T) {
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	p, err := practical.Read(c.Path("lessons", "practicals", "1-threads-and-pools.md"))
	if err != nil {
		t.Fatal(err)
	}
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
	v, err := vet(q, q.Solved(), g.around[q.ID].reserved)
	if err != nil {
		t.Fatal(err)
	}
	all := func(result bool) map[string]bool {
		m := map[string]bool{}
		for _, criterion := range q.Criteria {
			m[criterion.Name] = result
		}
		return m
	}
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
			files := g.around[q.ID].with(q, v)
			files["evil.go"] = fmt.Sprintf(evil, test.evil)
			files[answerFile] = strings.Replace(files[answerFile], "var group sync.WaitGroup", "try(); var group sync.WaitGroup", 1)
			dir := t.TempDir()
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			os.Chmod(filepath.Dir(dir), 0o755)
			program, broken, err := build(t.Context(), c, dir, []answer{{q, files}})
			if err != nil || len(broken) > 0 {
				t.Fatal(err, broken)
			}
			graded := open(q)
			r := &runs{Grader: g, program: program}
			r.add(q, graded)
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
			if left := processesOf(program); len(left) > 0 {
				t.Errorf("processes are left: %v", left)
			}
		})
	}
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
	r, w, err := os.Pipe() // the children wait for their plan
	if err != nil {
		return 0, err
	}
	defer w.Close()
	for range 256 {
		_, err := syscall.ForkExec("/check", []string{"/check"}, &syscall.ProcAttr{Files: []uintptr{r.Fd()}})
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

// processesOf lists the processes whose command line names the program.
func processesOf(program string) []string {
	var found []string
	files, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(line), program) {
			found = append(found, strings.ReplaceAll(string(line), "\x00", " "))
		}
	}
	return found
}
