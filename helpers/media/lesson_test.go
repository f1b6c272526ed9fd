//go:build unix

package media_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"

	"manyhands/internal/kernel"
	"manyhands/internal/kerneltest"
	"manyhands/internal/lesson"
	"manyhands/internal/notebook"
)

// TestLesson presses Jupyter's stop button while the pipeline of lesson 10 runs.
func TestLesson(t *testing.T) {
	corpus(t)
	mark := "MEDIA_TEST_MARK=" + t.TempDir()
	t.Setenv("MEDIA_TEST_MARK", strings.TrimPrefix(mark, "MEDIA_TEST_MARK=")) // for all that the kernel starts
	l, err := lesson.Read(filepath.Join("..", "..", "lessons", "10-pipelines.md"))
	if err != nil {
		t.Fatal(err)
	}
	k := kerneltest.Start(t)
	var pipeline string
	for _, cell := range l.Cells {
		if cell.Type != notebook.Code || slices.Contains(cell.Tags, "python") {
			continue
		}
		if strings.Contains(cell.Source, "func convertTo(") {
			pipeline = cell.Source
			break
		}
		declarations, _, _ := strings.Cut(cell.Source, "%%")
		kerneltest.Run(t, k, declarations+"%%\n")
	}
	ended := make(chan error)
	go func() {
		_, err := k.Execute(t.Context(), pipeline, kernel.Options{Timeout: time.Minute})
		ended <- err
	}()
	var running []*ps.Process
	for len(running) == 0 {
		select {
		case err := <-ended:
			t.Fatalf("the pipeline ended before it was stopped: %v", err)
		case <-time.After(time.Millisecond):
			running = marked(t, mark, "ffmpeg")
		}
	}
	args, err := running[0].CmdlineSlice()
	if err != nil || len(args) == 0 {
		t.Fatalf("what ffmpeg writes is not known: %v", err)
	}
	if err := k.Interrupt(); err != nil {
		t.Error(err)
	}
	err = <-ended
	failed, ok := errors.AsType[*kernel.CellError](err)
	if !ok || !strings.Contains(failed.Stderr, "20 of the 21 files") { // killed, it would say nothing
		t.Errorf("the stopped cell: %v", err)
	}
	if left := marked(t, mark, "ffmpeg", "ffprobe"); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
	half := strings.TrimPrefix(args[len(args)-1], "file:")
	if phone := filepath.Dir(half); !strings.HasPrefix(filepath.Base(phone), "phone-") {
		t.Errorf("ffmpeg wrote to %q", half)
	} else if _, err := os.Stat(phone); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s was left behind: %v", phone, err)
	}
}

// marked returns the living processes of the given names that have mark in their environment.
func marked(t *testing.T, mark string, names ...string) []*ps.Process {
	t.Helper()
	all, err := ps.Processes()
	if err != nil {
		t.Fatal(err)
	}
	return slices.DeleteFunc(all, func(p *ps.Process) bool {
		name, _ := p.Name()
		env, _ := p.Environ() // empty for a dead one
		return !slices.Contains(names, name) || !slices.Contains(env, mark)
	})
}
