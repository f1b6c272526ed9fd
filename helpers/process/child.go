//go:build unix

package process

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// helloLimit is how long a new worker may take to get to its function.
const helloLimit = 20 * time.Second

// errNotSent says that a worker was gone before it got its task.
var errNotSent = errors.New("the worker was gone before its task")

// A child is a worker as the program sees it.
type child struct {
	conn   *conn
	notes  *os.File // to the worker
	cmd    *exec.Cmd
	calls  uint64        // made so far
	ruined bool          // it cannot get another call
	dead   chan struct{} // closed when the process is gone
}

// start starts a worker and waits until it serves the function.
func start(name string) (*child, error) {
	path, err := executable()
	if err != nil {
		return nil, err
	}
	c := &child{cmd: exec.Command(path), dead: make(chan struct{})}
	if err := c.connect(); err != nil {
		return nil, fmt.Errorf("a connection to a worker: %w: use fewer workers, or raise ulimit -n", err)
	}
	c.cmd.Args = os.Args[:1]
	c.cmd.Env = environment(name)
	c.cmd.Stdout, c.cmd.Stderr = os.Stdout, os.Stderr
	c.cmd.SysProcAttr = attributes()
	started := make(chan error)
	go c.run(started)
	err = <-started
	for _, theirs := range c.cmd.ExtraFiles {
		theirs.Close() // or the end of the worker would not be the end of the socket
	}
	if err != nil {
		c.disconnect()
		return nil, fmt.Errorf("starting a worker: %w: use fewer workers, or raise ulimit -n and -u", err)
	}
	timer := time.AfterFunc(helloLimit, c.kill)
	defer timer.Stop()
	if f, err := c.conn.receive(); err != nil || f.kind != hello {
		c.end()
		return nil, fmt.Errorf("function %q is not registered in a worker (which ended with %v): "+
			"register it on no condition, as a package-level variable", name, c.cmd.ProcessState)
	}
	return c, nil
}

// connect makes the socket for calls and the pipe for notes.
func (c *child) connect() error {
	ours, theirs, err := socketPair()
	if err != nil {
		return err
	}
	c.conn = newConn(ours)
	c.cmd.ExtraFiles = []*os.File{os.NewFile(uintptr(theirs), "program")}
	r, w, err := os.Pipe()
	if err != nil {
		c.conn.file.Close()
		c.cmd.ExtraFiles[0].Close()
		return err
	}
	c.notes, c.cmd.ExtraFiles = w, append(c.cmd.ExtraFiles, r)
	return nil
}

func (c *child) disconnect() {
	c.conn.file.Close()
	c.notes.Close()
}

// run starts the process and stays until it is gone.
func (c *child) run(started chan<- error) {
	// Linux kills the worker when the thread that started it ends, so the thread
	// has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	err := c.cmd.Start()
	started <- err
	if err == nil {
		c.cmd.Wait()
		close(c.dead)
	}
}

func (c *child) kill() { c.cmd.Process.Kill() }

// end kills the worker and waits until it is gone.
func (c *child) end() {
	c.ruined = true
	c.kill()
	<-c.dead
	c.disconnect()
	shelf.leave(c)
}

// call has the worker run its function on what in points to, and puts the result
// into what out points to. Either may be nil, for nothing.
func (c *child) call(ctx context.Context, grace time.Duration, in, out any) error {
	c.calls++
	ended := c.watch(ctx, grace)
	err := c.conn.send(call, c.calls, in)
	switch {
	case errors.Is(err, errCodec):
		ended()
		return fmt.Errorf("the argument, %T: %w", in, err)
	case err != nil:
		c.end()
		if ended() {
			return context.Cause(ctx)
		}
		return errNotSent
	}
	err = c.wait(out)
	if killed := ended(); err != nil && (killed || ctx.Err() != nil) {
		return context.Cause(ctx)
	}
	return err
}

// watch cancels the call in progress when its context ends, and kills the worker
// after a time of grace. The returned function ends that, and reports whether
// the worker was killed.
func (c *child) watch(ctx context.Context, grace time.Duration) func() bool {
	over, done := make(chan struct{}), make(chan struct{})
	number := c.calls
	stop := context.AfterFunc(ctx, func() {
		defer close(done)
		timer := time.AfterFunc(grace, c.kill)
		note{cancel, number}.writeTo(c.notes) // of no use if the worker is gone, which wait finds out
		<-over
		if !timer.Stop() {
			<-c.dead
		}
	})
	return func() bool {
		if stop() {
			return false
		}
		close(over)
		<-done
		select {
		case <-c.dead:
			c.ruined = true
		default:
		}
		return c.ruined
	}
}

// wait waits for the end of the call in progress.
func (c *child) wait(out any) error {
	for first := true; ; first = false {
		f, err := c.conn.receive()
		if err == nil && f.kind != need && f.number != c.calls {
			err = errGarbage
		}
		if err != nil {
			c.end()
			if first && errors.Is(err, syscall.ECONNRESET) {
				return errNotSent // Linux: the worker has not read all of the call
			}
			if errors.Is(err, errGarbage) {
				return fmt.Errorf("%w: %w", ErrCrashed, err)
			}
			return fmt.Errorf("%w: %v (%w)", ErrCrashed, c.cmd.ProcessState, err)
		}
		if f.kind != need {
			return c.result(f, out)
		}
		shelf.hand(f.number, c) // without success the worker ends, or says that it got nothing
	}
}

// result takes what a call came to from the frame that ends it.
func (c *child) result(f frame, out any) error {
	var text string
	switch {
	case f.kind == answer && out == nil:
		return nil
	case f.kind == failed || f.kind == refused || f.kind == panicked:
		out = &text
	case f.kind != answer:
		c.end()
		return fmt.Errorf("%w: %w", ErrCrashed, errGarbage)
	}
	if err := c.conn.decode(f, out); err != nil {
		c.end()
		return fmt.Errorf("%w: the result: %w", ErrCrashed, err)
	}
	switch f.kind {
	case refused:
		c.conn.enc = nil // the worker may have missed types that came with the argument
		return errors.New(text)
	case failed:
		return errors.New(text)
	case panicked:
		c.ruined = true // who knows what it left locked or half done
		return fmt.Errorf("%w: %s", ErrPanicked, text)
	}
	return nil
}
