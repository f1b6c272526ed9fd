package lab_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"manyhands/internal/browsertest"
	"manyhands/internal/course"
	"manyhands/internal/lab"
	"manyhands/internal/notebook"
	"manyhands/internal/testparts"
)

// A student is somebody at JupyterLab, in a browser, on a course of their own.
type student struct {
	*browsertest.Tab
	t      *testing.T
	course *course.Course
	server string
	token  string
	idle   string // true in the page when the open notebook has a kernel, and that has nothing to do
}

// arrive starts the lab on the notebooks and a browser. The size of the work
// is a tenth of a class's.
func arrive(t *testing.T, notebooks map[string]string) *student {
	t.Helper()
	browsertest.Find(t)
	t.Setenv("MANYHANDS_SCALE", "0.1")
	c := newCourse(t)
	borrow(t, c)
	if err := os.RemoveAll(c.Path("notebooks")); err != nil {
		t.Fatal(err)
	}
	for name, text := range notebooks {
		write(t, c.Path("notebooks", name), text)
	}
	r := start(t, c, lab.Options{})
	t.Cleanup(r.stop)
	s := &student{t: t, course: c}
	s.server, s.token = r.address()
	s.Tab = browsertest.Open(t)
	s.Do(chromedp.EmulateViewport(1500, 1000))
	return s
}

// sitDown waits until JupyterLab shows the first of the notebooks.
func sitDown(t *testing.T, notebooks map[string]string) *student {
	t.Helper()
	s := arrive(t, notebooks)
	s.idle = idleInLab
	s.Do(chromedp.Navigate(s.server + "lab?token=" + s.token))
	s.waitOpen()
	return s
}

const idleInLab = `document.querySelector(".jp-Toolbar-kernelName")?.textContent === "Go (gonb)" &&
	document.querySelector(".jp-Notebook-ExecutionIndicator")?.dataset.status === "idle"`

func (s *student) waitOpen() {
	s.t.Helper()
	s.Wait(3*time.Minute, `!document.querySelector("#jupyterlab-splash") && document.querySelectorAll(".jp-Notebook .jp-Cell").length > 0 && `+s.idle)
	if n := s.count(".jp-Dialog"); n != 0 {
		s.t.Errorf("%d dialogs stand between the student and the notebook", n)
	}
}

// open opens a notebook from the file browser.
func (s *student) open(name string) {
	s.Do(chromedp.DoubleClick(`//*[contains(@class,"jp-DirListing-itemName")][.="` + name + `"]`))
	s.waitOpen()
}

func (s *student) save() {
	s.menu("File", "docmanager:save")
	s.Wait(time.Minute, `!document.querySelector(".lm-DockPanel-tabBar .lm-mod-current.jp-mod-dirty")`)
}

// close saves the notebook, closes its tab and ends its kernel.
func (s *student) close() {
	s.save()
	s.menu("File", "filemenu:close-and-cleanup")
	s.Do(chromedp.Click(".jp-Dialog button.jp-mod-accept"))
	s.Wait(time.Minute, `!document.querySelector(".jp-Notebook")`)
}

// runAll clears all outputs, so that what is seen afterwards is new, runs all
// cells and waits until they are done.
func (s *student) runAll() {
	s.menu("Edit", "editmenu:clear-all")
	s.Wait(time.Minute, `document.querySelectorAll(".jp-OutputArea-output").length === 0`)
	s.menu("Run", "runmenu:run-all")
	s.waitRun()
}

// waitRun waits until every cell that holds something has a number.
func (s *student) waitRun() {
	s.t.Helper()
	s.Wait(40*time.Minute, `(() => {
		const cells = [...document.querySelectorAll(".jp-CodeCell")].filter((cell) => cell.querySelector(".cm-content")?.textContent !== "");
		return cells.length > 0 && cells.every((cell) => /\[\d+\]/.test(cell.querySelector(".jp-InputPrompt").textContent)) && `+s.idle+`;
	})()`)
}

// menu chooses a command from one of JupyterLab's menus. On a busy machine a
// menu may take its first click for two, or its mouse for one passing by; then,
// like a person, it tries again.
func (s *student) menu(name, command string) {
	item := fmt.Sprintf(`.lm-Menu-item[data-command="%s"]`, command)
	for range 5 {
		s.Do(chromedp.Click(`//*[@id="jp-MainMenu"]//*[contains(@class,"lm-MenuBar-itemLabel")][text()="` + name + `"]`))
		if s.Becomes(10*time.Second, fmt.Sprintf(`document.querySelector('%s')?.offsetHeight > 0`, item)) {
			// JupyterLab's menus choose what the mouse has moved onto, which a bare click does not do.
			at := browsertest.Call[[]float64](s.Tab, `(item) => {
				const box = document.querySelector(item).getBoundingClientRect();
				return [box.x + box.width / 2, box.y + box.height / 2];
			}`, item)
			s.Do(
				chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0]-3, at[1]),
				chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0], at[1]))
			if s.Becomes(10*time.Second, fmt.Sprintf(`!!document.querySelector('%s.lm-mod-active')`, item)) {
				s.Do(chromedp.MouseClickXY(at[0], at[1]))
				s.Wait(time.Minute, `!document.querySelector(".lm-Menu")`)
				return
			}
		}
		s.Screenshot("menu again")
		s.t.Logf("the menu %s does not offer %s: again", name, command)
		s.Do(chromedp.KeyEvent(kb.Escape))
	}
	s.t.Fatalf("the menu %s does not offer %s", name, command)
}

// write replaces the source of a cell, counted from 0, and leaves the cursor
// at its end.
func (s *student) write(cell int, source string) {
	s.t.Helper()
	s.focus(cell)
	s.Do(chromedp.KeyEvent("a", chromedp.KeyModifiers(chromedp.ModifierCtrl)),
		chromedp.KeyEvent(kb.Backspace), chromedp.KeyEvent(source))
}

// focus puts the cursor into a cell, counted from 0.
func (s *student) focus(cell int) {
	s.t.Helper()
	s.Do(chromedp.Click(fmt.Sprintf(`.jp-Notebook .jp-Cell:nth-of-type(%d) .cm-content`, cell+1)))
}

// prompt is the number of a cell, counted from 0, such as [3].
func (s *student) prompt(cell int) string {
	s.t.Helper()
	return browsertest.Call[string](s.Tab,
		`(cell) => document.querySelectorAll(".jp-Notebook .jp-Cell")[cell].querySelector(".jp-InputPrompt").textContent`, cell)
}

// run runs the cell that the cursor is in.
func (s *student) run() {
	s.t.Helper()
	s.Do(chromedp.KeyEvent(kb.Enter, chromedp.KeyModifiers(chromedp.ModifierCtrl)))
}

func (s *student) count(selector string) int {
	s.t.Helper()
	return browsertest.Call[int](s.Tab, `(selector) => document.querySelectorAll(selector).length`, selector)
}

// said returns the text of all elements that match.
func (s *student) said(selector string) string {
	s.t.Helper()
	return browsertest.Call[string](s.Tab,
		`(selector) => [...document.querySelectorAll(selector)].map((e) => e.textContent).join("\n")`, selector)
}

const (
	errorOutput = "[data-mime-type='application/vnd.jupyter.error']"
	stderr      = "[data-mime-type='application/vnd.jupyter.stderr']"
)

// lookAtCharts scrolls to every chart of the open notebook and waits for what
// is to be seen in it.
func (s *student) lookAtCharts(want int, seen, name string) {
	s.t.Helper()
	s.Wait(time.Minute, fmt.Sprintf(`document.querySelectorAll(".mh-chart").length === %d`, want)) // outputs come after their cells
	for i := range want {                                                                          // a chart is drawn when it comes into sight
		chart := fmt.Sprintf(`document.querySelectorAll(".mh-chart")[%d]`, i)
		browsertest.Call[bool](s.Tab, `() => { `+chart+`.scrollIntoView({ block: "center" }); return true; }`)
		s.Wait(time.Minute, fmt.Sprintf(seen, chart))
		s.Screenshot(fmt.Sprintf("%s chart %d", name, i+1))
	}
}

const (
	// live is true for a chart that ECharts has drawn something in.
	live = `(() => {
		const canvas = %s.querySelector(".mh-live canvas");
		if (!canvas) return false;
		const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
		return pixels.some((p, i) => i %% 4 === 3 && p > 0);
	})()`
	// still is true for a chart of which the picture made with the edition shows.
	still = `(() => {
		const picture = %s.querySelector("img.mh-static");
		return !!picture && picture.complete && picture.naturalWidth > 0;
	})()`
)

// together is how many notebooks run side by side: they mostly wait, so more of
// them than a small machine has cores.
const together = 3

// TestLessonsInJupyterLab does what students do: each opens lessons from the
// file browser, runs all of one, looks at the charts, saves and closes it.
func TestLessonsInJupyterLab(t *testing.T) {
	repo, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	paths, err := repo.Notebooks()
	if err != nil {
		t.Fatal(err)
	}
	notebooks := make(map[string]string)
	lessons := make(chan string, len(paths))
	for _, path := range paths {
		notebooks[filepath.Base(path)] = read(t, path)
		lessons <- filepath.Base(path)
	}
	close(lessons)
	first := sitDown(t, notebooks)
	first.Screenshot("opened")
	first.close() // the first lesson, open by itself
	first.comeBack(<-lessons)
	first.CheckRequests(first.server)

	var class sync.WaitGroup
	defer class.Wait()
	for i := range together {
		class.Go(func() {
			t.Run(fmt.Sprint("student ", i+1), func(t *testing.T) {
				s := first.beside(t, fmt.Sprint("student-", i+1))
				for name := range lessons {
					s.attend(name)
				}
				s.CheckRequests(s.server)
			})
		})
	}
}

// beside seats another student at the same server, with a browser and a
// workspace of their own.
func (s *student) beside(t *testing.T, workspace string) *student {
	t.Helper()
	next := *s
	next.t, next.Tab = t, browsertest.Open(t)
	next.Do(chromedp.EmulateViewport(1500, 1000),
		chromedp.Navigate(s.server+"lab/workspaces/"+workspace+"?token="+s.token))
	next.Wait(3*time.Minute, `!document.querySelector("#jupyterlab-splash") && !!document.querySelector(".jp-DirListing-item")`)
	return &next
}

// attend goes through a lesson: opens it, runs it to its end, saves, looks at
// its charts, and closes it.
func (s *student) attend(name string) {
	began := time.Now()
	nb, _ := lesson(s.t, name)
	s.open(name)
	s.runAll()
	if said := s.unexpected(nb); said != "" {
		s.t.Errorf("%s: a cell failed:\n%s", name, said)
	}
	s.save()
	nb = s.saved(name) // how many charts there are may depend on what was measured
	if charts(nb) == 0 {
		s.t.Fatalf("%s as saved has no charts", name)
	}
	s.lookAtCharts(charts(nb), live, name)
	s.close()
	s.t.Logf("%s took %.0f s", name, time.Since(began).Seconds())
}

// saved reads a notebook whose cells have all been run, once that is what the file
// says: when JupyterLab's own save, every ten seconds, ends during another, it
// calls the notebook saved before it is.
func (s *student) saved(name string) *notebook.Notebook {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		nb, err := notebook.Read(s.course.Path("work", name))
		if err == nil && !slices.ContainsFunc(nb.Cells, func(c *notebook.Cell) bool {
			return c.Type == notebook.Code && c.Source != "" && c.ExecutionCount == nil
		}) {
			return nb
		}
		if time.Now().After(end) {
			s.t.Fatalf("%s as saved has cells that were not run; error %v", name, err)
		}
	}
}

// comeBack attends a lesson, having first looked at its charts as they were
// delivered, and at last opens it again: what is still in one notebook, or
// saved, is so in all.
func (s *student) comeBack(name string) {
	nb, _ := lesson(s.t, name)
	s.open(name)
	s.lookAtCharts(charts(nb), still, name+" as delivered")
	s.close()
	s.attend(name)
	nb, err := notebook.Read(s.course.Path("work", name))
	if err != nil {
		s.t.Fatal(err)
	}
	s.open(name)
	s.lookAtCharts(charts(nb), live, name+" opened again")
	s.close()
}

// TestNotebook7 runs a lesson in the plain pages that the same server has.
func TestNotebook7(t *testing.T) {
	const name = "00-welcome.ipynb"
	nb, text := lesson(t, name)
	s := arrive(t, map[string]string{name: text})
	s.Do(chromedp.Navigate(s.server + "notebooks/" + name + "?token=" + s.token))
	s.idle = "true" // it shows no kernel that is idle, so the server is asked
	s.waitOpen()
	s.waitKernel(s.server, func(k kernel) bool { return k == kernel{"idle", 1} })
	s.lookAtCharts(charts(nb), still, "Notebook 7 as delivered")
	s.runAll()
	if said := s.unexpected(nb); said != "" {
		t.Errorf("a cell failed:\n%s", said)
	}
	s.lookAtCharts(charts(nb), live, "Notebook 7")
	s.CheckRequests(s.server)
}

// A kernel is what Jupyter's server says of one.
type kernel struct {
	State       string `json:"execution_state"`
	Connections int    // of pages
}

// waitKernel waits until the server, which should have one kernel only, says of
// it what is wanted.
func (s *student) waitKernel(server string, wanted func(kernel) bool) {
	s.t.Helper()
	var kernels []kernel
	for end := time.Now().Add(2 * time.Minute); len(kernels) != 1 || !wanted(kernels[0]); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			s.t.Fatalf("not the kernel that was waited for: %v", kernels)
		}
		call(s.t, "GET", server+"api/kernels", s.token, &kernels)
	}
}

// TestNBClient runs a lesson the way other people's tools run notebooks.
func TestNBClient(t *testing.T) {
	if testparts.Race {
		t.Skip("the race detector sees nothing of nbclient")
	}
	nb, _ := lesson(t, "02-threads.ipynb")
	want := charts(nb)
	for _, cell := range nb.Cells {
		cell.Outputs = nil
	}
	t.Setenv("MANYHANDS_SCALE", "0.1")
	c := newCourse(t)
	borrow(t, c)
	if err := lab.Prepare(t.Context(), c, t.Output()); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "lesson.ipynb")
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
	execute := exec.Command(c.Path(".venv", "bin", "python"), c.Path(".venv", "bin", "jupyter-execute"), "--inplace", path)
	if out, err := execute.CombinedOutput(); err != nil {
		t.Fatalf("nbclient: %v\n%s", err, out)
	}
	executed, err := notebook.Read(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := charts(executed); got != want || want == 0 {
		t.Errorf("nbclient's notebook has %d charts, ours %d", got, want)
	}
}

// lesson reads a lesson's notebook as it is delivered.
func lesson(t testing.TB, name string) (*notebook.Notebook, string) {
	t.Helper()
	repo, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	nb, err := notebook.Read(repo.Path("notebooks", name))
	if err != nil {
		t.Fatal(err)
	}
	return nb, read(t, repo.Path("notebooks", name))
}

// unexpected returns what the cells of the open notebook failed with, but for
// those that fail on purpose.
func (s *student) unexpected(nb *notebook.Notebook) string {
	s.t.Helper()
	failed := browsertest.Call[[]string](s.Tab, `(selector) => [...document.querySelectorAll(".jp-Notebook .jp-Cell")].map(
		(cell) => [...cell.querySelectorAll(selector)].map((e) => e.textContent).join("\n"))`, errorOutput)
	var all []string
	for i, text := range failed {
		if text != "" && !slices.Contains(nb.Cells[i].Tags(), "raises-exception") {
			all = append(all, text)
		}
	}
	return strings.Join(all, "\n")
}

// charts counts the charts among a notebook's outputs.
func charts(nb *notebook.Notebook) int {
	n := 0
	for _, cell := range nb.Cells {
		for _, output := range cell.Outputs {
			if _, ok := output.Data["application/vnd.manyhands.chart+json"]; ok {
				n++
			}
		}
	}
	return n
}

// TestWorkingInJupyterLab does the rest of what a student does at a notebook,
// right and wrong.
func TestWorkingInJupyterLab(t *testing.T) {
	s := sitDown(t, map[string]string{"scratch.ipynb": blank(t, 5)})

	s.write(0, "func main() {\nx := 6\nnowhere(x)\n}")
	s.run()
	s.waitDone(0)
	if said := s.outputs(0); !strings.Contains(said, "Cell[1]: Line 3") || !strings.Contains(said, "undefined: nowhere") {
		t.Errorf("of a name that is not there the cell says %q", said)
	}
	s.Screenshot("compile error")

	s.write(1, "import (\n\"fmt\"\n\"time\"\n)\n\nfunc main() {\nfmt.Println(\"on my way\")\ntime.Sleep(time.Hour)\n}")
	s.run()
	s.Wait(time.Minute, `document.querySelectorAll(".jp-Cell")[1].textContent.includes("on my way\n")`)
	s.menu("Kernel", "kernelmenu:interrupt")
	s.waitDone(1)
	s.Screenshot("interrupted")
	s.write(1, "import \"fmt\"\n\nfunc main() {\nfmt.Println(6 * 7)\n}")
	s.run()
	s.waitDone(1)
	if said := s.outputs(1); said != "42\n" {
		t.Errorf("after the interrupt a cell printed %q", said)
	}

	s.write(2, "import \"manyhands/helpers/measure\"\n\nfunc main() {\nmeasure.\n}")
	s.Do(chromedp.KeyEvent(kb.ArrowUp), chromedp.KeyEvent(kb.End), chromedp.KeyEvent(kb.Tab))
	s.Wait(time.Minute, `document.querySelector(".jp-Completer")?.textContent.includes("Compare")`)
	s.Screenshot("completion")
	s.Do(chromedp.KeyEvent(kb.Escape), chromedp.KeyEvent("Compare"),
		chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)))
	s.Wait(time.Minute, `document.querySelector(".jp-Tooltip")?.textContent.includes("measures the cases")`)
	s.Screenshot("help")
	s.Do(chromedp.KeyEvent(kb.Escape))

	s.write(0, "func main() {}")
	s.write(2, "func main() {}")
	s.menu("Kernel", "runmenu:restart-and-run-all")
	s.Do(chromedp.Click(".jp-Dialog button.jp-mod-accept"))
	s.waitRun()
	if numbers := s.said(".jp-CodeCell .jp-InputPrompt"); numbers != "[1]:\n[2]:\n[3]:\n[ ]:\n[ ]:" {
		t.Errorf("after a restart and all cells the numbers are %q", numbers)
	}
	s.CheckRequests(s.server)
}

// outputs is what a cell, counted from 0, has printed.
func (s *student) outputs(cell int) string {
	s.t.Helper()
	return browsertest.Call[string](s.Tab, `(cell) => [...document.querySelectorAll(".jp-Notebook .jp-Cell")[cell].querySelectorAll(".jp-OutputArea-output")].map(
		(e) => e.textContent).join("")`, cell)
}

// waitDone waits until a cell, counted from 0, has a number, and the kernel
// nothing more to do.
func (s *student) waitDone(cell int) {
	s.t.Helper()
	s.Wait(time.Minute, fmt.Sprintf(`/\[\d+\]/.test(document.querySelectorAll(".jp-Notebook .jp-Cell")[%d].querySelector(".jp-InputPrompt").textContent) && `, cell)+s.idle)
}

// TestPracticalInJupyterLab answers a question: the check first says what is
// missing, then that nothing is.
func TestPracticalInJupyterLab(t *testing.T) {
	nb, text := lesson(t, "practicals/1-threads-and-pools.ipynb")
	at := func(id string) int {
		return slices.IndexFunc(nb.Cells, func(cell *notebook.Cell) bool { return cell.ID == id })
	}
	answer, check := at("at-once"), at("at-once-check")
	s := sitDown(t, map[string]string{"practical.ipynb": text})
	ask := func() string {
		s.focus(answer)
		s.run()
		s.waitDone(answer)
		before := s.prompt(check)
		s.focus(check)
		s.run()
		s.Wait(time.Minute, fmt.Sprintf(`document.querySelectorAll(".jp-Notebook .jp-Cell")[%d].querySelector(".jp-InputPrompt").textContent !== %q && %s`, check, before, s.idle))
		s.waitDone(check)
		s.Screenshot("practical " + s.prompt(check))
		return s.outputs(check)
	}
	if said := ask(); !strings.Contains(said, "called task(0) 0 times") {
		t.Errorf("of the starter the check says %q", said)
	}
	s.write(answer, "import \"sync\"\n\nfunc AtOnce(n int, task func(i int)) {\nvar group sync.WaitGroup\nfor i := range n {\n"+
		"group.Go(func() { task(i) })\n}\ngroup.Wait()\n}")
	if said := ask(); strings.Contains(said, "✗") || !strings.Contains(said, "✓") {
		t.Errorf("of a right answer the check says %q", said)
	}
}

// blank is a notebook of n empty cells.
func blank(t *testing.T, n int) string {
	t.Helper()
	var cells []map[string]any
	for i := range n {
		cells = append(cells, map[string]any{"cell_type": "code", "id": fmt.Sprint("cell-", i), "source": "",
			"metadata": map[string]any{}, "outputs": []any{}, "execution_count": nil})
	}
	text, err := json.Marshal(map[string]any{"cells": cells, "nbformat": 4, "nbformat_minor": 5,
		"metadata": map[string]any{"kernelspec": map[string]any{"name": "gonb", "display_name": "Go (gonb)"}}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
