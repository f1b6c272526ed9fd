//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// The descriptors of a worker, in the order of [os/exec.Cmd.ExtraFiles]: the
// socket for calls, and the pipe for notes.
const (
	socket = 3 + iota
	pipe
)

// link is the worker's conn to its program, nil if it serves nothing.
var link *conn

// serve runs a function for the program until that is gone. It never returns.
func serve[In, Out any](f func(context.Context, In) (Out, error)) {
	unix.CloseOnExec(socket)
	unix.CloseOnExec(pipe)
	link = newConn(socket)
	// A terminal sends an interrupt to the whole process group, but it is the program
	// that decides. For what a task starts nothing changes: that a signal is ignored
	// is inherited, that it is caught is not.
	if !signal.Ignored(os.Interrupt) {
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
	}
	// Initialisation is tied to the main thread, where each wait would cost a
	// switch of threads: good enough for notes.
	go work(f)
	check(listen(os.NewFile(pipe, "notes")))
}

// work runs the function for one call after the other.
func work[In, Out any](f func(context.Context, In) (Out, error)) {
	defer os.Exit(1) // the function called runtime.Goexit
	check(link.send(hello, 0, nil))
	for {
		frame, err := link.receive()
		check(err)
		ctx := desk.begin(frame.number)
		check(respond(ctx, frame, f))
		desk.finish()
	}
}

// check ends a worker that cannot talk to its program any more.
func check(err error) {
	switch {
	case err == nil:
	case errors.Is(err, io.EOF):
		os.Exit(0)
	default:
		os.Exit(1)
	}
}

// listen reads notes all along, so that the end of the program ends the worker
// even in the middle of a task.
func listen(notes io.Reader) error {
	for {
		n, err := readNote(notes)
		if err != nil {
			return err
		}
		desk.take(n)
	}
}

// respond runs the function for one call and sends what comes of it.
func respond[In, Out any](ctx context.Context, c frame, f func(context.Context, In) (Out, error)) error {
	var in In
	if v := value(&in); v != nil {
		if err := link.decode(c, v); err != nil {
			return sendText(refused, c.number, err.Error())
		}
	}
	out, trace, err := protect(ctx, in, f)
	switch {
	case trace != "":
		return sendText(panicked, c.number, trace)
	case err != nil:
		return sendText(failed, c.number, err.Error())
	}
	err = link.send(answer, c.number, value(&out))
	if errors.Is(err, errCodec) {
		return sendText(failed, c.number, fmt.Sprintf("the result, %T: %v", out, err))
	}
	return err
}

func sendText(kind byte, number uint64, text string) error { return link.send(kind, number, &text) }

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

// desk is what the goroutine of the function and the one that listens have in
// common.
var desk = &state{mapped: make(map[uint64][]byte)}

// A state is the call in progress and the shared memory that the worker has seen.
type state struct {
	mu        sync.Mutex
	busy      bool
	number    uint64 // of the call in progress, or of the one before
	stop      context.CancelFunc
	cancelled uint64            // the latest call that was, which may be yet to come
	mapped    map[uint64][]byte // shared memory, by its number
	closed    []uint64          // of it, what the call in progress may still look at
}

func (s *state) begin(number uint64) context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	var ctx context.Context
	ctx, s.stop = context.WithCancel(context.Background())
	s.busy, s.number = true, number
	if s.cancelled >= number {
		s.stop()
	}
	return ctx
}

func (s *state) finish() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stop()
	s.busy = false
	s.clear()
}

func (s *state) take(n note) {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch n.Kind {
	case cancel:
		s.cancelled = n.Number
		if s.busy && s.number == n.Number {
			s.stop()
		}
	case forget:
		s.closed = append(s.closed, n.Number)
		if !s.busy {
			s.clear()
		}
	}
}

// clear unmaps what is closed.
func (s *state) clear() {
	for _, number := range s.closed {
		if b, ok := s.mapped[number]; ok {
			unix.Munmap(b)
			delete(s.mapped, number)
		}
	}
	s.closed = s.closed[:0]
}

// find returns the shared memory of a number, which it asks for if it is new.
func (s *state) find(number uint64, size int) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b, ok := s.mapped[number]; ok {
		return b, nil
	}
	if err := link.send(need, number, nil); err != nil {
		return nil, err
	}
	fd, err := link.takeHanded()
	if err != nil {
		return nil, err
	}
	if fd < 0 {
		return nil, errGone
	}
	defer unix.Close(fd)
	b, err := mapped(fd, size)
	if err == nil {
		s.mapped[number] = b
	}
	return b, err
}
