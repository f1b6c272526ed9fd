//go:build !(goexperiment.simd && amd64)

package vector

const missing = "vector: compiled without GOEXPERIMENT=simd, or for another processor than amd64: use a plain loop"

// Max returns [ErrMissing].
func Max([]float64) (float64, error) { return 0, ErrMissing }
