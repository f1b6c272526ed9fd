//go:build unix

package cluster

import (
	"bytes"
	"context"
	"encoding/gob"
	"errors"
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// Headers of messages, beside JetStream's own.
const (
	jobHeader    = "Manyhands-Job"    // client.number
	objectHeader = "Manyhands-Object" // the payload is in the object store, under this name
	kindHeader   = "Manyhands-Kind"   // of a result that is an error
	watchHeader  = "Manyhands-Watch"  // the client wants to know when the job begins and ends
	ackHeader    = "Manyhands-Ack"    // where to acknowledge the job that a result is of
)

// keep is how long the broker keeps what nobody fetches.
const keep = 24 * time.Hour

// A queue is a connection to the stream that holds the jobs of a function, their
// results, and jobs that are parked.
type queue struct {
	settings
	nc     *nats.Conn
	js     jetstream.JetStream
	stream jetstream.Stream

	mu     sync.Mutex
	bucket jetstream.ObjectStore // nil until it is needed
}

// subject is where one kind of the queue's messages goes.
func (s settings) subject(kind ...string) string {
	return strings.Join(append([]string{"manyhands", s.Name, s.Function}, kind...), ".")
}

// streamName is JetStream's name for the queue and for its object store.
func (s settings) streamName() string { return "manyhands_" + s.Name + "_" + s.Function }

// connect connects to the broker and makes the stream if there is none.
func connect(ctx context.Context, s settings) (*queue, error) {
	nc, err := nats.Connect(s.URL, nats.Name("manyhands "+s.Function),
		nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond), nats.ReconnectJitter(50*time.Millisecond, 0))
	if err != nil {
		return nil, explain(s.URL, err)
	}
	q := &queue{settings: s, nc: nc}
	q.js, err = jetstream.New(nc, jetstream.WithPublishAsyncTimeout(5*time.Second))
	if err == nil {
		err = q.open(ctx)
	}
	if err != nil {
		nc.Close()
		return nil, explain(s.URL, err)
	}
	return q, nil
}

func (q *queue) open(ctx context.Context) error {
	config := jetstream.StreamConfig{
		Name:      q.streamName(),
		Subjects:  []string{q.subject("job"), q.subject("stored", "*"), q.subject("parked")},
		Retention: jetstream.WorkQueuePolicy, // a message is kept until it is acknowledged
		MaxAge:    keep,
		Replicas:  q.replicas(),
		// The broker keeps the ids of all messages for so long. A message that is sent
		// once more after that is a job done once more, which does no harm.
		Duplicates: 30 * time.Second,
	}
	if q.Private {
		config.Storage = jetstream.MemoryStorage
	}
	for tries := 0; ; tries++ {
		var err error
		q.stream, err = q.js.CreateStream(ctx, config) // changes nothing about one that is there and the same
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			q.stream, err = q.js.UpdateStream(ctx, config)
		}
		if !slices.Contains(passing, code(err)) || tries == 100 || ctx.Err() != nil {
			return err
		}
		pause(ctx)
	}
}

// JetStream's codes for what may be over in a moment.
const (
	noPeers   = 10005 // a server of a cluster is not known to the leader yet
	noLeader  = 10008 // a cluster elects one
	noStorage = 10049 // the server (2.15) removes its folder for streams with the last one in it, maybe just now
)

var passing = []jetstream.ErrorCode{noPeers, noLeader, noStorage}

// code is JetStream's code for an error, or 0.
func code(err error) jetstream.ErrorCode {
	if e := (*jetstream.APIError)(nil); errors.As(err, &e) {
		return e.ErrorCode
	}
	return 0
}

// replicas is 3 in a cluster, so that a node may fail.
func (q *queue) replicas() int {
	if q.nc.ConnectedClusterName() != "" {
		return 3
	}
	return 1
}

// explain says what to do about a broker that cannot be used.
func explain(address string, err error) error {
	var shown []string
	for one := range strings.SplitSeq(address, ",") {
		if u, parsed := url.Parse(one); parsed == nil {
			one = u.Redacted()
			if _, both := u.User.Password(); u.User != nil && !both {
				u.User = url.User("xxxxx") // a token
				one = u.String()
			}
		}
		shown = append(shown, one)
	}
	advice := "see that it runs, or unset NATS_URL to use the course's own"
	switch {
	case errors.Is(err, nats.ErrAuthorization):
		advice = "give user and password in the URL: nats://user:password@host:4222"
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount), errors.Is(err, nats.ErrNoResponders):
		advice = "start nats-server with JetStream: nats-server -js"
	case code(err) == noPeers:
		advice = "a cluster needs three servers that run, with JetStream"
	}
	return fmt.Errorf("the broker at %s: %w: %s", strings.Join(shown, ","), err, advice)
}

// message makes a message of a value, which goes to the object store if it is
// too large for a message.
func (q *queue) message(ctx context.Context, subject, id string, value any) (*nats.Msg, error) {
	var b bytes.Buffer
	if !empty(value) {
		if err := gob.NewEncoder(&b).Encode(value); err != nil {
			return nil, fmt.Errorf("%T %w: %w", value, ErrCodec, err)
		}
	}
	msg := nats.NewMsg(subject)
	msg.Header.Set(jetstream.MsgIDHeader, id)
	msg.Data = b.Bytes()
	if int64(b.Len()) <= q.nc.MaxPayload()-4096 { // headers count as well
		return msg, nil
	}
	if err := q.put(ctx, id, msg.Data); err != nil {
		return nil, err
	}
	msg.Header.Set(objectHeader, id)
	msg.Data = nil
	return msg, nil
}

// empty reports whether a value that a pointer leads to is of a type that holds
// nothing.
func empty(pointer any) bool { return reflect.TypeOf(pointer).Elem().Size() == 0 }

// value gets what message was given.
func (q *queue) value(ctx context.Context, header nats.Header, data []byte, into any) error {
	if name := header.Get(objectHeader); name != "" {
		var err error
		if data, err = q.object(ctx, name); err != nil {
			return err
		}
	}
	return decode(data, into)
}

// decode gets what a payload is of.
func decode(data []byte, into any) error {
	if empty(into) {
		return nil
	}
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(into); err != nil {
		return fmt.Errorf("%T %w: %w", into, ErrCodec, err)
	}
	return nil
}

// objects returns the queue's object store, and makes it if there is none.
func (q *queue) objects(ctx context.Context) (jetstream.ObjectStore, error) {
	q.mu.Lock()
	defer q.mu.Unlock()
	var err error
	if q.bucket == nil {
		config := jetstream.ObjectStoreConfig{Bucket: q.streamName(), TTL: keep, Replicas: q.replicas()}
		q.bucket, err = q.js.CreateObjectStore(ctx, config)
		if errors.Is(err, jetstream.ErrBucketExists) {
			q.bucket, err = q.js.UpdateObjectStore(ctx, config)
		}
	}
	return q.bucket, err
}

// transfer is how long an object may be on its way; JetStream's own limit would be
// 5 seconds.
const transfer = 5 * time.Minute

func (q *queue) put(ctx context.Context, name string, data []byte) error {
	ctx, cancel := context.WithTimeout(ctx, transfer)
	defer cancel()
	bucket, err := q.objects(ctx)
	if err == nil {
		_, err = bucket.PutBytes(ctx, name, data)
	}
	if err != nil {
		return fmt.Errorf("storing %d bytes: %w", len(data), err)
	}
	return nil
}

func (q *queue) object(ctx context.Context, name string) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, transfer)
	defer cancel()
	bucket, err := q.objects(ctx)
	if err != nil {
		return nil, err
	}
	data, err := bucket.GetBytes(ctx, name)
	if err != nil {
		return nil, fmt.Errorf("fetching %s: %w", name, err)
	}
	return data, nil
}

// discard removes a message's payload from the object store, if it is there.
func (q *queue) discard(ctx context.Context, header nats.Header) {
	if name := header.Get(objectHeader); name != "" {
		if bucket, err := q.objects(ctx); err == nil {
			bucket.Delete(ctx, name) // what stays goes with its age
		}
	}
}

// send stores a message in the stream, however often that takes while the broker
// is away. A message has an id, by which it is stored once.
func (q *queue) send(ctx context.Context, msg *nats.Msg, ack jetstream.PubAckFuture) (*jetstream.PubAck, error) {
	for {
		if ack != nil {
			select {
			case stored := <-ack.Ok():
				return stored, nil
			case err := <-ack.Err():
				if errors.Is(err, jetstream.ErrNoStreamResponse) && q.lost(ctx) {
					return nil, ErrLost
				}
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		if pause(ctx); ctx.Err() != nil { // without an ack as well: the client's buffer may be full
			return nil, context.Cause(ctx)
		}
		var err error
		switch ack, err = q.js.PublishMsgAsync(copied(msg)); {
		case errors.Is(err, nats.ErrConnectionClosed):
			return nil, ErrClosed
		case errors.Is(err, nats.ErrMaxPayload): // it will never do
			return nil, err
		}
	}
}

// copied is a message to send again: the client uses the fields of one it sent.
func copied(msg *nats.Msg) *nats.Msg {
	return &nats.Msg{Subject: msg.Subject, Header: msg.Header, Data: msg.Data}
}

// lost reports whether the broker has come back without the stream: it may have
// another one by now, which a worker made.
func (q *queue) lost(ctx context.Context) bool {
	now, err := q.js.Stream(ctx, q.streamName())
	if err != nil {
		return errors.Is(err, jetstream.ErrStreamNotFound)
	}
	return !now.CachedInfo().Created.Equal(q.stream.CachedInfo().Created)
}

// pause waits a moment, so that a broker that is away is not asked without end.
func pause(ctx context.Context) {
	select {
	case <-time.After(50 * time.Millisecond):
	case <-ctx.Done():
	}
}
