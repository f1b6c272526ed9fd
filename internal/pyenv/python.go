package pyenv

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// The Pythons that tools/requirements.txt has wheels for. A newer one may
// have to build packages from source, so it comes last.
const oldest, newest = 10, 14

// Python is an interpreter found on PATH.
type Python struct {
	Path    string // of the interpreter itself, not of a shim before it
	Minor   int    // 12 for Python 3.12
	HasVenv bool   // false where Debian keeps venv in a package of its own
}

func (p Python) String() string { return fmt.Sprintf("Python 3.%d (%s)", p.Minor, p.Path) }

// InstallPython is the command that installs what [Find] looks for.
func InstallPython() string {
	if runtime.GOOS == "darwin" {
		return "brew install python@3.13"
	}
	return "sudo apt-get install python3 python3-venv"
}

// Find returns the best Python on PATH: 3.10 or newer, with the venv module
// if any has it.
func Find(ctx context.Context) (Python, error) {
	names := []string{"python3"}
	for minor := newest; minor >= oldest; minor-- {
		names = append(names, fmt.Sprintf("python3.%d", minor))
	}
	var best Python
	var seen []string
	for _, name := range append(names, "python") {
		p, err := probe(ctx, name)
		if err != nil {
			continue
		}
		seen = append(seen, p.String())
		if p.rank() > best.rank() {
			best = p
		}
		if best.rank() == good {
			return best, nil
		}
	}
	if err := ctx.Err(); err != nil {
		return Python{}, err
	}
	if best.rank() == useless {
		found := "none is on PATH"
		if len(seen) > 0 {
			found = "on PATH there is only " + strings.Join(seen, ", ")
		}
		return Python{}, fmt.Errorf("JupyterLab needs Python 3.%d or newer, and %s: %s", oldest, found, InstallPython())
	}
	return best, nil
}

// How good a Python is for the course.
const (
	useless = iota
	noVenv  // enough for uv, which makes environments itself
	tooNew  // works, though perhaps slowly
	good
)

func (p Python) rank() int {
	switch {
	case p.Minor < oldest:
		return useless
	case !p.HasVenv:
		return noVenv
	case p.Minor > newest:
		return tooNew
	}
	return good
}

// probe asks the interpreter called name what it is. Running it is the only
// way: a version manager's shim may have nothing behind it.
func probe(ctx context.Context, name string) (Python, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return Python{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	out, err := Command(ctx, path, "-I", "-c", `
import sys, importlib.util as u
print(sys.version_info[0], sys.version_info[1], int(all(map(u.find_spec, ("venv", "ensurepip")))), sys.executable)`).Output()
	if err != nil {
		return Python{}, err
	}
	fields := strings.SplitN(strings.TrimSpace(string(out)), " ", 4)
	if len(fields) != 4 || fields[0] != "3" {
		return Python{}, errors.New("not Python 3")
	}
	minor, err := strconv.Atoi(fields[1])
	if err != nil {
		return Python{}, err
	}
	return Python{Path: filepath.Clean(fields[3]), Minor: minor, HasVenv: fields[2] == "1"}, nil
}

// Command is exec.CommandContext for programs that start others: when ctx
// ends, the whole process group is asked to stop, then killed. A Ctrl-C in the
// terminal does not reach the group by itself.
func Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	return cmd
}
