package main

import (
	"context"
	"fmt"
	"os"
	"time"
	"unsafe"

	"golang.org/x/sync/errgroup"

	"manyhands/helpers/cluster"
	"manyhands/helpers/workload"
)

// What a worker on another machine can do for lesson 13: its functions, under the
// same names and with the same types.
var (
	nothing = cluster.Register("nothing", func(context.Context, struct{}) (struct{}, error) {
		return struct{}{}, nil
	})
	dawdle = cluster.Register("dawdle", func(ctx context.Context, ms int) (int, error) {
		select {
		case <-time.After(time.Duration(ms) * time.Millisecond):
			return os.Getpid(), nil
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		}
	})
	largestSent = cluster.Register("largest-sent", func(_ context.Context, b []byte) (float64, error) {
		if len(b) < 8 {
			return 0, fmt.Errorf("%d bytes hold no number", len(b))
		}
		return workload.Max(unsafe.Slice((*float64)(unsafe.Pointer(&b[0])), len(b)/8)), nil
	})
)

type workerCommand struct {
	Queue string `required:"" help:"Name of the queue: that of the pool, cluster.Options{Name: …}."`
}

func (*workerCommand) Help() string {
	return "Does jobs of lesson 13 until it is interrupted, for pools on any machine that have the same broker, NATS_URL, " +
		"and name the same queue. It knows the lesson's functions nothing, dawdle and largest-sent."
}

func (v *workerCommand) Run(ctx context.Context) error {
	var group errgroup.Group
	for _, serve := range []func(context.Context, cluster.Options) error{
		nothing.Serve, dawdle.Serve, largestSent.Serve,
	} {
		group.Go(func() error { return serve(ctx, cluster.Options{Name: v.Queue}) })
	}
	fmt.Printf("a worker of the queue %s, process %d (Ctrl-C ends)\n", v.Queue, os.Getpid())
	return group.Wait()
}
