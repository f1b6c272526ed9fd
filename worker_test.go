package main

import (
	"context"
	"testing"
	"unsafe"

	"manyhands/helpers/cluster"
	"manyhands/internal/brokerd"
)

// TestWorker has a pool without workers of its own get its results from the
// command, which is another machine's as far as the two can tell.
func TestWorker(t *testing.T) {
	b, err := brokerd.Start("nats")
	if err != nil {
		t.Fatal(err)
	}
	defer b.Stop()
	t.Setenv("NATS_URL", b.URL)
	ctx, interrupt := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- (&workerCommand{Queue: "class"}).Run(ctx) }()

	pool, err := largestSent.Start(ctx, cluster.Options{Name: "class", Workers: cluster.None, Tries: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	numbers := []float64{3, 1, 4, 1, 5}
	largest, err := pool.Call(ctx, unsafe.Slice((*byte)(unsafe.Pointer(&numbers[0])), 8*len(numbers)))
	if err != nil || largest != 5 {
		t.Errorf("the largest is %v, %v", largest, err)
	}
	if _, err := pool.Call(ctx, nil); err == nil {
		t.Error("no bytes have a largest number")
	}
	interrupt()
	if err := <-ended; err != nil {
		t.Error("interrupted:", err)
	}
}
