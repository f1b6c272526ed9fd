package gonb_test

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"manyhands/internal/course"
	"manyhands/internal/echarts"
	"manyhands/internal/gonb"
	"manyhands/internal/kernel"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// install installs GoNB into this checkout, once for all tests.
var install = sync.OnceValues(func() (gonb.Toolchain, error) {
	c, err := course.Find()
	if err != nil {
		return gonb.Toolchain{}, err
	}
	return gonb.Install(context.Background(), c, os.Stderr)
})

func installed(t *testing.T) (*course.Course, gonb.Toolchain) {
	t.Helper()
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	toolchain, err := install()
	if err != nil {
		t.Fatal(err)
	}
	return c, toolchain
}

func TestInstall(t *testing.T) {
	c, toolchain := installed(t)
	for _, name := range []string{"gonb", "goimports", "gopls"} {
		if _, err := os.Stat(filepath.Join(toolchain.Bin, name)); err != nil {
			t.Error(err)
		}
	}
	info, err := buildinfo.ReadFile(filepath.Join(toolchain.Bin, "gonb"))
	if err != nil || info.Main.Version != gonb.Version {
		t.Errorf("gonb is %v (%v), want %s", info, err, gonb.Version)
	}
	var said bytes.Buffer
	if _, err := gonb.Install(t.Context(), c, &said); err != nil || said.Len() > 0 {
		t.Errorf("a second time: %v, %q", err, &said)
	}
}

func TestVersionIsThePinnedOne(t *testing.T) {
	c, _ := installed(t)
	mod, err := os.ReadFile(c.Path("tools", "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if !regexp.MustCompile(`(?m)^\s*github.com/janpfeifer/gonb ` + regexp.QuoteMeta(gonb.Version) + `\b`).Match(mod) {
		t.Errorf("tools/go.mod does not pin gonb %s", gonb.Version)
	}
}

// pretend makes a course of nothing but a tools module whose tools are not
// GoNB's: a build of it takes a moment.
func pretend(t *testing.T, name string) *course.Course {
	t.Helper()
	c := &course.Course{Root: filepath.Join(t.TempDir(), name)}
	files := map[string]string{
		"go.mod":            "module manyhands\n\ngo 1.26\n",
		"tools/go.mod":      "module manyhands/tools\n\ngo 1.26\n\nrequire (\n\tgithub.com/janpfeifer/gonb v0.0.0\n\tgolang.org/x/tools v0.0.0\n\tgolang.org/x/tools/gopls v0.0.0\n)\n\nreplace (\n\tgithub.com/janpfeifer/gonb => ./gonb\n\tgolang.org/x/tools => ./xtools\n\tgolang.org/x/tools/gopls => ./gopls\n)\n",
		"tools/go.sum":      "",
		"tools/gonb/go.mod": "module github.com/janpfeifer/gonb\n\ngo 1.26\n", "tools/gonb/main.go": "package main\n\nfunc main() {}\n",
		"tools/xtools/go.mod": "module golang.org/x/tools\n\ngo 1.26\n", "tools/xtools/cmd/goimports/main.go": "package main\n\nfunc main() {}\n",
		"tools/gopls/go.mod": "module golang.org/x/tools/gopls\n\ngo 1.26\n", "tools/gopls/main.go": "package main\n\nfunc main() {}\n",
	}
	for path, text := range files {
		put(t, c.Path(path), text)
	}
	return c
}

func put(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestInstallIsBuiltOnceByManyProcesses(t *testing.T) {
	c := pretend(t, "many hands")
	var wg sync.WaitGroup
	said := make([]bytes.Buffer, 4)
	for i := range said {
		wg.Go(func() {
			if _, err := gonb.Install(t.Context(), c, &said[i]); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	builds := 0
	for i := range said {
		builds += strings.Count(said[i].String(), "building gonb")
	}
	if builds != 1 {
		t.Errorf("built %d times", builds)
	}
}

func TestInstallAgainWhatIsStale(t *testing.T) {
	c := pretend(t, "course")
	for _, test := range []struct {
		name   string
		change func()
		builds bool
	}{
		{"first", func() {}, true},
		{"nothing changed", func() {}, false},
		{"a tool is gone", func() { os.Remove(c.Path(".tools", "bin", "gopls")) }, true},
		{"Go was upgraded", func() {
			stamp := c.Path(".tools", "bin", ".stamp")
			text, _ := os.ReadFile(stamp)
			put(t, stamp, strings.Replace(string(text), runtime.Version(), "go1.25.1", 1))
		}, true},
		{"another version", func() { put(t, c.Path("tools", "go.sum"), "\n") }, true},
	} {
		test.change()
		var said bytes.Buffer
		if _, err := gonb.Install(t.Context(), c, &said); err != nil {
			t.Fatal(err)
		}
		if builds := said.Len() > 0; builds != test.builds {
			t.Errorf("%s: it says %q", test.name, &said)
		}
	}
}

func TestInstallFails(t *testing.T) {
	for _, test := range []struct {
		name  string
		setUp func(t *testing.T, c *course.Course)
		want  string
	}{
		{"no go", func(t *testing.T, _ *course.Course) { t.Setenv("PATH", t.TempDir()) }, "install Go from https://go.dev/dl"},
		{"no network", func(t *testing.T, c *course.Course) {
			t.Setenv("GOPROXY", "http://127.0.0.1:1")
			t.Setenv("GOMODCACHE", t.TempDir())
			t.Setenv("GONOSUMDB", "*")
			put(t, c.Path("tools", "go.mod"), "module manyhands/tools\n\ngo 1.26\n\nrequire github.com/janpfeifer/gonb v0.11.4\n")
			put(t, c.Path("tools", "go.sum"), "github.com/janpfeifer/gonb v0.11.4 h1:yzRUqCTS3IXX91MDkiXFpOMstZH0eLj1ZWZc8jedWOw=\n"+
				"github.com/janpfeifer/gonb v0.11.4/go.mod h1:yzRUqCTS3IXX91MDkiXFpOMstZH0eLj1ZWZc8jedWOw=\n")
		}, "connect to the network"},
		{"home cannot be written", func(t *testing.T, _ *course.Course) {
			t.Setenv("HOME", "/dev/null/home")
			t.Setenv("GOCACHE", "")
			t.Setenv("XDG_CACHE_HOME", "")
		}, "set GOCACHE and GOMODCACHE"},
		{"does not compile", func(t *testing.T, c *course.Course) { put(t, c.Path("tools", "gonb", "main.go"), "package main\n") }, "function main is undeclared"},
		{"no tools module", func(t *testing.T, c *course.Course) { os.Remove(c.Path("tools", "go.mod")) }, "go.mod"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := pretend(t, "course")
			test.setUp(t, c)
			_, err := gonb.Install(t.Context(), c, new(bytes.Buffer))
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q in it", err, test.want)
			}
			if _, err := os.Stat(c.Path(".tools", "bin", "gonb")); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("a half installation is left: %v", err)
			}
		})
	}
	t.Run("comma in the path", func(t *testing.T) {
		if _, err := gonb.Install(t.Context(), pretend(t, "a,b"), new(bytes.Buffer)); err == nil || !strings.Contains(err.Error(), "comma") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := gonb.Install(ctx, pretend(t, "course"), new(bytes.Buffer)); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v", err)
		}
	})
}

func TestWriteKernelspec(t *testing.T) {
	c, toolchain := installed(t)
	data := filepath.Join(t.TempDir(), "share", "jupyter")
	for range 2 { // the second writes over the first
		if err := toolchain.WriteKernelspec(c, data); err != nil {
			t.Fatal(err)
		}
	}
	dir := filepath.Join(data, "kernels", "gonb")
	for name, want := range map[string][]byte{"echarts.min.js": echarts.Script, "manyhands.js": echarts.Runtime} {
		if got, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(got, want) {
			t.Errorf("%s has %d bytes, want %d (%v)", name, len(got), len(want), err)
		}
	}
	entries, _ := os.ReadDir(dir)
	if len(entries) != 4 {
		t.Errorf("the kernelspec has %v", entries)
	}
	text, err := os.ReadFile(filepath.Join(dir, "kernel.json"))
	if err != nil {
		t.Fatal(err)
	}
	var spec struct {
		Argv          []string          `json:"argv"`
		DisplayName   string            `json:"display_name"`
		InterruptMode string            `json:"interrupt_mode"`
		Env           map[string]string `json:"env"`
	}
	if err := json.Unmarshal(text, &spec); err != nil {
		t.Fatal(err)
	}
	runner := toolchain.Spec(c)
	if !slices.Equal(spec.Argv, runner.Argv) || spec.DisplayName != runner.DisplayName || spec.InterruptMode != string(runner.InterruptMode) {
		t.Errorf("Jupyter would start %+v, the runner starts %+v", spec, runner)
	}
	path := filepath.SplitList(spec.Env["PATH"])
	if path[0] != toolchain.Bin || path[1] != c.Path(".venv", "bin") || path[2] != "${PATH}" {
		t.Errorf("PATH is %q", path)
	}
	for _, pair := range runner.Env {
		if key, value, _ := strings.Cut(pair, "="); key != "PATH" && spec.Env[key] != value {
			t.Errorf("%s is %q for Jupyter and %q for the runner", key, spec.Env[key], value)
		}
	}
}

// A Python cell on a machine without Python says so, and the lesson goes on.
func TestNoPython(t *testing.T) {
	c, toolchain := installed(t)
	bin := t.TempDir() // a machine with Go and a shell, and nothing else
	for _, name := range []string{"go", "sh", "cat", "echo"} {
		path, err := exec.LookPath(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	spec := toolchain.Spec(&course.Course{Root: c.Root})
	for i, pair := range spec.Env { // this checkout may have a Python of its own
		spec.Env[i] = strings.ReplaceAll(pair, c.Path(".venv", "bin"), bin)
	}
	k, err := kernel.Start(t.Context(), spec, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	outputs, err := k.Execute(t.Context(), "%%script python3\nprint(6 * 7)", kernel.Options{Timeout: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if len(outputs) != 1 || !strings.HasPrefix(outputs[0].Text, "There is no Python 3 on this machine") {
		t.Errorf("got %+v", outputs)
	}
}

func TestWarm(t *testing.T) {
	c, toolchain := installed(t)
	if err := gonb.Warm(t.Context(), c, toolchain, false, os.Stderr); err != nil {
		t.Fatal(err)
	}
	var said bytes.Buffer
	if err := gonb.Warm(t.Context(), c, toolchain, false, &said); err != nil || said.Len() > 0 {
		t.Errorf("a second time: %v, %q", err, &said)
	}
}
