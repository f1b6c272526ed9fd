package kernel

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"manyhands/internal/notebook"
)

// Options says how to execute a cell.
type Options struct {
	Timeout   time.Duration // the longest that the cell may run; 0 means no limit
	MaxOutput int           // the most bytes that one output may have; 0 means 1 MiB
}

const (
	// grace is how long an interrupted cell may take to stop. GoNB itself gives
	// it 5 s before it kills it; then the kernel lives on, and on a busy machine
	// takes its time to say so.
	grace = 10 * time.Second

	// farewell is grace for a caller that has gone: its kernel is not needed.
	farewell = time.Second

	// nudge is the time between interrupts: GoNB misses one that comes between
	// two steps of a cell, such as its compiler and its program.
	nudge = 500 * time.Millisecond
)

// Execute runs a cell to its end and returns its outputs, with adjacent writes
// to a stream merged, display updates applied and temporary paths taken out.
//
// A cell that ran and failed comes back as a [*CellError]. When the cell runs
// longer than opt.Timeout (the error is then a [context.DeadlineExceeded]),
// asks for input, or when ctx ends, it is interrupted, and when that does not
// help the kernel is killed. A kernel that dies comes back as a [*DeathError].
// With any error the outputs up to it are returned.
func (k *Kernel) Execute(ctx context.Context, source string, opt Options) ([]notebook.Output, error) {
	r, err := k.execute(ctx, source, opt)
	return r.outputs, err
}

// result is what a cell leaves.
type result struct {
	outputs  []notebook.Output
	displays []string // display ids of the outputs, empty for most
	updates  []update // of displays that are not this cell's
	count    *int     // execution count
}

func (k *Kernel) execute(ctx context.Context, source string, opt Options) (result, error) {
	k.executing.Lock()
	defer k.executing.Unlock()
	if ctx.Err() != nil {
		return result{}, context.Cause(ctx)
	}
	id, err := k.link.request(shell, "execute_request", map[string]any{
		"code": source, "silent": false, "store_history": true, "user_expressions": struct{}{},
		"allow_stdin": false, "stop_on_error": true,
	})
	if err != nil {
		return result{}, k.lost(err)
	}
	r := run{id: id, collector: newCollector(opt.MaxOutput, k.clean)}
	err = k.follow(ctx, &r, opt.Timeout)
	return r.collector.result(r.count), err
}

// run is the state of one execution.
type run struct {
	id        string
	collector *collector
	count     *int
	reply     *reply // nil until it came
	idle      bool
}

// reply is the content of an execute_reply.
type reply struct {
	Status    string   `json:"status"`
	Count     *int     `json:"execution_count"`
	EName     string   `json:"ename"`
	EValue    string   `json:"evalue"`
	Traceback []string `json:"traceback"`
}

// follow takes in messages until the cell has ended: both its reply and the
// idle status have to come, in either order.
func (k *Kernel) follow(ctx context.Context, r *run, timeout time.Duration) error {
	var overdue <-chan time.Time
	if timeout > 0 {
		overdue = time.After(timeout)
	}
	var stop *stopping // nil while the cell may run on
	gone := ctx.Done()
	for {
		select {
		case m := <-k.link.messages:
			if m.err != nil {
				return k.last(r, m)
			}
			if err := r.take(m); err != nil {
				return err
			}
			if r.idle && r.reply != nil {
				if stop != nil {
					return stop.why
				}
				return k.verdict(r)
			}
			if prompt, asks := inputRequest(m); asks && stop == nil {
				stop = k.stop(grace, fmt.Errorf("the cell asks for input (%q), which nobody can give here; it was interrupted", prompt))
			}
		case <-overdue:
			if stop == nil {
				stop = k.stop(grace, fmt.Errorf("the cell ran longer than %v and was interrupted: %w", timeout, context.DeadlineExceeded))
			}
		case <-gone:
			gone = nil
			stop = k.stop(farewell, fmt.Errorf("the cell was interrupted: %w", context.Cause(ctx)))
		case <-stop.again():
			if time.Now().After(stop.end) {
				k.process.kill()
				return fmt.Errorf("%w; it did not stop, so the kernel was killed", stop.why)
			}
			k.Interrupt()
		case <-k.process.dead:
			return k.last(r, message{})
		}
	}
}

// stopping is the state of a cell that was interrupted.
type stopping struct {
	why  error
	end  time.Time // when patience ends
	tick <-chan time.Time
}

// stop interrupts the cell for the first time. If that fails, so will the
// next ones, and the kernel is killed.
func (k *Kernel) stop(patience time.Duration, why error) *stopping {
	k.Interrupt()
	return &stopping{why, time.Now().Add(patience), time.Tick(nudge)}
}

// again tells when to interrupt again: never while the cell may run on.
func (s *stopping) again() <-chan time.Time {
	if s == nil {
		return nil
	}
	return s.tick
}

// last takes in what a kernel that has died, or one of whose channels has
// failed with m, still published, and explains its end.
func (k *Kernel) last(r *run, m message) error {
	failed := m.err
	for enough := time.After(patience); ; {
		if m.channel == iopub && m.err != nil {
			return k.lost(failed)
		}
		select {
		case m = <-k.link.messages:
			if m.err == nil {
				r.take(m) // what is malformed now does not matter any more
			}
		case <-enough:
			return k.lost(failed)
		}
	}
}

// inputRequest tells whether a message asks for input, and with which prompt.
func inputRequest(m message) (prompt string, ok bool) {
	if m.channel != stdin || m.header.Type != "input_request" {
		return "", false
	}
	var content struct {
		Prompt string `json:"prompt"`
	}
	json.Unmarshal(m.content, &content) // without a prompt it is a request all the same
	return content.Prompt, true
}

// take takes in one message, unless it belongs to another request.
func (r *run) take(m message) error {
	if m.parent.ID != r.id {
		return nil
	}
	var err error
	switch {
	case m.channel == shell && m.header.Type == "execute_reply":
		r.reply = &reply{}
		if err = json.Unmarshal(m.content, r.reply); err == nil {
			r.count = r.reply.Count
		}
	case m.channel == iopub && m.header.Type == "status":
		var status struct {
			State string `json:"execution_state"`
		}
		err = json.Unmarshal(m.content, &status)
		r.idle = status.State == "idle"
	case m.channel == iopub:
		err = r.collector.add(m.header.Type, m.content)
	}
	if err != nil {
		return fmt.Errorf("the kernel sent a malformed %s: %w", m.header.Type, err)
	}
	return nil
}

// verdict tells how a cell that ran to its end ended.
func (k *Kernel) verdict(r *run) error {
	if r.reply.Status == "ok" {
		return nil
	}
	e := &CellError{Index: -1, Name: r.reply.EName, Value: k.clean(r.reply.EValue), Stderr: r.collector.stderr()}
	if e.Name == "" {
		e.Name = r.reply.Status // "aborted" has nothing else
	}
	for _, line := range r.reply.Traceback {
		e.Traceback = append(e.Traceback, k.clean(line))
	}
	return e
}
