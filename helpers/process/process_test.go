//go:build unix

package process_test

import (
	"bufio"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"manyhands/helpers/process"
)

var (
	square = process.Register("square", func(_ context.Context, n int) (int, error) { return n * n, nil })

	// unruly does as it is told.
	unruly = process.Register("unruly", func(ctx context.Context, order string) (string, error) {
		if path, ok := strings.CutPrefix(order, "report "); ok { // where it runs, and stays
			if err := os.WriteFile(path, fmt.Appendln(nil, os.Getpid()), 0); err != nil {
				return "", err
			}
			select {}
		}
		switch order {
		case "fail":
			return "", errors.New("it failed")
		case "panic":
			panic("it panicked")
		case "exit":
			os.Exit(7)
		case "die":
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case "garbage":
			syscall.Write(3, []byte("this is not what the pipe is for"))
			select {}
		case "spin":
			//lint:ignore SA5002 a task that never ends is what is wanted
			for {
			}
		case "wait":
			<-ctx.Done()
			return "", errors.New("told to stop")
		case "nest":
			_, err := square.Start(process.Options{Workers: 1})
			return "", err
		case "share":
			_, err := process.Share([]int{1})
			return "", err
		case "environment":
			return strings.Join(os.Environ(), "\n"), nil
		case "interrupt a child":
			return "", interruptChild()
		case "pid":
			return fmt.Sprint(os.Getpid()), nil
		}
		return order, nil
	})

	// orphan says on stdout that it began, and never ends.
	orphan = process.Register("orphan", func(_ context.Context, spin bool) (int, error) {
		fmt.Println("in", os.Getpid(), "signal", deathSignal)
		//lint:ignore SA5002 a task that never ends is what is wanted
		for spin {
		}
		select {}
	})

	// polite says on stdout that it began, and that its context has ended.
	polite = process.Register("polite", func(ctx context.Context, _ int) (int, error) {
		fmt.Println("begun")
		<-ctx.Done()
		fmt.Println("told to stop")
		return 0, ctx.Err()
	})

	// picky looks into an envelope.
	picky = func() *process.Func[envelope, int] {
		gob.Register(letter{}) // a worker does not get to init functions
		return process.Register("picky", func(_ context.Context, e envelope) (int, error) { return e.Letter.(letter).Number, nil })
	}()

	refused = process.Register("refused", func(_ context.Context, f func()) (int, error) { return 0, nil })
	sends   = process.Register("sends", func(_ context.Context, _ int) (chan int, error) { return make(chan int), nil })
	holder  = process.Register("holder", func(_ context.Context, _ chunk) (int, error) { return os.Getpid(), nil })
	nothing = process.Register("nothing", func(_ context.Context, _ struct{}) (struct{}, error) { return struct{}{}, nil })
	largest = process.Register("largest", func(_ context.Context, c chunk) (float64, error) {
		return slices.Max(c.Array.Slice()[c.From:c.To]), nil
	})
	negate = process.Register("negate", func(_ context.Context, c chunk) (*process.Shared[float64], error) {
		for i, v := range c.Array.Slice()[c.From:c.To] {
			c.Array.Slice()[c.From+i] = -v
		}
		return c.Array, nil
	})

	// absent is unknown to workers.
	absent = func() *process.Func[int, int] {
		if os.Getenv("PROCESS_TEST_WITHOUT") != "" {
			return nil
		}
		return process.Register("absent", func(_ context.Context, n int) (int, error) { return n, nil })
	}()
)

// An envelope may have a stamp that no worker can decode, before what no worker has
// seen a type of.
type envelope struct {
	Stamp  stamp
	Letter any
}

type letter struct{ Number int }

type stamp string

func (s stamp) GobEncode() ([]byte, error) { return []byte(s), nil }

func (s *stamp) GobDecode(b []byte) error {
	if *s = stamp(b); *s == "forged" {
		return errors.New("it is forged")
	}
	return nil
}

type chunk struct {
	Array    *process.Shared[float64]
	From, To int
}

func TestMain(m *testing.M) {
	if role := os.Getenv("PROCESS_TEST_ROLE"); role != "" {
		os.Unsetenv("PROCESS_TEST_ROLE")
		os.Exit(play(role))
	}
	goleak.VerifyTestMain(m)
}

// play is what the test's program does when a test starts it as another.
func play(role string) int {
	switch role {
	case "parent":
		pool, err := orphan.Start(process.Options{Workers: 2})
		if err != nil {
			fmt.Println(err)
			return 1
		}
		_, err = pool.Map(context.Background(), []bool{false, true})
		fmt.Println("not reached", err)
	case "interrupted":
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
		defer stop()
		pool, err := polite.Start(process.Options{Workers: 1, Grace: time.Minute})
		if err != nil {
			fmt.Println(err)
			return 1
		}
		_, err = pool.Call(ctx, 0)
		fmt.Println(err)
		pool.Close()
	case "few files":
		syscall.Setrlimit(syscall.RLIMIT_NOFILE, &syscall.Rlimit{Cur: 16, Max: 16})
		_, err := square.Start(process.Options{Workers: 9})
		fmt.Println(err)
		for err == nil || !strings.Contains(err.Error(), "no shared memory") {
			_, err = process.NewShared[int](1)
		}
		fmt.Println(err)
	case "pong":
		sendBack()
	case "late":
		defer func() { fmt.Println(recover()) }()
		process.Register("late", func(context.Context, int) (int, error) { return 0, nil })
	}
	return 0
}

// program prepares this test's program in another role.
func program(t *testing.T, role string, env ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(append(os.Environ(), "PROCESS_TEST_ROLE="+role), env...)
	return cmd
}

func start[In, Out any](t testing.TB, f *process.Func[In, Out], o process.Options) *process.Pool[In, Out] {
	t.Helper()
	p, err := f.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Close)
	return p
}

func TestMapKeepsOrder(t *testing.T) {
	for _, fresh := range []bool{false, true} {
		p := start(t, square, process.Options{Workers: 3, Fresh: fresh})
		ins := []int{9, -2, 0, 4, 7, 1, 3}
		outs, err := p.Map(t.Context(), ins)
		if want := []int{81, 4, 0, 16, 49, 1, 9}; err != nil || !slices.Equal(outs, want) {
			t.Errorf("fresh %v: %v, %v instead of %v", fresh, outs, err, want)
		}
	}
}

func TestWorkersAreReusedOrFresh(t *testing.T) {
	for fresh, want := range map[bool]int{false: 1, true: 5} {
		p := start(t, unruly, process.Options{Workers: 1, Fresh: fresh})
		pids, err := p.Map(t.Context(), slices.Repeat([]string{"pid"}, 5))
		slices.Sort(pids)
		if got := len(slices.Compact(pids)); err != nil || got != want {
			t.Errorf("fresh %v: 5 tasks ran in %d processes instead of %d (%v)", fresh, got, want, err)
		}
		one, _ := p.Call(t.Context(), "pid")
		if two, err := p.Call(t.Context(), "pid"); (one != two) != fresh || err != nil {
			t.Errorf("fresh %v: calls ran in %s and %s (%v)", fresh, one, two, err)
		}
	}
}

func TestCompletedYieldsAsTheyCome(t *testing.T) {
	p := start(t, unruly, process.Options{Workers: 2})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var order []int
	for i, r := range p.Completed(ctx, []string{"wait", "a", "b"}) {
		order = append(order, i)
		if i == 2 {
			cancel() // lets the first end, last
		}
		if i == 0 && !errors.Is(r.Err, context.Canceled) {
			t.Errorf("the cancelled task: %v, %v", r.Value, r.Err)
		}
	}
	if !slices.Equal(order, []int{1, 2, 0}) {
		t.Errorf("came in order %v", order)
	}
	for range p.Completed(t.Context(), []string{"a", "spin", "spin"}) {
		break
	}
	if out, err := p.Call(t.Context(), "after"); out != "after" || err != nil {
		t.Errorf("after a break: %q, %v", out, err)
	}
}

// TestFailures has one task of three fail in every way there is.
func TestFailures(t *testing.T) {
	limit := process.Options{Workers: 2, Limit: time.Second, Grace: 20 * time.Millisecond}
	tests := []struct {
		order   string
		options process.Options
		is      error
		says    string
	}{
		{"fail", process.Options{Workers: 2}, nil, "it failed"},
		{"panic", process.Options{Workers: 2}, process.ErrPanicked, "it panicked\n\ngoroutine"},
		{"exit", process.Options{Workers: 2}, process.ErrCrashed, "exit status 7"},
		{"die", process.Options{Workers: 2}, process.ErrCrashed, "signal: killed"},
		{"garbage", process.Options{Workers: 2}, process.ErrCrashed, "descriptor 3"},
		{"spin", limit, process.ErrTooLong, "limit of 1s"},
		{"wait", limit, context.DeadlineExceeded, "limit of 1s"},
		{"nest", process.Options{Workers: 2}, nil, process.ErrInWorker.Error()},
		{"share", process.Options{Workers: 2}, nil, "a worker cannot make shared memory"},
	}
	for _, test := range tests {
		t.Run(test.order, func(t *testing.T) {
			p := start(t, unruly, test.options)
			for range 2 { // the second time on a pool made whole
				outs, err := p.Map(t.Context(), []string{"before", test.order, "after"})
				if !slices.Equal(outs, []string{"before", "", "after"}) {
					t.Errorf("got %q", outs)
				}
				if err == nil || !strings.Contains(err.Error(), "task 1: process: unruly: ") || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%v does not say %q", err, test.says)
				}
				if test.is != nil && !errors.Is(err, test.is) {
					t.Errorf("%v is not %v", err, test.is)
				}
			}
		})
	}
}

// TestKilled kills a worker from outside, at work and at rest. At rest no task
// is lost, though the next may come before the pool knows.
func TestKilled(t *testing.T) {
	p := start(t, unruly, process.Options{Workers: 1})
	path := filepath.Join(t.TempDir(), "pid")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	pids, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer pids.Close()
	for range 20 {
		busy, queued := p.Submit(t.Context(), "report "+path), p.Submit(t.Context(), "pid")
		kill(t, pids)
		if _, err := busy.Wait(); !errors.Is(err, process.ErrCrashed) {
			t.Fatalf("the task of the killed worker: %v", err)
		}
		pid, err := queued.Wait()
		if err != nil {
			t.Fatalf("the queued task: %v", err)
		}
		fmt.Fprintln(pids, pid)
		kill(t, pids)
	}
	if out, err := p.Call(t.Context(), "alive"); out != "alive" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
}

// kill kills the process whose number comes down the pipe.
func kill(t *testing.T, r io.Reader) {
	t.Helper()
	var pid int
	if _, err := fmt.Fscanln(r, &pid); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
}

func TestManyCrashes(t *testing.T) {
	n := 1000
	if testing.Short() {
		n = 100
	}
	p := start(t, unruly, process.Options{})
	crashed := 0
	for _, r := range p.Completed(t.Context(), slices.Repeat([]string{"exit"}, n)) {
		if errors.Is(r.Err, process.ErrCrashed) {
			crashed++
		}
	}
	if out, err := p.Call(t.Context(), "alive"); crashed != n || out != "alive" || err != nil {
		t.Errorf("%d of %d crashed, then %q, %v", crashed, n, out, err)
	}
}

func TestCancel(t *testing.T) {
	p := start(t, unruly, process.Options{Workers: 1, Grace: 10 * time.Millisecond})
	for _, order := range []string{"spin", "wait"} {
		ctx, cancel := context.WithCancelCause(t.Context())
		running, queued := p.Submit(ctx, order), p.Submit(ctx, "queued")
		reason := errors.New("enough")
		cancel(reason)
		for _, f := range []*process.Future[string]{running, queued} {
			if _, err := f.Wait(); !errors.Is(err, reason) {
				t.Errorf("%s: %v", order, err)
			}
		}
	}
	if out, err := p.Call(t.Context(), "after"); out != "after" || err != nil {
		t.Errorf("after: %q, %v", out, err)
	}
}

// TestCancelIsHeard cancels at any moment, before the worker knows of its task and
// after: the function has to be told, as nothing else ends it here.
func TestCancelIsHeard(t *testing.T) {
	p := start(t, unruly, process.Options{Workers: 1, Grace: 5 * time.Second})
	before, err := p.Call(t.Context(), "pid")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 200 {
		ctx, cancel := context.WithCancel(t.Context())
		f := p.Submit(ctx, "wait")
		for range i {
			runtime.Gosched()
		}
		cancel()
		if _, err := f.Wait(); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if after, err := p.Call(t.Context(), "pid"); after != before || err != nil {
			t.Fatalf("worker %s became %s (%v)", before, after, err)
		}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := p.Call(ended, "exit"); !errors.Is(err, context.Canceled) {
		t.Errorf("a task that is cancelled before it begins: %v", err)
	}
	if after, err := p.Call(t.Context(), "pid"); after != before || err != nil {
		t.Errorf("that task ran: worker %s became %s (%v)", before, after, err)
	}
}

// TestManyCallers calls from many goroutines, in every way, and closes the pool
// under them.
func TestManyCallers(t *testing.T) {
	p := start(t, square, process.Options{Workers: 3})
	var callers sync.WaitGroup
	var done atomic.Int64
	for i := range 12 {
		callers.Go(func() {
			for n := 0; ; n++ {
				var got int
				var err error
				if i%2 == 0 {
					got, err = p.Call(t.Context(), n)
				} else {
					got, err = p.Submit(t.Context(), n).Wait()
				}
				if errors.Is(err, process.ErrClosed) {
					return
				}
				if err != nil || got != n*n {
					t.Errorf("%d² is %d, %v", n, got, err)
					return
				}
				if done.Add(1) == 2000 {
					go p.Close()
				}
			}
		})
	}
	callers.Wait()
}

func TestQueueIsFirstInFirstOut(t *testing.T) {
	p := start(t, square, process.Options{Workers: 1})
	var order []int
	for i := range p.Completed(t.Context(), make([]int, 50)) {
		order = append(order, i)
	}
	if len(order) != 50 || !slices.IsSorted(order) {
		t.Errorf("one worker did tasks in order %v", order)
	}
}

func TestClose(t *testing.T) {
	p := start(t, unruly, process.Options{Workers: 1})
	running, queued := p.Submit(t.Context(), "spin"), p.Submit(t.Context(), "queued")
	p.Close()
	p.Close()
	for _, f := range []*process.Future[string]{running, queued, p.Submit(t.Context(), "late")} {
		if _, err := f.Wait(); !errors.Is(err, process.ErrClosed) {
			t.Error(err)
		}
	}
}

// begun starts a program and returns what it prints.
func begun(t *testing.T, cmd *exec.Cmd) *bufio.Reader {
	t.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return bufio.NewReader(stdout)
}

// TestParentKilled kills a program whose workers wait and spin, with and without
// the signal that Linux sends. They hold its stdout, which ends with the last.
func TestParentKilled(t *testing.T) {
	for _, env := range []string{"PROCESS_TEST_SIGNAL=", "PROCESS_TEST_SIGNAL=off"} {
		cmd := program(t, "parent", env)
		lines := begun(t, cmd)
		for range 2 {
			if line, err := lines.ReadString('\n'); err != nil || !strings.HasPrefix(line, "in ") {
				t.Fatalf("%q, %v", line, err)
			}
		}
		cmd.Process.Kill()
		if rest, err := io.ReadAll(lines); len(rest) > 0 || err != nil {
			t.Errorf("%s: %q, %v", env, rest, err)
		}
		cmd.Wait()
	}
}

// TestInterrupt presses Ctrl-C, which goes to a program and to its workers: it is the
// program that acts on it.
func TestInterrupt(t *testing.T) {
	cmd := program(t, "interrupted")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	lines := begun(t, cmd)
	if line, err := lines.ReadString('\n'); line != "begun\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(lines)
	if want := "told to stop\nprocess: polite: interrupt signal received\n"; string(rest) != want || err != nil {
		t.Errorf("%q, %v instead of %q", rest, err, want)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

// TestInterruptedChild sees that what a task starts is interrupted as what the
// program starts.
func TestInterruptedChild(t *testing.T) {
	_, err := start(t, unruly, process.Options{Workers: 1}).Call(t.Context(), "interrupt a child")
	if want := interruptChild(); err == nil || err.Error() != "process: unruly: "+want.Error() {
		t.Errorf("%v instead of %v", err, want)
	}
}

// interruptChild returns what an interrupt does to a process that this one starts.
func interruptChild() error { return exec.Command("sh", "-c", "kill -INT $$; exit 1").Run() }

func TestEnvironment(t *testing.T) {
	t.Setenv("GONB_PIPE", "/tmp/a")
	t.Setenv("GONB_PIPE_BACK", "/tmp/b")
	t.Setenv("OTHER", "stays")
	p := start(t, unruly, process.Options{Workers: 1})
	env, err := p.Call(t.Context(), "environment")
	if err != nil || strings.Contains(env, "GONB_PIPE") || strings.Contains(env, "MANYHANDS_PROCESS") || !strings.Contains(env, "OTHER=stays") {
		t.Errorf("%v\n%s", err, env)
	}
}

func TestGobRefuses(t *testing.T) {
	_, err := start(t, refused, process.Options{Workers: 1}).Call(t.Context(), func() {})
	if err == nil || !strings.Contains(err.Error(), "the argument, *func(): gob cannot carry it") {
		t.Error(err)
	}
	_, err = start(t, sends, process.Options{Workers: 1}).Call(t.Context(), 1)
	if err == nil || !strings.Contains(err.Error(), "the result, chan int: gob cannot carry it") {
		t.Error(err)
	}
	if _, err := start(t, nothing, process.Options{Workers: 1}).Call(t.Context(), struct{}{}); err != nil {
		t.Error(err)
	}
}

// TestWorkerCannotDecode sends what a worker cannot decode, and then what it can.
func TestWorkerCannotDecode(t *testing.T) {
	p := start(t, picky, process.Options{Workers: 1})
	if _, err := p.Call(t.Context(), envelope{"forged", letter{1}}); err == nil || !strings.HasSuffix(err.Error(), "it is forged") {
		t.Error(err)
	}
	for n := range 3 {
		if got, err := p.Call(t.Context(), envelope{"real", letter{n}}); got != n || err != nil {
			t.Error(n, got, err)
		}
	}
}

func TestStartRefuses(t *testing.T) {
	if _, err := square.Start(process.Options{Workers: -1}); err == nil || !strings.Contains(err.Error(), "negative") {
		t.Error(err)
	}
	t.Setenv("PROCESS_TEST_WITHOUT", "1")
	t.Setenv("PROCESS_TEST_ROLE", "nobody")
	if _, err := absent.Start(process.Options{Workers: 2}); err == nil || !strings.Contains(err.Error(), `function "absent" is not registered`) {
		t.Error(err)
	}
}

// TestLimits runs in programs of their own, as it takes what the test needs.
func TestLimits(t *testing.T) {
	for role, says := range map[string][]string{
		"few files": {"9 workers are more than the 16 files", "no shared memory: memfd_create: too many open files"},
		"late":      {`"late" is registered too late`},
	} {
		out, err := program(t, role).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", role, err, out)
		}
		for _, s := range says {
			if !strings.Contains(string(out), s) {
				t.Errorf("%s does not say %q:\n%s", role, s, out)
			}
		}
	}
}

func TestShared(t *testing.T) {
	values := make([]float64, 100_000)
	for i := range values {
		values[i] = float64(i)
	}
	array, err := process.Share(values)
	if err != nil {
		t.Fatal(err)
	}
	chunks := []chunk{{array, 0, 10}, {array, 10, 50_000}, {array, 50_000, 100_000}}
	maxima := start(t, largest, process.Options{Workers: 2})
	if got, err := maxima.Map(t.Context(), chunks); err != nil || !slices.Equal(got, []float64{9, 49_999, 99_999}) {
		t.Errorf("%v, %v", got, err)
	}
	back, err := start(t, negate, process.Options{Workers: 2}).Map(t.Context(), chunks)
	if err != nil || &back[0].Slice()[0] != &array.Slice()[0] {
		t.Errorf("another array came back: %v", err)
	}
	for i, v := range array.Slice() {
		if v != -float64(i) {
			t.Fatalf("element %d is %v: workers wrote elsewhere", i, v)
		}
	}
	if err := array.Close(); err != nil {
		t.Error(err)
	}
	for _, other := range back { // the same array
		if err := other.Close(); err != nil || other.Slice() != nil {
			t.Error(err, other.Slice())
		}
	}
	if _, err := maxima.Call(t.Context(), chunks[0]); err == nil || !strings.Contains(err.Error(), "the shared memory is closed") {
		t.Error(err)
	}
}

// TestSharedIsGivenBack sees a worker let go of an array that is closed, and of
// no other.
func TestSharedIsGivenBack(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells what memory a worker sees")
	}
	p := start(t, holder, process.Options{Workers: 1})
	var arrays []*process.Shared[float64]
	var pid int
	for range 10 {
		a, err := process.Share([]float64{1})
		if err != nil {
			t.Fatal(err)
		}
		defer a.Close()
		if pid, err = p.Call(t.Context(), chunk{Array: a}); err != nil {
			t.Fatal(err)
		}
		arrays = append(arrays, a)
	}
	seen := func() int {
		maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", pid))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(maps), "memfd:manyhands")
	}
	if n := seen(); n != 10 {
		t.Errorf("the worker sees %d arrays instead of 10", n)
	}
	for _, a := range arrays[1:] {
		a.Close()
	}
	for looks := 0; seen() != 1; looks++ { // it hears of it by and by
		if looks == 100_000 {
			t.Fatalf("the worker still sees %d arrays instead of 1", seen())
		}
	}
}

func TestSharedRefuses(t *testing.T) {
	for n, says := range map[int]string{0: "at least one", -1: "at least one", 1 << 40: "use fewer elements", math.MaxInt: "larger than any memory"} {
		if _, err := process.NewShared[float64](n); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%d: %v", n, err)
		}
	}
}
