//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime/debug"
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
	finishing sync.WaitGroup // results on their way to the broker

	mu     sync.Mutex
	job    string // the one in hand
	cancel context.CancelCauseFunc
}

var errCancelled = errors.New("the job was cancelled")

// serve does jobs until the context ends.
func serve[In, Out any](ctx context.Context, s settings, f func(context.Context, In) (Out, error)) error {
	q, err := connect(ctx, s)
	if err != nil {
		return err
	}
	defer q.nc.Close()
	w := &worker[In, Out]{queue: q, f: f}
	w.host, _ = os.Hostname()
	if _, err := q.nc.Subscribe(q.subject("cancel"), w.cancelled); err != nil {
		return err
	}
	consumer, err := q.stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: "workers", FilterSubject: q.subject("job"),
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: s.Silence,
		MaxDeliver: -1, MaxAckPending: -1, // the worker counts, and parks
	})
	if err != nil {
		return err
	}
	// One at a time: a job that waits at a busy worker could be done by another.
	jobs, err := consumer.Messages(jetstream.PullMaxMessages(1), jetstream.WithMessagesErrOnMissingHeartbeat(false), pullExpiry, pullHeartbeat)
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, jobs.Stop)()
	defer w.finishing.Wait()
	for {
		msg, err := jobs.Next()
		if err != nil {
			return err
		}
		w.do(ctx, msg)
	}
}

// cancelled ends the job in hand, if it is the one.
func (w *worker[In, Out]) cancelled(msg *nats.Msg) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.job == string(msg.Data) {
		w.cancel(errCancelled)
	}
}

// begin notes which job is in hand, and returns its context.
func (w *worker[In, Out]) begin(ctx context.Context, job string) context.Context {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.job = job
	ctx, w.cancel = context.WithCancelCause(context.WithValue(ctx, queueKey{}, w.queue))
	return ctx
}

func (w *worker[In, Out]) end() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.job = ""
	w.cancel(nil)
}

// do does one job: it runs the function and sends on what comes of it.
func (w *worker[In, Out]) do(ctx context.Context, msg jetstream.Msg) {
	meta, err := msg.Metadata()
	job := msg.Headers().Get(jobHeader)
	client, number, ok := strings.Cut(job, ".")
	if err != nil || !ok {
		msg.TermWithReason("this is no job") // somebody else's message
		return
	}
	try := int(meta.NumDelivered)
	if try > w.Tries {
		w.park(ctx, msg, client, job, crashed, fmt.Sprintf("%d times", w.Tries))
		return
	}
	w.tell(msg, client, Event{Try: try, What: Begun}, number)
	result, err := w.run(w.begin(ctx, job), msg, client, job)
	w.end()
	switch {
	case err == nil:
		w.tell(msg, client, Event{Try: try, What: Done}, number)
		w.finish(ctx, msg, result)
		return
	case errors.Is(err, errCancelled):
		msg.Term()
		return
	case ctx.Err() != nil:
		msg.Nak() // the worker ends, another may do it
		return
	}
	w.tell(msg, client, Event{Try: try, What: Failed, Reason: err.Error()}, number)
	switch {
	case errors.Is(err, ErrCodec):
		w.park(ctx, msg, client, job, codec, err.Error())
	case try >= w.Tries:
		w.park(ctx, msg, client, job, failed, fmt.Sprintf("%d times: %v", try, err))
	default:
		msg.NakWithDelay(w.Pause << (try - 1))
	}
}

// run runs the function and makes the message that takes its result home. All
// along it tells the broker that the job is in good hands.
func (w *worker[In, Out]) run(ctx context.Context, msg jetstream.Msg, client, job string) (*nats.Msg, error) {
	over := make(chan struct{})
	defer close(over)
	go func() {
		tick := time.NewTicker(w.Silence / 3)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				msg.InProgress()
			case <-over:
				return
			}
		}
	}()
	var in In
	if err := w.value(ctx, msg.Headers(), msg.Data(), &in); err != nil {
		return nil, err
	}
	out, err := protect(ctx, in, w.f)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	result, err := w.message(ctx, w.subject("result", client), job+".result", &out)
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
func (w *worker[In, Out]) park(ctx context.Context, msg jetstream.Msg, client, job, kind, reason string) {
	result := nats.NewMsg(w.subject("result", client))
	result.Data = []byte(reason)
	aside := nats.NewMsg(w.subject("parked"))
	aside.Data = msg.Data()
	aside.Header.Set(objectHeader, msg.Headers().Get(objectHeader))
	aside.Header.Set("Manyhands-Reason", strings.ReplaceAll(reason, "\n", " "))
	for what, m := range map[string]*nats.Msg{"result": result, "parked": aside} {
		m.Header.Set(jetstream.MsgIDHeader, job+"."+what)
		m.Header.Set(jobHeader, job)
		m.Header.Set(kindHeader, kind)
	}
	w.finish(ctx, msg, aside, result)
}

// finish sends messages, and takes the job out of the queue when the broker has
// stored them. Meanwhile the worker can go on.
func (w *worker[In, Out]) finish(ctx context.Context, job jetstream.Msg, messages ...*nats.Msg) {
	acks := make([]jetstream.PubAckFuture, len(messages))
	for i, msg := range messages {
		acks[i], _ = w.js.PublishMsgAsync(copied(msg)) // send tries again
	}
	w.finishing.Go(func() {
		for i, msg := range messages {
			if _, err := w.send(ctx, msg, acks[i]); err != nil {
				return // the job is done again
			}
		}
		job.Ack()
	})
}

// tell sends an event to a client that wants to know.
func (w *worker[In, Out]) tell(msg jetstream.Msg, client string, e Event, number string) {
	if msg.Headers().Get(watchHeader) == "" {
		return
	}
	fmt.Sscan(number, &e.Job)
	e.Host, e.PID, e.At = w.host, os.Getpid(), time.Now()
	if data, err := json.Marshal(e); err == nil {
		w.nc.Publish(w.subject("event", client), data)
	}
}
