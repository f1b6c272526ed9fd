package gonb

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"

	"manyhands/internal/course"
)

// standard are packages of the standard library which, with what they import,
// hold nearly all that the course's cells use.
var standard = []string{
	"bufio", "container/heap", "encoding/binary", "encoding/csv", "encoding/gob", "encoding/json", "expvar", "flag",
	"html/template", "image/png", "iter", "log/slog", "math/big", "math/cmplx", "math/rand/v2", "net/http/httptest",
	"net/http/pprof", "net/rpc", "os/exec", "os/signal", "runtime/metrics", "runtime/trace", "sync/atomic",
	"testing/synctest", "text/tabwriter",
}

// Warm makes the first cells as fast as the later ones, and all of them
// independent of the network: it builds a program that imports all helpers, in
// the way that GoNB builds a cell, which downloads their modules and fills Go's
// build cache; with race also for cells that are compiled with -race. Where
// that was done before it takes milliseconds.
func Warm(ctx context.Context, c *course.Course, _ Toolchain, race bool, out io.Writer) error {
	if err := warm(ctx, c, race, out); err != nil {
		return fmt.Errorf("warm Go's build cache: %w", err)
	}
	return nil
}

func warm(ctx context.Context, c *course.Course, race bool, out io.Writer) error {
	helpers, err := helpers(ctx, c)
	if err != nil {
		return err
	}
	source := program(append(helpers, standard...))
	mark, err := warmth(ctx, c, source)
	if err != nil {
		return err
	}
	if err := warmOnce(ctx, c, source, mark, "warm", out); err != nil || !race {
		return err
	}
	return warmOnce(ctx, c, source, mark, "warm-race", out, "-race")
}

// warmOnce builds the program with the flags, unless the file in .tools says
// that this was done.
func warmOnce(ctx context.Context, c *course.Course, source, mark []byte, file string, out io.Writer, flags ...string) error {
	file = c.Path(".tools", file)
	if have, err := os.ReadFile(file); err == nil && bytes.Equal(have, mark) {
		return nil
	}
	what := strings.Join(append([]string{"compiling what cells use"}, flags...), " ")
	fmt.Fprintf(out, "%s (once; up to some minutes)\n", what)
	start := time.Now()
	if err := compile(ctx, c, source, flags); err != nil {
		return err
	}
	fmt.Fprintf(out, "%s took %.0f s\n", what, time.Since(start).Seconds())
	return write(file, mark, 0o644)
}

// helpers lists the import paths of the packages that cells may import, and of
// the one that names the other libraries that they use.
func helpers(ctx context.Context, c *course.Course) ([]string, error) {
	list, err := goOutput(ctx, c.Root, environment(c),
		"list", "-f", `{{if and .GoFiles (ne .Name "main")}}{{.ImportPath}}{{end}}`, "./helpers/...", "./lessons/...")
	if err != nil {
		return nil, fmt.Errorf("list the helpers: %w", err)
	}
	var paths []string
	for path := range strings.FieldsSeq(string(list)) {
		if !strings.Contains(path+"/", "/internal/") {
			paths = append(paths, path)
		}
	}
	return paths, nil
}

// program is a Go program that imports the packages, for nothing.
func program(packages []string) []byte {
	source := []byte("package main\n\nimport (\n")
	for _, path := range packages {
		source = fmt.Appendf(source, "\t_ %q\n", path)
	}
	return append(source, ")\n\nfunc main() {}\n"...)
}

// compile builds the program as GoNB builds a cell: in a module of its own
// that shares a workspace with the course.
func compile(ctx context.Context, c *course.Course, source []byte, flags []string) error {
	dir, err := os.MkdirTemp("", "warm-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if err := os.WriteFile(filepath.Join(dir, "main.go"), source, 0o600); err != nil {
		return err
	}
	for _, args := range [][]string{
		{"mod", "init", "warm"},
		{"mod", "edit", "-replace=" + course.Module + "=" + c.Root},
		{"work", "init", ".", c.Root},
		{"get"},
		append([]string{"build", "-o", "warm"}, flags...),
	} {
		if _, err := goOutput(ctx, dir, environment(c), args...); err != nil {
			return err
		}
	}
	return nil
}

// warmth is what a warm cache depends on: the program, the libraries that it
// imports by way of the lessons, the versions of all modules, and which Go with
// which caches.
func warmth(ctx context.Context, c *course.Course, source []byte) ([]byte, error) {
	caches, err := goOutput(ctx, c.Root, environment(c), "env", "GOVERSION", "GOCACHE", "GOMODCACHE", "CC")
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	fmt.Fprintf(sum, "%s\n%s\n", caches, source)
	for _, name := range []string{"go.mod", "go.sum", filepath.Join("lessons", "imports.go")} {
		data, err := os.ReadFile(c.Path(name))
		if err != nil {
			return nil, err
		}
		sum.Write(data)
	}
	return fmt.Appendf(nil, "%x\n", sum.Sum(nil)), nil
}
