package progress_test

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"manyhands/internal/progress"
	"manyhands/internal/testparts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestLinesWhereThereIsNoTerminal(t *testing.T) {
	var out bytes.Buffer
	p := progress.New(&out)
	good := p.Task("02-threads", 2)
	good.Step("cell 1")
	good.Step("cell 2")
	good.Done(nil)
	bad := p.Task("03-races", 1)
	bad.Done(errors.New("boom"))
	p.Wait()
	want := regexp.MustCompile(`^02-threads …\n✓ 02-threads  \d+\.\d s\n03-races …\n✗ 03-races  \d+\.\d s\n$`)
	if !want.Match(out.Bytes()) {
		t.Errorf("wrote %q", out.String())
	}
}

func TestASlowTaskIsHeardOf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out bytes.Buffer
		task := progress.New(&out).Task("packages", 0)
		for range 12 {
			time.Sleep(time.Second)
			task.Step("numpy")
		}
		if n := strings.Count(out.String(), "packages: numpy"); n != 2 {
			t.Errorf("%d lines in 12 s, want 2:\n%s", n, out.String())
		}
	})
}

func TestTasksAtOnce(t *testing.T) {
	var out bytes.Buffer
	p := progress.New(&out)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			task := p.Task("task", 100)
			for range 100 {
				task.Step("")
			}
			task.Done(nil)
		})
	}
	wg.Wait()
	p.Wait()
	if n := strings.Count(out.String(), "✓"); n != 8 {
		t.Errorf("%d tasks said that they are done, want 8", n)
	}
}

// TestBarsOnATerminal runs this test binary under script(1), which gives it a
// terminal, and reads what the terminal saw.
func TestBarsOnATerminal(t *testing.T) {
	if os.Getenv("PROGRESS_ON_TERMINAL") != "" {
		p := progress.New(os.Stdout)
		bars, cells, full := p.Task("bars", 3), p.Task("cells", 2), p.Task("full", 1)
		bars.Step("one")
		bars.Step("two")
		cells.Begin("first")
		cells.Begin("last")
		full.Step("all")
		time.Sleep(2 * time.Second) // long enough for mpb to draw: its clock is the wall's
		full.Step("all, and its end")
		time.Sleep(2 * time.Second)
		for _, task := range []*progress.Task{bars, cells, full} {
			task.Done(nil)
		}
		p.Wait()
		return
	}
	script := testparts.Program(t, "apt-get install bsdutils", "script")
	cmd := exec.Command(script, "-qec", "stty cols 100 rows 30; '"+os.Args[0]+"' -test.run=^TestBarsOnATerminal$", os.DevNull)
	cmd.Env = append(os.Environ(), "PROGRESS_ON_TERMINAL=1", "TERM=xterm")
	seen, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, seen)
	}
	for _, want := range []string{"2/3 two", "1/2 last", "1/1 all, and its end", "✓ bars"} {
		if !bytes.Contains(seen, []byte(want)) {
			t.Errorf("the terminal saw no %q: %q", want, seen)
		}
	}
}
