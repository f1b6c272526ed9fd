package pyenv_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"manyhands/internal/course"
	"manyhands/internal/progress"
	"manyhands/internal/pyenv"
	"manyhands/internal/testparts"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(text), 0o777)); err != nil {
		t.Fatal(err)
	}
}

// newCourse is a course whose only Python package is a wheel made here, which
// pip finds without a network.
func newCourse(t *testing.T) *course.Course {
	t.Helper()
	if python, err := pyenv.Find(t.Context()); err != nil {
		testparts.Missing(t, err)
	} else if !python.HasVenv {
		testparts.Missing(t, "Python's venv module is missing: apt-get install python3-venv")
	}
	c := &course.Course{Root: filepath.Join(t.TempDir(), "Ann's course")}
	var wheel bytes.Buffer
	w := zip.NewWriter(&wheel)
	for name, text := range map[string]string{
		"greeting.py":                     "print('hello')\n",
		"greeting-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n",
		"greeting-1.0.dist-info/WHEEL":    "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
		"greeting-1.0.dist-info/RECORD":   "greeting.py,,\n",
	} {
		f, err := w.Create(name)
		if err == nil {
			_, err = f.Write([]byte(text))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	write(t, c.Path("wheels", "greeting-1.0-py3-none-any.whl"), wheel.String())
	write(t, c.Path("tools", "requirements.txt"), fmt.Sprintf("greeting==1.0 --hash=sha256:%x\n", sha256.Sum256(wheel.Bytes())))
	// A find-links with a space in it has to be an address.
	t.Setenv("PIP_FIND_LINKS", "file://"+strings.ReplaceAll(c.Path("wheels"), " ", "%20"))
	t.Setenv("UV_FIND_LINKS", c.Path("wheels"))
	for _, tool := range []string{"PIP", "UV"} {
		t.Setenv(tool+"_NO_INDEX", "1")
	}
	return c
}

func ensure(t *testing.T, c *course.Course) (said string, err error) {
	t.Helper()
	var out bytes.Buffer
	p := progress.New(&out)
	_, err = pyenv.Ensure(t.Context(), c, p)
	p.Wait()
	return out.String(), err
}

// hello runs the installed package.
func hello(t *testing.T, c *course.Course) {
	t.Helper()
	out, err := exec.Command(pyenv.Of(c).Python(), "-I", "-m", "greeting").CombinedOutput()
	if err != nil || string(out) != "hello\n" {
		t.Errorf("the package says %q, %v", out, err)
	}
}

func TestEnsure(t *testing.T) {
	withoutUV(t)
	c := newCourse(t)
	write(t, c.Path(".venv", "bin", "python"), "half made") // as Ctrl-C at a bad moment leaves it
	if err := pyenv.State(t.Context(), c); err == nil || !strings.Contains(err.Error(), "half made") {
		t.Errorf("the state is %v, want that it is half made", err)
	}
	var wg sync.WaitGroup
	for range 3 { // several processes at once
		wg.Go(func() {
			if said, err := ensure(t, c); err != nil {
				t.Errorf("%v\n%s", err, said)
			}
		})
	}
	wg.Wait()
	hello(t, c)
	if said, err := ensure(t, c); said != "" || err != nil {
		t.Errorf("the second time: %v and %q, want nothing", err, said)
	}

	// The folder moves, the course asks for something that cannot be had: the
	// environment of before goes on working.
	moved := &course.Course{Root: filepath.Join(t.TempDir(), "moved")}
	if err := os.Rename(c.Root, moved.Root); err != nil {
		t.Fatal(err)
	}
	c = moved
	hello(t, c)
	write(t, c.Path("tools", "requirements.txt"), "farewell==1.0 --hash=sha256:"+strings.Repeat("0", 64)+"\n")
	said, err := ensure(t, c)
	if err != nil || !strings.Contains(said, "those of before are used: the Python packages could not be downloaded") {
		t.Errorf("a failed update: %v and\n%s", err, said)
	}
	hello(t, c)

	// Its Python goes: nothing to fall back on.
	if err := os.Remove(filepath.Join(pyenv.Of(c).Dir, "bin", "python")); err != nil {
		t.Fatal(err)
	}
	if err := pyenv.State(t.Context(), c); err == nil || !strings.Contains(err.Error(), "does not start") {
		t.Errorf("the state is %v, want that Python does not start", err)
	}
	if _, err := ensure(t, c); err == nil || !strings.Contains(err.Error(), "is this machine online?") ||
		!strings.Contains(err.Error(), c.Path(".cache", "venv.log")) {
		t.Errorf("without network and environment the error is %v", err)
	}
}

func TestTamperedPackage(t *testing.T) {
	withoutUV(t)
	c := newCourse(t)
	write(t, c.Path("tools", "requirements.txt"), "greeting==1.0 --hash=sha256:"+strings.Repeat("0", 64)+"\n")
	if _, err := ensure(t, c); err == nil || !strings.Contains(err.Error(), "HASHES") {
		t.Errorf("a package with another hash: %v", err)
	}
	if err := pyenv.State(t.Context(), c); err == nil {
		t.Error("an environment is left that counts as complete")
	}
}

func TestEnsureWithUV(t *testing.T) {
	if _, err := exec.LookPath("uv"); err != nil {
		testparts.Missing(t, "uv is missing: pip install uv")
	}
	c := newCourse(t)
	if said, err := ensure(t, c); err != nil || !strings.Contains(said, "uv") {
		t.Fatalf("%v\n%s", err, said)
	}
	hello(t, c)
	if err := pyenv.State(t.Context(), c); err != nil {
		t.Error(err)
	}
}

// What the course does not need is added to the environment by itself, and is no
// reason to make that anew.
func TestAdd(t *testing.T) {
	for _, with := range []string{"pip", "uv"} {
		t.Run(with, func(t *testing.T) {
			if with == "pip" {
				withoutUV(t)
			} else if _, err := exec.LookPath("uv"); err != nil {
				testparts.Missing(t, "uv is missing: pip install uv")
			}
			c := newCourse(t)
			if err := os.Rename(c.Path("tools", "requirements.txt"), c.Path("tools", "peers.txt")); err != nil {
				t.Fatal(err)
			}
			write(t, c.Path("tools", "requirements.txt"), "# nothing\n")
			var out bytes.Buffer
			p := progress.New(&out)
			err := pyenv.Add(t.Context(), c, "peers.txt", "peers", p)
			p.Wait()
			if err != nil || !strings.Contains(out.String(), "peers") {
				t.Fatalf("%v\n%s", err, out.String())
			}
			hello(t, c)
			if err := pyenv.State(t.Context(), c); err != nil {
				t.Errorf("with peers the state is %v", err)
			}
		})
	}
}

func TestInterrupted(t *testing.T) {
	withoutUV(t)
	c := newCourse(t)
	ctx, cancel := context.WithCancel(t.Context())
	p := progress.New(writer(cancel)) // at its first word
	_, err := pyenv.Ensure(ctx, c, p)
	p.Wait()
	if !errors.Is(err, context.Canceled) {
		t.Errorf("an interrupted set-up ends with %v", err)
	}
	if _, err := os.Stat(pyenv.Of(c).Dir); err == nil {
		t.Error("a half-made .venv is left")
	}
}

type writer func()

func (w writer) Write(data []byte) (int, error) {
	w()
	return len(data), nil
}

// withoutUV hides uv, so that pip is used.
func withoutUV(t *testing.T) {
	t.Helper()
	python, err := pyenv.Find(t.Context())
	if err != nil {
		return // newCourse tells
	}
	t.Setenv("PATH", filepath.Dir(python.Path)+":/usr/bin:/bin")
	if _, err := exec.LookPath("uv"); err == nil {
		testparts.Missing(t, "uv stands beside Python, so it cannot be hidden")
	}
}

// interpreters makes the only programs on PATH: scripts that answer as the
// named Pythons would.
func interpreters(t *testing.T, answers map[string]string) {
	t.Helper()
	bin := t.TempDir()
	for name, answer := range answers {
		write(t, filepath.Join(bin, name), "#!/bin/sh\n"+answer+"\n")
	}
	t.Setenv("PATH", bin)
}

func TestFind(t *testing.T) {
	for _, test := range []struct {
		name    string
		on      map[string]string
		want    string // the path found
		wantErr string
	}{
		{name: "none", wantErr: "none is on PATH"},
		{name: "too old", on: map[string]string{"python3": "echo 3 9 1 /old"}, wantErr: "only Python 3.9 (/old)"},
		{name: "a newer one beside it", on: map[string]string{"python3": "echo 3 9 1 /old", "python3.12": "echo 3 12 1 /good"}, want: "/good"},
		{name: "a shim with nothing behind it", on: map[string]string{"python3": "exit 127", "python3.11": "echo 3 11 1 /good"}, want: "/good"},
		{name: "Debian without venv", on: map[string]string{"python3": "echo 3 11 0 /bare"}, want: "/bare"},
		{name: "venv before newer", on: map[string]string{"python3": "echo 3 13 0 /bare", "python3.10": "echo 3 10 1 /good"}, want: "/good"},
		{name: "not tried yet", on: map[string]string{"python3": "echo 3 19 1 /future"}, want: "/future"},
		{name: "tried before not tried", on: map[string]string{"python3": "echo 3 19 1 /future", "python3.14": "echo 3 14 1 /good"}, want: "/good"},
		{name: "Python 2", on: map[string]string{"python": "echo 2 7 0 /two"}, wantErr: "none is on PATH"},
	} {
		t.Run(test.name, func(t *testing.T) {
			interpreters(t, test.on)
			python, err := pyenv.Find(t.Context())
			if python.Path != test.want || (err != nil) != (test.wantErr != "") ||
				err != nil && !strings.Contains(err.Error(), test.wantErr) {
				t.Errorf("found %q, %v; want %q, %q", python.Path, err, test.want, test.wantErr)
			}
		})
	}
}

func TestNoVenvModule(t *testing.T) {
	c := newCourse(t)
	interpreters(t, map[string]string{"python3": "echo 3 11 0 /usr/bin/python3"})
	if _, err := ensure(t, c); err == nil || !strings.Contains(err.Error(), "apt-get install python3-venv") {
		t.Errorf("without venv: %v, want what installs it", err)
	}
}

func TestFindIsStopped(t *testing.T) {
	interpreters(t, map[string]string{"python3": "exec /bin/sleep 60"})
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if _, err := pyenv.Find(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a hanging Python: %v", err)
	}
}
