package build_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"manyhands/helpers/chart"
	"manyhands/internal/build"
	"manyhands/internal/course"
	"manyhands/internal/echarts"
	"manyhands/internal/lesson"
	"manyhands/internal/notebook"
)

// classroom is a course of its own with the given lessons, made of the real
// helpers and the real tools, so that a test can build without touching the
// course that is being worked on.
func classroom(t testing.TB, lessons map[string]string) *course.Course {
	t.Helper()
	real, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(t.TempDir(), "class room")
	c := &course.Course{Root: root}
	if err := os.MkdirAll(c.Path("lessons"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, shared := range []string{"go.mod", "go.sum", "helpers", "internal", "lessons/imports.go", "tools", ".tools"} {
		if err := os.MkdirAll(real.Path(".tools"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(real.Path(shared), c.Path(shared)); err != nil {
			t.Fatal(err)
		}
	}
	for name, cells := range lessons {
		write(t, c, name, cells)
	}
	return c
}

// write puts a lesson with the given cells into the course.
func write(t testing.TB, c *course.Course, name, cells string) {
	t.Helper()
	text := "---\ntitle: " + name + "\nminutes: 5\n" + cells
	if !strings.Contains(cells, "\n---\n") {
		text = "---\ntitle: " + name + "\nminutes: 5\n---\n" + cells
	}
	if err := os.WriteFile(c.Path("lessons", name+".md"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// run builds the course and returns what the builder wrote.
func run(t *testing.T, c *course.Course, opt build.Options) (string, error) {
	t.Helper()
	var out bytes.Buffer
	opt.Out = &out
	err := build.Lessons(t.Context(), c, opt)
	return out.String(), err
}

// outputs joins the text that the cells of a notebook wrote.
func outputs(t *testing.T, c *course.Course, name string) string {
	t.Helper()
	nb, err := notebook.Read(c.Path("notebooks", name+".ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, cell := range nb.Cells {
		for _, output := range cell.Outputs {
			text.WriteString(output.Text)
		}
	}
	return text.String()
}

// cell is a code cell whose main function has the given body.
func cell(body string) string { return "\n```go\n%%\n" + body + "\n```\n" }

func TestOnlyWhatChangedIsBuilt(t *testing.T) {
	now := cell(`fmt.Println(time.Now().UnixNano())`)
	c := classroom(t, map[string]string{"00-first": "# First\n" + now, "01-second": "# Second\n" + now})
	if _, err := run(t, c, build.Options{}); err != nil {
		t.Fatal(err)
	}
	first, second := outputs(t, c, "00-first"), outputs(t, c, "01-second")
	if first == "" || second == "" {
		t.Fatalf("outputs %q and %q, want the time", first, second)
	}

	write(t, c, "01-second", "# Second, changed\n"+now)
	said, err := run(t, c, build.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if outputs(t, c, "00-first") != first {
		t.Error("the unchanged lesson was executed again")
	}
	if outputs(t, c, "01-second") == second {
		t.Error("the changed lesson was not executed")
	}
	if !strings.Contains(said, "1 of 2 lessons unchanged") {
		t.Errorf("the build said %q", said)
	}

	if _, err := run(t, c, build.Options{Force: true}); err != nil {
		t.Fatal(err)
	}
	if outputs(t, c, "00-first") == first {
		t.Error("--force did not execute the unchanged lesson")
	}
}

// TestText mends a sentence: what the cell printed stays. Code that changed is
// refused, and nothing is written.
func TestText(t *testing.T) {
	now := cell(`fmt.Println(time.Now().UnixNano())`)
	c := classroom(t, map[string]string{"00-first": "# First\n" + now})
	if _, err := run(t, c, build.Options{}); err != nil {
		t.Fatal(err)
	}
	printed := outputs(t, c, "00-first")
	text := func() error { return build.Text(c, build.Options{Out: t.Output()}) }

	write(t, c, "00-first", "# First, said better\n\nAnd more of it.\n"+now)
	if err := text(); err != nil {
		t.Fatal(err)
	}
	nb, err := notebook.Read(c.Path("notebooks", "00-first.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := lesson.Read(c.Path("lessons", "00-first.md"))
	if err != nil {
		t.Fatal(err)
	}
	if err := l.Matches(nb); err != nil {
		t.Error(err)
	}
	if outputs(t, c, "00-first") != printed || nb.Metadata["manyhands"].(map[string]any)["edition"] == nil {
		t.Error("what the cell printed, or when, was lost")
	}

	// A chart that has no picture yet.
	bundle, err := chart.Lines(chart.Axis{Name: "x"}, chart.Axis{Name: "y"}, chart.Series{Name: "one", Points: []chart.Point{{X: 1, Y: 2}}}).Bundle()
	if err != nil {
		t.Fatal(err)
	}
	code := nb.Cells[len(nb.Cells)-1]
	code.Outputs = append(code.Outputs, notebook.Output{Type: notebook.DisplayData, Data: bundle, Metadata: map[string]any{}})
	if err := nb.Write(c.Path("notebooks", "00-first.ipynb")); err != nil {
		t.Fatal(err)
	}
	if err := text(); err != nil {
		t.Fatal(err)
	}
	if nb, err = notebook.Read(c.Path("notebooks", "00-first.ipynb")); err != nil {
		t.Fatal(err)
	}
	if _, ok := echarts.Picture(nb.Cells[len(nb.Cells)-1].Outputs[1]); !ok {
		t.Error("the chart was not drawn")
	}

	for name, code := range map[string]string{"other code": cell(`fmt.Println("now")`), "less code": "", "more code": now + now} {
		write(t, c, "00-first", "# First, again\n"+code)
		if err := text(); err == nil || !strings.Contains(err.Error(), "go run . build 00-first") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after, err := os.ReadFile(c.Path("notebooks", "00-first.ipynb")); err != nil || bytes.Contains(after, []byte("First, again")) {
		t.Error("the notebook was changed all the same:", err)
	}
}

// An author writes on while other lessons are built.
func TestALessonThatChangesMeanwhile(t *testing.T) {
	c := classroom(t, map[string]string{"01-second": "# Second\n" + cell(`fmt.Println("before")`)})
	path := c.Path("lessons", "01-second.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.Replace(string(text), "before", "after", 1)
	write(t, c, "00-first", "# First\n"+cell(fmt.Sprintf("os.WriteFile(%q, []byte(%q), 0o644)", path, changed)))
	if _, err := run(t, c, build.Options{}.AtOnce(1)); err != nil {
		t.Fatal(err)
	}
	if said := outputs(t, c, "01-second"); said != "after\n" {
		t.Errorf("the notebook has the fingerprint of the new lesson, and says %q", said)
	}
}

func TestAFailingCellIsNamedAndNothingElseSuffers(t *testing.T) {
	good := "# Good\n" + cell(`fmt.Println("fine")`)
	c := classroom(t, map[string]string{"00-good": good, "01-bad": good})
	if _, err := run(t, c, build.Options{}); err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(c.Path("notebooks", "01-bad.ipynb"))
	if err != nil {
		t.Fatal(err)
	}

	write(t, c, "01-bad", "# Bad\n"+cell(`fmt.Println("so far so good")`)+cell(`panic("out of chalk")`))
	write(t, c, "00-good", good+"\nchanged\n")
	_, err = run(t, c, build.Options{})
	if err == nil {
		t.Fatal("a panicking cell did not fail the build")
	}
	for _, want := range []string{"lessons/01-bad.md:13", `panic("out of chalk")`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not say %q:\n%v", want, err)
		}
	}
	if after, _ := os.ReadFile(c.Path("notebooks", "01-bad.ipynb")); !bytes.Equal(before, after) {
		t.Error("the failing lesson's notebook was changed")
	}
	nb, err := notebook.Read(c.Path("notebooks", "00-good.ipynb"))
	if err != nil {
		t.Fatal(err)
	}
	if last := nb.Cells[len(nb.Cells)-1]; !strings.Contains(last.Source, "changed") {
		t.Error("the lesson beside the failing one was not built")
	}
}

// TestALessonThatAsksToRunsAlone builds two lessons at once: first two that cannot
// end without each other, then one that runs alone beside one that does not ask to.
func TestALessonThatAsksToRunsAlone(t *testing.T) {
	meeting := fifo(t)
	// Each lesson prints when it started and when it ended.
	during := func(body string) string {
		return cell(`start := time.Now().UnixNano(); ` + body + `; fmt.Println(start, time.Now().UnixNano())`)
	}
	c := classroom(t, map[string]string{
		// Either end of a named pipe opens when the other one does.
		"00-company": during(fmt.Sprintf(`os.OpenFile(%q, os.O_WRONLY, 0)`, meeting)),
		"01-company": during(fmt.Sprintf(`os.Open(%q)`, meeting)),
		"02-alone":   "exclusive: true\n---\n" + during(`time.Sleep(3*time.Second)`),
		"03-company": during(`time.Sleep(3*time.Second)`),
	})
	if _, err := run(t, c, build.Options{CellTimeout: time.Minute}.AtOnce(2)); err != nil {
		t.Fatal(err)
	}
	type interval struct{ start, end int64 }
	read := func(name string) (i interval) {
		if _, err := fmt.Sscan(outputs(t, c, name), &i.start, &i.end); err != nil {
			t.Fatal(err)
		}
		return i
	}
	alone := read("02-alone")
	for _, name := range []string{"00-company", "01-company", "03-company"} {
		other := read(name)
		if other.start < alone.end && alone.start < other.end {
			t.Errorf("%s ran while the exclusive lesson did", name)
		}
	}
}

// A container may have fewer cores than its machine.
func TestCoresThatAreNotOurs(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for cores, want := range map[int]int{1: 1, 2: 1, 4 * runtime.NumCPU(): 2 * runtime.NumCPU()} {
		runtime.GOMAXPROCS(cores)
		if got := build.AtOnceHere(); got != want {
			t.Errorf("on %d cores %d lessons at once, want %d", cores, got, want)
		}
	}
}

// fifo makes a named pipe for a cell and the test, or two cells, to meet at.
func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestStoppedInTheMiddleOfACell stops a build whose first lesson has failed.
func TestStoppedInTheMiddleOfACell(t *testing.T) {
	ready, err := os.OpenFile(fifo(t), os.O_RDWR, 0) // for writing too: then it does not wait for the cell
	if err != nil {
		t.Fatal(err)
	}
	defer ready.Close()
	c := classroom(t, map[string]string{
		"00-bad": cell(`panic("out of chalk")`),
		"01-endless": cell(fmt.Sprintf(
			`os.WriteFile(%q, []byte("!"), 0); for { time.Sleep(time.Hour) }`, ready.Name())),
	})
	ctx, stop := context.WithCancelCause(t.Context())
	inTheMiddle := errors.New("in the middle")
	stopped := make(chan time.Time, 1)
	go func() {
		_, err := ready.Read(make([]byte, 1))
		stopped <- time.Now()
		stop(errors.Join(inTheMiddle, err))
	}()
	err = build.Lessons(ctx, c, build.Options{CellTimeout: time.Minute, Out: t.Output()}.AtOnce(1))
	if !errors.Is(err, inTheMiddle) || !strings.Contains(err.Error(), "stopped") {
		t.Fatalf("error %v, want that the build was stopped", err)
	}
	if said := err.Error(); !strings.Contains(said, "out of chalk") || strings.Contains(said, "01-endless") {
		t.Errorf("error %v, want also the lesson that had failed, and not the one that was stopped", err)
	}
	if took := time.Since(<-stopped); took > 30*time.Second {
		t.Errorf("it stopped only after %v", took)
	}
	if _, err := os.Stat(c.Path("notebooks", "01-endless.ipynb")); err == nil {
		t.Error("an unfinished notebook was written")
	}
}

func TestBrokenLessonsAreAllNamed(t *testing.T) {
	c := classroom(t, map[string]string{"00-one": "```go\nnever closed", "01-two": cell(``), "02-three": "```go\nnever closed"})
	_, err := run(t, c, build.Options{})
	if err == nil || !strings.Contains(err.Error(), "00-one.md:") || !strings.Contains(err.Error(), "02-three.md:") {
		t.Errorf("error %v, want both broken lessons", err)
	}
	if _, err := os.Stat(c.Path("notebooks")); err == nil {
		t.Error("something was built beside a broken lesson")
	}
}

// TestASlowCellIsHeardOf counts the cells that are done, not the one that begins.
func TestASlowCellIsHeardOf(t *testing.T) {
	c := classroom(t, map[string]string{"00-slow": "# Slow\n" + cell(`time.Sleep(6 * time.Second)`) + cell(`fmt.Println("at last")`)})
	said, err := run(t, c, build.Options{})
	if err != nil || !strings.Contains(said, "00-slow: 1/2 cell 3\n") {
		t.Errorf("the build said %q, %v", said, err)
	}
}

func TestANeedThatIsNoLesson(t *testing.T) {
	c := classroom(t, map[string]string{"00-one": "needs: [algebra]\n---\n# One\n"})
	if _, err := run(t, c, build.Options{}); err == nil || !strings.Contains(err.Error(), `00-one.md:4: needs: no lesson "algebra"`) {
		t.Errorf("error %v, want that the lesson needs one that is not there", err)
	}
}

func TestANotebookFromElsewhere(t *testing.T) {
	c := classroom(t, nil)
	in, out := filepath.Join(t.TempDir(), "in.ipynb"), filepath.Join(t.TempDir(), "new folder", "out.ipynb")
	foreign := `{"cells":[{"cell_type":"code","execution_count":null,"metadata":{"theirs":1},"outputs":[],
		"source":["%%\n","fmt.Println(6*7)"]}],
		"metadata":{"kernelspec":{"display_name":"Go","language":"go","name":"gonb"},"theirs":{"deep":[1,2]}},
		"nbformat":4,"nbformat_minor":2}`
	if err := os.WriteFile(in, []byte(foreign), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := build.Notebook(t.Context(), c, in, out, build.Options{Out: &bytes.Buffer{}}); err != nil {
		t.Fatal(err)
	}
	nb, err := notebook.Read(out)
	if err != nil {
		t.Fatal(err)
	}
	if err := nb.Validate(); err != nil {
		t.Error(err)
	}
	if got := nb.Cells[0].Outputs[0].Text; got != "42\n" {
		t.Errorf("the cell printed %q", got)
	}
	if nb.Cells[0].Metadata["theirs"] == nil || nb.Metadata["theirs"] == nil {
		t.Error("metadata that is not ours was lost")
	}
}

// TestNotebooksSayWhatTheLessonsSay holds the committed notebooks against
// their sources: nobody may edit one without the other.
func TestNotebooksSayWhatTheLessonsSay(t *testing.T) {
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	lessons, err := c.Lessons()
	if err != nil {
		t.Fatal(err)
	}
	notebooks, err := c.Notebooks()
	if err != nil {
		t.Fatal(err)
	}
	if len(notebooks) != len(lessons) {
		t.Errorf("%d lessons and %d notebooks: build what is missing, remove what has no source", len(lessons), len(notebooks))
	}
	for _, path := range lessons {
		l, err := lesson.Read(path)
		if err != nil {
			t.Error(err)
			continue
		}
		nb, err := notebook.Read(c.Path("notebooks", l.Name+".ipynb"))
		if err != nil {
			t.Error(err)
			continue
		}
		if err := l.Matches(nb); err != nil {
			t.Error(err)
		}
	}
}
