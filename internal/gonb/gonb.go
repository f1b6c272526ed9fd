// Package gonb installs the pinned GoNB, the Jupyter kernel for Go, into the
// course's own .tools folder and says how this course starts it.
//
// It exists so that a checkout needs nothing but Go: no tool is looked for on
// the machine, none is put into the user's home, and Jupyter, the build and
// the tests all run cells in exactly the same way.
package gonb

import (
	"context"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"manyhands/internal/course"
	"manyhands/internal/kernel"
)

// Version is the version of GoNB that tools/go.mod pins.
const Version = "v0.11.4"

// Name is the name of the kernelspec. It is GoNB's own, so that the course's
// notebooks open under any GoNB.
const Name = "gonb"

const displayName = "Go (gonb)"

// Toolchain is an installed GoNB with the tools that it calls.
type Toolchain struct {
	Bin string // absolute path of the folder that holds gonb, goimports and gopls
}

// Spec says how to start GoNB for the course's notebooks, whichever folder
// they are in.
func (t Toolchain) Spec(c *course.Course) kernel.Spec {
	path := filepath.SplitList(os.Getenv("PATH"))
	return kernel.Spec{
		Argv:          t.argv(c),
		Env:           append(environment(c), "PATH="+searchPath(t, c, path...)),
		DisplayName:   displayName,
		Language:      "go",
		InterruptMode: kernel.InterruptSignal, // unlike GoNB's own choice, it reaches a compiler that is still at work
		Hide:          []string{c.Root},
	}
}

// argv is the command. GoNB learns the course's module from -go_work, so that
// cells import it without a line of set-up.
func (t Toolchain) argv(c *course.Course) []string {
	return []string{
		filepath.Join(t.Bin, "gonb"), "-kernel", "{connection_file}",
		"-go_work=" + c.Root,
		"-raw_error",                                                              // errors as text, which any reader of a notebook shows
		"-logtostderr=false", "-log_file=" + os.DevNull, "-stderrthreshold=FATAL", // its log goes to whoever started Jupyter
	}
}

// environment is what a cell finds in its environment, PATH aside.
func environment(c *course.Course) []string {
	return []string{
		"GOFLAGS=-ldflags=-s", // linking is most of a cell's time; symbols for debuggers are half of that
		"GOGC=400",            // compiler and linker live too shortly to be worth collecting
		"GOWORK=",             // a user's go.work would hide the course
		"PYTHONPATH=" + c.Path("helpers", "ledger") + string(filepath.ListSeparator) + c.Path("helpers", "measure"),
		"MANYHANDS_RUN=", // a kernel that was started from a cell is not part of that cell's run
		"PYTHONUNBUFFERED=1",
	}
}

// searchPath puts the course's own tools before the system's path, and behind
// it what stands in for a missing Python.
func searchPath(t Toolchain, c *course.Course, system ...string) string {
	path := append([]string{t.Bin, c.Path(".venv", "bin")}, system...)
	return strings.Join(append(path, fallback(c)), string(filepath.ListSeparator))
}

// fallback is the folder of stand-ins for programs that a cell may miss.
func fallback(c *course.Course) string { return c.Path(".tools", "fallback") }

// HasCompiler tells whether cells can be compiled with -race: that takes a C
// compiler, and a processor for which Go has a race detector.
func HasCompiler(ctx context.Context) bool {
	if !slices.Contains(racePlatforms, runtime.GOOS+"/"+runtime.GOARCH) {
		return false
	}
	out, err := goOutput(ctx, "", nil, "env", "CGO_ENABLED")
	return err == nil && strings.TrimSpace(string(out)) == "1"
}

// racePlatforms are those of https://go.dev/doc/articles/race_detector#Requirements
// on which the course runs.
var racePlatforms = []string{
	"linux/amd64", "linux/arm64", "linux/ppc64le", "linux/s390x", "darwin/amd64", "darwin/arm64", "freebsd/amd64",
}
