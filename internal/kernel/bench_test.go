package kernel_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"manyhands/helpers/measure"
	"manyhands/internal/benchtest"
	"manyhands/internal/kernel"
)

// A cell to measure: what it declares, and what it does. The constant now is
// another at each run, as Go would not even link the same program again.
type cell struct {
	name, declares, does string
	must                 float64 // how many times as fast as go build and a run
}

var cells = []cell{
	{"trivial", `import "fmt"`, `fmt.Println("hello", now)`, 1 / 1.25},
	{"chart", "import (\n\"manyhands/helpers/chart\"\n\"manyhands/helpers/measure\"\n)",
		`chart.Bars(measure.Compare(measure.Samples("a", 1, 2, 3), measure.Samples("b", now, 2, 2))).Show()`, 1 / 1.5},
	{"net-http", "import (\n\"fmt\"\n\"net/http\"\n)", `fmt.Println(http.StatusText(200), now)`, 0},
	{"twenty-definitions", twenty(), `fmt.Println(f19(now))`, 0},
}

// twenty declares twenty functions that call each other.
func twenty() string {
	var b strings.Builder
	b.WriteString("import \"fmt\"\nfunc f0(x float64) float64 { return x }\n")
	for i := 1; i < 20; i++ {
		fmt.Fprintf(&b, "func f%d(x float64) float64 { return f%d(x) + %[1]d }\n", i, i-1)
	}
	return b.String()
}

// BenchmarkCell compares a cell, from sending it to its outputs, with go build
// and a run of the same program, without and with the settings by which the course
// makes builds quicker: against the second, what is left is what the kernel adds.
// "GoNB as it installs itself" is the same cell without the course's settings.
func BenchmarkCell(b *testing.B) {
	benchmarkCells(b, "", measure.Plan{Repeats: 20}, func() error { return nil })
}

// BenchmarkCellCold does the same with an empty build cache, which the lab
// spares its students: it fills the cache before they come.
func BenchmarkCellCold(b *testing.B) {
	cache := b.TempDir()
	b.Setenv("GOCACHE", cache)
	benchmarkCells(b, ", Go's build cache empty", measure.Plan{Repeats: 1, Cold: true, Budget: 10 * time.Minute}, func() error {
		entries, err := filepath.Glob(filepath.Join(cache, "*"))
		for _, entry := range entries {
			if err == nil {
				err = os.RemoveAll(entry)
			}
		}
		return err
	})
}

func benchmarkCells(b *testing.B, how string, plan measure.Plan, prepare func() error) {
	stock := kernel.Spec{
		Argv: []string{filepath.Join(toolchain.Bin, "gonb"), "-kernel", "{connection_file}", "-go_work=" + here.Root},
		Env:  []string{"PATH=" + toolchain.Bin + ":" + os.Getenv("PATH"), "GOFLAGS=", mark},
	}
	for _, cell := range cells {
		b.Run(cell.name, func(b *testing.B) {
			ours, theirs := open(b, spec()), open(b, stock)
			plain, tuned := cell.program(b, nil), cell.program(b, []string{"GOFLAGS=-ldflags=-s", "GOGC=400"})
			f := benchtest.Figure{Title: "a cell, " + strings.ReplaceAll(cell.name, "-", " ") + how, Plan: plan}
			if cell.must > 0 && how == "" {
				f.Must = map[string]float64{"go build and run": cell.must}
			}
			in := func(run func(context.Context) error) func(context.Context) error {
				return func(ctx context.Context) error {
					if err := prepare(); err != nil {
						return err
					}
					return run(ctx)
				}
			}
			f.Compare(b,
				measure.Case("the course's kernel", in(func(ctx context.Context) error { return cell.execute(ctx, ours) })),
				measure.Case("go build and run", in(plain)),
				measure.Case("the same, with the course's settings", in(tuned)),
				measure.Case("GoNB as it installs itself", in(func(ctx context.Context) error { return cell.execute(ctx, theirs) })))
		})
	}
}

func now() string { return "\nconst now = " + time.Now().Format("150405.000000000") + "\n" }

func (c cell) execute(ctx context.Context, k *kernel.Kernel) error {
	_, err := k.Execute(ctx, c.declares+now()+"%%\n"+c.does, kernel.Options{})
	return err
}

// program returns a function that builds and runs the cell as a program, in a
// module that shares a workspace with the course, as GoNB does, with settings in
// its environment.
func (c cell) program(b *testing.B, settings []string) func(context.Context) error {
	dir := b.TempDir()
	command := func(ctx context.Context, name string, args ...string) error {
		cmd := exec.CommandContext(ctx, name, args...)
		cmd.Dir = dir
		cmd.Env = append(append(os.Environ(), "GOFLAGS=", "GOWORK="), settings...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", cmd, err, out)
		}
		return nil
	}
	for _, args := range [][]string{{"mod", "init", "plain"}, {"work", "init", ".", here.Root}} {
		if err := command(b.Context(), "go", args...); err != nil {
			b.Fatal(err)
		}
	}
	return func(ctx context.Context) error {
		source := "package main\n" + c.declares + now() + "func main() {\n" + c.does + "\n}\n"
		if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(source), 0o600); err != nil {
			return err
		}
		if err := command(ctx, "go", "build", "-o", "plain"); err != nil {
			return err
		}
		return command(ctx, "./plain")
	}
}

// BenchmarkStart is a kernel's life without a cell.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		k, err := kernel.Start(b.Context(), spec(), b.TempDir())
		if err != nil {
			b.Fatal(err)
		}
		if err := k.Close(); err != nil {
			b.Fatal(err)
		}
	}
}

func open(b *testing.B, s kernel.Spec) *kernel.Kernel {
	k, err := kernel.Start(b.Context(), s, b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { k.Close() })
	run(b, k, "%%\nfmt.Print()")
	return k
}
