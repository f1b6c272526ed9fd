package lab_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"manyhands/internal/course"
	"manyhands/internal/gonb"
	"manyhands/internal/lab"
	"manyhands/internal/pyenv"
)

// openStatic starts the lab where there is neither Python nor Go, which is
// the fastest way to have it bring work/ up to date, and returns what it said.
func openStatic(t *testing.T, c *course.Course) string {
	t.Helper()
	t.Setenv("PATH", t.TempDir())
	out := &output{}
	served := false
	err := lab.Run(t.Context(), c, lab.Options{Out: out, Static: func(context.Context) error {
		served = true
		return nil
	}})
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if !served {
		t.Errorf("the static pages were not served:\n%s", out)
	}
	return out.String()
}

func TestWithNothingThePagesAreServed(t *testing.T) {
	c := newCourse(t)
	said := openStatic(t, c)
	for _, want := range []string{"no go command", "Python 3.10 or newer", "plain pages", "go run . doctor"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said in:\n%s", want, said)
		}
	}
	if err := lab.Run(t.Context(), c, lab.Options{Out: t.Output()}); err == nil {
		t.Error("with no pages to serve either, there was no error")
	}
	broken := errors.New("broken")
	err := lab.Run(t.Context(), c, lab.Options{Out: t.Output(), Static: func(context.Context) error { return broken }})
	if !errors.Is(err, broken) {
		t.Errorf("the pages' error is lost: %v", err)
	}
}

func TestStudentsWorkIsKept(t *testing.T) {
	c := newCourse(t)
	lesson := func(name, text string) { write(t, c.Path("notebooks", name), text) }
	mine := func(name string) string { return c.Path("work", name) }
	lesson("01-a.ipynb", "a1")
	lesson("02-b.ipynb", "b1")
	lesson("03-c.ipynb", "c1")
	lesson("practicals/p.ipynb", "p1")
	lesson(".ipynb_checkpoints/x.ipynb", "hidden")

	if said := openStatic(t, c); !strings.Contains(said, "New in work/") {
		t.Errorf("the first start says nothing of work/:\n%s", said)
	}
	if read(t, mine("practicals/p.ipynb")) != "p1" {
		t.Error("a notebook in a folder was not copied")
	}
	if _, err := os.Stat(mine(".ipynb_checkpoints")); err == nil {
		t.Error("a hidden folder was copied")
	}
	if said := openStatic(t, c); strings.Contains(said, "work/") {
		t.Errorf("with nothing new, work/ is spoken of:\n%s", said)
	}

	write(t, mine("02-b.ipynb"), "mine")
	write(t, mine("own.ipynb"), "own")
	if err := os.Remove(mine("03-c.ipynb")); err != nil {
		t.Fatal(err)
	}
	lesson("01-a.ipynb", "a2")
	lesson("02-b.ipynb", "b2")
	said := openStatic(t, c)
	for name, want := range map[string]string{
		"01-a.ipynb": "a2",   // untouched: the newer one
		"02-b.ipynb": "mine", // changed: kept
		"03-c.ipynb": "c1",   // deleted: a fresh copy
		"own.ipynb":  "own",
	} {
		if got := read(t, mine(name)); got != want {
			t.Errorf("%s holds %q, want %q", name, got, want)
		}
	}
	for _, want := range []string{"New in work/, where you work on copies of your own: 03-c.ipynb",
		"Newer now in work/: 01-a.ipynb", "There is a newer 02-b.ipynb"} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not said in:\n%s", want, said)
		}
	}
	if said := openStatic(t, c); strings.Contains(said, "There is a newer") {
		t.Errorf("the same is said twice:\n%s", said)
	}
	if read(t, mine("02-b.ipynb")) != "mine" {
		t.Error("a changed notebook was overwritten at a later start")
	}
}

func TestBrokenRecord(t *testing.T) {
	c := newCourse(t)
	record := c.Path("work", ".delivered.json")
	write(t, record, "{")
	write(t, c.Path("work", "00-welcome.ipynb"), "mine")
	err := lab.Run(t.Context(), c, lab.Options{Out: t.Output()})
	if err == nil || !strings.Contains(err.Error(), record) {
		t.Errorf("the lab says %v, want the record's path", err)
	}
	if err := os.Remove(record); err != nil {
		t.Fatal(err)
	}
	openStatic(t, c)
	if read(t, c.Path("work", "00-welcome.ipynb")) != "mine" {
		t.Error("without the record a changed notebook was overwritten")
	}
}

func TestNoNotebooks(t *testing.T) {
	c := newCourse(t)
	if err := os.RemoveAll(c.Path("notebooks")); err != nil {
		t.Fatal(err)
	}
	err := lab.Run(t.Context(), c, lab.Options{Out: t.Output()})
	if err == nil || !strings.Contains(err.Error(), "go run . build") {
		t.Errorf("the lab says %v, want how to make notebooks", err)
	}
}

func TestJupyterOnPath(t *testing.T) {
	c := newCourse(t)
	repo, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	borrow(t, c)
	if err := os.RemoveAll(c.Path(".venv")); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir() // Go and a JupyterLab, but no Python to make one with
	programs := map[string]string{"go": lookPath(t, "go"), "jupyter-lab": repo.Path(".venv", "bin", "jupyter-lab")}
	if gcc, err := exec.LookPath("gcc"); err == nil {
		programs["gcc"] = gcc // so that the build cache counts as warm
	}
	for name, target := range programs {
		if err := os.Symlink(target, filepath.Join(bin, name)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	r := start(t, c, lab.Options{})
	server, token := r.address()
	if said := r.out.String(); !strings.Contains(said, "on PATH is used") || !strings.Contains(said, "Python 3.10 or newer") {
		t.Errorf("the lab does not say what it uses and why:\n%s", said)
	}
	if out := runCell(t, server, token, "import \"os\"\nfunc main() { os.Stdout.WriteString(\"here\\n\") }"); out != "here\n" {
		t.Errorf("the cell printed %q", out)
	}
	r.stop()
	if left := leftovers(t, c.Root); len(left) > 0 {
		t.Errorf("processes left: %s", strings.Join(left, "\n"))
	}
}

// The image's settings have any Jupyter open the student's copies, with the
// course's kernel: a JupyterHub and Binder know nothing of `manyhands lab`.
func TestJupyterInTheImage(t *testing.T) {
	c := newCourse(t)
	borrow(t, c)
	if err := lab.Prepare(t.Context(), c, t.Output()); err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	if out, err := exec.Command("go", "build", "-o", bin, "manyhands").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	t.Setenv("PATH", bin+string(filepath.ListSeparator)+os.Getenv("PATH"))
	t.Setenv("JUPYTER_CONFIG_PATH", c.Path("internal", "lab", "image")+string(filepath.ListSeparator)+c.Path("internal", "lab", "config"))
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("JUPYTER_TOKEN", "known")
	write(t, c.Path("work", "mine.ipynb"), emptyNotebook)

	ctx, cancel := context.WithCancel(t.Context())
	jupyter := pyenv.Command(ctx, c.Path(".venv", "bin", "python"), "-m", "jupyterlab", "--no-browser", "--allow-root", "--port=0")
	jupyter.Dir, jupyter.Stdout, jupyter.Stderr = c.Root, t.Output(), t.Output()
	if err := jupyter.Start(); err != nil {
		t.Fatal(err)
	}
	defer jupyter.Wait()
	defer cancel()
	server := struct{ URL string }{}
	answers := func() bool { // it says where it is before it is there
		said, _ := filepath.Glob(filepath.Join(home, ".local", "share", "jupyter", "runtime", "jpserver-*.json"))
		if len(said) == 0 || json.Unmarshal([]byte(read(t, said[0])), &server) != nil { // perhaps not whole yet
			return false
		}
		response, err := http.Get(server.URL + "api")
		if err != nil {
			return false
		}
		response.Body.Close()
		return true
	}
	for end := time.Now().Add(2 * time.Minute); !answers(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("Jupyter does not say where it is, or is not there")
		}
	}
	var folder struct{ Content []struct{ Name string } }
	call(t, "GET", server.URL+"api/contents", "known", &folder)
	slices.SortFunc(folder.Content, func(a, b struct{ Name string }) int { return strings.Compare(a.Name, b.Name) })
	if fmt.Sprint(folder.Content) != "[{00-welcome.ipynb} {mine.ipynb}]" {
		t.Errorf("Jupyter opens on %v, want the student's copies", folder.Content)
	}
	var kernels struct{ Default string }
	call(t, "GET", server.URL+"api/kernelspecs", "known", &kernels)
	if kernels.Default != gonb.Name {
		t.Errorf("the kernel is %q, want %q", kernels.Default, gonb.Name)
	}
}
