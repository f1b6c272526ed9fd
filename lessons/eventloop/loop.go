// Code generated from the cells of lessons/08-async.md by go generate. DO NOT EDIT.

package eventloop

import (
	"container/heap"
	"github.com/alitto/pond/v2"
	"iter"
	"time"
)

// A Loop calls functions, one after the other, in one goroutine.
type Loop struct {
	ready      []func()    // to be called next: first come, first served
	timers     timers      // to be called later
	inbox      chan func() // to be called, says another goroutine
	away       int         // how many of those will come
	unfinished int         // coroutines
}

// NewLoop returns a loop with nothing to call.
func NewLoop() *Loop { return &Loop{inbox: make(chan func())} }

// Soon has a function called after those that are ready already.
func (l *Loop) Soon(call func()) { l.ready = append(l.ready, call) }

// After has a function called when d has passed.
func (l *Loop) After(d time.Duration, call func()) {
	heap.Push(&l.timers, &timer{time.Now().Add(d), call})
}

// A timer is a function to call at a certain time.
type timer struct {
	at   time.Time
	call func()
}

// timers are a heap, so that timers[0] is the earliest.
type timers []*timer

func (t *timers) Len() int           { return len(*t) }
func (t *timers) Less(i, j int) bool { return (*t)[i].at.Before((*t)[j].at) }
func (t *timers) Swap(i, j int)      { (*t)[i], (*t)[j] = (*t)[j], (*t)[i] }
func (t *timers) Push(x any)         { *t = append(*t, x.(*timer)) }
func (t *timers) Pop() any {
	last := (*t)[len(*t)-1]
	(*t)[len(*t)-1] = nil // or the array would keep it
	*t = (*t)[:len(*t)-1]
	return last
}

// Run calls functions until none is left.
func (l *Loop) Run() {
	defer func() { // where a call panics, wait for those that are away
		for ; l.away > 0; l.away-- {
			<-l.inbox
		}
	}()
	for len(l.ready)+len(l.timers)+l.away > 0 {
		l.wait()
		for len(l.timers) > 0 && time.Until(l.timers[0].at) <= 0 {
			l.Soon(heap.Pop(&l.timers).(*timer).call)
		}
		turn := l.ready
		l.ready = nil
		for _, call := range turn {
			call()
		}
	}
	if l.unfinished > 0 {
		panic("deadlock: nothing is left that could wake the coroutines that wait")
	}
}

// wait waits for the inbox, but only until the first timer is due, and not at all
// if something is ready.
func (l *Loop) wait() {
	var alarm <-chan time.Time // nil, which never rings: only the inbox can wake us
	switch {
	case len(l.ready) > 0:
		alarm = time.After(0)
	case len(l.timers) > 0:
		alarm = time.After(time.Until(l.timers[0].at))
	}
	select {
	case call := <-l.inbox:
		l.away--
		l.Soon(call)
	case <-alarm:
	}
}

// A Future is a value that may not be there yet.
type Future[T any] struct {
	Value T
	Done  bool
	then  []func()
}

// Resolve brings the value. Only the first one counts.
func (f *Future[T]) Resolve(value T) {
	if f.Done {
		return
	}
	f.Value, f.Done = value, true
	for _, call := range f.then {
		call()
	}
}

// Then has a function called when the value is there.
func (f *Future[T]) Then(call func()) {
	if f.Done {
		call()
	} else {
		f.then = append(f.then, call)
	}
}

// A Coroutine is a function that can stop and go on.
type Coroutine struct {
	loop   *Loop
	pause  func() // stop here; called by the coroutine
	resume func() // go on until the next pause; called by the loop
}

// Go starts a coroutine. The future is what body will return.
func Go[T any](l *Loop, body func(*Coroutine) T) *Future[T] {
	result, co := new(Future[T]), &Coroutine{loop: l}
	next, _ := iter.Pull(func(yield func(bool) bool) {
		co.pause = func() { yield(true) }
		result.Resolve(body(co))
		l.unfinished--
	})
	co.resume = func() { next() }
	l.unfinished++
	l.Soon(co.resume)
	return result
}

// Await stops the coroutine until the future has its value.
func Await[T any](co *Coroutine, f *Future[T]) T {
	if !f.Done {
		f.Then(func() { co.loop.Soon(co.resume) })
		co.pause()
	}
	return f.Value
}

// Sleep stops the coroutine for d.
func (co *Coroutine) Sleep(d time.Duration) {
	co.loop.After(d, co.resume)
	co.pause()
}

// Gather waits for all futures and returns their values in the order of the futures.
func Gather[T any](co *Coroutine, futures ...*Future[T]) []T {
	values := make([]T, len(futures))
	for i, f := range futures {
		values[i] = Await(co, f)
	}
	return values
}

// A Queue hands on values, first in, first out.
type Queue[T any] struct {
	values []T
	takers []*Future[T]
}

// Put hands a value to the first who waits for one, or keeps it.
func (q *Queue[T]) Put(value T) {
	if len(q.takers) == 0 {
		q.values = append(q.values, value)
		return
	}
	taker := q.takers[0]
	q.takers = q.takers[1:]
	taker.Resolve(value)
}

// Get returns the next value, which may still have to come.
func (q *Queue[T]) Get() *Future[T] {
	f := new(Future[T])
	if len(q.values) == 0 {
		q.takers = append(q.takers, f)
		return f
	}
	f.Resolve(q.values[0])
	q.values = q.values[1:]
	return f
}

// Completed yields the values as they come, each with the number of its future.
func Completed[T any](co *Coroutine, futures ...*Future[T]) iter.Seq2[int, T] {
	return func(yield func(int, T) bool) {
		finished := new(Queue[int])
		for i, f := range futures {
			f.Then(func() { finished.Put(i) })
		}
		for range futures {
			i := Await(co, finished.Get())
			if !yield(i, futures[i].Value) {
				return
			}
		}
	}
}

// NewPool makes a pool in which up to n calls can block at the same time.
func NewPool(n int) pond.Pool { return pond.NewPool(n, pond.WithoutPanicRecovery()) }

// Call has the pool make a call that blocks. The future is what it will return.
func Call[T any](l *Loop, pool pond.Pool, call func() T) *Future[T] {
	f := new(Future[T])
	l.away++
	if err := pool.Go(func() {
		value := call()
		l.inbox <- func() { f.Resolve(value) }
	}); err != nil {
		panic(err) // the pool has been stopped
	}
	return f
}
