//go:build unix

package cluster

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manyhands/helpers/process"
)

const (
	// window is how many jobs may be on their way to the broker at once, which is
	// not known to have stored them.
	window = 1024

	// trust is how long a job that is small and the only one is given to come back,
	// before the broker is asked whether it has stored it.
	trust = 20 * time.Millisecond
	small = 4 << 10
)

// A Pool takes jobs of one function to its workers. It may be used by many
// goroutines at once.
type Pool[In, Out any] struct {
	*queue
	client    string
	watched   bool
	processes *process.Pool[settings, struct{}] // nil if all workers are elsewhere
	ctx       context.Context                   // ends with the pool
	cancel    context.CancelCauseFunc
	running   sync.WaitGroup
	room      chan struct{}  // for as many jobs as may be on their way
	sending   chan *job[Out] // has as much

	receipts receipts
	fetching sync.Mutex // a large result, which may come twice

	mu       sync.Mutex
	next     int
	jobs     map[string]*job[Out] // not done
	leaving  []*job[Out]          // to be taken out of the queue
	removing bool                 // by a goroutine that is there for it
}

// A job is one that its pool has no result of.
type job[Out any] struct {
	id      string
	msg     *nats.Msg
	header  nats.Header // of msg, which is let go once it is stored
	ack     jetstream.PubAckFuture
	stop    func() bool // no more watching the context
	doubt   *time.Timer // nil if the broker was asked at once whether it stored the job
	finish  func(Out, error)
	stored  uint64 // its place in the stream, once that is known
	dropped bool   // nobody waits for it any more
}

// Start connects to the broker and starts the workers.
func (f *Func[In, Out]) Start(ctx context.Context, o Options) (*Pool[In, Out], error) {
	o, err := o.withDefaults(ctx)
	if err != nil {
		return nil, fmt.Errorf("cluster: a pool for %s: %w", f.name, err)
	}
	p := &Pool[In, Out]{client: rand.Text(), watched: o.OnEvent != nil,
		room: make(chan struct{}, window), sending: make(chan *job[Out], window), jobs: make(map[string]*job[Out])}
	p.ctx, p.cancel = context.WithCancelCause(context.Background())
	p.queue, err = connect(ctx, o.settings(f.name))
	if err == nil {
		p.nc.SetReconnectHandler(func(*nats.Conn) { go p.check() }) // from now on it has a queue to check
		p.receipts = receipts{nc: p.nc, wait: p.Silence / 10}
		if err = p.listen(ctx, o); err == nil && o.Workers > 0 {
			err = p.hire(f.processes, o.Workers)
		}
		if err != nil {
			p.Close()
		}
	}
	if err != nil {
		return nil, fmt.Errorf("cluster: a pool for %s: %w", f.name, err)
	}
	p.running.Go(p.confirm)
	return p, nil
}

// listen has the broker send results, and events if they are wanted.
func (p *Pool[In, Out]) listen(ctx context.Context, o Options) error {
	if p.watched {
		_, err := p.nc.Subscribe(p.subject("event", p.client), func(msg *nats.Msg) {
			var e Event
			if json.Unmarshal(msg.Data, &e) == nil {
				o.OnEvent(e)
			}
		})
		if err != nil {
			return err
		}
	}
	if _, err := p.nc.Subscribe(p.subject("result", p.client), p.result); err != nil {
		return err
	}
	results, err := p.stream.CreateConsumer(ctx, jetstream.ConsumerConfig{
		Name: p.client, FilterSubject: p.subject("stored", p.client),
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: p.Silence, MaxAckPending: -1, InactiveThreshold: keep,
	})
	if err != nil {
		return err
	}
	_, err = results.Consume(p.stored, jetstream.PullExpiry(pullExpiry), jetstream.PullHeartbeat(pullHeartbeat))
	return err
}

// hire starts workers that are processes, and starts them again when they die.
func (p *Pool[In, Out]) hire(workers *process.Func[settings, struct{}], n int) error {
	var err error
	if p.processes, err = workers.Start(process.Options{Workers: n}); err != nil {
		return err
	}
	for range n {
		p.running.Go(func() {
			for p.ctx.Err() == nil {
				p.processes.Call(p.ctx, p.settings)
				pause(p.ctx)
			}
		})
	}
	return nil
}

// Close kills the workers that were started here and leaves the broker. Jobs that
// are not done fail with ErrClosed, and nobody begins them any more. If the broker is
// away that holds only for a queue of the pool's own.
func (p *Pool[In, Out]) Close() {
	if !p.Private && p.nc.IsConnected() {
		p.settle()
	}
	p.end(ErrClosed)
	if p.processes != nil {
		p.processes.Close()
	}
	p.running.Wait()
	p.receipts.send()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if p.nc.IsConnected() { // what stays behind goes with its age
		if p.Private {
			p.js.DeleteStream(ctx, p.streamName())
			if p.bucket != nil {
				p.js.DeleteObjectStore(ctx, p.streamName())
			}
		} else {
			p.stream.DeleteConsumer(ctx, p.client)
		}
	}
	p.nc.Close()
}

// settle waits until it is known of all jobs where in the stream they are, so that
// they can be taken out of it, and takes the room that others would need to follow.
func (p *Pool[In, Out]) settle() {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	for range window {
		select {
		case p.room <- struct{}{}:
		case <-ctx.Done():
			return
		}
	}
}

// end ends the pool, and all its jobs with an error.
func (p *Pool[In, Out]) end(err error) {
	p.cancel(err)
	p.mu.Lock()
	var left []*job[Out]
	for _, j := range p.jobs {
		left = append(left, j)
	}
	mine := !p.removing
	p.removing = true // they leave together
	p.mu.Unlock()
	for _, j := range left {
		p.abandon(j, err)
	}
	if mine {
		p.clear()
	}
}

// A Result is what became of one job.
type Result[Out any] = process.Result[Out]

// A Future is a job whose result may not be there yet.
type Future[Out any] struct {
	result Result[Out]
	done   chan struct{}
}

// Wait waits for the end of the job. The end of the context that it was submitted
// with is one.
func (f *Future[Out]) Wait() (Out, error) {
	<-f.done
	return f.result.Value, f.result.Err
}

// Submit queues a job and returns when it is on its way to the broker, or has come
// to its end. If the context ends, a queued job is not begun, and the function of
// one that has begun sees its own context end.
func (p *Pool[In, Out]) Submit(ctx context.Context, in In) *Future[Out] {
	f := &Future[Out]{done: make(chan struct{})}
	p.submit(ctx, &in, func(r Result[Out]) {
		f.result = r
		close(f.done)
	})
	return f
}

// submit queues a job, and has done called once, at its end.
func (p *Pool[In, Out]) submit(ctx context.Context, in *In, done func(Result[Out])) {
	p.mu.Lock()
	id := p.client + "." + strconv.Itoa(p.next)
	p.next++
	p.mu.Unlock()
	j := &job[Out]{id: id, finish: func(out Out, err error) {
		if err != nil {
			err = fmt.Errorf("cluster: %s: %w", p.Function, err)
		}
		done(Result[Out]{Value: out, Err: err})
	}}
	var none Out
	var err error
	if j.msg, err = p.message(ctx, p.subject("job"), id, in); err != nil {
		j.finish(none, fmt.Errorf("the argument: %w", err))
		return
	}
	j.header = j.msg.Header
	j.header.Set(jobHeader, id)
	if p.watched {
		j.header.Set(watchHeader, "yes")
	}
	msg := copied(j.msg) // once others know the job they may let go of it
	if err := p.enter(ctx, j); err != nil {
		j.finish(none, err)
		return
	}
	if j.doubt != nil {
		p.nc.PublishMsg(msg)
	} else {
		p.store(ctx, j)
	}
}

// enter makes a job one that is not done, unless a context has ended.
func (p *Pool[In, Out]) enter(ctx context.Context, j *job[Out]) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.ctx.Err() != nil:
		return context.Cause(p.ctx)
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	if len(p.jobs) == 0 && len(j.msg.Data) <= small {
		select {
		case p.room <- struct{}{}:
			j.doubt = time.AfterFunc(trust, func() { p.publish(j) }) // it has an id, and is stored once
		default:
		}
	}
	p.jobs[j.id] = j
	j.stop = context.AfterFunc(ctx, func() { p.abandon(j, context.Cause(ctx)) })
	return nil
}

// store has the broker store a job, and tell, as soon as there is room for it. A
// job that is abandoned before never leaves.
func (p *Pool[In, Out]) store(ctx context.Context, j *job[Out]) {
	select {
	case p.room <- struct{}{}:
		p.publish(j)
	case <-ctx.Done():
	case <-p.ctx.Done():
	}
}

// publish does so for a job that has its room, which confirm gives back.
func (p *Pool[In, Out]) publish(j *job[Out]) {
	j.ack, _ = p.js.PublishMsgAsync(copied(j.msg)) // confirm tries again
	p.sending <- j
}

// confirm sees to it that the broker stores the jobs, in the order of submission.
func (p *Pool[In, Out]) confirm() {
	for {
		select {
		case j := <-p.sending:
			stored, err := p.send(p.ctx, j.msg, j.ack)
			switch {
			case errors.Is(err, ErrLost):
				p.end(ErrLost)
			case err == nil:
				p.mu.Lock()
				j.stored = stored.Sequence
				j.msg = nil
				dropped := j.dropped
				p.mu.Unlock()
				if dropped {
					p.remove(j)
				}
			case p.ctx.Err() == nil: // the broker will never store it
				p.abandon(j, err)
			}
			<-p.room
		case <-p.ctx.Done():
			return
		}
	}
}

// take takes a job from those that are not done, and reports false if another was
// quicker.
func (p *Pool[In, Out]) take(id string) (*job[Out], bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	j, ok := p.jobs[id]
	delete(p.jobs, id)
	return j, ok
}

// abandon ends a job that nobody waits for any more, wherever it is.
func (p *Pool[In, Out]) abandon(j *job[Out], err error) {
	if _, ok := p.take(j.id); !ok {
		return
	}
	j.stop()
	var none Out
	j.finish(none, err)
	p.mu.Lock()
	j.dropped = true
	stored := j.stored > 0
	p.mu.Unlock()
	if stored && !(p.Private && p.ctx.Err() != nil) { // or the whole queue goes
		p.remove(j)
	}
}

// remove takes a job out of the queue and out of the hands of its worker. Of jobs
// that are cancelled together all leave the queue before the first worker hears of
// it, so that it does not begin another of them.
func (p *Pool[In, Out]) remove(j *job[Out]) {
	p.mu.Lock()
	p.leaving = append(p.leaving, j)
	mine, closing := !p.removing, p.ctx.Err() != nil
	p.removing = true
	if mine && !closing {
		p.running.Go(p.clear)
	}
	p.mu.Unlock()
	if mine && closing {
		p.clear()
	}
}

// clear does so for all jobs that are leaving. A broker that does not answer does
// not keep a pool from ending: what stays behind goes with its age.
func (p *Pool[In, Out]) clear() {
	var ids []string
	away := false
	for {
		p.mu.Lock()
		leaving := p.leaving
		p.leaving = nil
		p.removing = len(leaving) > 0
		p.mu.Unlock()
		if len(leaving) == 0 {
			break
		}
		for _, j := range leaving {
			ids = append(ids, j.id)
			if away && p.ctx.Err() != nil {
				continue
			}
			ctx, cancel := context.WithTimeout(context.Background(), time.Second)
			p.stream.DeleteMsg(ctx, j.stored) // an error if it has just been done
			away = ctx.Err() != nil
			cancel()
		}
	}
	for _, id := range ids {
		p.nc.Publish(p.subject("cancel"), []byte(id))
	}
}

// check ends the pool if the broker is back without its jobs.
func (p *Pool[In, Out]) check() {
	ctx, cancel := context.WithTimeout(p.ctx, 5*time.Second)
	defer cancel()
	if p.lost(ctx) {
		p.end(ErrLost)
	}
}

// result takes in a result that comes straight from a worker, and acknowledges its
// job.
func (p *Pool[In, Out]) result(msg *nats.Msg) {
	finish, ok := p.receive(msg.Header, msg.Data)
	if !ok {
		return // without a receipt the worker stores it
	}
	// Before the caller goes on: it may send the next job, which then goes to the
	// broker in one piece with this.
	p.nc.Publish(msg.Header.Get(ackHeader), []byte("+ACK"))
	p.receipts.add(msg.Reply, len(msg.Data))
	finish()
}

// stored takes in a result that a worker had to store.
func (p *Pool[In, Out]) stored(msg jetstream.Msg) {
	finish, ok := p.receive(msg.Headers(), msg.Data())
	if !ok {
		msg.NakWithDelay(p.Silence)
		return
	}
	finish()
	msg.Ack()
}

// receive takes in one result, and returns what ends its job. It may come twice. It
// reports false if the result cannot be fetched now and has to come again.
func (p *Pool[In, Out]) receive(header nats.Header, data []byte) (finish func(), ok bool) {
	id := header.Get(jobHeader)
	var err error
	if name := header.Get(objectHeader); name != "" {
		data, err = p.fetch(id, name)
		if err != nil && !errors.Is(err, jetstream.ErrObjectNotFound) && p.ctx.Err() == nil {
			return nil, false
		}
	}
	j, ok := p.take(id)
	if !ok {
		return func() {}, true
	}
	j.stop()
	if j.doubt != nil && j.doubt.Stop() {
		<-p.room
	}
	var out Out
	switch header.Get(kindHeader) {
	case failed:
		err = fmt.Errorf("%w %s", ErrFailed, data)
	case crashed:
		err = fmt.Errorf("%w, %s", ErrCrashed, data)
	case codec:
		err = codecError(data)
	default:
		if err == nil {
			err = decode(data, &out)
		}
		if err != nil {
			var none Out
			out, err = none, fmt.Errorf("the result: %w", err)
		}
		p.discard(p.ctx, header)
		p.discard(p.ctx, j.header)
	}
	return func() { j.finish(out, err) }, true
}

// fetch gets a large result, unless that has come before. When the line is cut it
// gives up: what it has asked for may be lost.
func (p *Pool[In, Out]) fetch(id, name string) ([]byte, error) {
	p.fetching.Lock()
	defer p.fetching.Unlock()
	p.mu.Lock()
	_, waiting := p.jobs[id]
	p.mu.Unlock()
	if !waiting {
		return nil, nil
	}
	ctx, cancel := context.WithCancel(p.ctx)
	cut := p.nc.StatusChanged(nats.RECONNECTING)
	defer p.nc.RemoveStatusListener(cut) // closes it
	go func() {
		<-cut
		cancel()
	}()
	return p.object(ctx, name)
}

// codecError is an ErrCodec in the words of a worker.
type codecError string

func (e codecError) Error() string      { return string(e) }
func (codecError) Is(target error) bool { return target == ErrCodec }

// Call runs one job and waits for it.
func (p *Pool[In, Out]) Call(ctx context.Context, in In) (Out, error) {
	return p.Submit(ctx, in).Wait()
}

// Map runs a job for each argument and returns the results in the order of the
// arguments. A job that fails does not keep others from running: its result is
// the zero value, and the errors of all that failed come joined, each with its
// index.
func (p *Pool[In, Out]) Map(ctx context.Context, ins []In) ([]Out, error) {
	outs, errs := make([]Out, len(ins)), make([]error, len(ins))
	for i, r := range p.Completed(ctx, ins) {
		outs[i] = r.Value
		if r.Err != nil {
			errs[i] = fmt.Errorf("job %d: %w", i, r.Err)
		}
	}
	return outs, errors.Join(errs...)
}

// Completed runs a job for each argument and yields the results as they come,
// each with the index of its argument. Breaking out of the loop cancels the rest.
func (p *Pool[In, Out]) Completed(ctx context.Context, ins []In) iter.Seq2[int, Result[Out]] {
	return func(yield func(int, Result[Out]) bool) {
		type end struct {
			i int
			Result[Out]
		}
		ends := make(chan end, len(ins))
		ctx, cancel := context.WithCancel(ctx)
		var submitting sync.WaitGroup
		defer submitting.Wait()
		defer cancel()
		submitting.Go(func() {
			for i := range ins {
				p.submit(ctx, &ins[i], func(r Result[Out]) { ends <- end{i, r} })
			}
		})
		for range ins {
			e := <-ends
			if !yield(e.i, e.Result) {
				return
			}
		}
	}
}

// Parked is a job that was given up.
type Parked[In any] struct {
	Argument In
	Reason   string // 2 KB of it at most
}

// Parked returns the jobs of the queue that were given up, of all its programs.
func (p *Pool[In, Out]) Parked(ctx context.Context) ([]Parked[In], error) {
	var all []Parked[In]
	for next := uint64(1); ; next++ {
		msg, err := p.stream.GetMsg(ctx, next, jetstream.WithGetMsgSubject(p.subject("parked")))
		if errors.Is(err, jetstream.ErrMsgNotFound) {
			return all, nil
		}
		if err != nil {
			return all, fmt.Errorf("cluster: %s: parked jobs: %w", p.Function, err)
		}
		next = msg.Sequence
		parked := Parked[In]{Reason: msg.Header.Get("Manyhands-Reason")}
		if err := p.value(ctx, msg.Header, msg.Data, &parked.Argument); err != nil {
			parked.Reason += fmt.Sprintf(" (and the argument is lost: %v)", err)
		}
		all = append(all, parked)
	}
}

// A Blob is data that the broker keeps, to be sent to jobs by reference: each
// worker that needs it fetches it.
type Blob struct{ Name string }

type queueKey struct{}

// Put gives data to the broker's object store, until the queue ends.
func (p *Pool[In, Out]) Put(ctx context.Context, data []byte) (Blob, error) {
	b := Blob{strings.ToLower(rand.Text())}
	if err := p.put(ctx, b.Name, data); err != nil {
		return Blob{}, fmt.Errorf("cluster: %w", err)
	}
	return b, nil
}

// Bytes fetches the data. The context is that of a job, of the queue that the
// blob was given to.
func (b Blob) Bytes(ctx context.Context) ([]byte, error) {
	q, ok := ctx.Value(queueKey{}).(*queue)
	if !ok {
		return nil, errors.New("cluster: a blob is fetched by a job, with the job's context")
	}
	return q.object(ctx, b.Name)
}
