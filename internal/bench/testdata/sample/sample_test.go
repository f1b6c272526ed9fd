// Package sample has benchmarks of every kind, for the tests of bench.
package sample

import (
	"fmt"
	"os"
	"os/exec"
	"testing"
	"time"

	"manyhands/helpers/measure"
	"manyhands/internal/benchtest"
)

func nap(d time.Duration) func() { return func() { time.Sleep(d) } }

func BenchmarkSecond(b *testing.B) {
	benchtest.Figure{Title: "the second"}.Compare(b, measure.Case("a", nap(time.Millisecond)))
}

func BenchmarkFirst(b *testing.B) {
	b.Run("part", func(b *testing.B) {
		benchtest.Figure{Title: "the first", Must: map[string]float64{"b": 2}, Each: 10, Notes: func() []string { return []string{"a note"} }}.Compare(b,
			measure.Case("a", nap(20*time.Millisecond)), measure.Case("b", nap(200*time.Millisecond)))
	})
}

func BenchmarkSkipped(b *testing.B) { b.Skip("no dask: go run . bench --install") }

func BenchmarkFails(b *testing.B) {
	b.Run("part", func(b *testing.B) { b.Fatal("the peer gave 7 instead of 8") })
}

func BenchmarkNamesNobody(b *testing.B) {
	benchtest.Figure{Must: map[string]float64{"c": 2}}.Compare(b, measure.Case("a", nap(time.Millisecond)))
}

// BenchmarkHangs leaves a file and a process, says so, and goes on for ever.
func BenchmarkHangs(b *testing.B) {
	if err := os.WriteFile(os.TempDir()+"/left", nil, 0o600); err != nil {
		b.Fatal(err)
	}
	child := exec.Command("sleep", "1000")
	if err := child.Start(); err != nil {
		b.Fatal(err)
	}
	ready, err := os.OpenFile(os.Getenv("BENCH_READY"), os.O_WRONLY, 0)
	if err != nil {
		b.Fatal(err)
	}
	fmt.Fprintln(ready, child.Process.Pid, os.TempDir())
	ready.Close()
	select {}
}
