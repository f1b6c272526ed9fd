package measure_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
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
	root := t.TempDir()
	for name, text := range map[string]string{
		"proc/self/cgroup":                        "5:cpuset:/\n4:cpu,cpuacct:/old\n0::/user/ada\n",
		"sys/fs/cgroup/cpu.max":                   "max 100000\n",
		"sys/fs/cgroup/user/cpu.max":              "500000 100000\n",
		"sys/fs/cgroup/user/ada/cpu.max":          "350000 100000\n",
		"sys/fs/cgroup/cpu/old/cpu.cfs_quota_us":  "400000\n",
		"sys/fs/cgroup/cpu/old/cpu.cfs_period_us": "100000\n",
		"sys/fs/cgroup/cpu/cpu.cfs_quota_us":      "-1\n",
		"sys/fs/cgroup/cpu/cpu.cfs_period_us":     "100000\n",
	} {
		path := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(text), 0o666)); err != nil {
			t.Fatal(err)
		}
	}
	if quotas := cores("print(*sorted(measure._quotas(" + strconv.Quote(root) + "))); "); !strings.HasPrefix(quotas, "3.5 4.0 5.0\n") {
		t.Errorf("the quotas of three control groups are %q", quotas)
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
