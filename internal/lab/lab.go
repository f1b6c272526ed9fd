// Package lab opens the course in JupyterLab, and sets up what that takes: the
// Python environment, the Go kernel, the student's own copies of the
// notebooks. Where JupyterLab cannot be had it goes on with less, down to the
// static pages, so that starting the course always ends in something to learn
// from.
package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/shirou/gopsutil/v4/disk"

	"manyhands/internal/course"
	"manyhands/internal/doctor"
	"manyhands/internal/gonb"
	"manyhands/internal/progress"
	"manyhands/internal/pyenv"
)

// Options say how to open the course.
type Options struct {
	Host    string    // the address to listen on; 127.0.0.1 if empty
	Port    int       // 0 for 8888, or the next one that is free
	Browser bool      // open the browser on it
	Dir     string    // a folder to open as it is, in place of the student's copies in work/
	Out     io.Writer // what happens is said here

	// Static serves the lessons as plain pages until ctx ends. It is called
	// where there is no Jupyter.
	Static func(ctx context.Context) error
}

// Run opens the course in JupyterLab, prints the address once it answers and
// stays until ctx ends; then Jupyter and all its kernels are stopped, and Run
// returns nil. A second Run on the same course says where the first one is, and
// mends its kernel.
func Run(ctx context.Context, c *course.Course, opt Options) error {
	if opt.Host == "" {
		opt.Host = "127.0.0.1"
	}
	l := &lab{Course: c, Options: opt}
	return l.wayOut(l.run(ctx))
}

func (l *lab) run(ctx context.Context) error {
	if err := os.MkdirAll(l.state(), 0o777); err != nil {
		return fmt.Errorf("the course's folder has to be writable: %w", err)
	}
	lock := flock.New(l.Path(".cache", "lab.lock"))
	var s session
	for {
		var answers bool
		if s, answers = l.running(ctx); answers {
			if err := l.mendKernel(ctx); err != nil {
				l.say("! %v", l.wayOut(err))
			}
			l.say("Jupyter is already running on this course:\n\n    %s\n", s.Address)
			l.browse(s)
			return nil
		}
		alone, err := lock.TryLock()
		if err != nil {
			return fmt.Errorf("see whether the course is open already: %w", err)
		}
		if alone {
			break
		}
		select { // another one is on its way up, or down
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	defer lock.Unlock()
	if s.Temp != "" { // of a lab that was killed
		if err := l.clear(s); err != nil {
			return err
		}
	}
	first, last := l.ports()
	if _, err := freePort(l.Host, first, last); err != nil { // known now and not after minutes
		return err
	}
	dir := l.Dir
	if dir == "" {
		var err error
		if dir, err = l.deliver(); err != nil {
			return err
		}
	}
	jupyter, err := l.setUp(ctx)
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case err != nil && l.Static == nil:
		return err
	case err != nil:
		l.say("! %v", l.wayOut(err))
		l.say("So there is no JupyterLab here yet, and the lessons open as plain pages instead: all the text and all\n" +
			"the charts, but no cell to run. Mend the above and start again; `go run . doctor` says what is missing.")
		return l.Static(ctx)
	}
	return l.serve(ctx, jupyter, dir)
}

// full matches what Go, Python and the compilers say of a full disk or an
// exhausted quota.
var full = regexp.MustCompile(`(?i)no space left on device|disk quota exceeded`)

// little is so little room, in bytes, that a program which failed and does not
// say why, such as Python's venv, most likely failed for that.
const little = 16 << 20

// wayOut adds to an error that comes of a full disk what to do.
func (l *lab) wayOut(err error) error {
	if err == nil {
		return nil
	}
	usage, unknown := disk.Usage(l.Root)
	if !full.MatchString(err.Error()) && (unknown != nil || usage.Free > little) {
		return err
	}
	return fmt.Errorf("%w\nThe disk is full: make room on the disk of %s and start again. What you have saved in work/ is safe", err, l.Root)
}

// Prepare sets up all that Run needs, so that Run then works without a
// network, as in an image of the course. It says what it does on out.
func Prepare(ctx context.Context, c *course.Course, out io.Writer) error {
	l := &lab{Course: c, Options: Options{Out: out}}
	_, err := l.setUp(ctx)
	return l.wayOut(err)
}

// Deliver brings the student's copies of the notebooks up to date, as Run does
// before it opens them, for a Jupyter that something else starts.
func Deliver(c *course.Course, out io.Writer) error {
	l := &lab{Course: c, Options: Options{Out: out}}
	dir, err := l.deliver()
	if err != nil {
		return l.wayOut(err)
	}
	return l.wayOut(l.arrange(dir))
}

// lab is one run.
type lab struct {
	*course.Course
	Options
}

// state is where Jupyter keeps what it would keep in the user's home.
func (l *lab) state(elem ...string) string {
	return filepath.Join(append([]string{l.Path(".cache", "jupyter")}, elem...)...)
}

func (l *lab) say(format string, args ...any) { fmt.Fprintf(l.Out, format+"\n", args...) }

// setUp makes what is missing of the Python environment and of the Go kernel,
// both at once, and returns the Jupyter to use.
func (l *lab) setUp(ctx context.Context) (*jupyter, error) {
	p := progress.New(l.Out)
	defer p.Wait()
	var (
		setUp             sync.WaitGroup
		env               pyenv.Env
		envErr, kernelErr error
		toolchain         gonb.Toolchain
	)
	setUp.Go(func() { env, envErr = pyenv.Ensure(ctx, l.Course, p) })
	setUp.Go(func() { toolchain, kernelErr = l.setUpKernel(ctx, p) })
	setUp.Wait()
	if kernelErr != nil {
		return nil, errors.Join(kernelErr, envErr)
	}
	j := &jupyter{
		argv: []string{env.Python(), "-I", "-m", "jupyterlab"}, name: "JupyterLab", home: "lab",
		share: filepath.Join(env.Dir, "share", "jupyter"),
	}
	if envErr != nil {
		var err error
		if j, err = l.outside(ctx); err != nil {
			return nil, errors.Join(envErr, err)
		}
		p.Printf("! %v\n  So the %s on PATH is used.", envErr, j.name)
	}
	return j, toolchain.WriteKernelspec(l.Course, j.share)
}

// mendKernel builds what the kernels of a running Jupyter miss by now, for
// example since Go was upgraded; the next kernel to start has it.
func (l *lab) mendKernel(ctx context.Context) error {
	p := progress.New(l.Out)
	defer p.Wait()
	_, err := l.setUpKernel(ctx, p)
	return err
}

// setUpKernel builds GoNB and fills Go's build cache with what cells use.
func (l *lab) setUpKernel(ctx context.Context, p *progress.Progress) (gonb.Toolchain, error) {
	compiler := doctor.Compiler(ctx)
	if compiler.State != doctor.OK {
		p.Printf("%v", compiler)
	}
	building := &steps{progress: p, name: "GoNB, the Go kernel"}
	toolchain, err := gonb.Install(ctx, l.Course, building)
	building.done(err)
	if err != nil {
		return toolchain, err
	}
	warming := &steps{progress: p, name: "Go's build cache"}
	err = gonb.Warm(ctx, l.Course, toolchain, compiler.State == doctor.OK, warming)
	warming.done(err)
	if err != nil && ctx.Err() == nil { // what is wrong shows in the cell that needs it
		p.Printf("! the first cells will be slow: %v", err)
	}
	return toolchain, ctx.Err()
}

// steps shows each line written to it as a step of a task, which starts with
// the first line: what is done already is not worth one.
type steps struct {
	progress *progress.Progress
	name     string
	task     *progress.Task
	rest     []byte
}

func (s *steps) Write(data []byte) (int, error) {
	s.rest = append(s.rest, data...)
	for {
		line, rest, whole := bytes.Cut(s.rest, []byte("\n"))
		if !whole {
			return len(data), nil
		}
		s.rest = rest
		if s.task == nil {
			s.task = s.progress.Task(s.name, 0)
		}
		s.task.Step(string(line))
	}
}

func (s *steps) done(err error) {
	if s.task != nil {
		s.task.Done(err)
	}
}
