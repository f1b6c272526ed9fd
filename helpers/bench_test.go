package helpers_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"manyhands/helpers/measure"
)

// cells are programs as GoNB makes them of cells, and what they may cost: the
// time to build one, as a multiple of the one that prints a line.
var cells = []struct {
	name, unit string
	budget     float64
	imports    []string
	body       string
}{
	{"one line", "", 1, []string{"fmt"}, `fmt.Println("hello", cell)`},
	{"measure and ledger", "measure+ledger", 1.5, []string{"fmt", "manyhands/helpers/ledger", "manyhands/helpers/measure"}, `
		c := measure.Compare(measure.Case("a", func() {}), measure.Case("b", func() { measure.Keep(cell) }))
		fmt.Print(c, c.Record(ledger.Record))
		fmt.Println(ledger.Read("a"))`},
	{"timeline", "timeline", 2, []string{"fmt", "time", "manyhands/helpers/timeline"}, `
		var r timeline.Recorder
		fmt.Println(timeline.CPU(time.Second, func() {
			fmt.Println(timeline.Trace(func() { r.Start("lane", "task").End() }))
		}))
		fmt.Println(r.Timeline())`},
	{"all with a chart", "all+chart", 3, []string{"manyhands/helpers/chart", "manyhands/helpers/ledger",
		"manyhands/helpers/measure", "manyhands/helpers/timeline", "manyhands/helpers/workload"}, `
		s, err := timeline.Trace(func() { workload.Slow(cell) })
		if err != nil {
			panic(err)
		}
		chart.Lanes(s.Goroutines).Show()
		c := measure.Compare(measure.Case("a", func() {}))
		chart.Bars(c).Show()
		if err := c.Record(ledger.Record); err != nil {
			panic(err)
		}`},
}

// BenchmarkCell reports how long cells take to build, as multiples of a cell
// that prints one line (x-NAME), with the settings of the course's kernel and
// interleaved. It fails when a whole interval is over budget. Run it with
// -benchtime 1x -v to see the table.
func BenchmarkCell(b *testing.B) {
	b.Setenv("GOFLAGS", "-ldflags=-s")
	b.Setenv("GOGC", "400")
	workspace(b)
	for b.Loop() {
		alternatives := make([]measure.Alternative, len(cells))
		for i, cell := range cells {
			builds := 0
			alternatives[i] = measure.Case(cell.name, func(ctx context.Context) error {
				builds++
				return build(ctx, cell.imports, fmt.Sprintf("const cell = %d\n%s", builds, cell.body))
			})
		}
		c, err := measure.Plan{Repeats: 8, Budget: time.Minute}.Run(b.Context(), alternatives...)
		if err != nil {
			b.Fatal(err)
		}
		b.Logf("\n%s", c)
		for i, cell := range cells[1:] {
			times := c.Results[0].SpeedUp(c.Results[i+1])
			b.ReportMetric(times.Value, "x-"+cell.unit)
			if times.Known && times.Lo > cell.budget {
				b.Errorf("a cell with %s takes %.2f times (%.2f to %.2f) one that prints a line, over its budget of %.1f",
					cell.name, times.Value, times.Lo, times.Hi, cell.budget)
			}
		}
	}
}

// workspace moves to a fresh module that sees this one through a go.work, as
// GoNB's does.
func workspace(b *testing.B) {
	root, err := filepath.Abs("..")
	if err != nil {
		b.Fatal(err)
	}
	b.Chdir(b.TempDir())
	b.Setenv("GOWORK", "")
	for name, content := range map[string]string{
		"go.mod":  "module cell\n\ngo 1.26\n",
		"go.work": fmt.Sprintf("go 1.26.0\n\nuse (\n\t.\n\t%q\n)\n", root),
	} {
		if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
			b.Fatal(err)
		}
	}
}

// build compiles and links a cell in the working directory.
func build(ctx context.Context, imports []string, body string) error {
	source := fmt.Sprintf("package main\n\nimport (\n%s)\n\nfunc main() {\n%s\n}\n", quoted(imports), body)
	if err := os.WriteFile("main.go", []byte(source), 0o644); err != nil {
		return err
	}
	if out, err := exec.CommandContext(ctx, "go", "build", "-o", "cell", ".").CombinedOutput(); err != nil {
		return fmt.Errorf("%w\n%s", err, out)
	}
	return nil
}

func quoted(imports []string) string {
	lines := ""
	for _, path := range imports {
		lines += fmt.Sprintf("\t%q\n", path)
	}
	return lines
}
