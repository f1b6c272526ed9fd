//go:build unix

package media_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"manyhands/helpers/media"
	"manyhands/internal/testparts"
)

func TestMain(m *testing.M) {
	if role := os.Getenv("MEDIA_TEST_ROLE"); role != "" {
		play(role, os.Args[1:])
		return
	}
	goleak.VerifyTestMain(m)
}

// play is what the test's program does when a test starts it as another.
func play(role string, args []string) {
	ctx := media.Context()
	var group errgroup.Group
	switch role {
	case "corpus":
		group.Go(func() error { _, err := media.Corpus(ctx, os.Stdout); return err })
	case "convert":
		for _, path := range args {
			group.Go(func() error { _, err := media.Convert(ctx, path, path+".m4a"); return err })
		}
	}
	fmt.Printf("ended: %v, %v\n", group.Wait(), ctx.Err())
	if err := goleak.Find(); err != nil {
		fmt.Println(err)
	}
}

// player returns a command that plays a role, and where its output will be.
func player(role string, args ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), "MEDIA_TEST_ROLE="+role)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

func needFFmpeg(t testing.TB) string {
	t.Helper()
	testparts.Program(t, "apt-get install ffmpeg", "ffprobe")
	return testparts.Program(t, "apt-get install ffmpeg", "ffmpeg")
}

// corpus returns the corpus that the lessons use, by the names of its files.
func corpus(t testing.TB) map[string]string {
	t.Helper()
	needFFmpeg(t)
	paths, err := media.Corpus(t.Context(), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	named := make(map[string]string)
	for _, path := range paths {
		named[filepath.Base(path)] = path
	}
	return named
}

func TestProbe(t *testing.T) {
	files := corpus(t)
	odd := filepath.Join(t.TempDir(), "100% live: a b.ogg")
	data, err := os.ReadFile(files["track-13.ogg"])
	if err == nil {
		err = os.WriteFile(odd, data, 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path, container, title, artist, genre, err string
	}{
		{files["track-01.flac"], "flac", "Study No. 1", "Ada Lock", "Jazz", ""},
		{files["track-02.m4a"], "mov,mp4,m4a,3gp,3g2,mj2", "Study No. 2", "Ada Lock", "Folk", ""},
		{files["track-08.mp3"], "mp3", "Study No. 8", "The Waiters", "Techno", ""},
		{files["track-09.wav"], "wav", "Study No. 9", "Quartet Nil", "Jazz", ""},
		{files["track-15.mkv"], "matroska,webm", "Study No. 15", "Fan Out", "Baroque", ""},
		{odd, "ogg", "Study No. 13", "Fan Out", "Jazz", ""},
		{files["track-45.m4a"], "", "", "", "", "probe track-45.m4a: moov atom not found"},
		{files["track-46.mp3"], "", "", "", "", "probe track-46.mp3: "},
		{files["track-47.ogg"], "", "", "", "", "probe track-47.ogg: "},
		{files["track-48.flac"], "flac", "Study No. 1", "Ada Lock", "Jazz", ""},
		{"/nowhere/a.mp3", "", "", "", "", "probe a.mp3: No such file or directory"},
	} {
		got, err := media.Probe(t.Context(), test.path)
		want := media.File{Path: test.path, Container: test.container, Title: test.title, Artist: test.artist, Genre: test.genre}
		if off := got.Length - 8*time.Second; err == nil && off.Abs() > 100*time.Millisecond {
			t.Errorf("%s takes %v", test.path, got.Length)
		}
		got.Length = 0
		if got != want || (err == nil) != (test.err == "") || err != nil && !strings.HasPrefix(err.Error(), test.err) {
			t.Errorf("Probe(%s) = %+v, %v\nwant %+v, %v", test.path, got, err, want, test.err)
		}
		if err != nil && strings.Contains(err.Error(), "0x") {
			t.Errorf("an address: %v", err)
		}
	}
}

func TestConvert(t *testing.T) {
	files, dir := corpus(t), t.TempDir()
	for _, test := range []struct{ from, to, container, err string }{
		{"track-20.mkv", "a.m4a", "mov,mp4,m4a,3gp,3g2,mj2", ""},
		{"track-20.mkv", "a.flac", "flac", ""},
		{"track-16.flac", "a.m4a", "mov,mp4,m4a,3gp,3g2,mj2", ""}, // in place of the first
		{"track-45.m4a", "b.m4a", "", "convert track-45.m4a: moov atom not found"},
		{"track-48.flac", "b.m4a", "", "convert track-48.flac: "},
		{"track-01.flac", "b.unknown", "", "convert track-01.flac: "},
		{"track-01.flac", "nowhere/b.m4a", "", "convert track-01.flac: "},
	} {
		to := filepath.Join(dir, test.to)
		usage, err := media.Convert(t.Context(), files[test.from], to)
		if (err == nil) != (test.err == "") || err != nil && !strings.HasPrefix(err.Error(), test.err) {
			t.Errorf("%s to %s: %v", test.from, test.to, err)
		}
		if err != nil {
			continue
		}
		if usage.CPU < time.Millisecond || usage.CPU > time.Minute || usage.Memory < 1<<20 || usage.Memory > 1<<30 || usage.Preempted < 0 {
			t.Errorf("%s to %s took %+v", test.from, test.to, usage)
		}
		before, _ := media.Probe(t.Context(), files[test.from])
		after, err := media.Probe(t.Context(), to)
		if err != nil || after.Container != test.container || after.Title != before.Title || after.Genre != before.Genre ||
			(after.Length-before.Length).Abs() > 200*time.Millisecond {
			t.Errorf("%s to %s: %+v, %v", test.from, test.to, after, err)
		}
		if info, err := os.Stat(to); err != nil || info.Mode() != 0o644 {
			t.Errorf("%s: %v, %v", to, info.Mode(), err)
		}
	}
	if got := names(t, dir); !slices.Equal(got, []string{"a.flac", "a.m4a"}) {
		t.Errorf("there is %q", got)
	}
}

// names lists the files in dir, hidden ones included.
func names(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// TestCorpus interrupts the making of a corpus by Ctrl-C, and then completes it.
func TestCorpus(t *testing.T) {
	needFFmpeg(t)
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("XDG_CACHE_HOME", home)
	cmd, stderr := player("corpus")
	cmd.Stdout = nil
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	first := make([]byte, len("making 48 short files on 99 cores, this once ...")) // until some are there
	_, err = io.ReadFull(out, first)
	cmd.Process.Signal(os.Interrupt)
	rest, _ := io.ReadAll(out)
	if err := errors.Join(err, cmd.Wait()); err != nil || !strings.HasSuffix(string(rest), "interrupt signal received, context canceled\n") {
		t.Errorf("interrupted: %v: %s%s%s", err, first, rest, stderr)
	}
	folders, _ := filepath.Glob(filepath.Join(home, "*", "media-*"))
	if more, _ := filepath.Glob(filepath.Join(home, "Library", "Caches", "*", "media-*")); more != nil {
		folders = more // macOS
	}
	if len(folders) != 1 {
		t.Fatalf("folders %q", folders)
	}
	made := names(t, folders[0])
	if len(made) == 0 || len(made) >= 44 {
		t.Errorf("interrupted with %d files", len(made))
	}
	times := make(map[string]time.Time)
	for _, name := range made {
		info, err := os.Stat(filepath.Join(folders[0], name))
		if err != nil || strings.HasPrefix(name, ".") {
			t.Fatalf("left behind: %s, %v", name, err)
		}
		times[name] = info.ModTime()
	}

	var said bytes.Buffer
	paths, err := media.Corpus(t.Context(), &said)
	if err != nil || len(paths) != 48 || !strings.HasPrefix(said.String(), fmt.Sprintf("making %d ", 48-len(made))) {
		t.Errorf("%d files, %v: %s", len(paths), err, &said)
	}
	for name, before := range times {
		if info, err := os.Stat(filepath.Join(folders[0], name)); err != nil || !info.ModTime().Equal(before) {
			t.Errorf("%s was made again, %v", name, err)
		}
	}
	if got := names(t, folders[0]); len(got) != 48 {
		t.Errorf("%d files: %q", len(got), got)
	}
	endings := make(map[string]int)
	for _, path := range paths {
		endings[filepath.Ext(path)]++
	}
	if len(endings) != 6 || slices.Min(slices.Collect(maps.Values(endings))) < 6 {
		t.Errorf("endings %v", endings)
	}

	t.Setenv("PATH", "") // nothing is left to do
	said.Reset()
	again, err := media.Corpus(t.Context(), &said)
	if err != nil || !slices.Equal(again, paths) || said.Len() > 0 {
		t.Errorf("again: %d files, %v: %s", len(again), err, &said)
	}
	os.Remove(paths[0])
	if _, err := media.Corpus(t.Context(), &said); !errors.Is(err, media.ErrMissing) {
		t.Errorf("without ffmpeg: %v", err)
	}
}

// A tap is a file that ffmpeg opens and waits for, as nothing comes: a named pipe.
type tap struct {
	path string
	in   *os.File
}

func newTap(t *testing.T, dir, name string) *tap {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return &tap{path: path}
}

// opened waits until ffmpeg has opened it.
func (f *tap) opened(t *testing.T) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(time.Millisecond) {
		in, err := os.OpenFile(f.path, os.O_WRONLY|syscall.O_NONBLOCK, 0)
		if err == nil {
			f.in = in
			t.Cleanup(func() { in.Close() })
			return
		}
		if time.Now().After(end) {
			t.Fatalf("nobody opened %s: %v", f.path, err)
		}
	}
}

// deserted fails the test if a process still has it open to read.
func (f *tap) deserted(t *testing.T) {
	t.Helper()
	fds := []unix.PollFd{{Fd: int32(f.in.Fd())}} // poll(2) always tells of the last reader's end
	for end := time.Now().Add(5 * time.Second); fds[0].Revents&unix.POLLERR == 0; {
		left := time.Until(end)
		if left <= 0 {
			t.Errorf("somebody still reads %s", f.path)
			return
		}
		if _, err := unix.Poll(fds, int(left.Milliseconds())+1); err != nil && err != unix.EINTR {
			t.Fatal(err)
		}
	}
}

// wrap puts a script called ffmpeg on PATH, which starts the real one as its child.
func wrap(t *testing.T) {
	t.Helper()
	script := fmt.Sprintf("#!/bin/sh\n'%s' \"$@\" &\nwait $!\n", needFFmpeg(t))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "ffmpeg"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

var trees = []struct {
	name string
	set  func(*testing.T)
}{
	{"a child", func(*testing.T) {}},
	{"a child of a child", wrap},
}

// TestCancel ends the context while ffmpeg is at work.
func TestCancel(t *testing.T) {
	needFFmpeg(t)
	for _, tree := range trees {
		t.Run(tree.name, func(t *testing.T) {
			tree.set(t)
			dir := t.TempDir()
			in := newTap(t, dir, "in.wav")
			why := errors.New("enough")
			ctx, cancel := context.WithCancelCause(t.Context())
			var group errgroup.Group
			group.Go(func() error { _, err := media.Convert(ctx, in.path, filepath.Join(dir, "out.m4a")); return err })
			in.opened(t)
			if got := names(t, dir); len(got) != 2 {
				t.Errorf("at work there is %q, and no half-written file", got)
			}
			cancel(why)
			if err := group.Wait(); !errors.Is(err, why) {
				t.Error(err)
			}
			in.deserted(t)
			if got := names(t, dir); !slices.Equal(got, []string{"in.wav"}) {
				t.Errorf("there is %q", got)
			}
		})
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := media.Probe(ctx, "a.mp3"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestInterrupt presses Ctrl-C on a program that has several conversions under way.
func TestInterrupt(t *testing.T) {
	needFFmpeg(t)
	for _, tree := range trees {
		t.Run(tree.name, func(t *testing.T) {
			tree.set(t)
			dir := t.TempDir()
			var taps []*tap
			var paths, left []string
			for i := range 3 {
				left = append(left, fmt.Sprintf("in%d.wav", i))
				taps = append(taps, newTap(t, dir, left[i]))
				paths = append(paths, taps[i].path)
			}
			cmd, out := player("convert", paths...)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for _, tap := range taps {
				tap.opened(t)
			}
			for range 3 { // GoNB's cells get more than one, too
				cmd.Process.Signal(os.Interrupt)
				time.Sleep(time.Millisecond) // or the system makes one of them
			}
			err := cmd.Wait()
			want := "wav: interrupt signal received, context canceled\n"
			if err != nil || !strings.HasPrefix(out.String(), "ended: convert in") || !strings.HasSuffix(out.String(), want) {
				t.Errorf("%v:\n%s", err, out) // a goroutine left behind comes after that line
			}
			for _, tap := range taps {
				tap.deserted(t)
			}
			if got := names(t, dir); !slices.Equal(got, left) {
				t.Errorf("there is %q", got)
			}
		})
	}
}

// TestKilled kills a program without a chance to clean up.
func TestKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells children of their parent's death")
	}
	needFFmpeg(t)
	in := newTap(t, t.TempDir(), "in.wav")
	cmd, _ := player("convert", in.path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	in.opened(t)
	cmd.Process.Kill()
	cmd.Wait()
	in.deserted(t)
}

// TestMissing runs without ffmpeg.
func TestMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	if _, err := media.Probe(t.Context(), "a.mp3"); !errors.Is(err, media.ErrMissing) {
		t.Error(err)
	}
	dir := t.TempDir()
	if _, err := media.Convert(t.Context(), "a.mp3", filepath.Join(dir, "b.mp3")); !errors.Is(err, media.ErrMissing) || len(names(t, dir)) > 0 {
		t.Error(err, names(t, dir))
	}
	cmd, out := player("convert")
	if err := cmd.Run(); err != nil || out.String() != media.ErrMissing.Error()+"\n" {
		t.Errorf("%v: %s", err, out)
	}
}
