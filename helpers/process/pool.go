//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"os"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A Pool is a number of workers that run one function. It may be used by many
// goroutines at once.
type Pool[In, Out any] struct {
	name    string
	options Options
	queue   queue
	ctx     context.Context // ends when the pool is closed
	close   context.CancelFunc
	running sync.WaitGroup
}

// Start starts the workers and returns when all are ready.
func (f *Func[In, Out]) Start(o Options) (*Pool[In, Out], error) {
	o, err := o.withDefaults()
	if err == nil {
		err = possible(o)
	}
	if err != nil {
		return nil, fmt.Errorf("process: a pool for %q: %w", f.name, err)
	}
	p := &Pool[In, Out]{name: f.name, options: o, queue: queue{ready: make(chan struct{}, 1)}}
	p.ctx, p.close = context.WithCancel(context.Background())
	children, errs := make([]*child, o.Workers), make([]error, o.Workers)
	var starting sync.WaitGroup
	for i := range children {
		starting.Go(func() { children[i], errs[i] = start(f.name) })
	}
	starting.Wait()
	for _, c := range children {
		if c != nil {
			p.running.Go(func() { p.work(c) })
		}
	}
	for i, err := range errs {
		if err != nil {
			p.Close()
			return nil, fmt.Errorf("process: a pool for %q: worker %d of %d: %w", f.name, i+1, o.Workers, err)
		}
	}
	return p, nil
}

// possible reports why this process cannot have the workers.
func possible(o Options) error {
	if role != "" {
		if link == nil { // main runs in a worker, and must not go on to start more
			fmt.Fprintf(os.Stderr, "process: no function %q is registered\n", role)
			os.Exit(1)
		}
		return ErrInWorker
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return os.NewSyscallError("getrlimit", err)
	}
	// A worker takes its socket and, on Linux, what its end is waited for with.
	if most := uint64(limit.Cur) / 2; uint64(o.Workers) > most {
		return fmt.Errorf("%d workers are more than the %d files that may be open allow: use at most %d, or raise ulimit -n",
			o.Workers, limit.Cur, most)
	}
	return nil
}

// Close kills the workers and waits until they are gone. Tasks that are not done
// fail with ErrClosed.
func (p *Pool[In, Out]) Close() {
	p.close()
	p.running.Wait()
	for t := p.queue.pop(); t != nil; t = p.queue.pop() {
		if t.take() {
			t.finish(ErrClosed)
		}
	}
}

// A Result is what became of one task.
type Result[Out any] struct {
	Value Out
	Err   error
}

// A Future is a task whose result may not be there yet.
type Future[Out any] struct {
	result Result[Out]
	done   chan struct{}
}

// Wait waits for the end of the task. The end of the context that it was
// submitted with is one.
func (f *Future[Out]) Wait() (Out, error) {
	<-f.done
	return f.result.Value, f.result.Err
}

// Submit queues a task, first in, first out, and returns at once. The argument
// must not be changed before the task is done. If the context ends, a queued task
// is not begun; the function of one that has begun sees its own context end, and
// if it does not return within [Options].Grace its worker is killed.
func (p *Pool[In, Out]) Submit(ctx context.Context, in In) *Future[Out] {
	return p.submit(ctx, &in, func() {})
}

func (p *Pool[In, Out]) submit(ctx context.Context, in *In, done func()) *Future[Out] {
	f := &Future[Out]{done: make(chan struct{})}
	t := &task{ctx: ctx, in: value(in), out: value(&f.result.Value)}
	t.finish = func(err error) {
		if err != nil {
			var none Out // decoding may have gone half way
			f.result = Result[Out]{none, fmt.Errorf("process: %s: %w", p.name, err)}
		}
		close(f.done)
		done()
	}
	t.stop = context.AfterFunc(ctx, func() {
		if t.take() {
			t.finish(context.Cause(ctx))
		}
	})
	p.queue.push(t)
	if p.ctx.Err() != nil && t.take() {
		t.finish(ErrClosed)
	}
	return f
}

// Call runs one task and waits for it.
func (p *Pool[In, Out]) Call(ctx context.Context, in In) (Out, error) {
	return p.Submit(ctx, in).Wait()
}

// Map runs a task for each argument and returns the results in the order of the
// arguments. A task that fails does not keep others from running: its result is
// the zero value, and the errors of all that failed come joined, each with its
// index.
func (p *Pool[In, Out]) Map(ctx context.Context, ins []In) ([]Out, error) {
	futures := make([]*Future[Out], len(ins))
	for i := range ins {
		futures[i] = p.submit(ctx, &ins[i], func() {})
	}
	outs, errs := make([]Out, len(ins)), []error(nil)
	for i, f := range futures {
		out, err := f.Wait()
		if err != nil {
			errs = append(errs, fmt.Errorf("task %d: %w", i, err))
		}
		outs[i] = out
	}
	return outs, errors.Join(errs...)
}

// Completed runs a task for each argument and yields the results as they come,
// each with the index of its argument. Breaking out of the loop cancels the rest.
func (p *Pool[In, Out]) Completed(ctx context.Context, ins []In) iter.Seq2[int, Result[Out]] {
	return func(yield func(int, Result[Out]) bool) {
		ctx, cancel := context.WithCancel(ctx)
		defer cancel()
		futures, done := make([]*Future[Out], len(ins)), make(chan int, len(ins))
		for i := range ins {
			futures[i] = p.submit(ctx, &ins[i], func() { done <- i })
		}
		for range ins {
			i := <-done
			<-futures[i].done
			if !yield(i, futures[i].result) {
				return
			}
		}
	}
}

// work hands tasks to a worker, and to those that take its place, until the pool
// is closed.
func (p *Pool[In, Out]) work(c *child) {
	for {
		var dead chan struct{}
		if c != nil {
			dead = c.dead
		}
		select {
		case <-p.ctx.Done():
			if c != nil {
				c.end()
			}
			return
		case <-dead:
			c = p.replace(c)
		case <-p.queue.ready:
			if t := p.queue.pop(); t != nil && t.take() {
				t.stop()
				c = p.run(c, t)
			}
		}
	}
}

// replace ends a worker and returns a new one, or nil if there can be none now:
// the next task tries again.
func (p *Pool[In, Out]) replace(c *child) *child {
	c.end()
	if p.ctx.Err() != nil {
		return nil
	}
	c, _ = start(p.name)
	return c
}

// run has a worker do a task, and returns the worker for the next.
func (p *Pool[In, Out]) run(c *child, t *task) *child {
	ctx := t.ctx
	if limit := p.options.Limit; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w of %v: %w", ErrTooLong, limit, context.DeadlineExceeded))
		defer cancel()
	}
	err := errNotSent
	for tries := 0; err == errNotSent && tries < 3; tries++ { // it never began, so it may begin again
		if c == nil || c.ruined {
			if c, err = start(p.name); err != nil {
				break
			}
		}
		err = p.call(ctx, c, t)
	}
	if err != nil && p.ctx.Err() != nil {
		err = ErrClosed
	}
	t.finish(err)
	if c != nil && (c.ruined || p.options.Fresh) {
		return p.replace(c)
	}
	return c
}

// call has a worker do a task, unless the pool is closed.
func (p *Pool[In, Out]) call(ctx context.Context, c *child, t *task) error {
	stop := context.AfterFunc(p.ctx, func() { c.cmd.Process.Kill() })
	defer stop()
	return c.call(ctx, p.options.Grace, t.in, t.out)
}

// A task goes from Submit to a worker, or is cancelled before.
type task struct {
	ctx     context.Context
	in, out any             // pointers, or nil for a type that holds nothing
	taken   atomic.Bool     // by a worker, or by its end
	stop    func() bool     // no more watching the context
	finish  func(err error) // called once, by who took it
}

func (t *task) take() bool { return t.taken.CompareAndSwap(false, true) }

// A queue holds tasks, first in, first out.
type queue struct {
	mu    sync.Mutex
	tasks []*task
	ready chan struct{} // holds one if there are tasks
}

func (q *queue) push(t *task) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.tasks = append(q.tasks, t)
	q.signal()
}

// pop returns nil if there is nothing.
func (q *queue) pop() *task {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.tasks) == 0 {
		return nil
	}
	t := q.tasks[0]
	q.tasks[0] = nil
	if q.tasks = q.tasks[1:]; len(q.tasks) > 0 {
		q.signal()
	}
	return t
}

func (q *queue) signal() {
	select {
	case q.ready <- struct{}{}:
	default:
	}
}
