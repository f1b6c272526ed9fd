// Package pyenv makes and keeps the course's own Python environment, .venv:
// JupyterLab and what stands beside it, every package pinned by hash in
// tools/requirements.txt. Nothing is ever installed anywhere else.
package pyenv

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"manyhands/internal/course"
	"manyhands/internal/progress"
)

// Env is the environment in a course's .venv folder.
type Env struct{ Dir string }

// Of names the environment of c, whether or not it is there.
func Of(c *course.Course) Env { return Env{c.Path(".venv")} }

// Python is the environment's interpreter. Its packages' programs are best
// run as Python -I -m name: their own scripts hold the absolute path of the
// folder, and break when it moves.
func (e Env) Python() string { return filepath.Join(e.Dir, "bin", "python") }

// stamp is written last: an environment without it is half made.
func (e Env) stamp() string { return filepath.Join(e.Dir, "manyhands.stamp") }

// State is nil when the environment is complete, up to date and runs;
// otherwise it says what is the matter. It takes one start of Python, about
// 20 ms, and no network.
func State(ctx context.Context, c *course.Course) error {
	e := Of(c)
	have, err := os.ReadFile(e.stamp())
	if errors.Is(err, os.ErrNotExist) {
		if _, err := os.Stat(e.Dir); err == nil {
			return errors.New(".venv is half made")
		}
		return errors.New(".venv is not there yet")
	} else if err != nil {
		return err
	}
	minor, err := e.minor(ctx)
	if err != nil {
		return fmt.Errorf("the Python of .venv does not start any more: %w", err)
	}
	want, err := wanted(c, minor)
	if err != nil {
		return err
	}
	if string(have) != want {
		return errors.New(".venv was made for another Python or from another tools/requirements.txt")
	}
	return nil
}

func (e Env) minor(ctx context.Context) (int, error) {
	p, err := probe(ctx, e.Python())
	return p.Minor, err
}

// wanted is what the stamp of an up-to-date environment says.
func wanted(c *course.Course, minor int) (string, error) {
	requirements, err := os.ReadFile(c.Path("tools", "requirements.txt"))
	if err != nil {
		return "", fmt.Errorf("read what to install: %w", err)
	}
	return fmt.Sprintf("Python 3.%d, requirements %x\n", minor, sha256.Sum256(requirements)), nil
}

// Ensure returns the course's environment, made or brought up to date where
// that is needed, and shows how far it is on p. Only then does it need the
// network. Where an update fails, the environment of before stays as it was
// and is returned, with the reason shown. Any number of processes may ask at
// once: one makes it, the others wait.
func Ensure(ctx context.Context, c *course.Course, p *progress.Progress) (Env, error) {
	e := Of(c)
	if State(ctx, c) == nil {
		return e, nil
	}
	if err := os.MkdirAll(c.Path(".cache"), 0o777); err != nil {
		return e, fmt.Errorf("make .venv: %w", err)
	}
	lock := flock.New(c.Path(".cache", "venv.lock"))
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return e, fmt.Errorf("wait for another process to make .venv: %w", err)
	}
	defer lock.Unlock()
	if State(ctx, c) == nil {
		return e, nil
	}
	// An environment works only under the name it was made with, so the one
	// of before steps aside and comes back if the new one fails.
	before := c.Path(".cache", "venv.before")
	if _, err := os.Stat(e.stamp()); err == nil {
		if err := errors.Join(os.RemoveAll(before), os.Rename(e.Dir, before)); err != nil {
			return e, fmt.Errorf("set the old .venv aside: %w", err)
		}
	}
	err := e.build(ctx, c, p)
	if err == nil {
		return e, os.RemoveAll(before)
	}
	if err := os.RemoveAll(e.Dir); err != nil {
		return e, fmt.Errorf("remove the half-made .venv: %w", err)
	}
	if os.Rename(before, e.Dir) == nil {
		if _, broken := e.minor(ctx); broken == nil && ctx.Err() == nil {
			p.Printf("! the Python packages could not be brought up to date, so those of before are used: %v", err)
			return e, nil
		}
	}
	return e, err
}

// build makes the environment from nothing, in its place.
func (e Env) build(ctx context.Context, c *course.Course, p *progress.Progress) error {
	log, err := os.Create(c.Path(".cache", "venv.log"))
	if err != nil {
		return fmt.Errorf("make .venv: %w", err)
	}
	defer log.Close()
	if err := os.RemoveAll(e.Dir); err != nil {
		return fmt.Errorf("remove the half-made .venv: %w", err)
	}
	requirements := &building{requirements: c.Path("tools", "requirements.txt"), what: "JupyterLab and its packages", log: log, progress: p}
	if err := e.create(ctx, requirements); err != nil {
		return err
	}
	if err := e.install(ctx, requirements); err != nil {
		return err
	}
	minor, err := e.minor(ctx)
	if err != nil {
		return fmt.Errorf("start the Python of .venv: %w", err)
	}
	stamp, err := wanted(c, minor)
	if err != nil {
		return err
	}
	return renameio.WriteFile(e.stamp(), []byte(stamp), 0o666)
}

// Add installs what another file of requirements in tools/ asks for into the
// course's environment, which it makes first where that is needed. Ensure takes
// it away again with the environment, when that is made anew.
func Add(ctx context.Context, c *course.Course, requirements, what string, p *progress.Progress) error {
	e, err := Ensure(ctx, c, p)
	if err != nil {
		return err
	}
	log, err := os.OpenFile(c.Path(".cache", "venv.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o666)
	if err != nil {
		return fmt.Errorf("add to .venv: %w", err)
	}
	defer log.Close()
	return e.install(ctx, &building{requirements: c.Path("tools", requirements), what: what, log: log, progress: p})
}

// building is one run of build or Add: what it installs, where it logs and shows
// itself.
type building struct {
	requirements string
	what         string
	log          *os.File
	progress     *progress.Progress
}

// create makes an environment without packages: with uv where that is there, which
// fetches a Python where there is none.
func (e Env) create(ctx context.Context, b *building) (err error) {
	task := b.progress.Task("a Python environment of its own, .venv", 0)
	defer func() { task.Done(err) }()
	python, err := Find(ctx)
	if uv, missing := exec.LookPath("uv"); missing == nil {
		want := fmt.Sprintf(">=3.%d,<=3.%d", oldest, newest)
		if err == nil {
			want = python.Path
		}
		return b.run(ctx, nil, uv, "venv", "--no-project", "--python", want, e.Dir)
	}
	if err != nil {
		return err
	}
	if !python.HasVenv {
		return fmt.Errorf("%v came without its venv module: sudo apt-get install python3-venv", python)
	}
	return b.run(ctx, nil, python.Path, "-I", "-m", "venv", e.Dir)
}

// install installs the requirements: with uv, several times faster, or with pip.
func (e Env) install(ctx context.Context, b *building) (err error) {
	if uv, err := exec.LookPath("uv"); err == nil {
		task := b.progress.Task(b.what+" (uv)", 0)
		err := b.run(ctx, func(line string) { task.Step(strings.TrimSpace(line)) }, uv, "pip", "install",
			"--python", e.Python(), "--compile-bytecode", "--require-hashes", "--requirement", b.requirements)
		task.Done(err)
		return err
	}
	total, err := countRequirements(b.requirements)
	if err != nil {
		return err
	}
	task := b.progress.Task(b.what, total)
	err = b.run(ctx, func(line string) {
		// pip names each requirement once, whether it is for this machine or not.
		if words := strings.Fields(line); len(words) > 1 {
			switch words[0] {
			case "Collecting", "Ignoring":
				task.Begin(strings.TrimSuffix(words[1], ":"))
			case "Installing":
				task.Begin("all there, installing (half a minute)")
			}
		}
	}, e.Python(), "-I", "-m", "pip", "install", "--no-input", "--no-user", "--disable-pip-version-check",
		"--progress-bar=off", "--retries=2", "--require-hashes", "--requirement", b.requirements)
	task.Done(err)
	return err
}

// offline matches what pip and uv print when they cannot reach an index.
var offline = regexp.MustCompile(`(?i)name resolution|not known|unreachable|refused|timed out|max retries|NewConnection|` +
	`error sending request|failed to fetch|dns error|from versions: none`)

// run logs what a program prints and hands it on line by line. Its error
// holds the program's last words and where the rest stands.
func (b *building) run(ctx context.Context, line func(string), name string, args ...string) error {
	cmd := Command(ctx, name, args...)
	cmd.Env = append(os.Environ(),
		"PIP_TARGET=", "PIP_PREFIX=", "PIP_ROOT=", // a user's own would lead out of .venv
		"UV_SYSTEM_CERTS=true", "UV_NATIVE_TLS=true") // schools stand behind proxies with certificates of their own; uv's new and old name
	var said bytes.Buffer
	r, w := io.Pipe()
	cmd.Stdout = io.MultiWriter(b.log, &said, w)
	cmd.Stderr = cmd.Stdout
	read := make(chan struct{})
	go func() {
		defer close(read)
		for lines := bufio.NewScanner(r); lines.Scan(); {
			if line != nil {
				line(lines.Text())
			}
		}
		io.Copy(io.Discard, r) // past a line too long to scan
	}()
	fmt.Fprintf(b.log, "$ %s\n", cmd)
	err := cmd.Run()
	w.Close()
	<-read
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case offline.Match(said.Bytes()):
		return fmt.Errorf("the Python packages could not be downloaded: is this machine online? (all of it in %s)", b.log.Name())
	}
	return fmt.Errorf("%s: %w: %s (all of it in %s)", filepath.Base(name), err, reason(said.String()), b.log.Name())
}

// reason picks what a program said of its failure: its last error, or else
// its last line.
func reason(said string) string {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	for _, line := range slices.Backward(lines) {
		if strings.HasPrefix(strings.ToLower(line), "error") {
			return line
		}
	}
	return lines[len(lines)-1]
}

var requirement = regexp.MustCompile(`(?m)^[A-Za-z0-9._-]+==`)

func countRequirements(path string) (int, error) {
	text, err := os.ReadFile(path)
	return len(requirement.FindAll(text, -1)), err
}
