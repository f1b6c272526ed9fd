// Package build turns lessons into executed notebooks: it runs every cell of
// every lesson that changed on the real kernel, draws the static pictures of
// the charts, and writes notebooks/ so that a failure leaves the previous
// notebook as it was.
package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"manyhands/internal/course"
	"manyhands/internal/echarts"
	"manyhands/internal/edition"
	"manyhands/internal/gonb"
	"manyhands/internal/kernel"
	"manyhands/internal/lesson"
	"manyhands/internal/notebook"
	"manyhands/internal/progress"
	"manyhands/internal/tempdir"
)

// Options says what to build and how.
type Options struct {
	Lessons     []string      // absolute paths of lesson sources; none means all
	Force       bool          // execute even what has not changed
	CellTimeout time.Duration // the longest that one cell may run; 0 means DefaultCellTimeout
	Out         io.Writer     // progress and warnings

	atOnce int // the most lessons that run at the same time; 0 means one for two cores
}

// DefaultCellTimeout is the longest that a cell may run before it is
// interrupted. A whole lesson is meant to take 90 s.
const DefaultCellTimeout = 5 * time.Minute

// Lessons builds the lessons that changed. A lesson that fails leaves its old
// notebook untouched and does not stop the others; all failures come back
// joined.
func Lessons(ctx context.Context, c *course.Course, opt Options) error {
	lessons, err := read(c, opt.Lessons)
	if err != nil {
		return err
	}
	due := lessons
	if !opt.Force {
		if due, err = changed(c, lessons); err != nil {
			return err
		}
	}
	if n := len(lessons) - len(due); n > 0 {
		fmt.Fprintf(opt.Out, "%d of %d lessons unchanged since they were last built (--force builds them all the same)\n", n, len(lessons))
	}
	if len(due) == 0 {
		return nil
	}
	b, err := newBuilder(ctx, c, opt)
	if err != nil {
		return err
	}
	defer b.progress.Wait()
	if warning := edition.Busy(ctx); warning != "" {
		b.progress.Printf("%s", warning)
	}
	return b.all(ctx, due)
}

// read reads the named lessons, or all, and reports every broken one.
func read(c *course.Course, paths []string) ([]*lesson.Lesson, error) {
	if len(paths) == 0 {
		var err error
		if paths, err = c.Lessons(); err != nil {
			return nil, err
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("no lessons in %s: they are named NN-name.md", c.Path("lessons"))
	}
	var lessons []*lesson.Lesson
	var errs []error
	for _, path := range paths {
		l, err := lesson.Read(path)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		errs = append(errs, l.CheckNeeds(c.Lesson))
		lessons = append(lessons, l)
	}
	return lessons, errors.Join(errs...)
}

// builder holds what all lessons of one build share.
type builder struct {
	course    *course.Course
	toolchain gonb.Toolchain
	opt       Options
	edition   edition.Edition
	progress  *progress.Progress

	machine sync.RWMutex // held for writing by a lesson that must run alone

	draw     sync.Mutex // the renderer draws one chart at a time
	renderer *echarts.Renderer
}

func newBuilder(ctx context.Context, c *course.Course, opt Options) (*builder, error) {
	if opt.CellTimeout == 0 {
		opt.CellTimeout = DefaultCellTimeout
	}
	if opt.atOnce == 0 {
		opt.atOnce = atOnce()
	}
	toolchain, err := gonb.Install(ctx, c, opt.Out)
	if err != nil {
		return nil, err
	}
	if err := gonb.Warm(ctx, c, toolchain, gonb.HasCompiler(ctx), opt.Out); err != nil {
		return nil, err
	}
	renderer, err := echarts.NewRenderer()
	if err != nil {
		return nil, err
	}
	here := edition.Here(ctx)
	here.GoNB = gonb.Version
	return &builder{
		course: c, toolchain: toolchain, opt: opt, renderer: renderer,
		edition: here, progress: progress.New(opt.Out),
	}, nil
}

// atOnce is how many lessons run at the same time unless told otherwise: a
// cell's compiler and the cell itself keep about two cores busy.
func atOnce() int { return max(1, runtime.GOMAXPROCS(0)/2) }

// all builds the lessons, several at once where there are cores for it.
func (b *builder) all(ctx context.Context, lessons []*lesson.Lesson) error {
	var group errgroup.Group
	group.SetLimit(b.opt.atOnce)
	failures := make([]error, len(lessons))
	for i, l := range lessons {
		group.Go(func() error {
			failures[i] = b.one(ctx, l)
			return nil
		})
	}
	group.Wait()
	if cause := context.Cause(ctx); cause != nil {
		stopped := fmt.Errorf("build stopped: %w; finished lessons are written, the others are as they were", cause)
		// Those that had failed by themselves are told too: else they would have to run again to be known.
		byTheStop := func(err error) bool { return errors.Is(err, cause) }
		return errors.Join(append(slices.DeleteFunc(failures, byTheStop), stopped)...)
	}
	return errors.Join(failures...)
}

// one builds one lesson, alone on the machine if it asks for that.
func (b *builder) one(ctx context.Context, l *lesson.Lesson) (err error) {
	if l.Exclusive {
		b.machine.Lock()
		defer b.machine.Unlock()
	} else {
		b.machine.RLock()
		defer b.machine.RUnlock()
	}
	if ctx.Err() != nil {
		return nil // all says so once, for every lesson
	}
	print, err := fingerprint(b.course, l)
	if err != nil {
		return err
	}
	if l, err = lesson.Read(l.Path); err != nil { // as it is now: its author may have gone on while others were built
		return err
	}
	nb := l.Notebook()
	task := b.progress.Task(l.Name, codeCells(nb))
	defer func() { task.Done(err) }()

	path := b.course.Path("notebooks", l.Name+".ipynb")
	if err := b.execute(ctx, nb, path, task); err != nil {
		return locate(b.course, l, err)
	}
	stamp(nb, "edition", b.edition)
	stamp(nb, "fingerprint", print)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder for notebooks: %w", err)
	}
	return nb.Write(path)
}

// execute runs a notebook that will stand at path on a kernel of its own, in
// a working folder of its own, and draws its charts.
func (b *builder) execute(ctx context.Context, nb *notebook.Notebook, path string, task *progress.Task) error {
	dir, err := tempdir.Make("", "manyhands-build-*")
	if err != nil {
		return fmt.Errorf("make a working folder: %w", err)
	}
	defer dir.Remove()
	spec := b.toolchain.Spec(b.course)
	spec.Env = append(spec.Env,
		"JPY_SESSION_NAME="+path,
		"MANYHANDS_LEDGER="+b.course.Path(".cache", "ledger"))
	k, err := kernel.Start(ctx, spec, dir.Path)
	if err != nil {
		return err
	}
	defer k.Close()
	err = kernel.ExecuteNotebook(ctx, k, nb, kernel.NotebookOptions{
		Timeout: b.opt.CellTimeout,
		OnCell:  func(index, total int) { task.Begin(fmt.Sprintf("cell %d", index+1)) },
	})
	if err != nil {
		return err
	}
	b.draw.Lock()
	defer b.draw.Unlock()
	return echarts.Illustrate(nb, b.renderer)
}

// Notebook executes one notebook, which need not be the course's, and writes
// it to out with its outputs. Only the progress and the
// time-out of opt apply.
func Notebook(ctx context.Context, c *course.Course, in, out string, opt Options) error {
	nb, err := notebook.Read(in)
	if err != nil {
		return err
	}
	path, err := filepath.Abs(out)
	if err != nil {
		return fmt.Errorf("find %s: %w", out, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("make the folder of the notebook: %w", err)
	}
	b, err := newBuilder(ctx, c, opt)
	if err != nil {
		return err
	}
	defer b.progress.Wait()
	task := b.progress.Task(filepath.Base(in), codeCells(nb))
	err = b.execute(ctx, nb, path, task)
	task.Done(err)
	if err != nil {
		return fmt.Errorf("%s: %w", in, err)
	}
	return nb.Write(path)
}

// locate turns the failure of a cell into one that a person can act on: the
// lesson's file and line, the cell's source, and what the kernel said.
func locate(c *course.Course, l *lesson.Lesson, err error) error {
	var failed *kernel.CellError
	file := l.Path
	if rel, relErr := filepath.Rel(c.Root, l.Path); relErr == nil {
		file = rel
	}
	if !errors.As(err, &failed) || failed.Index < 0 || failed.Index >= len(l.Cells) {
		return fmt.Errorf("%s: %w", file, err)
	}
	cell := l.Cells[failed.Index]
	source := "    " + strings.ReplaceAll(strings.TrimSpace(cell.Source), "\n", "\n    ")
	return fmt.Errorf("%s:%d: the cell failed; its notebook is left as it was\n%s\n%w", file, cell.Line, source, err)
}

// stamp writes one of the course's own fields into a notebook's metadata.
func stamp(nb *notebook.Notebook, key string, value any) {
	own, ok := nb.Metadata["manyhands"].(map[string]any)
	if !ok {
		own = map[string]any{}
		nb.Metadata["manyhands"] = own
	}
	own[key] = value
}

func codeCells(nb *notebook.Notebook) int {
	n := 0
	for _, cell := range nb.Cells {
		if cell.Type == notebook.Code {
			n++
		}
	}
	return n
}
