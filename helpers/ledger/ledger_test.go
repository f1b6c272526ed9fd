package ledger_test

import (
	"errors"
	"fmt"
	"log"
	"math"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"

	"manyhands/helpers/ledger"
	"manyhands/internal/testparts"
)

// TestMain lets the test binary play the writers of other processes, and a cell
// that starts two of them.
func TestMain(m *testing.M) {
	name := os.Getenv("LEDGER_TEST_WRITE")
	if name == "" {
		os.Exit(m.Run())
	}
	if workers, _ := strconv.Atoi(os.Getenv("LEDGER_TEST_WORKERS")); workers > 0 {
		os.Setenv("LEDGER_TEST_WORKERS", "")
		for range workers {
			if out, err := exec.Command(os.Args[0]).CombinedOutput(); err != nil {
				log.Fatalf("%v\n%s", err, out)
			}
		}
	}
	if most, _ := strconv.ParseUint(os.Getenv("LEDGER_TEST_MOST"), 10, 64); most > 0 { // bytes a file may have
		signal.Ignore(syscall.SIGXFSZ)
		if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: most, Max: most}); err != nil {
			log.Fatal(err)
		}
	}
	for i := range perWriter {
		if err := ledger.Record(name, "s", float64(i)); err != nil {
			log.Fatal(err)
		}
	}
}

const perWriter = 100

// notebook makes a fresh ledger for a test and returns its path.
func notebook(t testing.TB) string {
	t.Setenv("MANYHANDS_LEDGER", t.TempDir())
	t.Setenv("JPY_SESSION_NAME", "/home/ada/02 thräds.ipynb")
	path, err := ledger.Path()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

func record(t testing.TB, name string, values ...float64) {
	t.Helper()
	if err := ledger.Record(name, "s", values...); err != nil {
		t.Fatal(err)
	}
}

// wantFigures checks names and values of all figures, given as "name=[1 2]".
func wantFigures(t *testing.T, want ...string) {
	t.Helper()
	figures, err := ledger.All()
	if err != nil {
		t.Error(err)
	}
	var got []string
	for _, f := range figures {
		got = append(got, fmt.Sprintf("%s=%v", f.Name, f.Values))
	}
	if !slices.Equal(got, want) {
		t.Errorf("figures %q, want %q", got, want)
	}
}

// line is a record of another run.
func line(run, name, values string) string {
	return fmt.Sprintf(`{"run":%q,"time":"2026-11-21T20:37:23Z","name":%q,"unit":"s","values":%s}`+"\n", run, name, values)
}

func appendTo(t *testing.T, path, text string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

func TestRecordsOfARunAddUp(t *testing.T) {
	notebook(t)
	wantFigures(t)
	record(t, "b", 1, 2)
	record(t, "a \"quoted\"\nname", 5e-9)
	record(t, "b", 3)
	wantFigures(t, "b=[1 2 3]", "a \"quoted\"\nname=[5e-09]")
	f, err := ledger.Read("b")
	if err != nil || f.Unit != "s" || f.Time.IsZero() {
		t.Errorf("Read = %+v, %v", f, err)
	}
}

func TestRerunReplacesItsOwn(t *testing.T) {
	path := notebook(t)
	appendTo(t, path, line("old", "a", "[1]")+line("old", "b", "[2]")+line("old", "a", "[3]"))
	wantFigures(t, "a=[1 3]", "b=[2]")
	record(t, "a", 7)
	wantFigures(t, "b=[2]", "a=[7]")
	appendTo(t, path, line("old", "a", "[4]")) // a straggler does not come back
	wantFigures(t, "b=[2]", "a=[7]")
	record(t, "a", 8)
	wantFigures(t, "b=[2]", "a=[7 8]")
}

func TestNotRecorded(t *testing.T) {
	notebook(t)
	record(t, "in a row", 5)
	_, err := ledger.Read("at once")
	if !errors.Is(err, ledger.ErrNotRecorded) || !strings.Contains(err.Error(), `only ["in a row"] are`) {
		t.Errorf("error %v does not list what there is", err)
	}
}

func TestTornLine(t *testing.T) {
	path := notebook(t)
	record(t, "a", 1)
	whole := line("crashed", "a", "[2]")
	for cut := 1; cut < len(whole)-1; cut += 7 {
		appendTo(t, path, whole[:cut])
		record(t, "b", float64(cut))
		figures, err := ledger.All()
		var damage *ledger.DamageError
		if !errors.As(err, &damage) || damage.Path != path {
			t.Fatalf("cut at %d: error %v is no DamageError of %s", cut, err, path)
		}
		b := figures[len(figures)-1].Values
		if len(figures) != 2 || b[len(b)-1] != float64(cut) {
			t.Fatalf("cut at %d: figures %v", cut, figures)
		}
		if len(damage.Lines) != len(b) || damage.Lines[0] != 2 {
			t.Fatalf("cut at %d: damaged lines %v", cut, damage.Lines)
		}
	}
	if f, err := ledger.Read("a"); err != nil || f.Values[0] != 1 {
		t.Errorf("the figure before the torn line: %v, %v", f, err)
	}
}

func TestAnotherUnitIsDamage(t *testing.T) {
	notebook(t)
	record(t, "a", 1)
	if err := ledger.Record("a", "ms", 1000); err != nil {
		t.Fatal(err)
	}
	var damage *ledger.DamageError
	if figures, err := ledger.All(); !errors.As(err, &damage) || len(figures[0].Values) != 1 {
		t.Errorf("seconds and milliseconds mixed: %v, %v", figures, err)
	}
}

func TestBadFigures(t *testing.T) {
	path := notebook(t)
	for _, test := range []struct {
		name   string
		values []float64
		want   string
	}{
		{"", []float64{1}, "needs a name"},
		{"a", nil, "no values"},
		{"a", []float64{1, math.NaN()}, "value 2 is NaN"},
		{"a", []float64{math.Inf(-1)}, "value 1 is -Inf"},
	} {
		err := ledger.Record(test.name, "s", test.values...)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("Record(%q, %v) = %v, want %q", test.name, test.values, err, test.want)
		}
	}
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a refused record left something: %v", err)
	}
}

func TestUnwritable(t *testing.T) {
	for _, test := range []struct {
		name    string
		prepare func(path string) error
	}{
		{"full disk", func(path string) error { return os.Symlink("/dev/full", path) }},
		{"a folder in the way", func(path string) error { return os.Mkdir(path, 0o755) }},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := notebook(t)
			if _, err := os.Stat("/dev/full"); test.name == "full disk" && err != nil {
				testparts.Missing(t, err)
			}
			if err := test.prepare(path); err != nil {
				t.Fatal(err)
			}
			err := ledger.Record("a", "s", 1)
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "set MANYHANDS_LEDGER") {
				t.Errorf("error without path and way out: %v", err)
			}
		})
	}
}

func TestReadOnly(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o555); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() == 0 {
		folder = "/sys/ledger" // root may write anywhere else
	}
	t.Setenv("MANYHANDS_LEDGER", folder)
	if err := ledger.Record("a", "s", 1); err == nil || !strings.Contains(err.Error(), folder) ||
		!strings.Contains(err.Error(), "set MANYHANDS_LEDGER") {
		t.Errorf("error without path and way out: %v", err)
	}
}

// TestHalfWritten has a line stop in the middle, as on a disk that fills up:
// the part that was written must go again.
func TestHalfWritten(t *testing.T) {
	path := notebook(t)
	record(t, "a", 1)
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	most := len(before) + 10
	writers := []*exec.Cmd{exec.CommandContext(t.Context(), os.Args[0])}
	if python := python(t); python != "" {
		writers = append(writers, exec.CommandContext(t.Context(), python, "-c", fmt.Sprintf(
			"import ledger, resource; resource.setrlimit(resource.RLIMIT_FSIZE, (%d, %[1]d)); ledger.record('b', 's', 1)", most)))
	}
	for _, writer := range writers {
		writer.Env = append(os.Environ(), "LEDGER_TEST_WRITE=b", fmt.Sprint("LEDGER_TEST_MOST=", most))
		out, err := writer.CombinedOutput()
		if err == nil || !strings.Contains(string(out), "file too large") && !strings.Contains(string(out), "File too large") {
			t.Errorf("%v: %v\n%s", writer.Args, err, out)
		}
		if after, err := os.ReadFile(path); err != nil || string(after) != string(before) {
			t.Errorf("%v left\n%s, %v", writer.Args, after, err)
		}
	}
}

// TestConcurrentWriters has goroutines, Go processes and Python processes
// write at once.
func TestConcurrentWriters(t *testing.T) {
	notebook(t)
	writers := map[string]*exec.Cmd{}
	for i := range 3 {
		name := fmt.Sprintf("go process %d", i)
		cmd := exec.CommandContext(t.Context(), os.Args[0])
		cmd.Env = append(os.Environ(), "LEDGER_TEST_WRITE="+name)
		writers[name] = cmd
	}
	if python := python(t); python != "" {
		for i := range 3 {
			name := fmt.Sprintf("python process %d", i)
			writers[name] = exec.CommandContext(t.Context(), python, "-c",
				fmt.Sprintf("import ledger\nfor i in range(%d): ledger.record(%q, 's', i)", perWriter, name))
		}
	}
	var all sync.WaitGroup
	for name, cmd := range writers {
		all.Go(func() {
			if out, err := cmd.CombinedOutput(); err != nil {
				t.Errorf("%s: %v\n%s", name, err, out)
			}
		})
	}
	for range 4 {
		all.Go(func() {
			for i := range perWriter {
				if err := ledger.Record("goroutines", "s", float64(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()

	for name := range writers {
		f, err := ledger.Read(name)
		if err != nil || len(f.Values) != perWriter || !slices.IsSorted(f.Values) {
			t.Errorf("%s: %d values, want %d in order; %v", name, len(f.Values), perWriter, err)
		}
	}
	if f, err := ledger.Read("goroutines"); err != nil || len(f.Values) != 4*perWriter {
		t.Errorf("goroutines: %d values, want %d; %v", len(f.Values), 4*perWriter, err)
	}
}

// TestProcessesShareTheRun: what the processes of a cell record under one name
// adds up, and what another cell does replaces it. Outside a notebook, each
// process is a run of its own.
func TestProcessesShareTheRun(t *testing.T) {
	for kernel, want := range map[string]int{"/tmp/gonb_1f3a": 3 * perWriter, "": perWriter} {
		notebook(t)
		t.Setenv("MANYHANDS_RUN", "")
		t.Setenv("GONB_TMP_DIR", kernel)
		t.Setenv("LEDGER_TEST_WRITE", "workers")
		t.Setenv("LEDGER_TEST_WORKERS", "2")
		t.Setenv("GORACE", "atexit_sleep_ms=0")
		for range 2 {
			if out, err := exec.CommandContext(t.Context(), os.Args[0]).CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if f, err := ledger.Read("workers"); len(f.Values) != want {
				t.Errorf("kernel %q: %d values of a cell and two workers, want %d; %v", kernel, len(f.Values), want, err)
			}
		}
	}
}

// TestPythonPath checks that both languages name the same file, whatever the
// notebook is called.
func TestPythonPath(t *testing.T) {
	python := python(t)
	if python == "" {
		return
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(t.TempDir(), link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(link) // sets PWD to the link, which is not the folder's own path
	var want []string
	code := "import ledger, os, sys\n"
	for _, env := range [][2]string{
		{"MANYHANDS_LEDGER", t.TempDir()},
		{"JPY_SESSION_NAME", "/home/ada/02 thräds.ipynb"},
		{"JPY_SESSION_NAME", "relative.ipynb"},
		{"JPY_SESSION_NAME", "/no/suffix/"},
		{"JPY_SESSION_NAME", "/long/" + strings.Repeat("ä", 120) + "x.ipynb"},
		{"JPY_SESSION_NAME", ""},
		{"GONB_TMP_DIR", "/tmp/gonb_1f3a"},
		{"GONB_TMP_DIR", ""}, // leaves the working directory
		{"MANYHANDS_LEDGER", ""},
		{"XDG_CACHE_HOME", "/var/cache/ada"},
	} {
		t.Setenv(env[0], env[1])
		path, err := ledger.Path()
		if err != nil {
			t.Fatal(err)
		}
		want = append(want, path)
		code += fmt.Sprintf("os.environ[%q] = %q\nsys.stdout.buffer.write(os.fsencode(ledger.path()) + b'\\n')\n", env[0], env[1])
	}
	t.Setenv("XDG_CACHE_HOME", "")
	out, err := exec.CommandContext(t.Context(), python, "-c", code).CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if got := strings.Split(strings.TrimSpace(string(out)), "\n"); !slices.Equal(got, want) {
		t.Errorf("Python's paths are\n%s\nGo's are\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestPythonRecords has Python record good figures and bad ones, behind a torn
// line and where it cannot.
func TestPythonRecords(t *testing.T) {
	python := python(t)
	if python == "" {
		return
	}
	path := notebook(t)
	appendTo(t, path, "{torn")
	const code = `
import ledger, os
ledger.record("GIL “held”", "s", 1, 2.5)
ledger.record("GIL “held”", "s", 3)
bad = [("a", "s"), ("", "s", 1), ("a", 1, 2), ("a", "s", float("nan")), ("a", "s", [1, 2]), ("a", "s", "1"), (1, "s", 1)]
for figure in bad:
    try:
        ledger.record(*figure)
        print("recorded", figure)
    except ValueError as e:
        if "ledger: " not in str(e):
            print("unclear:", e)
os.environ["MANYHANDS_LEDGER"] = ledger.path()  # a file in the place of the folder
try:
    ledger.record("a", "s", 1)
    print("recorded in a file in a file")
except OSError as e:
    if "set MANYHANDS_LEDGER" not in str(e):
        print("no way out:", e)
`
	if out, err := exec.CommandContext(t.Context(), python, "-c", code).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v\n%s", err, out)
	}
	figures, err := ledger.All()
	var damage *ledger.DamageError
	if !errors.As(err, &damage) || !slices.Equal(damage.Lines, []int{1}) {
		t.Errorf("damage: %v", err)
	}
	if len(figures) != 1 || figures[0].Name != "GIL “held”" || !slices.Equal(figures[0].Values, []float64{1, 2.5, 3}) {
		t.Errorf("figures: %v", figures)
	}
}

// TestPythonReads has Python read what Go recorded, in the latest run, among
// lines that are no record.
func TestPythonReads(t *testing.T) {
	python := python(t)
	if python == "" {
		return
	}
	path := notebook(t)
	const lines = `{"run":"old","time":"2026-11-21T20:37:23Z","name":"count","unit":"","values":[1]}
{"run":"new","time":"2026-11-21T20:37:24Z","name":"count","unit":"","values":[2]}
{"run":"old","time":"2026-11-21T20:37:25Z","name":"count","unit":"","values":[3]}
{"run":"new","time":"2026-11-21T20:37:26Z","name":"count","unit":"","values":[4]}
{"run":"new","time":"2026-11-21T20:37:27Z","name":"another","unit":"","values":[5]}
7
{"run":"torn","name":"cou`
	appendTo(t, path, lines)
	const code = `
import ledger
assert ledger.read("count") == [2, 4], ledger.read("count")
try:
    ledger.read("nothing")
except KeyError as e:
    assert "run the cell that records it first" in str(e), e
else:
    raise AssertionError("read what nobody recorded")
`
	if out, err := exec.CommandContext(t.Context(), python, "-c", code).CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
	figure, err := ledger.Read("count")
	if err != nil || !slices.Equal(figure.Values, []float64{2, 4}) {
		t.Errorf("Go reads %v, %v: not what Python reads", figure.Values, err)
	}
}

// python returns a Python 3 that finds ledger.py, or "" where there is none;
// there must be one where MANYHANDS_TEST_ALL is 1.
func python(t *testing.T) string {
	t.Helper()
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("PYTHONPATH", here)
	t.Setenv("PYTHONDONTWRITEBYTECODE", "1")
	path, err := exec.LookPath("python3")
	if err != nil {
		if all, _ := strconv.ParseBool(os.Getenv("MANYHANDS_TEST_ALL")); all {
			t.Fatal(err)
		}
		t.Logf("Python's part is not tested: %v", err)
	}
	return path
}

func Example() {
	folder, err := os.MkdirTemp("", "ledger-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	os.Setenv("MANYHANDS_LEDGER", folder)
	defer os.Unsetenv("MANYHANDS_LEDGER")

	// One cell …
	if err := ledger.Record("five at once", "s", 1.002, 1.004, 1.001); err != nil {
		fmt.Println(err)
	}
	// … and a later one.
	f, err := ledger.Read("five at once")
	fmt.Println(f.Name, f.Values, f.Unit, err)
	// Output: five at once [1.002 1.004 1.001] s <nil>
}

// TestReadFrom reads what the notebook beside this one recorded, and nothing that this one did.
func TestReadFrom(t *testing.T) {
	notebook(t)
	if err := ledger.Record("ours", "s", 1); err != nil {
		t.Fatal(err)
	}
	t.Setenv("JPY_SESSION_NAME", "/home/ada/14 scaling.ipynb")
	f, err := ledger.ReadFrom("02 thräds", "ours")
	if err != nil || !slices.Equal(f.Values, []float64{1}) {
		t.Errorf("the other notebook's figure is %v, %v", f, err)
	}
	for _, notebook := range []string{"14 scaling", "03 races"} {
		if _, err := ledger.ReadFrom(notebook, "ours"); !errors.Is(err, ledger.ErrNotRecorded) || !strings.Contains(err.Error(), notebook) {
			t.Errorf("from %s: %v", notebook, err)
		}
	}
}
