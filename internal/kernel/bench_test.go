package kernel_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"manyhands/internal/kernel"
)

// BenchmarkCell compares a cell, from sending it to its outputs, with go build
// and a run of the same program, in turn: what the kernel adds is the ratio.
// "stock" is the same cell under the settings with which GoNB installs itself.
func BenchmarkCell(b *testing.B) {
	stock := kernel.Spec{
		Argv: []string{filepath.Join(toolchain.Bin, "gonb"), "-kernel", "{connection_file}", "-go_work=" + here.Root},
		Env:  []string{"PATH=" + toolchain.Bin + ":" + os.Getenv("PATH"), "GOFLAGS=", mark},
	}
	for _, cell := range []struct{ name, imports, body string }{
		{"trivial", `import "fmt"`, `fmt.Println("hello", time)`},
		{"chart", "import (\n\"manyhands/helpers/chart\"\n\"manyhands/helpers/measure\"\n)",
			`chart.Bars(measure.Compare(measure.Samples("a", 1, 2, 3), measure.Samples("b", time, 2, 2))).Show()`},
		{"net-http", "import (\n\"fmt\"\n\"net/http\"\n)", `fmt.Println(http.StatusText(200), time)`},
	} {
		b.Run(cell.name, func(b *testing.B) {
			ours, theirs := open(b, spec()), open(b, stock)
			dir := b.TempDir()
			command(b, dir, "go", "mod", "init", "plain")
			command(b, dir, "go", "work", "init", ".", here.Root)
			var times [3][]float64
			clock := func(i int, f func()) {
				start := time.Now()
				f()
				times[i] = append(times[i], time.Since(start).Seconds())
			}
			for b.Loop() {
				// A new constant each time: Go would not even link the same program again.
				now := "const time = " + time.Now().Format("150405.000000")
				source := cell.imports + "\n" + now + "\n%%\n" + cell.body
				program := "package main\n" + cell.imports + "\n" + now + "\nfunc main() {\n" + cell.body + "\n}\n"
				clock(0, func() { run(b, ours, source) })
				clock(1, func() {
					if err := os.WriteFile(filepath.Join(dir, "main.go"), []byte(program), 0o600); err != nil {
						b.Fatal(err)
					}
					command(b, dir, "go", "build", "-ldflags=-s", "-o", "plain")
					command(b, dir, "./plain")
				})
				clock(2, func() { run(b, theirs, source) })
			}
			median := func(i int) float64 {
				slices.Sort(times[i])
				return times[i][len(times[i])/2]
			}
			b.ReportMetric(1e3*median(0), "cell-ms")
			b.ReportMetric(1e3*median(1), "plain-ms")
			b.ReportMetric(1e3*median(2), "stock-ms")
			b.ReportMetric(median(0)/median(1), "cell/plain")
			b.ReportMetric(median(0)/median(2), "cell/stock")
		})
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

func command(b *testing.B, dir, name string, args ...string) {
	cmd := exec.Command(name, args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOGC=400", "GOWORK=")
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%v: %v\n%s", cmd, err, out)
	}
}
