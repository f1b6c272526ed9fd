package gonb

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"manyhands/internal/course"
)

// tools are the programs to build from tools/go.mod.
var tools = []string{
	"github.com/janpfeifer/gonb",
	"golang.org/x/tools/cmd/goimports", // GoNB calls it for every cell
	"golang.org/x/tools/gopls",         // GoNB calls it for completion and help
}

// python stands in for a missing Python: the cell says so and the lesson goes
// on. It is the last on the path, so any Python comes before it.
//
//go:embed python3.sh
var python []byte

// Install builds the tools that are missing or of another version than
// tools/go.mod and this program's Go say, and tells on out what takes long.
// Where all is in place it takes milliseconds and needs no network. Several
// processes may call it at once.
func Install(ctx context.Context, c *course.Course, out io.Writer) (Toolchain, error) {
	t := Toolchain{Bin: c.Path(".tools", "bin")}
	if err := t.install(ctx, c, out); err != nil {
		return Toolchain{}, fmt.Errorf("install GoNB %s: %w", Version, err)
	}
	return t, nil
}

func (t Toolchain) install(ctx context.Context, c *course.Course, out io.Writer) error {
	if strings.Contains(c.Root, ",") {
		return fmt.Errorf("the course's path %q has a comma, at which GoNB splits it; move the course elsewhere", c.Root)
	}
	if _, err := exec.LookPath("go"); err != nil {
		return errors.New("there is no go command on the PATH; install Go from https://go.dev/dl and open a new terminal")
	}
	want, err := stamp(c)
	if err != nil {
		return err
	}
	if t.installed(want) {
		return nil
	}
	if err := os.MkdirAll(t.Bin, 0o755); err != nil {
		return err
	}
	unlock, err := lock(ctx, c, out)
	if err != nil {
		return err
	}
	defer unlock()
	if t.installed(want) {
		return nil // by the process that held the lock
	}
	for _, pkg := range tools {
		if err := t.build(ctx, c, pkg, out); err != nil {
			return err
		}
	}
	if err := write(filepath.Join(fallback(c), "python3"), python, 0o755); err != nil {
		return err
	}
	return write(t.stampFile(), want, 0o644)
}

// stamp is what the tools depend on.
func stamp(c *course.Course) ([]byte, error) {
	sum := sha256.New()
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(c.Path("tools", name))
		if err != nil {
			return nil, err
		}
		sum.Write(data)
	}
	sum.Write(python)
	return fmt.Appendf(nil, "%s %s/%s %x\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, sum.Sum(nil)), nil
}

func (t Toolchain) stampFile() string { return filepath.Join(t.Bin, ".stamp") }

// installed tells whether the tools are there and were built for this stamp.
func (t Toolchain) installed(stamp []byte) bool {
	have, err := os.ReadFile(t.stampFile())
	if err != nil || !bytes.Equal(have, stamp) {
		return false
	}
	return !slices.ContainsFunc(tools, func(pkg string) bool {
		_, err := os.Stat(filepath.Join(t.Bin, filepath.Base(pkg)))
		return err != nil
	})
}

// lock waits until no other process installs into the course.
func lock(ctx context.Context, c *course.Course, out io.Writer) (unlock func() error, err error) {
	l := flock.New(c.Path(".tools", "lock"))
	ok, err := l.TryLock()
	if err == nil && !ok {
		fmt.Fprintln(out, "waiting for another process that is setting up the course")
		_, err = l.TryLockContext(ctx, 100*time.Millisecond)
	}
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", l.Path(), err)
	}
	return l.Unlock, nil
}

// build builds one tool beside its place and then moves it there.
func (t Toolchain) build(ctx context.Context, c *course.Course, pkg string, out io.Writer) error {
	name := filepath.Base(pkg)
	fmt.Fprintf(out, "building %s (once for this checkout)\n", name)
	start := time.Now()
	next := filepath.Join(t.Bin, "."+name+".new")
	defer os.Remove(next)
	args := []string{"-C", c.Path("tools"), "build", "-trimpath", "-ldflags=-s -w", "-o", next, pkg}
	if _, err := goOutput(ctx, c.Root, []string{"GOFLAGS=", "GOWORK=off", "CGO_ENABLED=0"}, args...); err != nil {
		return fmt.Errorf("build %s: %w", name, err)
	}
	if err := os.Rename(next, filepath.Join(t.Bin, name)); err != nil {
		return err
	}
	fmt.Fprintf(out, "built %s in %.0f s\n", name, time.Since(start).Seconds())
	return nil
}

// write writes a file whole or not at all, with the folders above it.
func write(path string, data []byte, mode os.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, data, mode, renameio.IgnoreUmask())
}
