package eventloop_test

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"manyhands/lessons/eventloop"
)

const ms = time.Millisecond

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// run runs body as a coroutine, on a loop of its own and under a fake clock, and
// returns its result and the time that passed.
func run[T any](t *testing.T, body func(*eventloop.Loop, *eventloop.Coroutine) T) (result T, took time.Duration) {
	t.Helper()
	synctest.Test(t, func(*testing.T) {
		loop, start := eventloop.NewLoop(), time.Now()
		f := eventloop.Go(loop, func(co *eventloop.Coroutine) T { return body(loop, co) })
		loop.Run()
		result, took = f.Value, time.Since(start)
		if !f.Done {
			t.Error("Run returned before its coroutine")
		}
	})
	return result, took
}

// after starts a coroutine that returns d when d has passed.
func after(l *eventloop.Loop, d time.Duration) *eventloop.Future[time.Duration] {
	return eventloop.Go(l, func(co *eventloop.Coroutine) time.Duration { co.Sleep(d); return d })
}

func TestOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []int
		note := func(i int) func() { return func() { got = append(got, i) } }
		loop, start := eventloop.NewLoop(), time.Now()
		for _, i := range []int{7, 3, 9, 4, 6, 8, 5} {
			loop.After(time.Duration(i)*ms, note(i))
		}
		loop.Soon(func() { loop.Soon(func() {}); loop.Soon(note(2)); note(0)() }) // what is made ready waits for its round
		loop.Soon(note(1))
		loop.Run()
		if want := []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}; !slices.Equal(got, want) {
			t.Errorf("called in the order %v", got)
		}
		if took := time.Since(start); took != 9*ms {
			t.Errorf("took %v; want 9ms", took)
		}
	})
}

func TestSleepersSleepAtTheSameTime(t *testing.T) {
	woken, took := run(t, func(l *eventloop.Loop, co *eventloop.Coroutine) (woken int) {
		sleepers := make([]*eventloop.Future[time.Duration], 10_000)
		for i := range sleepers {
			sleepers[i] = after(l, time.Second)
		}
		return len(eventloop.Gather(co, sleepers...))
	})
	if woken != 10_000 || took != time.Second {
		t.Errorf("%d woke up after %v; want 10000 after 1s", woken, took)
	}
}

func TestGatherKeepsOrder(t *testing.T) {
	got, took := run(t, func(l *eventloop.Loop, co *eventloop.Coroutine) []time.Duration {
		return eventloop.Gather(co, after(l, 3*ms), after(l, 1*ms), after(l, 2*ms))
	})
	if want := []time.Duration{3 * ms, 1 * ms, 2 * ms}; !slices.Equal(got, want) || took != 3*ms {
		t.Errorf("%v after %v; want %v after 3ms", got, took, want)
	}
}

func TestCompleted(t *testing.T) {
	for _, tt := range []struct{ most, took int }{{1, 1}, {2, 2}, {3, 3}} {
		t.Run(fmt.Sprint(tt.most), func(t *testing.T) {
			var at time.Duration // when the loop over the values ended
			got, _ := run(t, func(l *eventloop.Loop, co *eventloop.Coroutine) (got []int) {
				start := time.Now()
				for i, d := range eventloop.Completed(co, after(l, 3*ms), after(l, 1*ms), after(l, 2*ms)) {
					if d != []time.Duration{3 * ms, 1 * ms, 2 * ms}[i] {
						t.Errorf("future %d has brought %v", i, d)
					}
					if got = append(got, i); len(got) == tt.most {
						break
					}
				}
				at = time.Since(start)
				return got
			})
			if want := []int{1, 2, 0}[:tt.most]; !slices.Equal(got, want) || at != time.Duration(tt.took)*ms {
				t.Errorf("%v after %v; want %v after %d ms", got, at, want, tt.took)
			}
		})
	}
}

func TestWhatIsDoneIsNotWaitedFor(t *testing.T) {
	run(t, func(l *eventloop.Loop, co *eventloop.Coroutine) int {
		f, others := after(l, 1*ms), 0
		eventloop.Await(co, f)
		l.Soon(func() { others++ })
		eventloop.Await(co, f)
		for i, d := range eventloop.Completed(co, f) {
			if i != 0 || d != 1*ms || others > 0 {
				t.Errorf("future %d brings %v, and %d others ran before", i, d, others)
			}
			return 0
		}
		t.Error("a future that was done was not yielded")
		return 0
	})
}

func TestOnlyTheFirstValueCounts(t *testing.T) {
	f, calls := new(eventloop.Future[int]), 0
	f.Then(func() { calls++ })
	f.Resolve(1)
	f.Resolve(2)
	f.Then(func() { calls += 10 })
	if f.Value != 1 || calls != 11 {
		t.Errorf("value %d, calls %d; want 1 and 11", f.Value, calls)
	}
}

func TestQueue(t *testing.T) {
	for _, tt := range []struct {
		name          string
		takers, makes time.Duration // when the first of them comes
	}{{"values first", 1 * ms, 0}, {"takers first", 0, 1 * ms}} {
		t.Run(tt.name, func(t *testing.T) {
			q, got := new(eventloop.Queue[int]), make([]int, 3)
			run(t, func(l *eventloop.Loop, co *eventloop.Coroutine) int {
				for i := range got {
					eventloop.Go(l, func(co *eventloop.Coroutine) int {
						co.Sleep(tt.takers + time.Duration(i))
						got[i] = eventloop.Await(co, q.Get())
						return 0
					})
				}
				co.Sleep(tt.makes)
				for i := range got {
					q.Put(i + 1)
				}
				return 0
			})
			if !slices.Equal(got, []int{1, 2, 3}) {
				t.Errorf("the takers got %v, in the order they came; want 1 2 3", got)
			}
		})
	}
}

// TestCall has a coroutine wait for what is ready already, over and over, so
// that the loop never has to wait, while a pool makes calls.
func TestCall(t *testing.T) {
	pool := eventloop.NewPool(2)
	defer pool.StopAndWait()
	loop, turns := eventloop.NewLoop(), 0
	release := make(chan int)
	calls := eventloop.Go(loop, func(co *eventloop.Coroutine) []int {
		return eventloop.Gather(co, eventloop.Call(loop, pool, func() int { return <-release }), eventloop.Call(loop, pool, func() int { return <-release }))
	})
	eventloop.Go(loop, func(co *eventloop.Coroutine) int {
		for ; !calls.Done; turns++ {
			if turns == 5 {
				close(release)
			}
			soon := new(eventloop.Future[int])
			loop.Soon(func() { soon.Resolve(0) })
			eventloop.Await(co, soon)
		}
		return 0
	})
	loop.Run()
	if !slices.Equal(calls.Value, []int{0, 0}) || turns <= 5 {
		t.Errorf("the calls brought %v, with %d turns meanwhile", calls.Value, turns)
	}
}

// TestRunWaitsForCalls has nothing ready and no timer left while the pool makes
// its call.
func TestRunWaitsForCalls(t *testing.T) {
	pool := eventloop.NewPool(1)
	defer pool.StopAndWait()
	loop, release := eventloop.NewLoop(), make(chan int)
	f := eventloop.Call(loop, pool, func() int { return <-release })
	loop.After(1*ms, func() { time.AfterFunc(5*ms, func() { release <- 3 }) })
	loop.Run()
	if f.Value != 3 {
		t.Errorf("the call brought %d", f.Value)
	}
}

func TestCallOnAStoppedPool(t *testing.T) {
	pool := eventloop.NewPool(1)
	pool.StopAndWait()
	if got := panics(func() { eventloop.Call(eventloop.NewLoop(), pool, func() int { return 1 }) }); got == nil {
		t.Error("no panic")
	}
}

func TestDeadlock(t *testing.T) {
	loop, f := eventloop.NewLoop(), new(eventloop.Future[int])
	result := eventloop.Go(loop, func(co *eventloop.Coroutine) int { return eventloop.Await(co, f) })
	if got, want := fmt.Sprint(panics(loop.Run)), "deadlock: nothing is left that could wake the coroutines that wait"; got != want {
		t.Errorf("panic %q; want %q", got, want)
	}
	f.Resolve(3)
	loop.Run()
	if result.Value != 3 {
		t.Errorf("the coroutine went on with %d", result.Value)
	}
}

func TestPanicReachesRun(t *testing.T) {
	loop := eventloop.NewLoop()
	eventloop.Go(loop, func(co *eventloop.Coroutine) int { co.Sleep(1 * ms); panic("spilt") })
	if got := panics(loop.Run); got != "spilt" {
		t.Errorf("panic %v", got)
	}
}

// TestPanicWhileAway has a coroutine panic while the pool makes a call: the pool can
// still be stopped.
func TestPanicWhileAway(t *testing.T) {
	pool, loop := eventloop.NewPool(1), eventloop.NewLoop()
	release, stopped := make(chan int), make(chan struct{})
	eventloop.Call(loop, pool, func() int { return <-release })
	eventloop.Go(loop, func(*eventloop.Coroutine) int { close(release); panic("spilt") })
	if got := panics(loop.Run); got != "spilt" {
		t.Errorf("panic %v", got)
	}
	go func() { pool.StopAndWait(); close(stopped) }()
	select {
	case <-stopped:
	case <-time.After(time.Minute):
		t.Fatal("the pool waits for a loop that has ended")
	}
}

// panics returns what f panics with.
func panics(f func()) (value any) {
	defer func() { value = recover() }()
	f()
	return nil
}
