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
	// it 5 s before it kills it; then the kernel lives on.
	grace = 6 * time.Second

	// farewell is grace for a caller that has gone: its kernel is not needed.
	farewell = time.Second
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
	outputs []notebook.Output
	ids     []string // display ids of the outputs, empty for most
	updates []update // of displays that are not this cell's
	count   *int     // execution count
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
	var overdue, given <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		overdue = timer.C
	}
	gone := ctx.Done()
	var why error // the cell was interrupted
	stop := func(reason error, patience time.Duration) {
		why, gone, overdue, given = reason, nil, nil, time.After(patience)
		k.Interrupt() // if this fails, patience ends and the kernel is killed
	}
	for {
		select {
		case m := <-k.link.messages:
			if m.err != nil {
				return k.lost(m.err)
			}
			if prompt, asked := k.inputRequest(m); asked && why == nil {
				stop(fmt.Errorf("the cell asks for input (%q), and nobody is there to answer; it was interrupted", prompt), grace)
			}
			if err := r.take(m); err != nil {
				return err
			}
			if r.idle && r.reply != nil {
				if why != nil {
					return why
				}
				return k.verdict(r)
			}
		case <-overdue:
			stop(fmt.Errorf("the cell ran longer than %v and was interrupted: %w", timeout, context.DeadlineExceeded), grace)
		case <-gone:
			stop(fmt.Errorf("the cell was interrupted: %w", context.Cause(ctx)), farewell)
		case <-given:
			k.process.kill()
			return fmt.Errorf("%w; it did not stop, so the kernel was killed", why)
		case <-k.process.dead:
			return k.process.death()
		}
	}
}

// inputRequest tells whether a message asks for input, and with which prompt.
func (k *Kernel) inputRequest(m message) (prompt string, ok bool) {
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
	if m.channel == shell && m.header.Type == "execute_reply" {
		r.reply = &reply{}
		if err := json.Unmarshal(m.content, r.reply); err != nil {
			return fmt.Errorf("malformed execute_reply: %w", err)
		}
		if r.reply.Count != nil {
			r.count = r.reply.Count
		}
	}
	if m.channel != iopub {
		return nil
	}
	if m.header.Type == "status" {
		var status struct {
			State string `json:"execution_state"`
		}
		if err := json.Unmarshal(m.content, &status); err != nil {
			return fmt.Errorf("malformed status: %w", err)
		}
		r.idle = status.State == "idle"
		return nil
	}
	if err := r.collector.add(m.header.Type, m.content); err != nil {
		return fmt.Errorf("malformed %s: %w", m.header.Type, err)
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
