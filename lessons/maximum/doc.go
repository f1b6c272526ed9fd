// Package maximum is the ladder of lesson 06 to the largest of many numbers, as
// a package: so that its rungs have tests and benchmarks.
//
// The cells are the source. maximum.go is made of those whose id begins with
// "maximum"; a test fails when the two differ, and go generate mends it.
package maximum

//go:generate go test -run ^TestGenerated/maximum$ .. -update
