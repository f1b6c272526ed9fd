package workload_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"unsafe"

	"manyhands/helpers/workload"
)

// TestHugePages looks up in /proc/self/smaps whether the system heeds the advice
// ("hg" among a mapping's VmFlags, proc(5)), where it gives such advice a meaning.
func TestHugePages(t *testing.T) {
	workload.HugePages([]float64{})
	workload.HugePages(make([]float64, 1)) // less than a page
	if _, err := os.Stat("/sys/kernel/mm/transparent_hugepage"); err != nil {
		t.Logf("this kernel has no huge pages to ask for: %v", err)
		return
	}
	xs := make([]float64, 8<<20)
	workload.HugePages(xs)
	address := uintptr(unsafe.Pointer(&xs[len(xs)/2]))
	smaps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Fatal(err)
	}
	var inside bool
	for line := range strings.Lines(string(smaps)) {
		var from, to uintptr
		if n, _ := fmt.Sscanf(line, "%x-%x ", &from, &to); n == 2 {
			inside = from <= address && address < to
		}
		if flags, ok := strings.CutPrefix(line, "VmFlags:"); ok && inside {
			if !strings.Contains(flags, " hg") {
				t.Errorf("the array's memory has the flags %s, not hg", flags)
			}
			return
		}
	}
	t.Error("the array is in no mapping of /proc/self/smaps")
}
