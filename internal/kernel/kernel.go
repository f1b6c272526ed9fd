// Package kernel runs code cells on a Jupyter kernel, and leaves nothing of it
// behind.
//
// It exists so that executing a notebook needs neither Python nor Jupyter, and
// so that it survives what cells do: a kernel that dies, hangs, never answers
// or floods its output ends in an error that says so, and however a run ends
// no process and no temporary file of it remain.
//
// The protocol: https://jupyter-client.readthedocs.io/en/latest/messaging.html
package kernel

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// Spec says how to start a kernel; it holds what a kernelspec (kernel.json)
// holds.
type Spec struct {
	Argv          []string // the command; {connection_file} stands for the path of the connection file
	Env           []string // KEY=value, added to this process's environment
	DisplayName   string
	Language      string
	InterruptMode InterruptMode // how the kernel wants to be interrupted
	StartTimeout  time.Duration // how long the kernel may take to answer; 0 means one minute
	Hide          []string      // absolute folders that outputs must not show: paths below them become relative
}

// InterruptMode is how a kernel wants to be told to stop the running cell.
type InterruptMode string

// The modes that a kernelspec knows.
const (
	InterruptSignal  InterruptMode = "signal"  // SIGINT to the kernel's process group; also the zero value's meaning
	InterruptMessage InterruptMode = "message" // an interrupt_request on the control channel
)

const (
	defaultStartTimeout = time.Minute

	// again is how often a start asks: iopub loses what was published before
	// the subscription arrived, so the first answers may never be seen.
	again = 50 * time.Millisecond

	// patience is how long a dead kernel's last messages may take.
	patience = 200 * time.Millisecond

	// politeness is how long a kernel that was asked to shut down may take.
	politeness = 2 * time.Second

	// parting is how long the kernel's process may outlive its sockets: it
	// closes them first, and what it started goes last.
	parting = politeness + 3*time.Second
)

// Kernel is a running kernel. It executes one cell at a time; its methods may
// be called from several goroutines.
type Kernel struct {
	spec    Spec
	home    *home
	process *process
	link    *link

	clean func(string) string // takes this run's paths out of a text

	executing sync.Mutex

	closing  sync.Once
	closeErr error
}

// Start starts a kernel with dir as its working directory and returns it when
// it answers on all channels. The end of ctx stops the start, not the kernel:
// that lives until [Kernel.Close].
func Start(ctx context.Context, spec Spec, dir string) (*Kernel, error) {
	k, err := start(ctx, spec, dir)
	if err != nil {
		return nil, fmt.Errorf("start the kernel %s: %w", spec.name(), err)
	}
	return k, nil
}

func start(ctx context.Context, spec Spec, dir string) (*Kernel, error) {
	if len(spec.Argv) == 0 {
		return nil, errors.New("its command is empty")
	}
	limit := spec.StartTimeout
	if limit == 0 {
		limit = defaultStartTimeout
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it did not answer within %v", limit))
	defer cancel()

	home, err := newHome()
	if err != nil {
		return nil, err
	}
	k := &Kernel{spec: spec, home: home, clean: cleaner(home.dir, spec.Hide)}
	if k.process, err = startProcess(spec, dir, home); err != nil {
		return nil, errors.Join(err, home.remove())
	}
	if k.link, err = dial(ctx, home, k.process); err == nil {
		err = k.greet(ctx)
	}
	if err == nil {
		return k, nil
	}
	return nil, errors.Join(k.explain(err), k.Close())
}

// greet asks for the kernel's info until an answer has come on the shell
// channel and a status on iopub: from then on no output can be lost.
func (k *Kernel) greet(ctx context.Context) error {
	tick := time.NewTicker(again)
	defer tick.Stop()
	var answered, heard bool
	for ask := true; !answered || !heard; {
		if ask {
			if _, err := k.link.request(shell, "kernel_info_request", struct{}{}); err != nil {
				return k.lost(err)
			}
		}
		ask = false
		select {
		case m := <-k.link.messages:
			if m.err != nil {
				return k.lost(m.err)
			}
			answered = answered || m.header.Type == "kernel_info_reply"
			heard = heard || m.channel == iopub
		case <-tick.C:
			ask = true
		case <-k.process.dead:
			return k.process.death()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// explain adds the last words of a kernel that failed to start.
func (k *Kernel) explain(err error) error {
	if errors.As(err, new(*DeathError)) {
		return err
	}
	k.process.kill() // first: only then its output is whole
	if words := k.process.output.String(); words != "" {
		return fmt.Errorf("%w; its last words:\n%s", err, words)
	}
	return err
}

// lost explains a failed connection: by the kernel's death, where it died.
func (k *Kernel) lost(err error) error {
	select {
	case <-k.process.dead:
		return k.process.death()
	case <-time.After(parting):
		return fmt.Errorf("the connection to the kernel broke: %w", err)
	}
}

// Interrupt asks the running cell to stop, in the way the spec says.
func (k *Kernel) Interrupt() error {
	if k.spec.InterruptMode == InterruptMessage {
		_, err := k.link.request(control, "interrupt_request", struct{}{})
		return err
	}
	return k.process.interrupt()
}

// Close ends the kernel and everything that it or its cells started, and
// removes its temporary files. It may be called at any moment, also while a
// cell runs, and more than once.
func (k *Kernel) Close() error {
	k.closing.Do(func() {
		if k.link != nil {
			if _, err := k.link.request(control, "shutdown_request", map[string]bool{"restart": false}); err == nil {
				k.process.wait(politeness)
			}
			k.link.close()
		}
		k.closeErr = errors.Join(k.process.kill(), k.home.remove())
	})
	return k.closeErr
}

// name is what messages call the kernel.
func (s Spec) name() string {
	if s.DisplayName != "" {
		return s.DisplayName
	}
	if len(s.Argv) > 0 {
		return s.Argv[0]
	}
	return "(unnamed)"
}
