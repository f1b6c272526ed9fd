package ledger_test

import (
	"testing"

	"manyhands/helpers/ledger"
)

// BenchmarkRecord reports the cost of a line of ten values.
func BenchmarkRecord(b *testing.B) {
	notebook(b)
	values := make([]float64, 10)
	for b.Loop() {
		if err := ledger.Record("in a row", "s", values...); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRead reports the cost of reading, in ns a line of the ledger.
func BenchmarkRead(b *testing.B) {
	notebook(b)
	const lines = 1000
	for range lines {
		record(b, "in a row", 1)
	}
	for b.Loop() {
		if _, err := ledger.Read("in a row"); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/lines, "ns/line")
}
