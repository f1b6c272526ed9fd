package bench_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"manyhands/helpers/measure"
	"manyhands/internal/bench"
	"manyhands/internal/course"
	"manyhands/internal/progress"
	"manyhands/internal/testparts"
)

// measured runs benchmarks of a package below testdata, as a group.
func measured(t *testing.T, ctx context.Context, dir string, names ...string) (bench.Record, error) {
	t.Helper()
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	g := bench.Group{Name: "pools", Benchmarks: []bench.Benchmarks{{Dir: "internal/bench/testdata/" + dir, Names: names}}}
	return bench.Run(ctx, c, g, progress.New(t.Output()), false)
}

func TestRun(t *testing.T) {
	record, err := measured(t, t.Context(), "sample", "BenchmarkFirst", "BenchmarkSkipped", "BenchmarkSecond")
	if err != nil {
		t.Fatal(err)
	}
	if len(record.Figures) != 2 || record.Figures[0].Title != "the first" || record.Figures[1].Title != "the second" {
		t.Fatalf("the figures are %+v, want the first and the second", record.Figures)
	}
	first := record.Figures[0]
	if ratio := first.Ratio(1); !ratio.Known || ratio.Lo < 3 || ratio.Hi > 20 {
		t.Errorf("the ratio of 200 ms to 20 ms is %+v", ratio)
	}
	if missed := first.Missed(); missed != nil {
		t.Errorf("missed: %v", missed)
	}
	shown := record.String()
	for _, want := range []string{"Go 1.2", "the first", "median, each", "must reach", "a note",
		"not measured: BenchmarkSkipped: no dask: go run . bench --install"} {
		if !strings.Contains(shown, want) {
			t.Errorf("no %q in\n%s", want, shown)
		}
	}
}

func TestFailuresAreToldAndTheOthersMeasured(t *testing.T) {
	record, err := measured(t, t.Context(), "sample", "BenchmarkFails", "BenchmarkNamesNobody", "BenchmarkSecond")
	if len(record.Figures) == 0 || record.Figures[len(record.Figures)-1].Title != "the second" {
		t.Errorf("the figures are %+v, want the second among them", record.Figures)
	}
	for _, want := range []string{"internal/bench/testdata/sample", "BenchmarkFails/part: the peer gave 7 instead of 8", `"c" must be reached`} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one with %q", err, want)
		}
	}
	_, err = measured(t, t.Context(), "broken", "BenchmarkBroken")
	if err == nil || !strings.Contains(err.Error(), "undefined: missing") {
		t.Errorf("error %v, want what the compiler says", err)
	}
}

func TestNothingIsLeftOfAnInterruptedRun(t *testing.T) {
	ready := filepath.Join(t.TempDir(), "ready")
	if err := syscall.Mkfifo(ready, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("BENCH_READY", ready)
	ctx, cancel := context.WithCancelCause(t.Context())
	var child int
	var temp string
	go func() {
		said, err := os.ReadFile(ready) // waits for the benchmark
		if err == nil {
			_, err = fmt.Sscan(string(said), &child, &temp)
		}
		cancel(errors.Join(errInterrupted, err))
	}()
	_, err := measured(t, ctx, "sample", "BenchmarkHangs")
	if !errors.Is(err, errInterrupted) {
		t.Errorf("error %v, want that it was interrupted", err)
	}
	if _, err := os.Stat(temp); temp == "" || !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the temporary folder %q is left: %v", temp, err)
	}
	for end := time.Now().Add(time.Minute); alive(child); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("process %d is left", child)
		}
	}
}

var errInterrupted = errors.New("interrupted")

// alive tells whether a process runs; one that has ended, and whose new parent
// has not looked yet, does not.
func alive(pid int) bool {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return unix.Kill(pid, 0) == nil
	}
	return !bytes.Contains(stat, []byte(") Z "))
}

// TestTheTalksRun measures one round of the talks' programs, in little: the
// answers in both languages are compared.
func TestTheTalksRun(t *testing.T) {
	if testparts.Race {
		t.Skip("the race detector sees nothing of what go test starts")
	}
	testparts.Python(t)
	t.Setenv("MANYHANDS_SCALE", "0.02")
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	talks, err := bench.Find("talks")
	if err != nil {
		t.Fatal(err)
	}
	record, err := bench.Run(t.Context(), c, talks[0], progress.New(t.Output()), true)
	if err != nil || len(record.Skipped) > 0 {
		t.Fatalf("skipped %v, error %v", record.Skipped, err)
	}
	t.Log(record)
}

// TestGroups fails for a benchmark that is in a group but nowhere else.
func TestGroups(t *testing.T) {
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	for _, g := range bench.Groups {
		for _, b := range g.Benchmarks {
			there := benchmarks(t, c.Path(b.Dir))
			for _, name := range b.Names {
				if !slices.Contains(there, name) {
					t.Errorf("%s: there is no %s in %s", g.Name, name, b.Dir)
				}
			}
		}
	}
	if _, err := bench.Find("nothing"); err == nil || !strings.Contains(err.Error(), "the groups are talks, ") {
		t.Errorf("error %v, want one that lists the groups", err)
	}
}

// benchmarks lists the functions of a folder's tests.
func benchmarks(t *testing.T, dir string) (names []string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			if f, ok := d.(*ast.FuncDecl); ok {
				names = append(names, f.Name.Name)
			}
		}
	}
	return names
}

func TestExponent(t *testing.T) {
	for _, want := range []float64{1, 2} {
		var f bench.Figure
		for _, n := range []int{1, 10, 100, 1000, 10_000, 100_000} {
			const start = 5e-4 // what does not grow must not hide what does
			f.Growth = append(f.Growth, bench.Point{Size: n, Seconds: start + 1e-6*math.Pow(float64(n), want)})
		}
		if k := f.Exponent(); math.Abs(k-want) > 0.15 {
			t.Errorf("the exponent of n to the power of %v is %v", want, k)
		}
		if missed := f.Missed(); (missed != nil) != (want > 1) {
			t.Errorf("n to the power of %v: missed %v", want, missed)
		}
	}
}

func TestMissedNeedsTheWholeInterval(t *testing.T) {
	f := bench.Figure{Must: map[string]float64{"clearly": 3, "perhaps": 2}, Results: []measure.Result{
		{Name: "ours", Wall: []float64{1, 1, 1, 1, 1, 1}},
		{Name: "clearly", Wall: []float64{2, 2.1, 2, 1.9, 2, 2}},
		{Name: "perhaps", Wall: []float64{1, 2.5, 1.5, 1.8, 2.2, 1.9}},
	}}
	if missed := f.Missed(); !slices.Equal(missed, []string{"clearly"}) {
		t.Errorf("missed %v, want only what chance does not explain", missed)
	}
}

func TestNewRecordsTakeThePlaceOfOld(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	record := func(group, title string) bench.Record {
		return bench.Record{Group: group, Figures: []bench.Figure{{Title: title}}}
	}
	for _, r := range []bench.Record{record("site", "old"), record("talks", "first"), record("site", "new")} {
		if err := bench.Add(path, r); err != nil {
			t.Fatal(err)
		}
	}
	all, err := bench.Read(path)
	if err != nil || len(all) != 2 || all[0].Group != "talks" || all[1].Figures[0].Title != "new" {
		t.Errorf("read %+v, error %v; want the talks and the new site", all, err)
	}
	if err := os.WriteFile(path, []byte("[{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := bench.Add(path, record("site", "newer")); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("error %v, want one that names the file", err)
	}
}
