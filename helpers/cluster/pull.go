//go:build unix

package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// A source is where a worker gets jobs from, one at a time: a job that waits at a
// busy worker could be done by another.
//
// It asks JetStream itself. Consumer.Messages of nats.go 1.55, when it may have no
// more than one message, now and then forgets to ask for the next, until it misses
// the heartbeats two seconds later: a message that comes quickly finds the
// request for it still marked as in progress. Besides, it asks by way of another
// goroutine, while here result and request go to the broker in one piece.
type source struct {
	*queue
	sub     *nats.Subscription
	subject string // of the consumer that all workers share
	request []byte
}

// A server of a cluster that dies takes the requests for messages along. That
// nothing more is heard of it tells that they have to be made again.
const (
	pullExpiry    = 10 * time.Second
	pullHeartbeat = time.Second
)

// source makes the consumer if there is none. It ends with the context.
func (q *queue) source(ctx context.Context) (*source, error) {
	consumer, err := q.stream.CreateOrUpdateConsumer(ctx, jetstream.ConsumerConfig{
		Durable: "workers", FilterSubject: q.subject("job"),
		AckPolicy: jetstream.AckExplicitPolicy, AckWait: q.Silence,
		MaxDeliver: -1, MaxAckPending: -1, // the worker counts, and parks
	})
	if err != nil {
		return nil, err
	}
	s := &source{queue: q, subject: jetstream.DefaultAPIPrefix + "CONSUMER.MSG.NEXT." + q.streamName() + "." + consumer.CachedInfo().Name}
	s.request, err = json.Marshal(map[string]any{"batch": 1, "expires": pullExpiry, "idle_heartbeat": pullHeartbeat})
	if err != nil {
		return nil, err
	}
	if s.sub, err = q.nc.SubscribeSync(q.nc.NewInbox()); err != nil {
		return nil, err
	}
	context.AfterFunc(ctx, func() { s.sub.Unsubscribe() })
	return s, nil
}

// next waits for a job.
func (s *source) next(ctx context.Context) (*nats.Msg, error) {
	for ask := true; ; {
		if ask {
			if err := s.nc.PublishRequest(s.subject, s.sub.Subject, s.request); err != nil {
				return nil, err
			}
		}
		msg, err := s.sub.NextMsg(2 * pullHeartbeat)
		switch {
		case errors.Is(err, nats.ErrTimeout): // the request is lost
			ask = true
		case errors.Is(err, nats.ErrNoResponders): // there is no JetStream now, or no consumer
			if s.lost(ctx) {
				return nil, ErrLost
			}
			ask = true
			pause(ctx)
		case err != nil:
			return nil, err
		case len(msg.Data) > 0 || msg.Header.Get("Status") == "":
			return msg, nil
		default: // 100 is a heartbeat, others end the request
			ask = msg.Header.Get("Status") != "100"
			if ask && msg.Header.Get("Status") != "408" { // not its time
				pause(ctx)
			}
		}
	}
}
