// Package eventloop is the event loop that lesson 08 builds in its cells, as a
// package: so that it has tests and benchmarks of its own, under the race
// detector and a fake clock, and is vetted like all other code.
//
// The cells are the source. loop.go is made of those whose id begins with
// "loop"; a test fails when the two differ, and go generate mends it.
package eventloop

//go:generate go test -run ^TestGenerated/eventloop$ .. -update
