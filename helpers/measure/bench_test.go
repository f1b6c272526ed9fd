package measure_test

import (
	"fmt"
	"testing"
	"time"

	"manyhands/helpers/measure"
)

// BenchmarkCall reports what an empty call is charged, in ns.
func BenchmarkCall(b *testing.B) {
	for b.Loop() {
		c := measure.Plan{Repeats: 6}.Compare(measure.Case("nothing", func() {}))
		b.ReportMetric(c.Results[0].Median().Value*1e9, "ns/call")
	}
}

// BenchmarkRepeat reports what a repeat takes beyond its case, in µs: collecting
// garbage, above all.
func BenchmarkRepeat(b *testing.B) {
	const repeats = 20
	const nap = 10 * time.Millisecond
	for b.Loop() {
		start := time.Now()
		c := measure.Plan{Repeats: repeats, Cold: true}.Compare(measure.Case("nap", sleep(nap)))
		cost := time.Since(start).Seconds()/repeats - c.Results[0].Median().Value
		b.ReportMetric(cost*1e6, "µs/repeat")
	}
}

func BenchmarkKeep(b *testing.B) {
	for b.Loop() {
		measure.Keep(b)
	}
}

func BenchmarkString(b *testing.B) {
	for _, n := range []int{10, 50} {
		c := measure.Compare(measure.Samples("a", seconds(n, 1)...), measure.Samples("b", seconds(n, 2)...))
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			for b.Loop() {
				_ = c.String()
			}
		})
	}
}
