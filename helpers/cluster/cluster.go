//go:build unix

// Package cluster runs functions on many machines, from a cell as from any
// program: the shape of package process, with a broker between the program and
// its workers.
//
//	var blur = cluster.Register("blur", func(ctx context.Context, p Picture) (Picture, error) { … })
//
//	pool, err := blur.Start(ctx, cluster.Options{Workers: 4})
//	defer pool.Close()
//	blurred, err := pool.Map(ctx, pictures)
//
// The broker is NATS with JetStream, see [manyhands/helpers/broker]: $NATS_URL, or
// one that is started on demand. What JetStream can do it does: a stream keeps
// jobs until they are done, workers pull one job at a time, a worker that falls
// silent loses its job to another, messages that were sent twice are stored once,
// and large arguments are in its object store.
//
// A job stays in the stream until its program has the result, and is done at least
// once: a worker that dies between the end of a job and the word that it is done
// leaves it to be done again. Its result counts once. It goes straight to the
// program; if that does not answer, as it has lost its connection, the stream
// keeps the result until it is fetched.
//
// Workers are processes that [Func.Start] starts here (by package process, with
// all that it says, shared memory included), or programs on other machines that
// call [Func.Serve].
//
// # Cost
//
// Measured by the benchmarks of this package on two cores of an AMD EPYC that were
// busy with other work as well; run them for the figures of another machine. A job
// that does nothing takes 1.5 to 2.5 times as long as a bare request that another
// process answers by way of the same server, called and waited for, and about as
// long when it is one of a thousand at once (BenchmarkEmpty). The broker stores the
// job and hands it from goroutine to goroutine; messages between the processes are
// as many as for the bare request, and go each in one piece.
package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"regexp"
	"runtime"
	"time"

	"manyhands/helpers/broker"
	"manyhands/helpers/process"
)

// What can be wrong with a job, apart from the end of its context. The message
// has what the function said, 64 KB of it at most.
var (
	ErrFailed  = errors.New("the job failed")                        // in every try; it is parked
	ErrCrashed = errors.New("the job ended its worker each time")    // it is parked
	ErrCodec   = errors.New("cannot be encoded")                     // by encoding/gob; not tried again
	ErrClosed  = errors.New("the pool is closed")                    // before the job was done
	ErrLost    = errors.New("the broker came back without its jobs") // submit them again
)

// Options say how a pool works. The zero value is good for most.
type Options struct {
	// URL is the broker's, such as nats://user:password@host:4222, or several with
	// commas between. Empty means what [broker.NATS] finds.
	URL string

	// Name is the queue's: letters, digits, - and _. Programs that name the same
	// queue share the workers of a function, and jobs of other names are not seen.
	// The broker keeps it on disk. Empty means a queue of the pool's own, which ends
	// with it and is in the broker's memory: a broker that starts again has lost it.
	Name string

	// Workers is how many processes to start here. 0 means one per core that Go
	// uses (GOMAXPROCS), [None] leaves the jobs to workers elsewhere.
	Workers int

	// Tries is how often a job may be begun before it is parked. 0 means 3.
	Tries int

	// Pause is how long a failed job rests before its second try; the time doubles
	// with each try. 0 means 100 ms.
	Pause time.Duration

	// Silence is how long nothing has to be heard of a worker before its job is
	// given to another. 0 means 2 s. Workers speak three times as often, however
	// long a job takes.
	Silence time.Duration

	// OnEvent is called when a job of this pool begins and ends at a worker, one
	// event at a time.
	OnEvent func(Event)
}

// None is no workers here.
const None = -1

func (o Options) withDefaults(ctx context.Context) (Options, error) {
	if o.Workers < None || o.Tries < 0 || o.Pause < 0 || o.Silence < 0 {
		return o, fmt.Errorf("a negative number or time in %+v: leave it out for the default", o)
	}
	if o.Name != "" && !validName.MatchString(o.Name) {
		return o, fmt.Errorf("the name %q has more than letters, digits, - and _", o.Name)
	}
	if o.Workers == None && o.Name == "" {
		return o, errors.New("workers elsewhere have to know the queue: give it a name")
	}
	if o.Workers == 0 {
		o.Workers = runtime.GOMAXPROCS(0)
	}
	if o.Tries == 0 {
		o.Tries = 3
	}
	if o.Pause == 0 {
		o.Pause = 100 * time.Millisecond
	}
	if o.Silence == 0 {
		o.Silence = 2 * time.Second
	}
	var err error
	if o.URL == "" {
		o.URL, err = broker.NATS(ctx)
	}
	return o, err
}

// settings are what a worker has to know.
func (o Options) settings(function string) settings {
	s := settings{URL: o.URL, Name: o.Name, Function: function, Tries: o.Tries, Pause: o.Pause, Silence: o.Silence}
	if s.Name == "" {
		s.Name, s.Private = rand.Text(), true
	}
	return s
}

// settings travel to the workers that are processes of the program.
type settings struct {
	URL, Name, Function string
	Private             bool // the queue ends with the pool
	Tries               int
	Pause, Silence      time.Duration
}

// An Event is what happened to a job at a worker.
type Event struct {
	Job    int // counted from 0, in the order of submission
	Try    int // counted from 1
	Host   string
	PID    int // the worker's
	What   What
	At     time.Time // by the worker's clock
	Reason string    // of a failure
}

// What says what an [Event] is about.
type What string

// What happens to jobs. A worker that dies says nothing: its job begins again
// elsewhere.
const (
	Begun  What = "begun"
	Done   What = "done"
	Failed What = "failed"
)

// A Func is a function that workers can run. Make one by [Register].
type Func[In, Out any] struct {
	name      string
	f         func(context.Context, In) (Out, error)
	processes *process.Func[settings, struct{}]
}

var validName = regexp.MustCompile(`^[A-Za-z0-9_-]+$`)

// Register makes a function known to workers under a name of letters, digits, -
// and _. Call it to initialise a package-level variable, and on no condition, see
// [process.Register]. It panics for a bad name and for one used twice.
//
// The function runs one job at a time in each worker. Its context ends when that
// of the job does, or the worker's.
func Register[In, Out any](name string, f func(context.Context, In) (Out, error)) *Func[In, Out] {
	if !validName.MatchString(name) || f == nil {
		panic(fmt.Sprintf("cluster: Register needs a name of letters, digits, - and _, and a function; the name is %q", name))
	}
	serve := func(ctx context.Context, s settings) (struct{}, error) {
		return struct{}{}, serve(ctx, s, f)
	}
	return &Func[In, Out]{name, f, process.Register("cluster "+name, serve)}
}

// Serve does jobs of the function, one at a time, until the context ends: the
// main function of a worker on another machine. Options.Name has to be that of
// the pool. A broker that goes away is waited for.
func (f *Func[In, Out]) Serve(ctx context.Context, o Options) error {
	if o.Name == "" {
		return fmt.Errorf("cluster: %s: a worker needs the name of its queue", f.name)
	}
	o, err := o.withDefaults(ctx)
	if err == nil {
		for err = ErrLost; errors.Is(err, ErrLost); { // what was there is lost, what comes is not
			err = serve(ctx, o.settings(f.name), f.f)
		}
	}
	if err != nil && ctx.Err() == nil {
		return fmt.Errorf("cluster: a worker for %s: %w", f.name, err)
	}
	return nil
}
