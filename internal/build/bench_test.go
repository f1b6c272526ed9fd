package build_test

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
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
	c, err := course.Find()
	if err != nil {
		b.Fatal(err)
	}
	python, dir := testparts.Python(b), b.TempDir()
	tools, err := gonb.Install(b.Context(), c, b.Output())
	if err != nil {
		b.Fatal(err)
	}
	if err := tools.WriteKernelspec(c, dir); err != nil {
		b.Fatal(err)
	}
	b.Setenv("JUPYTER_PATH", dir)
	command := filepath.Join(dir, "manyhands")
	if err := new(peak).run(b.Context(), c.Root, "go", "build", "-o", command, "."); err != nil {
		b.Fatal(err)
	}
	for _, test := range []struct {
		title, file string
		must        float64
	}{
		{"a lesson, 04, executed", c.Path("notebooks", "04-pools.ipynb"), 0.95},
		{"a cell that prints 100 MB", printer(b, 100_000_000), 1},
	} {
		b.Run(filepath.Base(test.file), func(b *testing.B) {
			ours, theirs := filepath.Join(dir, "ours.ipynb"), filepath.Join(dir, "theirs.ipynb")
			var our, their peak
			benchtest.Figure{
				Title: test.title, Plan: measure.Plan{Repeats: 6, Budget: 6 * time.Minute},
				Must: map[string]float64{"nbclient": test.must},
				Notes: func() []string {
					return []string{fmt.Sprintf("the largest process: %s, nbclient's %s", our, their)}
				},
			}.Compare(b,
				measure.Case("go run . build", func(ctx context.Context) error {
					return our.run(ctx, c.Root, command, "build", "--notebook", test.file, "--out", ours)
				}),
				measure.Case("nbclient", func(ctx context.Context) error {
					return their.run(ctx, dir, python, "-m", "nbclient.cli", "--timeout=600", "--output="+theirs, test.file)
				}))
		})
	}
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
