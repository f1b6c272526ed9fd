package lab_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"manyhands/internal/course"
	"manyhands/internal/lab"
	"manyhands/internal/pyenv"
	"manyhands/internal/testparts"
)

// smallDisk mounts a file system of the given size at dir for the time of the
// test.
func smallDisk(t *testing.T, dir, size string) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	asRoot := func(args ...string) *exec.Cmd {
		if os.Getuid() != 0 {
			args = append([]string{"sudo", "-n"}, args...)
		}
		return exec.Command(args[0], args[1:]...)
	}
	options := fmt.Sprintf("size=%s,uid=%d,gid=%d", size, os.Getuid(), os.Getgid())
	if out, err := asRoot("mount", "-t", "tmpfs", "-o", options, "none", dir).CombinedOutput(); err != nil {
		testparts.Missing(t, "a small disk cannot be mounted: "+string(out))
	}
	t.Cleanup(func() {
		if out, err := asRoot("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// fill fills the disk of dir and returns the file that does it.
func fill(t *testing.T, dir string) (filler string) {
	t.Helper()
	filler = filepath.Join(dir, "filler")
	f, err := os.Create(filler)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err = io.Copy(f, endless{}); !errors.Is(err, syscall.ENOSPC) {
		t.Fatalf("the disk is not full: %v", err)
	}
	return filler
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// save saves a notebook with one cell through Jupyter, as JupyterLab does.
func save(t *testing.T, server, token, name, text string) (status int, said string) {
	t.Helper()
	body, err := json.Marshal(map[string]any{"type": "notebook", "format": "json", "content": map[string]any{
		"nbformat": 4, "nbformat_minor": 5, "metadata": map[string]any{},
		"cells": []any{map[string]any{"cell_type": "raw", "id": "a", "metadata": map[string]any{}, "source": text}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPut, server+"api/contents/"+name, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Authorization", "token "+token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(answer)
}

// A full disk costs nothing that was saved; what cannot be saved or brought is
// said, and done when there is room again.
func TestFullDisk(t *testing.T) {
	c := newCourse(t)
	borrow(t, c)
	work := c.Path("work")
	smallDisk(t, work, "256k")
	r := start(t, c, lab.Options{})
	server, token := r.address()
	if status, said := save(t, server, token, "mine.ipynb", "an hour's work"); status != http.StatusCreated {
		t.Fatalf("saving says %d %s", status, said)
	}
	saved := read(t, filepath.Join(work, "mine.ipynb"))
	filler := fill(t, work)
	status, said := save(t, server, token, "mine.ipynb", strings.Repeat("more ", 10_000))
	if status != http.StatusInternalServerError || !strings.Contains(said, "No space left on device") {
		t.Errorf("saving to a full disk says %d %s", status, said)
	}
	if now := read(t, filepath.Join(work, "mine.ipynb")); now != saved {
		t.Errorf("the notebook saved before holds %q", now)
	}
	r.stop()

	edition := strings.Replace(emptyNotebook, `"cells":[]`, `"cells": [ `+strings.Repeat(" ", 8000)+` ]`, 1)
	write(t, c.Path("notebooks", "00-welcome.ipynb"), edition)
	err := lab.Run(t.Context(), c, lab.Options{Out: t.Output()})
	if err == nil || !strings.Contains(err.Error(), "make room on the disk of "+c.Root) {
		t.Errorf("with a new edition that finds no room the lab says %v", err)
	}
	for name, want := range map[string]string{"00-welcome.ipynb": emptyNotebook, "mine.ipynb": saved} {
		if got := read(t, filepath.Join(work, name)); got != want {
			t.Errorf("%s holds %q", name, got)
		}
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	openStatic(t, c)
	if read(t, filepath.Join(work, "00-welcome.ipynb")) != edition {
		t.Error("with room again the new edition does not come")
	}
	if left, _ := filepath.Glob(filepath.Join(work, ".0*")); len(left) > 0 {
		t.Errorf("half-written files are left: %v", left)
	}
}

// Where there is no room to set the course up, its pages can be read.
func TestFullDiskAtTheFirstStart(t *testing.T) {
	python, err := pyenv.Find(t.Context())
	if err != nil {
		testparts.Missing(t, err)
	}
	c := &course.Course{Root: filepath.Join(t.TempDir(), "small")}
	smallDisk(t, c.Root, "64m")
	if err := os.CopyFS(c.Root, os.DirFS(newCourse(t).Root)); err != nil {
		t.Fatal(err)
	}
	filler := fill(t, c.Root)
	info, err := os.Stat(filler)
	if err == nil {
		err = os.Truncate(filler, info.Size()-1<<20) // a little room, but not for an environment
	}
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if err := os.Symlink(python.Path, filepath.Join(bin, "python3")); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin)
	out := &output{}
	served := false
	if err := lab.Run(t.Context(), c, lab.Options{Out: out, Static: func(context.Context) error {
		served = true
		return nil
	}}); err != nil || !served {
		t.Errorf("the pages were served: %v, error %v", served, err)
	}
	if !strings.Contains(out.String(), "make room on the disk of "+c.Root) {
		t.Errorf("no way out is said in:\n%s", out)
	}
	if _, err := os.Stat(c.Path(".venv")); err == nil {
		t.Error("a half-made .venv is left")
	}
}

// A lab that is killed, and one whose terminal is closed, leaves no Jupyter, no
// kernel and nothing that a cell has started, and the next lab finds nothing in its
// way.
func TestKilled(t *testing.T) {
	if testparts.Race {
		t.Skip("what runs is other programs, which the race detector does not see")
	}
	repo, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	c := newCourse(t)
	borrow(t, c)
	command := filepath.Join(t.TempDir(), "manyhands")
	build := exec.Command("go", "build", "-o", command, ".")
	build.Dir = repo.Root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	temp, err := os.MkdirTemp("", "mh-") // short: there will be sockets in it
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(temp)
	for _, s := range []syscall.Signal{syscall.SIGKILL, syscall.SIGHUP, syscall.SIGKILL} {
		r := &running{t: t, out: &output{}, done: make(chan error, 1)}
		lab := exec.Command(command, "lab", "--no-browser")
		lab.Dir, lab.Stdout, lab.Stderr = c.Root, r.out, r.out
		lab.Env = append(os.Environ(), "TMPDIR="+temp)
		if err := lab.Start(); err != nil {
			t.Fatal(err)
		}
		go func() { r.done <- lab.Wait() }()
		server, token := r.address()
		runCell(t, server, token, "import \"os/exec\"\nfunc main() { exec.Command(\"sleep\", \"1000\").Start() }")
		if left := strings.Join(leftovers(t, temp), "\n"); !strings.Contains(left, "sleep 1000") {
			t.Fatalf("what the cell started is not among\n%s", left)
		}
		lab.Process.Signal(s)
		if err := <-r.done; err != nil && s != syscall.SIGKILL {
			t.Errorf("%v: the lab ended with %v:\n%s", s, err, r.out)
		}
		var left []string
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
			files, _ := filepath.Glob(filepath.Join(temp, "*"))
			if left = append(leftovers(t, temp), files...); len(left) == 0 {
				break
			}
		}
		if len(left) > 0 {
			t.Errorf("%v: left are\n%s", s, strings.Join(left, "\n"))
		}
	}
}

// The kernel's program is deleted under a running lab: no kernel starts, and a
// second lab mends that.
func TestKernelDeleted(t *testing.T) {
	c := newCourse(t)
	borrow(t, c)
	theirs, err := filepath.EvalSymlinks(c.Path(".tools", "bin"))
	if err == nil {
		err = errors.Join(os.Remove(c.Path(".tools", "bin")), os.CopyFS(c.Path(".tools", "bin"), os.DirFS(theirs)))
	}
	if err != nil {
		t.Fatal(err)
	}
	r := start(t, c, lab.Options{})
	server, token := r.address()
	if err := os.Remove(c.Path(".tools", "bin", "gonb")); err != nil {
		t.Fatal(err)
	}
	if status := call(t, "POST", server+"api/kernels", token, nil); status != http.StatusInternalServerError {
		t.Errorf("starting a kernel that is gone says %d", status)
	}
	if log := read(t, c.Path(".cache", "jupyter", "jupyter.log")); !strings.Contains(log, c.Path(".tools", "bin", "gonb")) {
		t.Error("Jupyter's log does not say what is missing")
	}
	if err := lab.Run(t.Context(), c, lab.Options{Out: t.Output()}); err != nil {
		t.Fatal(err)
	}
	if out := runCell(t, server, token, "import \"os\"\nfunc main() { os.Stdout.WriteString(\"here\\n\") }"); out != "here\n" {
		t.Errorf("the cell printed %q", out)
	}
	r.stop()
}
