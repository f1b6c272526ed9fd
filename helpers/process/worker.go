//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"sync/atomic"
)

// socket is the descriptor that a worker talks over: the first of
// [os/exec.Cmd.ExtraFiles].
const socket = 3

// link is the worker's conn to its program, nil if it serves nothing.
var link *conn

// A job is a call on its way from the goroutine that receives to the one that
// runs the function.
type job struct {
	frame
	ctx context.Context
}

// serve runs a function for the program until that is gone. It never returns.
func serve[In, Out any](f func(context.Context, In) (Out, error)) {
	c, err := newConn(socket)
	if err != nil {
		fmt.Fprintln(os.Stderr, "process:", err)
		os.Exit(1)
	}
	link = c
	jobs := make(chan job)
	go listen(c, jobs)
	// Initialisation is tied to the main thread, where each wait would cost a
	// switch of threads.
	go func() {
		defer os.Exit(1) // the function called runtime.Goexit
		check(c.send(hello, 0, nil))
		for {
			select {
			case j := <-jobs:
				check(respond(c, j, f))
			case <-attic.changed:
			}
			attic.clear()
		}
	}()
	select {}
}

// check ends a worker that cannot talk to its program any more.
func check(err error) {
	if err != nil {
		os.Exit(1)
	}
}

// listen receives all along, so that the end of the program ends the worker even
// in the middle of a task.
func listen(c *conn, jobs chan<- job) {
	var current atomic.Uint64
	stop := func() {}
	for {
		f, err := c.receive()
		if err != nil {
			if errors.Is(err, io.EOF) {
				os.Exit(0)
			}
			os.Exit(1)
		}
		switch f.kind {
		case call:
			var ctx context.Context
			stop() // of the call before, which is over
			ctx, stop = context.WithCancel(context.Background())
			current.Store(f.number)
			jobs <- job{f, ctx}
		case cancel:
			if f.number == current.Load() {
				stop()
			}
		case handed:
			fd := -1
			if len(c.descriptors) > 0 {
				fd, c.descriptors = c.descriptors[0], c.descriptors[1:]
			}
			arrivals <- fd
		case forget:
			attic.add(f.number)
		}
	}
}

// respond runs the function for one call and sends what comes of it.
func respond[In, Out any](c *conn, j job, f func(context.Context, In) (Out, error)) error {
	var in In
	if v := value(&in); v != nil {
		if err := c.decode(j.frame, v); err != nil {
			return sendText(c, failed, j.number, err.Error())
		}
	}
	out, trace, err := protect(j.ctx, in, f)
	switch {
	case trace != "":
		return sendText(c, panicked, j.number, trace)
	case err != nil:
		return sendText(c, failed, j.number, err.Error())
	}
	err = c.send(answer, j.number, value(&out))
	if errors.Is(err, errCodec) {
		return sendText(c, failed, j.number, fmt.Sprintf("the result, %T: %v", out, err))
	}
	return err
}

func sendText(c *conn, kind byte, number uint64, text string) error {
	return c.send(kind, number, &text)
}

// protect calls f and returns the value and stack of a panic as text.
func protect[In, Out any](ctx context.Context, in In, f func(context.Context, In) (Out, error)) (out Out, trace string, err error) {
	returned := false
	defer func() {
		if r := recover(); !returned {
			stack := make([]byte, 64<<10)
			trace = fmt.Sprintf("%v\n\n%s", r, stack[:runtime.Stack(stack, false)])
		}
	}()
	out, err = f(ctx, in)
	returned = true
	return out, "", err
}
