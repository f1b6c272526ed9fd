package site_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"golang.org/x/net/html/atom"

	"manyhands/internal/browsertest"
	"manyhands/internal/notebook"
	"manyhands/internal/site"
)

// deckOf renders a lesson and returns the headings of its slides, and the page.
func deckOf(t *testing.T, nb *notebook.Notebook) (headings []string, page string) {
	t.Helper()
	page = readFile(t, render(t, newCourse(t, map[string]*notebook.Notebook{"01-a": nb}), site.Options{}), "slides", "01.html")
	checkPage(t, "slides", page)
	for _, n := range parse(t, page) {
		if n.DataAtom == atom.H2 {
			headings = append(headings, text(n))
		}
	}
	return headings, page
}

func TestSlides(t *testing.T) {
	c := sampleCourse(t)
	out := render(t, c, site.Options{})
	page := readFile(t, out, "slides", "02.html")
	for _, want := range []string{
		"<h1>Threads</h1>", "Five calls, each waiting three seconds",
		`<a href="../02-threads.html#one-goroutine-for-each-call">One goroutine for each call</a>`,
		"<p>A goroutine is a function that runs beside the one that started it.</p>",
		"> wg sync.WaitGroup", "all five: 3.00 s", `data-kind="bars"`, `data-kind="lanes"`, "<svg",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s on the slides", want)
		}
	}
	for _, not := range []string{"atOnce(50)", "sleeps need from a core", "mh-data", "&#34;sync&#34;", "C. A. R. Hoare"} {
		if strings.Contains(page, not) {
			t.Errorf("%s is on the slides", not)
		}
	}
	if !strings.Contains(readFile(t, out, "02-threads.html"), `href="slides/02.html"`) {
		t.Error("the lesson does not lead to its slides")
	}
	if _, ok := files(t, render(t, c, site.Options{Untrusted: true}))["slides/02.html"]; ok {
		t.Error("a stranger's notebook has slides")
	}
}

func TestSlideMarks(t *testing.T) {
	nb := notebookOf("# T\n\nAsk.", "## One\n\nFirst, e.g. this. Second!\n\n> **Predict.** How many?", "Third.", "## Two\n\nOnly text.", "Marked [up](#one).", "For the speaker.", "## Three\n\nLeft out.", "## Four\n\n- a\n- b")
	tag := func(cell int, tag string) { nb.Cells[cell].Metadata = map[string]any{"tags": []any{tag}} }
	tag(4, "slide")
	tag(5, "notes")
	tag(6, "optional")
	code := codeCell("import \"fmt\"\n\nfunc f() {}\n\n%%\nf()", nil, stream("stdout", "printed")).Cells
	nb.Cells = slices.Insert(nb.Cells, 3, code...)
	headings, page := deckOf(t, nb)
	if want := []string{"One", "Two", "Four"}; !slices.Equal(headings, want) {
		t.Errorf("slides %q instead of %q", headings, want)
	}
	for _, want := range []string{"<p>First, e.g. this.</p>", "How many?", "printed", "<p>Marked <a>up</a>.</p>", "For the speaker.", "<p>Third.</p>", "<li>a</li>"} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s in\n%s", want, page)
		}
	}
	if strings.Contains(page, "&#34;fmt&#34;") {
		t.Error("imports are on a slide")
	}
	face, _, _ := strings.Cut(page[strings.Index(page, ">Two<"):], "<details")
	if !strings.Contains(face, "Marked") || strings.Contains(face, "Only text") || strings.Contains(face, "speaker") {
		t.Errorf("the marked slide is %s", face)
	}
}

func TestSlidesOfTwoLessonsWithOneNumber(t *testing.T) {
	all := files(t, render(t, newCourse(t, map[string]*notebook.Notebook{"01-a": notebookOf("# A"), "01-b": notebookOf("# B")}), site.Options{}))
	for _, name := range []string{"slides/01-a.html", "slides/01-b.html"} {
		if _, ok := all[name]; !ok {
			t.Errorf("no %s", name)
		}
	}
}

func TestSlidesInABrowser(t *testing.T) {
	dir := render(t, sampleCourse(t), site.Options{})
	tab := browsertest.Open(t)
	resize(tab, 1440)
	prefer(tab, "light")
	tab.Do(chromedp.Navigate(fileURL(dir, "slides", "02.html")))
	at := func(want string) {
		t.Helper()
		tab.Wait(time.Minute, `document.getElementById("place").textContent.startsWith("`+want+` of ") && location.hash === "#s`+want+`" &&
			Math.abs(document.getElementById("s`+want+`").getBoundingClientRect().top) < 2`)
	}
	at("1")
	tab.Screenshot("slides-1")
	for _, step := range []struct{ key, want string }{{kb.ArrowRight, "2"}, {kb.PageDown, "3"}, {kb.ArrowRight, "4"}, {kb.ArrowLeft, "3"}, {kb.PageUp, "2"}, {kb.Home, "1"}, {" ", "2"}} {
		if step.key == " " {
			press(tab, step.key)
		} else {
			tab.Do(chromedp.KeyEvent(step.key))
		}
		at(step.want)
		if step.key != kb.ArrowLeft {
			tab.Screenshot("slides-" + step.want)
		}
	}
	tab.Do(chromedp.KeyEvent("n"))
	if shown := browsertest.Call[bool](tab, `() => [...document.querySelectorAll("details.notes")].every((d) => d.open)`); !shown {
		t.Error("N shows no notes")
	}
	tab.Do(chromedp.KeyEvent("n"), chromedp.KeyEvent("t"))
	tab.Wait(time.Minute, `/^(?!0:00)\d+:\d\d of 45 min$/.test(document.getElementById("clock").textContent)`)
	tab.Do(chromedp.Navigate(fileURL(dir, "02-threads.html")), chromedp.Navigate(fileURL(dir, "slides", "02.html")+"#s3"))
	at("3")
	for _, wrong := range tab.Wrong() {
		t.Error(wrong)
	}
	tab.CheckRequests(fileURL(dir) + "/")
}

// A prediction is made before the answer is seen.
func TestSlidesWaitForTheClass(t *testing.T) {
	nb := notebookOf("# T", "## One\n\nText.\n\n> **Predict.** How many?")
	nb.Cells = append(nb.Cells, codeCell("x", nil, stream("stdout", "seven")).Cells...)
	dir := render(t, newCourse(t, map[string]*notebook.Notebook{"01-a": nb}), site.Options{})
	tab := browsertest.Open(t)
	tab.Do(chromedp.Navigate(fileURL(dir, "slides", "01.html")))
	seen := func(want bool) {
		t.Helper()
		if got := browsertest.Call[bool](tab, `() => document.querySelector(".output").checkVisibility({ visibilityProperty: true })`); got != want {
			t.Errorf("the answer is seen: %v", got)
		}
	}
	seen(false)
	tab.Do(chromedp.KeyEvent(kb.ArrowRight), chromedp.KeyEvent(kb.ArrowRight))
	seen(true)
	tab.Wait(time.Minute, `document.getElementById("place").textContent === "2 of 2"`)
	// Without a keyboard.
	tab.Do(chromedp.Navigate("about:blank"), chromedp.Navigate(fileURL(dir, "slides", "01.html")))
	seen(false)
	tab.Do(chromedp.Click("#next"), chromedp.Click("#next"))
	seen(true)
	tab.Wait(time.Minute, `document.getElementById("place").textContent === "2 of 2"`)
}
