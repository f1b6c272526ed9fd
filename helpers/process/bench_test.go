//go:build unix

package process_test

import (
	"testing"

	"manyhands/helpers/process"
)

// BenchmarkCall is the round trip of a small call to a worker that is ready.
func BenchmarkCall(b *testing.B) {
	p := start(b, square, process.Options{Workers: 1})
	for b.Loop() {
		if _, err := p.Call(b.Context(), 7); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkStart is the time until a pool of two is ready.
func BenchmarkStart(b *testing.B) {
	for b.Loop() {
		p, err := square.Start(process.Options{Workers: 2})
		if err != nil {
			b.Fatal(err)
		}
		b.StopTimer()
		p.Close()
		b.StartTimer()
	}
}

// BenchmarkMap has two workers go over 100 MB, which come by gob or not at all.
func BenchmarkMap(b *testing.B) {
	const n, chunks = 12_500_000, 4
	values := make([]float64, n)
	for i := range values {
		values[i] = float64(i) + 0.1 // no zeros at the end, which gob would leave out
	}
	b.Run("gob", func(b *testing.B) {
		p := start(b, total, process.Options{Workers: 2})
		var parts [][]float64
		for i := range chunks {
			parts = append(parts, values[i*n/chunks:(i+1)*n/chunks])
		}
		b.SetBytes(8 * n)
		for b.Loop() {
			if _, err := p.Map(b.Context(), parts); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("shared", func(b *testing.B) {
		p := start(b, largest, process.Options{Workers: 2})
		array, err := process.Share(values)
		if err != nil {
			b.Fatal(err)
		}
		defer array.Close()
		var parts []chunk
		for i := range chunks {
			parts = append(parts, chunk{array, i * n / chunks, (i + 1) * n / chunks})
		}
		b.SetBytes(8 * n)
		for b.Loop() {
			if _, err := p.Map(b.Context(), parts); err != nil {
				b.Fatal(err)
			}
		}
	})
}
