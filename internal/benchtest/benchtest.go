// Package benchtest is what the benchmarks of `go run . bench` are written in:
// it measures the course's case and its peers turn by turn, and hands over what
// it found.
package benchtest

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"manyhands/helpers/measure"
	"manyhands/internal/bench"
	"manyhands/internal/course"
	"manyhands/internal/testparts"
)

// A Figure says what to measure, and what is to be reached.
type Figure struct {
	Title string
	Plan  measure.Plan       // the zero plan means 10 rounds, in half a minute
	Must  map[string]float64 // by a case's name: how many times as fast as it the first case must be
	Each  int                // the calls, tasks and so on of a case, if its cost is to be told for each
	Notes func() []string    // what was measured beside the times; may be nil
}

// Compare measures the cases, the course's own first, and reports how many
// times as fast as each of the others it is (x-NAME). With -v it prints a table,
// with -short it measures one round only.
func (f Figure) Compare(b *testing.B, cases ...measure.Alternative) {
	b.Helper()
	if f.Plan.Budget == 0 {
		f.Plan.Budget = 30 * time.Second
	}
	if f.Plan.Limit == 0 {
		f.Plan.Limit = 10 * time.Minute // peers may be slow, machines busy
	}
	if testing.Short() {
		f.Plan.Repeats, f.Plan.Cold = 1, true
	}
	figure := bench.Figure{Benchmark: b.Name(), Title: f.Title, Must: f.Must, Each: f.Each}
	for b.Loop() {
		c, err := f.Plan.Run(b.Context(), cases...)
		if err != nil {
			b.Fatal(err)
		}
		b.Log("\n" + c.String())
		figure.Results = c.Results
	}
	f.report(b, figure)
}

// Report hands over what a benchmark has measured by itself, as cases that do
// unlike amounts of work need: times in seconds for one of each, by turns.
func (f Figure) Report(b *testing.B, results ...measure.Result) {
	f.report(b, bench.Figure{Benchmark: b.Name(), Title: f.Title, Must: f.Must, Each: f.Each, Results: results})
}

func (f Figure) report(b *testing.B, figure bench.Figure) {
	if f.Notes != nil {
		figure.Notes = f.Notes()
	}
	for i, r := range figure.Results {
		if i > 0 {
			b.ReportMetric(figure.Ratio(i).Value, "x-"+strings.ReplaceAll(r.Name, " ", "-"))
		}
	}
	b.ReportMetric(0, "ns/op") // of all of it: no figure
	for name := range f.Must {
		if !slices.ContainsFunc(figure.Results, func(r measure.Result) bool { return r.Name == name }) {
			b.Errorf("%q must be reached, but no case has this name", name)
		}
	}
	handOver(b, figure)
}

// handOver gives a figure to the command, if that is who listens.
func handOver(b *testing.B, f bench.Figure) {
	data, err := json.Marshal(f)
	if err != nil {
		b.Fatal(err)
	}
	b.Attr(bench.Attr, string(data))
}

// Twin starts a program of bench/python with the course's own Python and
// returns a function that has one of its functions called, by its name and
// arguments, and checks the answer. The program ends with the benchmark.
func Twin(b testing.TB, program string) func(want any, function string, arguments ...any) error {
	b.Helper()
	c, err := course.Find()
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(testparts.Python(b), c.Path("bench", "python", program))
	cmd.Env = append(os.Environ(), fmt.Sprint("GOMAXPROCS=", runtime.GOMAXPROCS(0))) // twin.py uses as many
	cmd.Stderr = b.Output()
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	cmd.WaitDelay = time.Second
	b.Cleanup(func() {
		in.Close() // it ends its own processes and then itself
		cmd.Wait()
	})
	answers := bufio.NewReader(out)
	return func(want any, function string, arguments ...any) error {
		words := function
		for _, a := range arguments {
			words += fmt.Sprint("\t", a)
		}
		if _, err := fmt.Fprintln(in, words); err != nil {
			return fmt.Errorf("ask %s for %s: %w", program, function, err)
		}
		if answer, err := answers.ReadString('\n'); err != nil || answer != fmt.Sprintln(want) {
			return fmt.Errorf("%s of %s says %q instead of %v: %v", function, program, answer, want, err)
		}
		return nil
	}
}
