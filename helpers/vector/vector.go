// Package vector finds the largest of many numbers with the vector instructions
// of the standard library's experiment simd/archsimd, written out in Go.
//
// It exists because a cell cannot hold such code itself: without the experiment,
// or for another processor than amd64, that package does not compile. This one
// always does, and says what is missing. The experiment is Go 1.26's, and set
// while compiling:
//
//	GOEXPERIMENT=simd go test -bench . ./helpers/vector
package vector

import "errors"

var (
	// ErrMissing is the error where this program has no vector instructions; its
	// text says why.
	ErrMissing = errors.New(missing)

	ErrEmpty = errors.New("vector: no numbers have no maximum: give Max at least one")
)
