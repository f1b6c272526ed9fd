package grade

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"manyhands/internal/grade/judge"
)

// start is how long a program may take before its first record, and between the
// end of a criterion's time and the record of that: a busy machine is no fault of
// the student's.
const start = 20 * time.Second

// A schedule is how a program is run.
type schedule struct {
	procs int    // GOMAXPROCS; 0 for one per core
	seed  uint64 // of the delays; 0 for none
}

// An outcome is what one run of a program brought.
type outcome struct {
	ended   []judge.Record // of event End, in order
	pending string         // the criterion that was begun and not ended
	done    bool           // it came to its end
	why     string         // it did not, in words
	output  string         // the end of what it printed
}

// run runs the criteria of a program once, up to the first that is not met.
func (s *sandbox) run(ctx context.Context, program string, criteria []string, limit time.Duration, how schedule) (*outcome, error) {
	plan := judge.Plan{Key: rand.Text(), Criteria: criteria, Limit: limit, Seed: how.seed, FileSize: diskLimit}
	if s.bwrap != "" {
		plan.Processes = processLimit
	}
	input, err := json.Marshal(plan)
	if err != nil {
		return nil, err
	}
	file, err := os.Open(program)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	report, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	defer report.Close()
	defer write.Close()

	env := [][2]string{{"GORACE", "halt_on_error=1 atexit_sleep_ms=0"}, {"GOTRACEBACK", "all"}}
	if how.procs > 0 {
		env = append(env, [2]string{"GOMAXPROCS", strconv.Itoa(how.procs)})
	}
	running, kill := context.WithCancelCause(ctx)
	defer kill(nil)
	cmd := s.command(running, file, write, env)
	output := &tail{over: func() { kill(errOutput) }}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(input), output, output
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("run the checks: %w", err)
	}
	write.Close()

	o := &outcome{}
	patience := limit + limit/10 + start
	silence := time.AfterFunc(patience, func() { kill(errSilence) })
	defer silence.Stop()
	over := make(chan struct{})
	go watch(cmd.Process.Pid, kill, over)
	o.read(report, plan.Key, func() { silence.Reset(patience) })
	err = cmd.Wait()
	close(over)
	o.output = string(output.data)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if !o.done {
		o.why = explain(context.Cause(running), err, o.output)
		// So fails bubblewrap. A panic, whatever its text, begins otherwise and exits with 2.
		if len(o.ended) == 0 && o.pending == "" && cmd.ProcessState.ExitCode() == 1 && strings.HasPrefix(o.output, "bwrap: ") {
			return nil, fmt.Errorf("the sandbox failed: %s", strings.TrimSpace(o.output))
		}
	}
	return o, nil
}

var (
	errMemory  = fmt.Errorf("it took more than %d MB of memory, with what the race detector adds", memoryLimit>>20)
	errOutput  = fmt.Errorf("it printed more than %d MB", outputLimit>>20)
	errSilence = errors.New("it did not answer any more: it took too long, or kept the machine from running anything else")
)

// watch kills a program that takes too much memory, until over is closed.
func watch(pid int, kill context.CancelCauseFunc, over <-chan struct{}) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		sum := 0
		for _, bytes := range resident(pid) {
			sum += bytes
		}
		if sum > memoryLimit {
			kill(errMemory)
			return
		}
	}
}

// read reads the records up to the end of the program, and believes those only
// that have the key. It calls heard for each.
func (o *outcome) read(report *os.File, key string, heard func()) {
	lines := bufio.NewScanner(report)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var r judge.Record
		if json.Unmarshal(lines.Bytes(), &r) != nil || r.Key != key {
			continue
		}
		heard()
		switch r.Event {
		case judge.Begin:
			o.pending = r.Criterion
		case judge.End:
			o.pending = ""
			o.ended = append(o.ended, r)
		case judge.Done:
			o.done = true
		}
	}
}
