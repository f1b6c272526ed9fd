//go:build goexperiment.simd && amd64

package vector

import "simd/archsimd"

const missing = "vector: this processor has no AVX2: use a plain loop"

// Max returns the largest of xs. It keeps sixteen maxima, four in each of four
// vectors, as with one vector every instruction would wait for the result of the
// last. It may ignore NaN, as VMAXPD does (Intel's Software Developer's Manual,
// volume 2).
func Max(xs []float64) (float64, error) {
	switch {
	case len(xs) == 0:
		return 0, ErrEmpty
	case !archsimd.X86.AVX2():
		return 0, ErrMissing
	}
	a := archsimd.BroadcastFloat64x4(xs[0])
	b, c, d := a, a, a
	for len(xs) >= 16 {
		a = a.Max(archsimd.LoadFloat64x4Slice(xs))
		b = b.Max(archsimd.LoadFloat64x4Slice(xs[4:]))
		c = c.Max(archsimd.LoadFloat64x4Slice(xs[8:]))
		d = d.Max(archsimd.LoadFloat64x4Slice(xs[12:]))
		xs = xs[16:]
	}
	var four [4]float64
	a.Max(b).Max(c.Max(d)).StoreSlice(four[:])
	m := max(four[0], four[1], four[2], four[3])
	for _, x := range xs {
		m = max(m, x)
	}
	return m, nil
}
