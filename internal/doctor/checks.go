package doctor

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"

	"github.com/shirou/gopsutil/v4/disk"
	"github.com/shirou/gopsutil/v4/mem"

	"manyhands/internal/course"
	"manyhands/internal/gonb"
	"manyhands/internal/memory"
	"manyhands/internal/pyenv"
)

// install is the command that installs a package, by its Debian or its
// Homebrew name.
func install(apt, brew string) string {
	if runtime.GOOS == "darwin" {
		return "brew install " + brew
	}
	return "sudo apt-get install " + apt
}

// oldestGo is the Go 1.x that the course's go.mod asks for.
const oldestGo = 26

var goVersion = regexp.MustCompile(`go1\.(\d+)\S*`)

func checkGo(ctx context.Context, c *course.Course) Finding {
	f := Finding{Name: "Go", For: "compiling the cells", Get: "https://go.dev/dl"}
	cmd := pyenv.Command(ctx, "go", "version")
	cmd.Dir = c.Root // where go.mod may choose another toolchain
	out, err := cmd.Output()
	if err != nil {
		f.State, f.Detail = Broken, fmt.Sprintf("the go command does not run: %v", err)
		return f
	}
	version := goVersion.FindStringSubmatch(string(out))
	if version == nil {
		f.State, f.Detail = Broken, fmt.Sprintf("go version says %q", out)
		return f
	}
	f.Detail = version[0]
	if minor, _ := strconv.Atoi(version[1]); minor < oldestGo {
		f.State, f.Detail = Broken, fmt.Sprintf("%s is older than go1.%d", version[0], oldestGo)
	}
	return f
}

// What the course takes, in bytes.
const (
	gib        = 1 << 30
	enoughRAM  = 2 * gib // JupyterLab, gopls and a linker at once
	enoughDisk = 3 * gib // .venv, .tools and Go's build cache
	leastDisk  = gib / 4 // a few cells
)

func checkMachine(ctx context.Context, _ *course.Course) Finding {
	f := Finding{Name: "Machine", For: "the lessons at full size", Get: "close other programs, or set MANYHANDS_SCALE=0.2"}
	cores := runtime.GOMAXPROCS(0) // a container may have less than the machine
	free, source := freeMemory(ctx)
	f.Detail = fmt.Sprintf("%d cores, %.1f GiB of %s", cores, float64(free)/gib, source)
	switch {
	case free < enoughRAM:
		f.State = Missing
	case cores < 2:
		f.State, f.For, f.Get = Missing, "seeing parallelism: one core shows concurrency only", "a machine with two cores or more"
	}
	return f
}

// freeMemory is what lessons take to be free, except where they only assume it.
func freeMemory(ctx context.Context) (bytes uint64, source string) {
	if runtime.GOOS != "linux" {
		if system, err := mem.VirtualMemoryWithContext(ctx); err == nil {
			return system.Available, "free memory"
		}
	}
	return memory.Free()
}

func checkSpace(ctx context.Context, c *course.Course) Finding {
	f := Finding{Name: "Disk", For: "Python's packages, the tools and Go's build cache (3 GiB)", Get: "make room on the disk of " + c.Root}
	usage, err := disk.UsageWithContext(ctx, c.Root)
	if err != nil {
		f.State, f.Detail = Missing, err.Error()
		return f
	}
	f.Detail = fmt.Sprintf("%.1f GiB free", float64(usage.Free)/gib)
	switch _, err := os.Stat(c.Path(".venv")); {
	case usage.Free < leastDisk:
		f.State = Broken
	case usage.Free < enoughDisk && err != nil: // all still to come
		f.State = Missing
	}
	return f
}

const byItself = "go run . makes it"

func checkKernel(_ context.Context, c *course.Course) Finding {
	f := Finding{Name: "Go kernel", Detail: "GoNB " + gonb.Version + ", goimports and gopls in .tools", For: "running cells", Get: byItself}
	for _, name := range []string{"gonb", "goimports", "gopls"} {
		if _, err := os.Stat(c.Path(".tools", "bin", name)); err != nil {
			f.State, f.Detail = Missing, name+" is not built yet"
		}
	}
	return f
}

func checkBuildCache(_ context.Context, c *course.Course) Finding {
	f := Finding{Name: "Build cache", Detail: "warm", For: "first cells as fast as later ones", Get: byItself}
	if _, err := os.Stat(c.Path(".tools", "warm")); err != nil {
		f.State, f.Detail = Missing, "cold: the first cells take up to half a minute"
	}
	return f
}

// Compiler looks for what `go build -race` needs beside Go.
func Compiler(ctx context.Context) Finding {
	f := Finding{Name: "C compiler", Detail: "there, and Go has a race detector for this machine",
		For: "the cells that run the race detector (-race)", Get: install("gcc libc6-dev", "gcc")}
	if runtime.GOOS == "darwin" {
		f.Get = "xcode-select --install"
	}
	if !gonb.HasCompiler(ctx) {
		f.State, f.Detail = Missing, "none, or Go has no race detector for "+runtime.GOOS+"/"+runtime.GOARCH
	}
	return f
}

func checkCompiler(ctx context.Context, _ *course.Course) Finding { return Compiler(ctx) }

func checkPython(ctx context.Context, _ *course.Course) Finding {
	f := Finding{Name: "Python", For: "JupyterLab and the lessons' Python side", Get: pyenv.InstallPython()}
	python, err := pyenv.Find(ctx)
	switch {
	case err != nil:
		f.State, f.Detail = Missing, err.Error()
	case !python.HasVenv:
		f.State, f.Detail = Missing, python.String()+" came without its venv module"
	default:
		f.Detail = python.String()
	}
	return f
}

func checkEnvironment(ctx context.Context, c *course.Course) Finding {
	f := Finding{Name: "JupyterLab", For: "opening the notebooks", Get: byItself}
	if err := pyenv.State(ctx, c); err != nil {
		f.State, f.Detail = Missing, err.Error()
		return f
	}
	// A package's metadata folder is named after its version.
	found, _ := fs.Glob(os.DirFS(pyenv.Of(c).Dir), "lib/python3*/site-packages/jupyterlab-*.dist-info")
	if len(found) == 0 {
		f.State, f.Detail, f.Get = Missing, "it is gone from .venv", "rm -r .venv && go run ."
		return f
	}
	version := strings.TrimSuffix(strings.TrimPrefix(filepath.Base(found[0]), "jupyterlab-"), ".dist-info")
	f.Detail = version + " in .venv, which is up to date"
	return f
}

func checkKernelspec(_ context.Context, c *course.Course) Finding {
	f := Finding{Name: "Kernelspec", Detail: gonb.Name + " in .venv", For: "JupyterLab to find the Go kernel", Get: byItself}
	text, err := os.ReadFile(filepath.Join(pyenv.Of(c).Dir, "share", "jupyter", "kernels", gonb.Name, "kernel.json"))
	var spec struct{ Argv []string }
	if err == nil {
		err = json.Unmarshal(text, &spec)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.State, f.Detail = Missing, "not written yet"
	case err != nil:
		f.State, f.Detail = Missing, err.Error()
	case !slices.Contains(spec.Argv, "-go_work="+c.Root):
		f.State, f.Detail = Missing, "written for another folder: the course has moved"
	}
	return f
}

var versionNumber = regexp.MustCompile(`\d+(\.\d+)+`)

// program finds a program that some lessons or tests need, and the version it
// tells when asked with the argument.
func program(ctx context.Context, names []string, argument string) (detail string, err error) {
	for _, name := range names {
		path, missing := exec.LookPath(name)
		if missing != nil {
			err = missing
			continue
		}
		out, failed := pyenv.Command(ctx, path, argument).Output()
		if failed != nil {
			return "", fmt.Errorf("%s does not run: %w", path, failed)
		}
		return string(versionNumber.Find(out)), nil
	}
	return "", err
}

func optional(ctx context.Context, f Finding, argument string, names ...string) Finding {
	detail, err := program(ctx, names, argument)
	if f.Detail = detail; err != nil {
		f.State, f.Detail = Missing, err.Error()
		if errors.Is(err, exec.ErrNotFound) {
			f.Detail = "not on PATH"
		}
	}
	return f
}

func checkGit(ctx context.Context, _ *course.Course) Finding {
	return optional(ctx, Finding{Name: "Git", For: "lesson 11 and updates of the course",
		Get: install("git", "git")}, "--version", "git")
}

func checkRedis(ctx context.Context, _ *course.Course) Finding {
	return optional(ctx, Finding{Name: "Redis", For: "lesson 12 on a real Redis; it brings a small one of its own",
		Get: install("redis-server", "redis")}, "--version", "redis-server", "valkey-server")
}

func checkFFmpeg(ctx context.Context, _ *course.Course) Finding {
	return optional(ctx, Finding{Name: "FFmpeg", For: "lesson 10, pipelines over media files",
		Get: install("ffmpeg", "ffmpeg")}, "-version", "ffmpeg")
}

func checkChromium(ctx context.Context, _ *course.Course) Finding {
	return optional(ctx, Finding{Name: "Chromium", For: "the browser tests only",
		Get: install("chromium", "--cask chromium")}, "--version", "chromium", "chromium-browser", "google-chrome")
}

func checkSandbox(ctx context.Context, _ *course.Course) Finding {
	f := Finding{Name: "Bubblewrap", For: "grading: students' code runs in its sandbox", Get: install("bubblewrap", "")}
	if runtime.GOOS != "linux" {
		f.State, f.Detail, f.Get = Missing, "Linux only", "grade on a Linux machine"
		return f
	}
	if f = optional(ctx, f, "--version", "bwrap"); f.State != OK {
		return f
	}
	out, err := pyenv.Command(ctx, "bwrap", "--unshare-all", "--ro-bind", "/", "/", "true").CombinedOutput()
	if err != nil {
		f.State, f.Get = Missing, "allow user namespaces: sysctl kernel.unprivileged_userns_clone, kernel.apparmor_restrict_unprivileged_userns"
		f.Detail = fmt.Sprintf("%s is there, but may not make a sandbox: %s", f.Detail, bytes.TrimSpace(out))
	}
	return f
}
