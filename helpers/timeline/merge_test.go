package timeline_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"manyhands/helpers/timeline"
)

const workerEnv = "TIMELINE_TEST_WORKER"

// workerMain makes this test program a worker process if it was started as one:
// it records a span and sends its timeline to the parent.
func workerMain() {
	name := os.Getenv(workerEnv)
	if name == "" {
		return
	}
	var tl timeline.Recorder
	s := tl.Start("main", "work")
	fmt.Println("started")
	io.Copy(io.Discard, os.Stdin) // until the parent says so
	s.End()
	out := tl.Timeline()
	out.Source = name
	if err := json.NewEncoder(os.Stdout).Encode(out); err != nil {
		panic(err)
	}
	os.Exit(0)
}

// TestMergeProcesses draws two real worker processes and the parent on one clock:
// by events, both workers' spans lie within the parent's span.
func TestMergeProcesses(t *testing.T) {
	var tl timeline.Recorder
	all := tl.Start("parent", "waits for workers")
	type worker struct {
		cmd    *exec.Cmd
		stdin  io.WriteCloser
		stdout io.Reader
	}
	var workers []worker
	for i := range 2 {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), fmt.Sprintf("%s=worker %d", workerEnv, i))
		cmd.Stderr = os.Stderr
		stdin, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		workers = append(workers, worker{cmd, stdin, stdout})
	}
	for _, w := range workers { // all have started before any may end
		if _, err := io.ReadFull(w.stdout, make([]byte, len("started\n"))); err != nil {
			t.Fatal(err)
		}
	}
	parts := []*timeline.Timeline{nil}
	for _, w := range workers {
		w.stdin.Close()
		var part timeline.Timeline
		if err := json.NewDecoder(w.stdout).Decode(&part); err != nil {
			t.Fatal(err)
		}
		if err := w.cmd.Wait(); err != nil {
			t.Fatal(err)
		}
		parts = append(parts, &part)
	}
	all.End()
	parts[0] = tl.Timeline()

	got, err := timeline.Merge(parts...)
	if err != nil {
		t.Fatal(err)
	}
	if err := got.Validate(); err != nil {
		t.Error(err)
	}
	if n := got.MaxConcurrent(timeline.Running); n != 3 {
		t.Errorf("%d at once, want the parent and both workers:\n%v", n, got)
	}
	parent, _ := got.Lane("parent")
	for _, name := range []string{"worker 0: main", "worker 1: main"} {
		l, ok := got.Lane(name)
		if !ok {
			t.Fatalf("no lane %q in\n%v", name, got)
		}
		// Two readings of the wall clock, microseconds apart, anchor each process.
		const slack = ms
		if l.Spans[0].Start < parent.Spans[0].Start-slack || l.Spans[0].End > parent.Spans[0].End+slack {
			t.Errorf("%s %+v lies outside the parent's %+v", name, l.Spans[0], parent.Spans[0])
		}
	}
}

func TestMerge(t *testing.T) {
	at := time.Date(2026, 5, 1, 10, 0, 0, 0, time.UTC)
	part := func(source string, start time.Duration) *timeline.Timeline {
		tl := lanes(10, []timeline.Span{span(0, 10, timeline.Running)})
		tl.Source, tl.Start = source, at.Add(start)
		return tl
	}
	got, err := timeline.Merge(part("late", 25*ms), &timeline.Timeline{}, part("", 0))
	if err != nil {
		t.Fatal(err)
	}
	if !got.Start.Equal(at) || got.Length != 35*ms || len(got.Lanes) != 2 {
		t.Errorf("got %+v", got)
	}
	if l, _ := got.Lane("late: worker 1"); len(l.Spans) != 1 || l.Spans[0] != span(25, 35, timeline.Running) {
		t.Errorf("late: %+v", l)
	}
	if empty, err := timeline.Merge(); err != nil || len(empty.Lanes) != 0 {
		t.Errorf("merge of nothing: %+v, %v", empty, err)
	}
	broken, timeless := part("host", 0), part("by hand", 0)
	timeless.Start = time.Time{}
	broken.Lanes[0].Spans[0].End = -ms
	for _, test := range []struct {
		want string
		in   []*timeline.Timeline
	}{
		{"timeline 1 is nil", []*timeline.Timeline{part("", 0), nil}},
		{`(host): timeline: lane "worker 1", span 0`, []*timeline.Timeline{broken}},
		{"same run", []*timeline.Timeline{part("", 0), part("y", 40*24*time.Hour)}},
		{"same run", []*timeline.Timeline{timeless, part("", 0)}},
	} {
		if _, err := timeline.Merge(test.in...); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

func TestMeasureOffset(t *testing.T) {
	for _, ahead := range []time.Duration{3 * time.Second, -3 * time.Second, 0} {
		synctest.Test(t, func(t *testing.T) {
			trips := 0
			ask := func() (time.Time, error) { // slow and lopsided, now and then less so
				trips++
				there, back := time.Duration(trips%5)*10*ms+ms, 7*ms
				time.Sleep(there)
				remote := time.Now().Add(ahead)
				time.Sleep(back)
				return remote, nil
			}
			got, err := timeline.MeasureOffset(10, ask)
			if err != nil {
				t.Fatal(err)
			}
			if trips != 10 || got.Error != 4*ms { // the shortest trip takes 8 ms
				t.Errorf("%d trips, error ±%v", trips, got.Error)
			}
			if wrong := (got.Ahead - ahead).Abs(); wrong > got.Error {
				t.Errorf("ahead %v, want %v within ±%v", got.Ahead, ahead, got.Error)
			}
			remote := &timeline.Timeline{Start: time.Now().Add(ahead)}
			remote.Shift(got)
			if wrong := time.Since(remote.Start).Abs(); wrong > got.Error {
				t.Errorf("shifted to %v off", wrong)
			}
		})
	}
	down := errors.New("down")
	if _, err := timeline.MeasureOffset(3, func() (time.Time, error) { return time.Time{}, down }); !errors.Is(err, down) {
		t.Errorf("got %v", err)
	}
	for _, ask := range []func() (time.Time, error){nil, func() (time.Time, error) { return time.Now(), nil }} {
		if _, err := timeline.MeasureOffset(0, ask); err == nil {
			t.Error("no error")
		}
	}
}
