package scaling_test

import (
	"testing"

	"manyhands/helpers/scaling"
)

// BenchmarkDo proves the cost that the package's comment states.
func BenchmarkDo(b *testing.B) {
	points := measured(scaling.USL, []float64{0.04, 0.004}, 0.02, 1, 2, 4, 8, 16, 32)
	for b.Loop() {
		if _, err := scaling.Do(scaling.USL, points...); err != nil {
			b.Fatal(err)
		}
	}
}
