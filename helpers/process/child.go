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
	ours, theirs, err := socketPair()
	if err != nil {
		return nil, fmt.Errorf("a socket for a worker: %w: use fewer workers, or raise ulimit -n", err)
	}
	c := &child{cmd: exec.Command(path), dead: make(chan struct{})}
	end := os.NewFile(uintptr(theirs), "program")
	defer end.Close()
	if c.conn, err = newConn(ours); err != nil {
		return nil, err
	}
	c.cmd.Args = os.Args[:1]
	c.cmd.Env = environment(name)
	c.cmd.Stdout, c.cmd.Stderr = os.Stdout, os.Stderr
	c.cmd.ExtraFiles = []*os.File{end}
	c.cmd.SysProcAttr = attributes()
	started := make(chan error)
	go c.run(started)
	if err := <-started; err != nil {
		c.conn.file.Close()
		return nil, fmt.Errorf("starting a worker: %w: use fewer workers, or raise ulimit -n and -u", err)
	}
	end.Close() // or the end of the worker would not be the end of the socket
	c.conn.file.SetReadDeadline(time.Now().Add(helloLimit))
	f, err := c.conn.receive()
	if err != nil || f.kind != hello {
		c.end()
		return nil, fmt.Errorf("function %q is not registered in a worker (which ended with %v): "+
			"register it on no condition, as a package-level variable", name, c.cmd.ProcessState)
	}
	c.conn.file.SetReadDeadline(time.Time{})
	return c, nil
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

// end kills the worker and waits until it is gone.
func (c *child) end() {
	c.ruined = true
	c.cmd.Process.Kill()
	<-c.dead
	c.conn.file.Close()
	shelf.leave(c)
}

// call has the worker run its function on what in points to, and puts the result
// into what out points to. Either may be nil, for nothing.
func (c *child) call(ctx context.Context, grace time.Duration, in, out any) error {
	c.calls++
	ended := c.watch(ctx, grace)
	frames := c.conn.frames() + 1
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
	killed := ended()
	if errors.Is(err, syscall.ECONNRESET) && c.conn.frames() == frames {
		err = errNotSent // Linux: the worker did not read all, and there was only this to read
	}
	if err != nil && (killed || ctx.Err() != nil) {
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
		timer := time.AfterFunc(grace, func() { c.cmd.Process.Kill() })
		c.conn.send(cancel, number, nil) // of no use if the worker is gone, which wait finds out
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
	for {
		f, err := c.conn.receive()
		if err == nil && f.kind != need && f.number != c.calls {
			err = errGarbage
		}
		if err != nil {
			c.end()
			if errors.Is(err, errGarbage) {
				return fmt.Errorf("%w: %w", ErrCrashed, err)
			}
			return fmt.Errorf("%w: %v (%w)", ErrCrashed, c.cmd.ProcessState, err)
		}
		switch f.kind {
		case need:
			shelf.hand(f.number, c) // without success the worker ends, or says that it got nothing
		case answer:
			if out == nil {
				return nil
			}
			if err := c.conn.decode(f, out); err != nil {
				c.end()
				return fmt.Errorf("%w: the result: %w", ErrCrashed, err)
			}
			return nil
		case failed, panicked:
			var text string
			if err := c.conn.decode(f, &text); err != nil {
				c.end()
				return fmt.Errorf("%w: %w", ErrCrashed, err)
			}
			if f.kind == failed {
				return errors.New(text)
			}
			c.ruined = true // who knows what it left locked or half done
			return fmt.Errorf("%w: %s", ErrPanicked, text)
		default:
			c.end()
			return fmt.Errorf("%w: %w", ErrCrashed, errGarbage)
		}
	}
}
