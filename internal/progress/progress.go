// Package progress shows how far slow work has come: live bars on a terminal
// (drawn by mpb, which redraws several at once without flicker), plain lines
// everywhere else, so that a log stays readable.
package progress

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/mattn/go-isatty"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

// quiet is how long a task may go without a line where there are no bars.
const quiet = 5 * time.Second

// Progress shows any number of tasks that run at the same time. Its methods
// may be called from several goroutines.
type Progress struct {
	mu   sync.Mutex
	out  io.Writer
	bars *mpb.Progress // nil where out is no terminal
}

// New shows progress on w: as bars when w is a terminal, else as lines.
func New(w io.Writer) *Progress {
	p := &Progress{out: w}
	if f, ok := w.(*os.File); ok && isatty.IsTerminal(f.Fd()) && os.Getenv("TERM") != "dumb" {
		p.bars = mpb.New(mpb.WithOutput(w), mpb.WithAutoRefresh())
	}
	return p
}

// Printf writes one line; on a terminal it goes above the bars.
func (p *Progress) Printf(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	line := fmt.Appendf(nil, format+"\n", args...)
	if p.bars != nil {
		p.bars.Write(line)
		return
	}
	p.out.Write(line)
}

// Wait returns once everything is drawn. Tasks that were never done are
// taken off the screen. Nothing may be shown afterwards.
func (p *Progress) Wait() {
	if p.bars != nil {
		p.bars.Shutdown()
	}
}

// Task starts a task of total steps. A total of 0 means that nobody can know:
// it shows as a spinner.
func (p *Progress) Task(name string, total int) *Task {
	t := &Task{progress: p, name: name, total: total, start: time.Now(), spoke: time.Now()}
	if p.bars == nil {
		p.Printf("%s …", name)
		return t
	}
	decorators := []mpb.BarOption{
		mpb.PrependDecorators(decor.Name(name, decor.WCSyncSpaceR)),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return t.status() })),
	}
	if total == 0 {
		t.bar = p.bars.AddSpinner(0, decorators...)
	} else {
		t.bar = p.bars.AddBar(0, append(decorators, mpb.BarWidth(40))...)
		t.bar.SetTotal(int64(total), false) // a total given to AddBar would end the bar when it is full, and not Done
	}
	return t
}

// Task is one piece of work under way.
type Task struct {
	progress *Progress
	name     string
	total    int
	start    time.Time
	bar      *mpb.Bar // nil where there are no bars
	underWay int      // steps that have begun and are not done: 0 or 1, where they are told to begin

	mu    sync.Mutex
	steps int // that are done
	what  string
	spoke time.Time // when this task last wrote a line
}

// Begin says that a step begins, which is done when the next one begins: for
// one goroutine that goes from step to step.
func (t *Task) Begin(what string) {
	t.add(t.underWay, what)
	t.underWay = 1
}

// Step says that a step is done, where several are under way or nobody can say
// when one begins.
func (t *Task) Step(what string) { t.add(1, what) }

func (t *Task) add(done int, what string) {
	t.mu.Lock()
	t.steps += done
	t.what = what
	speak := t.bar == nil && time.Since(t.spoke) >= quiet
	if speak {
		t.spoke = time.Now()
	}
	t.mu.Unlock()
	if t.bar != nil && t.total > 0 {
		t.bar.IncrBy(done)
	}
	if speak {
		t.progress.Printf("%s: %s", t.name, t.status())
	}
}

// status says how far the task is, as "3/12 cell 4".
func (t *Task) status() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.total == 0 {
		return t.what
	}
	return fmt.Sprintf("%d/%d %s", min(t.steps, t.total), t.total, t.what)
}

// Done ends the task and leaves one line of it: its time, or that it failed.
// The error itself is the caller's to report.
func (t *Task) Done(err error) {
	if t.bar != nil {
		t.bar.Abort(true)
		t.bar.Wait()
	}
	mark := "✓"
	if err != nil {
		mark = "✗"
	}
	t.progress.Printf("%s %s  %.1f s", mark, t.name, time.Since(t.start).Seconds())
}
