//go:build unix

package cluster_test

import (
	"context"
	"testing"

	"manyhands/helpers/cluster"
	"manyhands/helpers/process"
)

// BenchmarkEmpty is a job that does nothing: one after the other, and many at
// once. The server is in the same process as the program, the worker in another.
func BenchmarkEmpty(b *testing.B) {
	b.Run("call", func(b *testing.B) {
		pool := open(b, nothing, cluster.Options{Workers: 1})
		for b.Loop() {
			if _, err := pool.Call(b.Context(), struct{}{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("map", func(b *testing.B) {
		pool := open(b, nothing, cluster.Options{Workers: 2})
		pool.Call(b.Context(), struct{}{}) // the workers are ready
		b.ResetTimer()
		if _, err := pool.Map(b.Context(), make([]struct{}, b.N)); err != nil {
			b.Fatal(err)
		}
	})
}

// BenchmarkMaximum finds the largest of 4 million numbers in shared memory, in
// eight chunks, by a pool of this package and by one of processes.
func BenchmarkMaximum(b *testing.B) {
	array, err := process.NewShared[float64](4_000_000)
	if err != nil {
		b.Fatal(err)
	}
	defer array.Close()
	chunks := make([]chunk, 8)
	for i := range chunks {
		chunks[i] = chunk{array, i * 500_000, (i + 1) * 500_000}
	}
	find := func(find func(context.Context, []chunk) ([]float64, error)) func(*testing.B) {
		return func(b *testing.B) {
			for b.Loop() {
				if _, err := find(b.Context(), chunks); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	b.Run("cluster", find(open(b, largest, cluster.Options{Workers: 4}).Map))
	pool, err := largestThere.Start(process.Options{Workers: 4})
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	b.Run("processes", find(pool.Map))
}

var largestThere = process.Register("largest", most)
