package chart_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"manyhands/helpers/chart"
	"manyhands/helpers/timeline"
)

// BenchmarkChart tells what a chart costs its cell before it is sent, and the bytes that it adds to the notebook
// without its picture.
func BenchmarkChart(b *testing.B) {
	comparison := compared(result("in a row", 10), result("five at once", 2), result("pool", 3))
	spans := many(8, 12_500)
	usage := &timeline.Usage{}
	for i := range 300 {
		usage.At = append(usage.At, time.Duration(i+1)*100*time.Millisecond)
	}
	for range 16 {
		usage.Cores = append(usage.Cores, make([]float64, 300))
	}
	latencies := make([]time.Duration, 100_000)
	for i := range latencies {
		latencies[i] = time.Duration(rand.ExpFloat64() * float64(time.Millisecond))
	}
	for name, draw := range map[string]func() chart.Chart{
		"bars":                    func() chart.Chart { return chart.Bars(comparison) },
		"lanes, 100 000 spans":    func() chart.Chart { return chart.Lanes(spans) },
		"cpu, 16 cores, 30 s":     func() chart.Chart { return chart.CPU(usage) },
		"distribution of 100 000": func() chart.Chart { return chart.Distribution(chart.Durations("latency", latencies)) },
		"speed-up with a curve": func() chart.Chart {
			return chart.SpeedUp([]int{1, 2, 3}, comparison, chart.Curve{Name: "law", At: math.Sqrt})
		},
	} {
		b.Run(name, func(b *testing.B) {
			var bundle map[string]any
			for b.Loop() {
				var err error
				if bundle, err = draw().Bundle(); err != nil {
					b.Fatal(err)
				}
			}
			data, err := json.Marshal(bundle)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportMetric(float64(len(data)), "bytes")
		})
	}
}
