package build_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"manyhands/helpers/measure"
	"manyhands/internal/benchtest"
	"manyhands/internal/build"
	"manyhands/internal/course"
	"manyhands/internal/gonb"
	"manyhands/internal/notebook"
	"manyhands/internal/testparts"
)

// BenchmarkNotebook executes notebooks by the course's command and by nbclient,
// on the same kernel: a lesson, and a cell that prints 100 MB.
func BenchmarkNotebook(b *testing.B) {
	for _, test := range []struct {
		title, file string
		must        float64
	}{
		{"a lesson, 04, executed", "04-pools.ipynb", 0.95},
		{"a cell that prints 100 MB", printer(b, 100_000_000), 1},
	} {
		b.Run(filepath.Base(test.file), func(b *testing.B) {
			r := newRunners(b)
			benchtest.Figure{
				Title: test.title, Plan: measure.Plan{Repeats: 6, Budget: 6 * time.Minute},
				Must: map[string]float64{"nbclient": test.must}, Notes: r.memory,
			}.Compare(b,
				measure.Case("go run . build", func(ctx context.Context) error { return r.build(ctx, test.file) }),
				measure.Case("nbclient", func(ctx context.Context) error { return r.nbclient(ctx, test.file) }))
			r.check(b)
		})
	}
}

// BenchmarkCourse executes every lesson by one and at once by the other. That takes
// half an hour, so each lesson has one turn, and the ratio no interval.
func BenchmarkCourse(b *testing.B) {
	r := newRunners(b)
	lessons, err := filepath.Glob(filepath.Join(r.notebooks, "*.ipynb"))
	if err != nil || len(lessons) == 0 {
		b.Fatal("no notebooks: ", err)
	}
	if testing.Short() {
		lessons = lessons[:1]
	}
	runners := [2]func(context.Context, string) error{r.build, r.nbclient}
	var whole [2]float64
	var ratios []float64
	for b.Loop() {
		whole, ratios = [2]float64{}, nil
		for i, file := range lessons {
			var took [2]float64
			for turn := range runners {
				who, start := (i+turn)%len(runners), time.Now() // each is the first in every second lesson
				if err := runners[who](b.Context(), file); err != nil {
					b.Fatal(err)
				}
				took[who] = time.Since(start).Seconds()
				whole[who] += took[who]
			}
			r.check(b)
			ratios = append(ratios, took[1]/took[0])
		}
	}
	slices.Sort(ratios)
	benchtest.Figure{
		Title: fmt.Sprintf("the whole course executed, lessons: %d", len(lessons)), Must: map[string]float64{"nbclient": 0.95},
		Notes: func() []string {
			return append(r.memory(), fmt.Sprintf("single lessons: %.2f to %.2f times as fast, the median %.2f",
				ratios[0], ratios[len(ratios)-1], ratios[len(ratios)/2]))
		},
	}.Report(b, measure.Result{Name: "go run . build", Wall: whole[:1]}, measure.Result{Name: "nbclient", Wall: whole[1:]})
}

// Runners execute a notebook as they do from a shell, each in a process of its own.
type runners struct {
	root, notebooks, dir, command, python string
	our, their                            peak
}

func newRunners(b *testing.B) *runners {
	c, err := course.Find()
	if err != nil {
		b.Fatal(err)
	}
	dir := b.TempDir()
	r := &runners{root: c.Root, notebooks: c.Path("notebooks"), dir: dir, command: filepath.Join(dir, "manyhands"), python: testparts.Python(b)}
	tools, err := gonb.Install(b.Context(), c, b.Output())
	if err != nil {
		b.Fatal(err)
	}
	if err := tools.WriteKernelspec(c, dir); err != nil {
		b.Fatal(err)
	}
	b.Setenv("JUPYTER_PATH", dir)
	if err := new(peak).run(b.Context(), c.Root, "go", "build", "-o", r.command, "."); err != nil {
		b.Fatal(err)
	}
	return r
}

// build executes a notebook, its path absolute or within notebooks.
func (r *runners) build(ctx context.Context, notebook string) error {
	return r.our.run(ctx, r.notebooks, r.command, "build", "--notebook", notebook, "--out", filepath.Join(r.dir, "ours.ipynb"))
}

func (r *runners) nbclient(ctx context.Context, notebook string) error {
	return r.their.run(ctx, r.notebooks, r.python, filepath.Join(filepath.Dir(r.python), "jupyter-execute"), "--timeout=600",
		"--output="+filepath.Join(r.dir, "theirs.ipynb"), notebook)
}

// check fails the benchmark unless both have executed as many cells.
func (r *runners) check(b *testing.B) {
	b.Helper()
	ours, theirs := executed(b, filepath.Join(r.dir, "ours.ipynb")), executed(b, filepath.Join(r.dir, "theirs.ipynb"))
	if ours != theirs || ours == 0 {
		b.Errorf("go run . build has executed %d cells, nbclient %d", ours, theirs)
	}
}

// executed counts the cells of a notebook, of any size, that were executed.
func executed(b *testing.B, path string) (n int) {
	b.Helper()
	var nb struct {
		Cells []struct {
			Count *int `json:"execution_count"`
		}
	}
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &nb)
	}
	if err != nil {
		b.Fatal(err)
	}
	for _, cell := range nb.Cells {
		if cell.Count != nil {
			n++
		}
	}
	return n
}

func (r *runners) memory() []string {
	return []string{fmt.Sprintf("the largest process: %s, nbclient's %s", r.our, r.their)}
}

// BenchmarkGrowth builds courses of more and more lessons, of one small cell each.
func BenchmarkGrowth(b *testing.B) {
	benchtest.Growth{Title: "so many lessons, executed", Sizes: []int{1, 5, 20, 50, 100, 200}, Once: true}.Measure(b, func(n int) func() error {
		lessons := map[string]string{}
		for i := range n {
			lessons[fmt.Sprintf("%02d-copy%d", i%100, i)] = cell(fmt.Sprintf("fmt.Println(%d)", i))
		}
		c := classroom(b, lessons)
		return func() error { return build.Lessons(b.Context(), c, build.Options{Out: io.Discard}) }
	})
}

// printer writes a notebook of one cell that prints so many bytes.
func printer(b *testing.B, n int) string {
	nb := notebook.New()
	nb.Metadata["kernelspec"] = map[string]any{"name": gonb.Name, "display_name": "Go (gonb)", "language": "go"}
	nb.Cells = []*notebook.Cell{{ID: "print", Type: notebook.Code, Source: "import (\n\"bufio\"\n\"fmt\"\n\"os\"\n)\n\n%%\n" +
		fmt.Sprintf("out := bufio.NewWriter(os.Stdout)\ndefer out.Flush()\nfor i := range %d {\n\tfmt.Fprintf(out, \"line %%94d\\n\", i)\n}", n/100)}}
	file := filepath.Join(b.TempDir(), "printer.ipynb")
	if err := nb.Write(file); err != nil {
		b.Fatal(err)
	}
	return file
}

// A peak is the most memory that a process has had, in MiB.
type peak int64

func (p peak) String() string { return fmt.Sprint(int64(p), " MiB") }

// run runs a program, and notes its memory or that of the largest process that
// it has waited for.
func (p *peak) run(ctx context.Context, dir, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(name), err, strings.TrimSpace(string(out)))
	}
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	*p = max(*p, peak(int64(usage.Maxrss)>>10)) // KiB on Linux
	return nil
}
