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
	running sync.WaitGroup // a count for each worker that is not idle

	mu      sync.Mutex
	closed  bool
	workers []*worker
	idle    []*worker // none while a task is queued
	queue   []*task   // first in, first out
}

// A worker has a process, or the next one after that was lost. Who takes it from
// the idle ones has it to itself.
type worker struct {
	child *child // written under the pool's lock; nil if none could be started
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
	p := &Pool[In, Out]{name: f.name, options: o}
	errs := make([]error, o.Workers)
	for i := range errs {
		w := new(worker)
		p.workers, p.idle = append(p.workers, w), append(p.idle, w)
		p.running.Go(func() { errs[i] = p.renew(w) })
	}
	p.running.Wait()
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
	// A worker takes its socket, its pipe and, on Linux, what its end is waited for
	// with.
	if most := uint64(limit.Cur) / 3; uint64(o.Workers) > most {
		return fmt.Errorf("%d workers are more than the %d files that may be open allow: use at most %d, or raise ulimit -n",
			o.Workers, limit.Cur, most)
	}
	return nil
}

// Close kills the workers and waits until they are gone. Tasks that are not done
// fail with ErrClosed.
func (p *Pool[In, Out]) Close() {
	p.mu.Lock()
	p.closed, p.idle = true, nil
	queue := p.queue
	p.queue = nil
	for _, w := range p.workers {
		if w.child != nil {
			w.child.kill()
		}
	}
	p.mu.Unlock()
	for _, t := range queue {
		if t.take() {
			t.stop()
			t.finish(ErrClosed)
		}
	}
	p.running.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.workers {
		if w.child != nil {
			w.child.end()
			w.child = nil
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
	t, f := p.task(ctx, in, done)
	if w := p.begin(t); w != nil {
		go func() {
			p.run(w, t)
			p.work(w)
		}()
	}
	return f
}

// Call runs one task and waits for it. With a worker to spare it is quicker than
// Submit and Wait, as it talks to the worker itself.
func (p *Pool[In, Out]) Call(ctx context.Context, in In) (Out, error) {
	t, f := p.task(ctx, &in, func() {})
	if w := p.begin(t); w != nil {
		p.run(w, t)
		if !p.rest(w) {
			go p.work(w)
		}
	}
	return f.Wait()
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

// A task goes from a caller to a worker, maybe by way of the queue, or is
// cancelled there.
type task struct {
	ctx     context.Context
	in, out any             // pointers, or nil for a type that holds nothing
	taken   atomic.Bool     // out of the queue, by a worker or by its end
	stop    func() bool     // no more watching the context of a queued task
	finish  func(err error) // called once, by who took it
}

func (t *task) take() bool { return t.taken.CompareAndSwap(false, true) }

// task makes a task and the future that its end fulfils.
func (p *Pool[In, Out]) task(ctx context.Context, in *In, done func()) (*task, *Future[Out]) {
	f := &Future[Out]{done: make(chan struct{})}
	finish := func(err error) {
		if err != nil {
			var none Out // decoding may have gone half way
			f.result = Result[Out]{none, fmt.Errorf("process: %s: %w", p.name, err)}
		}
		close(f.done)
		done()
	}
	return &task{ctx: ctx, in: value(in), out: value(&f.result.Value), finish: finish}, f
}

// begin returns an idle worker for a task. If there is none it queues the task
// and returns nil, as it does if the task has already come to its end.
func (p *Pool[In, Out]) begin(t *task) *worker {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
		t.finish(ErrClosed)
	case t.ctx.Err() != nil:
		t.finish(context.Cause(t.ctx))
	case len(p.idle) > 0:
		last := len(p.idle) - 1
		w := p.idle[last]
		p.idle = p.idle[:last]
		p.running.Add(1)
		return w
	default:
		t.stop = context.AfterFunc(t.ctx, func() {
			if t.take() {
				t.finish(context.Cause(t.ctx))
			}
		})
		p.queue = append(p.queue, t)
	}
	return nil
}

// next takes a task out of the queue, and returns nil if there is none.
func (p *Pool[In, Out]) next() *task {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.queue) > 0 {
		t := p.queue[0]
		p.queue[0] = nil
		p.queue = p.queue[1:]
		if t.take() {
			t.stop()
			return t
		}
	}
	return nil
}

// work has a worker do what is queued, and puts it to rest.
func (p *Pool[In, Out]) work(w *worker) {
	for !p.rest(w) {
		if p.spent(w) {
			p.renew(w) // if there can be none now, the next task tries again
		}
		if t := p.next(); t != nil {
			p.run(w, t)
		}
	}
}

// rest returns a worker to the idle ones, and reports false if there is something
// to do first.
func (p *Pool[In, Out]) rest(w *worker) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.closed:
	case len(p.queue) > 0 || p.spent(w):
		return false
	default:
		p.idle = append(p.idle, w)
	}
	p.running.Done()
	return true
}

// spent reports whether a worker needs another process for its next task.
func (p *Pool[In, Out]) spent(w *worker) bool {
	return w.child != nil && (w.child.ruined || p.options.Fresh && w.child.calls > 0)
}

// renew gives a worker a new process.
func (p *Pool[In, Out]) renew(w *worker) error {
	if w.child != nil {
		w.child.end()
	}
	c, err := start(p.name)
	p.mu.Lock()
	defer p.mu.Unlock()
	if err == nil && p.closed {
		c.end()
		c, err = nil, ErrClosed
	}
	w.child = c
	return err
}

// run has a worker do a task.
func (p *Pool[In, Out]) run(w *worker, t *task) {
	ctx := t.ctx
	if limit := p.options.Limit; limit > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w of %v: %w", ErrTooLong, limit, context.DeadlineExceeded))
		defer cancel()
	}
	err := errNotSent
	for tries := 0; err == errNotSent && tries < 3; tries++ { // it never began, so it may begin again
		if w.child == nil || w.child.ruined {
			if err = p.renew(w); err != nil {
				break
			}
		}
		err = w.child.call(ctx, p.options.Grace, t.in, t.out)
	}
	if err != nil && p.ended() {
		err = ErrClosed
	}
	t.finish(err)
}

func (p *Pool[In, Out]) ended() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.closed
}
