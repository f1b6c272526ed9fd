package kernel_test

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"
	"go.uber.org/goleak"

	"manyhands/internal/course"
	"manyhands/internal/gonb"
	"manyhands/internal/kernel"
	"manyhands/internal/notebook"
)

// The tests run real cells on the real GoNB, which the first run builds.
var (
	here      *course.Course
	toolchain gonb.Toolchain
	tmp       string // the TMPDIR of the tests: kernels put their folders there
)

// mark is in the environment of every process that the tests start.
var mark = "MANYHANDS_KERNEL_TEST=" + cmp.Or(os.Getenv("MANYHANDS_KERNEL_TEST"), strconv.Itoa(os.Getpid()))

func TestMain(m *testing.M) {
	if os.Getenv(orphan) != "" {
		beAnOrphansParent()
	}
	cleanUp, err := prepare("/tmp") // short: there will be sockets in it
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	goleak.VerifyTestMain(m, goleak.Cleanup(func(code int) {
		cleanUp()
		os.Exit(code)
	}))
}

// orphan in the environment makes the test binary start a kernel, whose cell starts
// a process, say so and wait to be killed.
const orphan = "MANYHANDS_TEST_ORPHAN"

func beAnOrphansParent() {
	if _, err := prepare(os.TempDir()); err != nil {
		panic(err)
	}
	k, err := kernel.Start(context.Background(), spec(), tmp)
	if err != nil {
		panic(err)
	}
	ready := filepath.Join(tmp, "ready")
	if err := syscall.Mkfifo(ready, 0o600); err != nil {
		panic(err)
	}
	go k.Execute(context.Background(), fmt.Sprintf("!sleep 1000 & echo ready > %s; sleep 1000", ready), kernel.Options{})
	if _, err := os.ReadFile(ready); err != nil {
		panic(err)
	}
	fmt.Println("at work")
	select {}
}

func prepare(parent string) (cleanUp func(), err error) {
	if here, err = course.Find(); err != nil {
		return nil, err
	}
	if toolchain, err = gonb.Install(context.Background(), here, os.Stderr); err != nil {
		return nil, err
	}
	if tmp, err = os.MkdirTemp(parent, "kt-"); err != nil {
		return nil, err
	}
	os.Setenv("TMPDIR", tmp)
	return func() { os.RemoveAll(tmp) }, nil
}

// spec is GoNB's, marked.
func spec() kernel.Spec {
	s := toolchain.Spec(here)
	s.Env = append(s.Env, mark, "GOPROXY=off") // cells need no network
	return s
}

// start starts GoNB; when the test ends it checks that nothing is left of it.
func start(t testing.TB) *kernel.Kernel {
	t.Helper()
	k, err := kernel.Start(t.Context(), spec(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
		checkGone(t)
	})
	return k
}

// checkGone fails the test if a process or a file of a kernel is left.
func checkGone(t testing.TB) {
	t.Helper()
	for _, p := range marked(t) {
		line, _ := p.Cmdline()
		t.Errorf("process %d is left: %s", p.Pid, line)
		p.Kill()
	}
	left, err := filepath.Glob(filepath.Join(tmp, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range left {
		if !strings.HasPrefix(filepath.Base(path), "Test") && !strings.HasPrefix(filepath.Base(path), "go-build") {
			t.Errorf("%s is left", path)
			os.RemoveAll(path)
		}
	}
}

// marked lists the living processes that the tests started.
func marked(t testing.TB) []*ps.Process {
	t.Helper()
	all, err := ps.Processes()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p *ps.Process) bool {
		env, err := p.Environ()
		if err != nil || !slices.Contains(env, mark) {
			return true
		}
		status, err := p.Status()
		return err != nil || slices.Contains(status, ps.Zombie)
	})
}

// run executes a cell that must not fail and returns its outputs.
func run(t testing.TB, k *kernel.Kernel, source string) []notebook.Output {
	t.Helper()
	outputs, err := k.Execute(t.Context(), source, kernel.Options{Timeout: time.Minute})
	if err != nil {
		t.Fatalf("%v\n%s", err, source)
	}
	return outputs
}

// text is what the outputs wrote to a stream.
func text(outputs []notebook.Output, stream string) string {
	var b strings.Builder
	for _, o := range outputs {
		if o.Type == notebook.Stream && o.Name == stream {
			b.WriteString(o.Text)
		}
	}
	return b.String()
}
