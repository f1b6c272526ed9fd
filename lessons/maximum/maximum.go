// Code generated from the cells of lessons/06-burning.md by go generate. DO NOT EDIT.

package maximum

import (
	"bytes"
	"manyhands/helpers/workload"
	"math"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"unsafe"
)

// atOnce runs the tasks 0 to n-1 in a goroutine each.
func atOnce(n int, task func(i int)) {
	var group sync.WaitGroup
	for i := range n {
		group.Go(func() { task(i) })
	}
	group.Wait()
}

// fill makes n random numbers between 0 and 1, the same ones on any number of cores.
func fill(n int) []float64 {
	const part = 1 << 20
	xs := make([]float64, n)
	workload.HugePages(xs)
	atOnce((n+part-1)/part, func(i int) {
		workload.Fill(xs[i*part:min((i+1)*part, n)], uint64(i))
	})
	return xs
}

// four finds the largest of xs by four maxima side by side.
func four(xs []float64) float64 {
	if len(xs) == 0 {
		panic("four needs at least one number")
	}
	a, b, c, d := xs[0], xs[0], xs[0], xs[0]
	for ; len(xs) >= 4; xs = xs[4:] {
		a, b, c, d = max(a, xs[0]), max(b, xs[1]), max(c, xs[2]), max(d, xs[3])
	}
	for _, last := range xs { // at most three
		a = max(a, last)
	}
	return max(a, b, c, d)
}

// inChunks finds the largest of xs. A goroutine for each core takes one chunk of the given
// size after the other, and searches it by find.
func inChunks(xs []float64, size int, find func([]float64) float64) float64 {
	if len(xs) == 0 || size < 1 {
		panic("inChunks needs at least one number, and chunks of at least one")
	}
	var next atomic.Int64
	results := make([]float64, runtime.GOMAXPROCS(0))
	atOnce(len(results), func(i int) {
		largest := math.Inf(-1)
		for {
			end := int(next.Add(int64(size)))
			if end-size >= len(xs) {
				break
			}
			largest = max(largest, find(xs[end-size:min(end, len(xs))]))
		}
		results[i] = largest
	})
	return slices.Max(results)
}

// countBytes reads all of xs, as bytes.
func countBytes(xs []float64) float64 {
	b := unsafe.Slice((*byte)(unsafe.Pointer(unsafe.SliceData(xs))), 8*len(xs))
	return float64(bytes.Count(b, []byte{7}))
}
