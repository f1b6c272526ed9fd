package lab_test

import (
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"manyhands/internal/browsertest"
	"manyhands/internal/course"
	"manyhands/internal/lab"
	"manyhands/internal/notebook"
)

// TestALessonInJupyterLab does what a student does: opens the first lesson in
// a browser, runs all cells, and looks at the charts.
func TestALessonInJupyterLab(t *testing.T) {
	browsertest.Find(t)
	repo, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	const lesson = "02-threads.ipynb"
	delivered, err := os.ReadFile(repo.Path("notebooks", lesson))
	if err != nil {
		t.Fatal(err)
	}
	c := newCourse(t)
	borrow(t, c)
	write(t, c.Path("notebooks", lesson), string(delivered))
	if err := os.Remove(c.Path("notebooks", "00-welcome.ipynb")); err != nil { // so that the lesson is the first
		t.Fatal(err)
	}
	r := start(t, c, lab.Options{})
	defer r.stop()
	server, token := r.address()
	nb, err := notebook.Read(c.Path("work", lesson))
	if err != nil {
		t.Fatal(err)
	}

	tab := browsertest.Open(t)
	tab.Do(chromedp.EmulateViewport(1400, 1000),
		chromedp.Navigate(server+"lab?token="+token))
	tab.Wait(3*time.Minute, `document.querySelectorAll(".jp-Notebook .jp-CodeCell").length > 0 && !document.querySelector(".jp-Spinner") && `+idle)
	if n := browsertest.Call[int](tab, `() => document.querySelectorAll(".jp-Dialog").length`); n != 0 {
		t.Errorf("%d dialogs stand between the student and the notebook", n)
	}
	tab.Screenshot("jupyterlab-opened")

	menu(t, tab, "Edit", "editmenu:clear-all") // so that what is seen afterwards is new
	tab.Wait(time.Minute, `document.querySelectorAll(".jp-OutputArea-output").length === 0`)
	menu(t, tab, "Run", "runmenu:run-all")
	tab.Wait(4*time.Minute, `(() => {
		const prompts = [...document.querySelectorAll(".jp-CodeCell .jp-InputPrompt")].map((p) => p.textContent);
		return prompts.length > 0 && prompts.every((p) => /\[\d+\]/.test(p)) &&
			`+idle+`;
	})()`)
	if said := browsertest.Call[string](tab, `() => [...document.querySelectorAll(
		"[data-mime-type='application/vnd.jupyter.error'], [data-mime-type='application/vnd.jupyter.stderr']")].map((e) => e.textContent).join("\n")`); said != "" {
		t.Errorf("the cells said on standard error:\n%s", said)
	}
	want := charts(nb)
	if n := browsertest.Call[int](tab, `() => document.querySelectorAll(".mh-chart").length`); n != want {
		t.Fatalf("%d charts after the run, want %d", n, want)
	}
	for i := range want { // a chart is drawn when it comes into sight
		chart := fmt.Sprintf(`document.querySelectorAll(".mh-chart")[%d]`, i)
		browsertest.Call[bool](tab, `() => { `+chart+`.scrollIntoView({ block: "center" }); return true; }`)
		tab.Wait(20*time.Second, `!!`+chart+`.querySelector(".mh-live canvas")`)
		tab.Screenshot(fmt.Sprintf("jupyterlab-chart-%d", i+1))
	}
	tab.CheckRequests(server)
}

// idle is true in the page when the kernel of the open notebook has nothing
// to do.
const idle = `!!document.querySelector(".jp-Notebook-ExecutionIndicator[data-status=idle]")`

// menu chooses a command from one of JupyterLab's menus.
func menu(t *testing.T, tab *browsertest.Tab, name, command string) {
	t.Helper()
	item := `.lm-Menu-item[data-command="` + command + `"]`
	tab.Do(
		chromedp.Click(`//*[@id="jp-MainMenu"]//*[contains(@class,"lm-MenuBar-itemLabel")][text()="`+name+`"]`),
		chromedp.WaitVisible(item))
	// JupyterLab's menus choose what the mouse has moved onto, which a bare click does not do.
	at := browsertest.Call[[]float64](tab, `(item) => {
		const box = document.querySelector(item).getBoundingClientRect();
		return [box.x + box.width / 2, box.y + box.height / 2];
	}`, item)
	tab.Do(
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0]-3, at[1]),
		chromedp.MouseEvent(input.DispatchMouseEventTypeMouseMoved, at[0], at[1]),
		chromedp.MouseClickXY(at[0], at[1]))
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
