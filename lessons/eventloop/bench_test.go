package eventloop_test

import (
	"testing"
	"time"

	"manyhands/lessons/eventloop"
)

// BenchmarkSleepers fails when 10 000 sleepers of a second take more than 1.2 s.
func BenchmarkSleepers(b *testing.B) {
	for b.Loop() {
		loop, start := eventloop.NewLoop(), time.Now()
		for range 10_000 {
			after(loop, time.Second)
		}
		loop.Run()
		if took := time.Since(start); took > 1200*ms {
			b.Errorf("10 000 sleepers of 1 s took %v, over 1.2 s", took)
		}
	}
}

// BenchmarkAwait is what it costs to hand a value from one coroutine to another.
func BenchmarkAwait(b *testing.B) {
	loop, there, back := eventloop.NewLoop(), new(eventloop.Queue[int]), new(eventloop.Queue[int])
	eventloop.Go(loop, func(co *eventloop.Coroutine) int {
		for b.Loop() {
			there.Put(1)
			eventloop.Await(co, back.Get())
		}
		there.Put(0)
		return 0
	})
	eventloop.Go(loop, func(co *eventloop.Coroutine) int {
		for eventloop.Await(co, there.Get()) > 0 {
			back.Put(1)
		}
		return 0
	})
	loop.Run()
}

// BenchmarkCoroutine is what it costs to start a coroutine that ends at once.
func BenchmarkCoroutine(b *testing.B) {
	loop := eventloop.NewLoop()
	for b.Loop() {
		eventloop.Go(loop, func(*eventloop.Coroutine) int { return 0 })
		loop.Run()
	}
}
