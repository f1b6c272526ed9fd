package kernel_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"manyhands/internal/course"
	"manyhands/internal/kernel"
	"manyhands/internal/notebook"
)

// summary writes outputs as one line each.
func summary(outputs []notebook.Output) string {
	var b strings.Builder
	for _, o := range outputs {
		switch o.Type {
		case notebook.Stream:
			fmt.Fprintf(&b, "%s %q\n", o.Name, o.Text)
		case notebook.Error:
			fmt.Fprintf(&b, "error %q\n", o.EValue)
		default:
			fmt.Fprintf(&b, "%s %q\n", o.Type, o.Data)
		}
	}
	return b.String()
}

func TestOutputs(t *testing.T) {
	k := start(t)
	for _, test := range []struct{ name, source, want string }{
		{"nothing", "var answer = 42", ""},
		{"many prints are one output", "%%\nfor i := range 200 { fmt.Println(i); time.Sleep(time.Microsecond) }", func() string {
			var b strings.Builder
			for i := range 200 {
				fmt.Fprintln(&b, i)
			}
			return fmt.Sprintf("stdout %q\n", b.String())
		}()},
		{"earlier declarations", "%%\nfmt.Println(answer)", "stdout \"42\\n\"\n"},
		{"displays stand where they were shown",
			"import \"manyhands/helpers/display\"\n%%\nfmt.Println(\"one\")\ndisplay.Markdown(\"*two*\")\nfmt.Println(\"three\")",
			"stdout \"one\\n\"\ndisplay_data map[\"text/markdown\":\"*two*\"]\nstdout \"three\\n\"\n"},
		{"shell", "!echo from the shell; exit 3", "stdout \"from the shell\\n\"\nstderr \"exit status 3\\n\"\n"},
		{"script", "%%script sh\necho \"$0\"", "stdout \"sh\\n\"\n"},
		{"not UTF-8", "%%\nos.Stdout.Write([]byte{'a', 0xff, 'b'})", "stdout \"a\ufffdb\"\n"},
		{"temporary folder", "%%\nfmt.Println(os.TempDir(), filepath.Base(os.Args[0]))", "stdout \"/tmp gonb\\n\"\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := summary(run(t, k, test.source)); got != test.want {
				t.Errorf("got\n%s\nwant\n%s", got, test.want)
			}
		})
	}
}

func TestCellErrors(t *testing.T) {
	k := start(t)
	for _, test := range []struct{ name, source, value, stderr string }{
		{"does not compile", "%%\nx := 1", "declared and not used: x", ""},
		{"panic", "%%\nvar m map[string]int\nm[\"a\"] = 1", "exit status 2", "panic: assignment to entry in nil map"},
		{"panic of many", "%%\nfor range 100 {\ngo func() { select {} }()\n}\ntime.Sleep(time.Millisecond)\ndebug.SetTraceback(\"all\")\npanic(\"first\")",
			"exit status 2", "panic: first"},
		{"exit", "%%\nos.Exit(3)", "exit status 3", ""},
		{"deadlock", "%%\n<-make(chan int)", "exit status 2", "all goroutines are asleep - deadlock!"},
		{"unknown package", "import \"example.org/nothing\"\n%%\nnothing.F()", "example.org/nothing", ""},
		{"missing program", "%%script no-such-program\n1", `"no-such-program": executable file not found`, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			outputs, err := k.Execute(t.Context(), test.source, kernel.Options{Timeout: time.Minute})
			failed, ok := errors.AsType[*kernel.CellError](err)
			if !ok {
				t.Fatalf("got %v, want a CellError", err)
			}
			if !strings.Contains(failed.Value, test.value) || !strings.Contains(failed.Stderr, test.stderr) {
				t.Errorf("got %q and on stderr %q, want %q and %q", failed.Value, failed.Stderr, test.value, test.stderr)
			}
			if n := len(outputs); n == 0 || outputs[n-1].Type != notebook.Error {
				t.Errorf("the last output is no error: %s", summary(outputs))
			}
			if all := summary(outputs) + err.Error(); strings.Contains(all, "gonb_") || strings.Contains(all, tmp) {
				t.Errorf("temporary paths in\n%s", all)
			}
		})
	}
	if got := text(run(t, k, "%%\nfmt.Print(\"alive\")"), "stdout"); got != "alive" {
		t.Errorf("after the failures the kernel says %q", got)
	}
}

func TestTimeout(t *testing.T) {
	t.Cleanup(func() { checkGone(t) }) // of all kernels below, which run at once
	for _, test := range []struct {
		name, source string
		survives     bool // the kernel does
	}{
		{"endless loop", "%%\nfmt.Println(\"started\")\nfor {}", true},
		{"reads stdin", "%%\nfmt.Println(\"started\")\nbufio.NewReader(os.Stdin).ReadString('\\n')", true},
		{"shell", "!echo started; sleep 1000", true},
		{"ignores interrupts", "%%\nsignal.Ignore(os.Interrupt)\nfmt.Println(\"started\")\nfor {}", true}, // GoNB kills it after 5 s
		{"a child that ignores interrupts holds stdout",
			"%%\nfmt.Println(\"started\")\nc := exec.Command(\"sh\", \"-c\", \"trap '' INT; sleep 1000\")\nc.Stdout = os.Stdout\nc.Start()", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			k, err := kernel.Start(t.Context(), spec(), t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer k.Close()
			run(t, k, "%%\nfmt.Print()") // so that the time-out is not spent on a first compilation
			outputs, err := k.Execute(t.Context(), test.source, kernel.Options{Timeout: 20 * time.Second})
			if !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "longer than 20s") {
				t.Fatalf("got %v", err)
			}
			if got := text(outputs, "stdout"); got != "started\n" {
				t.Errorf("before the time-out it wrote %q", got)
			}
			outputs, err = k.Execute(t.Context(), "%%\nfmt.Print(\"alive\")", kernel.Options{Timeout: time.Minute})
			if alive := text(outputs, "stdout") == "alive"; alive != test.survives {
				t.Errorf("kernel alive: %t, want %t (%v)", alive, test.survives, err)
			}
		})
	}
}

func TestCancel(t *testing.T) {
	for _, after := range []time.Duration{0, time.Millisecond, 20 * time.Millisecond, 100 * time.Millisecond, time.Second} {
		t.Run(after.String(), func(t *testing.T) {
			k := start(t)
			reason := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			time.AfterFunc(after, func() { cancel(reason) })
			begin := time.Now()
			_, err := k.Execute(ctx, "%%\nfor {}", kernel.Options{})
			if !errors.Is(err, reason) {
				t.Errorf("got %v", err)
			}
			if took := time.Since(begin); took > 10*time.Second {
				t.Errorf("it took %v", took)
			}
		})
	}
}

func TestCloseWhileACellRuns(t *testing.T) {
	k := start(t)
	path := filepath.Join(t.TempDir(), "ready")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	ready, err := os.OpenFile(path, os.O_RDWR, 0) // for writing too: then it does not wait for the cell
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := k.Execute(t.Context(), fmt.Sprintf("%%%%\nos.WriteFile(%q, []byte(\"!\"), 0)\nfor {}", path), kernel.Options{})
		ended <- err
		ready.WriteString("!") // in case the cell never got so far
	}()
	if _, err := ready.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	k.Close()
	err = <-ended
	if _, ok := errors.AsType[*kernel.DeathError](err); !ok {
		t.Errorf("got %v", err)
	}
}

func TestKernelKilled(t *testing.T) {
	k := start(t)
	begin := time.Now()
	outputs, err := k.Execute(t.Context(), "!echo before; sleep 2; kill -9 $PPID; sleep 1000", kernel.Options{})
	death, ok := errors.AsType[*kernel.DeathError](err)
	if !ok || death.State != "signal: killed" {
		t.Fatalf("got %v", err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("noticed only after %v", took)
	}
	if got := text(outputs, "stdout"); got != "before\n" {
		t.Errorf("outputs before the death: %q", got)
	}
	if _, err := k.Execute(t.Context(), "%%\n", kernel.Options{}); !errors.As(err, &death) {
		t.Errorf("a cell after the death: %v", err)
	}
}

func TestKernelCrashes(t *testing.T) {
	k := start(t)
	_, err := k.Execute(t.Context(), "!kill -QUIT $PPID; sleep 1000", kernel.Options{})
	death, ok := errors.AsType[*kernel.DeathError](err)
	if !ok || !strings.Contains(death.Output, "goroutine") {
		t.Fatalf("got %v, want the kernel's stack traces", err)
	}
}

func TestInputIsRefused(t *testing.T) {
	k := start(t)
	_, err := k.Execute(t.Context(), "%with_inputs\n!read -r name", kernel.Options{Timeout: time.Minute})
	if err == nil || !strings.Contains(err.Error(), "asks for input") {
		t.Errorf("got %v", err)
	}
}

func TestFlood(t *testing.T) {
	k := start(t)
	run(t, k, "import \"bytes\"\nvar line = append(bytes.Repeat([]byte(\"flood \"), 1<<10), '\\n')")
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	outputs := run(t, k, "%%\nfor range 100 << 20 / len(line) { os.Stdout.Write(line) }")
	runtime.GC()
	runtime.ReadMemStats(&after)

	got := text(outputs, "stdout")
	if len(outputs) != 1 || len(got) < 1<<20 || len(got) > 1<<20+200 {
		t.Errorf("%d outputs, %d bytes", len(outputs), len(got))
	}
	if !strings.HasSuffix(got, "[… 99.0 MiB more, not kept: outputs end at 1.0 MiB]\n") {
		t.Errorf("it ends with %q", got[max(0, len(got)-200):])
	}
	if grown := int64(after.HeapInuse) - int64(before.HeapInuse); grown > 16<<20 {
		t.Errorf("the heap has grown by %d MiB", grown>>20)
	}
	if peak := after.HeapSys; peak > 64<<20 {
		t.Errorf("the heap took %d MiB", peak>>20)
	}
}

func TestFloodOfOutputs(t *testing.T) {
	k := start(t)
	outputs, err := k.Execute(t.Context(), "%%script sh\nfor i in $(seq 500); do echo out; sleep 0; echo err >&2; sleep 0; done",
		kernel.Options{MaxOutput: 1 << 10})
	if err != nil {
		t.Fatal(err)
	}
	last := outputs[len(outputs)-1]
	if len(outputs) < 10 || len(outputs) > 100 || !strings.Contains(last.Text, "more, not kept: outputs end at 16.0 KiB") {
		t.Errorf("%d outputs, the last is %+v", len(outputs), last)
	}
}

func TestBackgroundChildHoldsStdout(t *testing.T) {
	k := start(t)
	outputs, err := k.Execute(t.Context(),
		"%%\nc := exec.Command(\"sleep\", \"1000\")\nc.Stdout = os.Stdout\nfmt.Println(c.Start())",
		kernel.Options{Timeout: 20 * time.Second})
	if got := text(outputs, "stdout"); got != "<nil>\n" {
		t.Errorf("starting the child gave %q", got)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
}

// A process that leaves the kernel's group and session goes with the kernel
// all the same.
func TestDaemonGoesToo(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells the environment of a process that left the session")
	}
	k := start(t)
	run(t, k, "!setsid sleep 1000 >/dev/null 2>&1 &")
}

func TestStartAndCloseLeavesNothing(t *testing.T) {
	for i := range 20 {
		k, err := kernel.Start(t.Context(), spec(), t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		if i%4 == 0 {
			run(t, k, "%%\nfmt.Print()")
		}
		if len(marked(t)) == 0 {
			t.Fatal("no process is marked: the check below would see none")
		}
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
		checkGone(t)
	}
}

func TestStartFails(t *testing.T) {
	for _, test := range []struct {
		name string
		spec kernel.Spec
		want string
	}{
		{"no command", kernel.Spec{}, "its command is empty"},
		{"no such program", kernel.Spec{Argv: []string{"/no/such/kernel"}}, "no such file"},
		{"dies", kernel.Spec{Argv: []string{"sh", "-c", "echo dear me >&2; exit 3"}}, "died (exit status 3); its last words:\ndear me"},
		{"never answers", kernel.Spec{Argv: []string{"sh", "-c", "echo hm; sleep 1000"}, StartTimeout: time.Second},
			"did not answer within 1s; its last words:\nhm"},
	} {
		t.Run(test.name, func(t *testing.T) {
			test.spec.Env = []string{mark}
			k, err := kernel.Start(t.Context(), test.spec, t.TempDir())
			if err == nil {
				k.Close()
				t.Fatal("it started")
			}
			if !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %q, want %q in it", err, test.want)
			}
			checkGone(t)
		})
	}
}

func TestStartCancelled(t *testing.T) {
	for _, after := range []time.Duration{0, 5 * time.Millisecond, 20 * time.Millisecond, 40 * time.Millisecond} {
		t.Run(after.String(), func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(after, cancel)
			k, err := kernel.Start(ctx, spec(), t.TempDir())
			if err == nil {
				k.Close() // it was faster
			} else if !errors.Is(err, context.Canceled) {
				t.Errorf("got %v", err)
			}
			checkGone(t)
		})
	}
}

// The course may be anywhere, and a notebook of it anywhere else.
func TestCourseInAPathWithSpaces(t *testing.T) {
	root := filepath.Join(t.TempDir(), "many hands é")
	for _, dir := range []string{"helpers", "internal", "tools"} {
		if err := os.CopyFS(filepath.Join(root, dir), os.DirFS(here.Path(dir))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(here.Path(name))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(root, name), data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	s := toolchain.Spec(&course.Course{Root: root})
	s.Env = append(s.Env, mark, "GOPROXY=off")
	k, err := kernel.Start(t.Context(), s, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer checkGone(t)
	defer k.Close()
	outputs := run(t, k, `import "manyhands/helpers/display"
import "manyhands/helpers/measure"
%%
fmt.Print(measure.Compare(measure.Case("sleep", func() { time.Sleep(time.Millisecond) })))
display.Markdown("shown")`)
	if got := summary(outputs); !strings.Contains(got, "sleep") || !strings.Contains(got, "shown") {
		t.Errorf("got %s", got)
	}
}

// Nothing of a kernel outlives the process that started it, even when that is killed.
func TestParentKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells the environment of a process, by which it is found")
	}
	parent := exec.CommandContext(t.Context(), os.Args[0])
	parent.Env = append(os.Environ(), orphan+"=1", mark)
	parent.Stderr = os.Stderr
	out, err := parent.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := parent.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || line != "at work\n" {
		t.Fatalf("%q, %v", line, err)
	}
	if n := len(marked(t)); n < 4 { // the parent, the kernel, the cell and what that has started
		t.Fatalf("%d processes are marked: the check below would not see all", n)
	}
	parent.Process.Kill()
	parent.Wait()
	homes := filepath.Join(tmp, "kt-*", "kernel-*")
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if left, _ := filepath.Glob(homes); len(left) == 0 && len(marked(t)) == 0 {
			break
		}
	}
	if left, err := filepath.Glob(homes); len(left) > 0 || err != nil {
		t.Errorf("folders are left: %q, %v", left, err)
	}
	mine, _ := filepath.Glob(filepath.Join(tmp, "kt-*"))
	for _, dir := range mine { // the parent's, not the kernel's
		os.RemoveAll(dir)
	}
	checkGone(t)
}

func TestInterruptByMessage(t *testing.T) {
	s := spec()
	s.InterruptMode = kernel.InterruptMessage
	k, err := kernel.Start(t.Context(), s, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer checkGone(t)
	defer k.Close()
	run(t, k, "%%\nfmt.Print()")
	outputs, err := k.Execute(t.Context(), "%%\nfmt.Print(\"begun\")\nfor {}", kernel.Options{Timeout: 20 * time.Second})
	if !errors.Is(err, context.DeadlineExceeded) || text(outputs, "stdout") != "begun" {
		t.Errorf("got %v after %q", err, text(outputs, "stdout"))
	}
	if got := text(run(t, k, "%%\nfmt.Print(\"alive\")"), "stdout"); got != "alive" {
		t.Errorf("after the interrupt the kernel says %q", got)
	}
}
