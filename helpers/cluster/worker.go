//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Kinds of results that are errors; the text says more.
const (
	failed  = "failed"
	crashed = "crashed"
	codec   = "codec"
)

// A worker does jobs of a queue.
type worker[In, Out any] struct {
	*queue
	f         func(context.Context, In) (Out, error)
	host      string
	inbox     string         // where clients tell that they have results
	room      chan struct{}  // for as many results as may be on their way
	finishing sync.WaitGroup // results on their way to the stream

	mu      sync.Mutex
	hand    *hand           // nil between jobs
	last    int             // the number of the latest parcel
	parcels map[int]*parcel // on their way to clients
}

// A hand has the job that the function runs for.
type hand struct {
	id     string
	msg    *nats.Msg
	cancel context.CancelCauseFunc
}

// A parcel is a result that goes straight to the client.
type parcel struct {
	job    *nats.Msg
	result *nats.Msg
	old    bool // a beat of the heart has passed since it was sent
}

var errCancelled = errors.New("the job was cancelled")

// most is how many results of a worker may be on their way.
const most = 8 * manyReceipts

// A reason is cut off after so many bytes, and in the header of a parked job after
// so few: what is too large for a message, or for its header, no broker ever takes.
const (
	longReason  = 64 << 10
	shortReason = 2 << 10
)

// serve does jobs until the context ends.
func serve[In, Out any](ctx context.Context, s settings, f func(context.Context, In) (Out, error)) error {
	q, err := connect(ctx, s)
	if err != nil {
		return err
	}
	defer q.nc.Close()
	w := &worker[In, Out]{queue: q, f: f, inbox: q.nc.NewInbox(),
		room: make(chan struct{}, most), parcels: make(map[int]*parcel)}
	w.host, _ = os.Hostname()
	if _, err := q.nc.Subscribe(q.subject("cancel"), w.cancelled); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer w.finishing.Wait()
	defer cancel()
	if _, err := q.nc.Subscribe(w.inbox+".*", func(msg *nats.Msg) { w.arrived(ctx, msg) }); err != nil {
		return err
	}
	jobs, err := q.source(ctx)
	if err != nil {
		return err
	}
	w.finishing.Go(func() { w.beat(ctx) })
	for {
		msg, err := jobs.next(ctx)
		if err != nil {
			return err
		}
		w.do(ctx, msg)
	}
}

// beat tells the broker all along that jobs are in good hands: the one in hand,
// and those whose results are on their way. Of a result that has been so for long
// it sees to it that it is stored.
func (w *worker[In, Out]) beat(ctx context.Context) {
	tick := time.NewTicker(w.Silence / 3)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		w.mu.Lock()
		if w.hand != nil {
			w.hand.msg.InProgress()
		}
		for number, p := range w.parcels {
			p.job.InProgress()
			if p.old {
				delete(w.parcels, number)
				w.finish(ctx, p.job, p.result)
			}
			p.old = true
		}
		w.mu.Unlock()
	}
}

// cancelled ends the job in hand, if it is the one.
func (w *worker[In, Out]) cancelled(msg *nats.Msg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.hand != nil && w.hand.id == string(msg.Data) {
		w.hand.cancel(errCancelled)
	}
}

// begin notes which job is in hand, and returns its context.
func (w *worker[In, Out]) begin(ctx context.Context, id string, msg *nats.Msg) context.Context {
	ctx, cancel := context.WithCancelCause(context.WithValue(ctx, queueKey{}, w.queue))
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hand = &hand{id, msg, cancel}
	return ctx
}

func (w *worker[In, Out]) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hand.cancel(nil)
	w.hand = nil
}

// do does one job: it runs the function and sends on what comes of it.
func (w *worker[In, Out]) do(ctx context.Context, msg *nats.Msg) {
	meta, err := msg.Metadata()
	job := msg.Header.Get(jobHeader)
	client, number, ok := strings.Cut(job, ".")
	if err != nil || !ok {
		msg.Term() // somebody else's message
		return
	}
	try := int(meta.NumDelivered)
	if try > w.Tries {
		w.park(ctx, msg, client, job, crashed, fmt.Sprintf("%d times", w.Tries))
		return
	}
	w.tell(msg, client, Event{Try: try, What: Begun}, number)
	result, err := w.run(w.begin(ctx, job, msg), msg, client, job)
	w.end()
	switch {
	case err == nil:
		w.tell(msg, client, Event{Try: try, What: Done}, number)
		w.post(ctx, msg, client, result)
		return
	case errors.Is(err, errCancelled):
		msg.Term()
		return
	case ctx.Err() != nil:
		msg.Nak() // the worker ends, another may do it
		return
	}
	reason := cut(err.Error(), longReason)
	w.tell(msg, client, Event{Try: try, What: Failed, Reason: reason}, number)
	switch {
	case errors.Is(err, ErrCodec):
		w.park(ctx, msg, client, job, codec, reason)
	case try >= w.Tries:
		w.park(ctx, msg, client, job, failed, fmt.Sprintf("%d times: %s", try, reason))
	default:
		msg.NakWithDelay(w.Pause << (try - 1))
	}
}

// run runs the function and makes the message that takes its result home.
func (w *worker[In, Out]) run(ctx context.Context, msg *nats.Msg, client, job string) (*nats.Msg, error) {
	var in In
	if err := w.value(ctx, msg.Header, msg.Data, &in); err != nil {
		return nil, err
	}
	out, err := protect(ctx, in, w.f)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	result, err := w.message(ctx, w.subject("stored", client), job+".result", &out)
	if err == nil {
		result.Header.Set(jobHeader, job)
	}
	return result, err
}

// protect makes an error of a panic.
func protect[In, Out any](ctx context.Context, in In, f func(context.Context, In) (Out, error)) (out Out, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the function panicked: %v\n\n%s", r, debug.Stack())
		}
	}()
	return f(ctx, in)
}

// park puts a job aside, for people to look at, and sends the reason as its
// result.
func (w *worker[In, Out]) park(ctx context.Context, msg *nats.Msg, client, job, kind, reason string) {
	result := nats.NewMsg(w.subject("stored", client))
	result.Data = []byte(reason)
	aside := nats.NewMsg(w.subject("parked"))
	aside.Data = msg.Data
	aside.Header.Set(objectHeader, msg.Header.Get(objectHeader))
	aside.Header.Set("Manyhands-Reason", strings.ReplaceAll(cut(reason, shortReason), "\n", " "))
	for what, m := range map[string]*nats.Msg{"result": result, "parked": aside} {
		m.Header.Set(jetstream.MsgIDHeader, job+"."+what)
		m.Header.Set(jobHeader, job)
		m.Header.Set(kindHeader, kind)
	}
	if w.enter(ctx) {
		w.finish(ctx, msg, aside, result)
	}
}

// cut shortens a text that is longer than n bytes, and shows it.
func cut(text string, n int) string {
	if len(text) <= n {
		return text
	}
	return strings.ToValidUTF8(text[:n], "") + "…"
}

// enter waits until a result may go on its way, and reports false if the worker
// ends before. The job is done again then.
func (w *worker[In, Out]) enter(ctx context.Context) bool {
	select {
	case w.room <- struct{}{}:
		return true
	case <-ctx.Done():
		return false
	}
}

// post sends a result straight to the client, which acknowledges the job and sends
// a receipt. Without a receipt the result is stored.
func (w *worker[In, Out]) post(ctx context.Context, job *nats.Msg, client string, result *nats.Msg) {
	if !w.enter(ctx) {
		return
	}
	result.Header.Set(ackHeader, job.Reply)
	w.mu.Lock()
	w.last++
	number := w.last
	w.parcels[number] = &parcel{job: job, result: result}
	w.mu.Unlock()
	w.nc.PublishMsg(&nats.Msg{Subject: w.subject("result", client), Reply: w.inbox + "." + strconv.Itoa(number),
		Header: result.Header, Data: result.Data})
}

// arrived is told by a client which results have arrived, and by the broker which
// one has nobody to go to.
func (w *worker[In, Out]) arrived(ctx context.Context, msg *nats.Msg) {
	numbers := strings.Fields(string(msg.Data))
	nobody := len(numbers) == 0
	if nobody {
		numbers = []string{msg.Subject[len(w.inbox)+1:]}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, number := range numbers {
		n, _ := strconv.Atoi(number)
		p, ok := w.parcels[n]
		delete(w.parcels, n)
		switch {
		case ok && nobody:
			w.finish(ctx, p.job, p.result)
		case ok:
			<-w.room
		}
	}
}

// finish sends messages, and takes the job out of the queue when the broker has
// stored them. Meanwhile the worker can go on.
func (w *worker[In, Out]) finish(ctx context.Context, job *nats.Msg, messages ...*nats.Msg) {
	acks := make([]jetstream.PubAckFuture, len(messages))
	for i, msg := range messages {
		acks[i], _ = w.js.PublishMsgAsync(copied(msg)) // send tries again
	}
	w.finishing.Go(func() {
		defer func() { <-w.room }()
		for i, msg := range messages {
			if _, err := w.send(ctx, msg, acks[i]); err != nil {
				return // the job is done again
			}
		}
		job.Ack()
	})
}

// tell sends an event to a client that wants to know.
func (w *worker[In, Out]) tell(msg *nats.Msg, client string, e Event, number string) {
	if msg.Header.Get(watchHeader) == "" {
		return
	}
	fmt.Sscan(number, &e.Job)
	e.Host, e.PID, e.At = w.host, os.Getpid(), time.Now()
	if data, err := json.Marshal(e); err == nil {
		w.nc.Publish(w.subject("event", client), data)
	}
}
