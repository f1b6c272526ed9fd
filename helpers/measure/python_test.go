package measure_test

import (
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"manyhands/internal/testparts"
)

// TestPythonCores has Python count the cores as Go does, also where it may use only one of them.
func TestPythonCores(t *testing.T) {
	python := testparts.Program(t, "apt-get install python3", "python3")
	t.Setenv("PYTHONPATH", ".:../ledger")
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	cores := func(before string) string {
		t.Helper()
		out, err := exec.CommandContext(t.Context(), python, "-c", "import measure, os; "+before+"print(measure.cores())").CombinedOutput()
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if os.Getenv("GOMAXPROCS") == "" {
		if n := cores(""); n != strconv.Itoa(runtime.GOMAXPROCS(0)) {
			t.Errorf("Go uses %d cores, and Python's measure.cores() is %s", runtime.GOMAXPROCS(0), n)
		}
	}
	t.Setenv("GOMAXPROCS", "7")
	if n := cores(""); n != "7" {
		t.Errorf("with GOMAXPROCS=7, measure.cores() is %s", n)
	}
	t.Setenv("GOMAXPROCS", "")
	if runtime.GOOS == "linux" {
		if n := cores("os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); "); n != "1" {
			t.Errorf("on one core, measure.cores() is %s", n)
		}
	}
}
