package timeline_test

import (
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"manyhands/helpers/timeline"
)

func TestCPU(t *testing.T) {
	const length, every = 600 * time.Millisecond, 50 * time.Millisecond
	before := used(t)
	usage, err := timeline.CPU(every, func() {
		for start := time.Now(); time.Since(start) < length; {
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	own := 100 * float64(used(t)-before) / float64(length)
	if len(usage.Cores) < runtime.NumCPU() {
		t.Errorf("%d cores, want at least the %d of this process", len(usage.Cores), runtime.NumCPU())
	}
	n := len(usage.At)
	if n < 3 {
		t.Fatalf("%d samples", n)
	}
	if last := usage.At[n-1]; last < length-every || n > int(last/every)+2 { // a busy machine may hold the loop up
		t.Errorf("%d samples, the last at %v", n, last)
	}
	var sum float64
	for i, core := range usage.Cores {
		if len(core) != len(usage.At) {
			t.Errorf("core %d: %d samples, want %d", i, len(core), len(usage.At))
		}
		for _, percent := range core {
			if percent < 0 || percent > 100 {
				t.Errorf("core %d: %v %%", i, percent)
			}
			sum += percent / float64(len(core))
		}
	}
	if sum < own/2 { // one loop burns one core, unless others hold it up
		t.Errorf("cores were busy %v %% in sum, and this program alone %v %%", sum, own)
	}
	if usage.Start.IsZero() || time.Since(usage.Start) > time.Minute {
		t.Errorf("start %v", usage.Start)
	}
}

// used returns the processor time that this program has used so far.
func used(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestCPUShort(t *testing.T) {
	usage, err := timeline.CPU(0, func() {})
	if err != nil {
		t.Fatal(err)
	}
	if len(usage.At) != 1 || len(usage.Cores[0]) != 1 {
		t.Errorf("samples at %v, want one", usage.At)
	}
}

func TestCPUNil(t *testing.T) {
	if _, err := timeline.CPU(0, nil); err == nil || !strings.Contains(err.Error(), "nil") {
		t.Errorf("got %v", err)
	}
}

// TestCPUPanic counts on goleak to see that the sampler has stopped.
func TestCPUPanic(t *testing.T) {
	defer func() {
		if p := recover(); p != "mine" {
			t.Errorf("recovered %v", p)
		}
	}()
	timeline.CPU(0, func() { panic("mine") })
	t.Error("the panic was swallowed")
}
