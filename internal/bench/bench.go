// Package bench measures the course beside its peers: other languages, other
// runners, other pools. Each group of figures is a set of Go benchmarks, which
// anybody may run by themselves; package benchtest, in which they are written,
// has each pair of cases measured turn by turn in one run. This package runs
// them, collects what they found, and shows it as tables.
package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"manyhands/internal/course"
	"manyhands/internal/edition"
	"manyhands/internal/progress"
	"manyhands/internal/tempdir"
)

// Attr is the key of the attribute, see testing.B.Attr, with which a benchmark
// hands over a Figure.
const Attr = "figure"

// A Group is figures that belong together.
type Group struct {
	Name, Title string
	Benchmarks  []Benchmarks
}

// Benchmarks are those of one package.
type Benchmarks struct {
	Dir   string // below the course's root
	Names []string
}

// Find returns the groups of these names, or all where there is none.
func Find(names ...string) ([]Group, error) {
	if len(names) == 0 {
		return Groups, nil
	}
	var found []Group
	for _, name := range names {
		i := slices.IndexFunc(Groups, func(g Group) bool { return g.Name == name })
		if i < 0 {
			var all []string
			for _, g := range Groups {
				all = append(all, g.Name)
			}
			return nil, fmt.Errorf("there is no group %q; the groups are %s", name, strings.Join(all, ", "))
		}
		found = append(found, Groups[i])
	}
	return found, nil
}

// Run measures a group. A benchmark that fails does not keep the others from
// being measured: the record has what they found, and the error says what failed.
// If short is set, one round is all. Whatever the benchmarks start and write ends with Run, even when ctx does.
func Run(ctx context.Context, c *course.Course, g Group, bars *progress.Progress, short bool) (record Record, err error) {
	record = Record{Group: g.Name, Edition: edition.Here(ctx)}
	temp, err := tempdir.Make("", "mh-bench-") // short: there will be sockets in it
	if err != nil {
		return record, fmt.Errorf("make a temporary folder: %w", err)
	}
	defer temp.Remove()
	total := 0
	for _, b := range g.Benchmarks {
		total += len(b.Names)
	}
	task := bars.Task(g.Name, total)
	defer func() { task.Done(err) }()
	var failures []error
	for _, b := range g.Benchmarks {
		r := run{record: &record, begin: task.Begin, short: short, said: map[string][]string{}}
		if err := r.all(ctx, c, b, temp.Path); ctx.Err() != nil {
			return record, fmt.Errorf("bench stopped: %w", context.Cause(ctx))
		} else if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", b.Dir, err))
		}
		record.Figures = append(record.Figures, b.inOrder(r.figures)...)
	}
	return record, errors.Join(failures...)
}

// inOrder sorts figures as the benchmarks are listed: go test runs them as their
// files and lines come.
func (b Benchmarks) inOrder(figures []Figure) []Figure {
	place := func(f Figure) int {
		name, _, _ := strings.Cut(f.Benchmark, "/")
		return slices.Index(b.Names, name)
	}
	slices.SortStableFunc(figures, func(a, b Figure) int { return place(a) - place(b) })
	return figures
}

// run is one go test under way.
type run struct {
	record  *Record
	begin   func(what string)
	short   bool
	said    map[string][]string // the lines of each benchmark; "": of the build
	figures []Figure
	failed  []string
}

// killDelay is how long benchmarks may take to end when they are interrupted.
const killDelay = 5 * time.Second

func (r *run) all(ctx context.Context, c *course.Course, b Benchmarks, temp string) error {
	cmd := exec.CommandContext(ctx, "go", "test", "-json", "-run=^$", "-timeout=0", "-benchtime=1x",
		"-bench=^("+strings.Join(b.Names, "|")+")$", fmt.Sprint("-short=", r.short), ".")
	cmd.Dir = c.Path(b.Dir)
	cmd.Env = append(os.Environ(), "TMPDIR="+temp, "PWD="+cmd.Dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	group := func(s syscall.Signal) error { return syscall.Kill(-cmd.Process.Pid, s) }
	cmd.Cancel = func() error { return group(syscall.SIGINT) }
	cmd.WaitDelay = killDelay
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, in := io.Pipe()
	cmd.Stdout = in
	read := make(chan struct{})
	go func() {
		defer close(read)
		r.read(out)
	}()
	err := cmd.Run()
	in.Close()
	<-read
	if cmd.Process == nil {
		return fmt.Errorf("start go test: %w", err)
	}
	group(syscall.SIGKILL) // what the benchmarks have left behind
	switch {
	case len(r.failed) > 0:
		return errors.New(strings.Join(r.failed, "\n"))
	case err != nil:
		return fmt.Errorf("%w\n%s%s", err, strings.Join(r.said[""], ""), stderr.String())
	}
	return nil
}

// read reads the events of go test to their end.
func (r *run) read(events io.Reader) {
	lines := json.NewDecoder(events)
	for {
		var e event
		if err := lines.Decode(&e); err != nil {
			if err != io.EOF {
				r.failed = append(r.failed, fmt.Sprintf("go test says what is no event: %v", err))
				io.Copy(io.Discard, events)
			}
			return
		}
		if err := r.see(e); err != nil {
			r.failed = append(r.failed, err.Error())
		}
	}
}

// event is a line of go test -json, see go doc test2json.
type event struct{ Action, Test, Output, Key, Value string }

func (r *run) see(e event) error {
	switch e.Action {
	case "run":
		if !strings.Contains(e.Test, "/") {
			r.begin(strings.TrimPrefix(e.Test, "Benchmark"))
		}
	case "output", "build-output":
		if !strings.HasPrefix(e.Output, "=== ") {
			r.said[e.Test] = append(r.said[e.Test], e.Output)
		}
	case "attr":
		var f Figure
		if e.Key != Attr {
			return nil
		}
		if err := json.Unmarshal([]byte(e.Value), &f); err != nil {
			return fmt.Errorf("%s: a figure that cannot be read: %w", e.Test, err)
		}
		r.figures = append(r.figures, f)
	case "skip":
		r.record.Skipped = append(r.record.Skipped, e.Test+": "+r.reason(e.Test))
	case "fail":
		part := func(failure string) bool { return strings.HasPrefix(failure, e.Test+"/") }
		if e.Test != "" && !slices.ContainsFunc(r.failed, part) { // the part has said why
			r.failed = append(r.failed, e.Test+": "+r.reason(e.Test))
		}
	}
	return nil
}

// reason is what a benchmark said before it ended, without the place in the source.
func (r *run) reason(test string) string {
	var reason []string
	for _, line := range r.said[test] {
		line = strings.TrimSpace(line)
		if _, text, ok := strings.Cut(line, ".go:"); ok {
			_, line, _ = strings.Cut(text, ": ")
		} else if strings.HasPrefix(line, "Benchmark") || strings.HasPrefix(line, "---") {
			continue
		}
		reason = append(reason, line)
	}
	return strings.Join(reason, "\n")
}
