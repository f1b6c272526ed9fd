package site_test

import (
	"bytes"
	"compress/gzip"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"golang.org/x/net/html/atom"

	"manyhands/internal/browsertest"
	"manyhands/internal/course"
	"manyhands/internal/site"
	"manyhands/internal/testparts"
)

// A view is a way in which a page is looked at.
type view struct {
	scheme string
	width  int64
}

// Every kind of page, in every view.
func TestGates(t *testing.T) {
	checkGates(t, render(t, sampleCourse(t), site.Options{}), view{"light", 320}, view{"light", 1440}, view{"dark", 320}, view{"dark", 1440})
}

// Every page of the course itself: some thirty, of which each takes seconds.
func TestGatesOfTheCourse(t *testing.T) {
	if !testparts.All() || testparts.Race {
		t.Skip("takes minutes: MANYHANDS_TEST_ALL=1, without the race detector, runs it")
	}
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	checkGates(t, render(t, c, site.Options{}), view{"light", 1440}, view{"dark", 320})
}

// checkGates holds every page of a site to what the course promises of them.
func checkGates(t *testing.T, dir string, views ...view) {
	all := files(t, dir)
	checkLinks(t, all)
	tab := browsertest.Open(t)
	for _, page := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasSuffix(page, ".html") {
			continue
		}
		checkWeight(t, all, page)
		resize(tab, 1440)
		tab.Do(chromedp.Navigate(fileURL(dir, page)))
		checkPrint(t, tab, page)
		browsertest.Call[chromedp.Void](tab, `() => document.querySelectorAll("details").forEach((d) => d.open = true)`)
		for _, view := range views {
			prefer(tab, view.scheme)
			resize(tab, view.width)
			if wide := browsertest.Call[string](tab, overflow); wide != "" {
				t.Errorf("%s at %d: wider than the page: %s", page, view.width, wide)
			}
			for _, wrong := range tab.Violations() {
				t.Errorf("%s, %s at %d: %s", page, view.scheme, view.width, wrong)
			}
			tab.Screenshot(strings.ReplaceAll(strings.TrimSuffix(page, ".html"), "/", "-") + "-" + view.scheme + map[int64]string{320: "-narrow"}[view.width])
		}
	}
	for _, wrong := range tab.Wrong() {
		t.Error(wrong)
	}
	tab.CheckRequests(fileURL(dir) + "/")
	checkWithoutScripts(t, dir, all)
}

// checkWeight adds up what a page has a browser load, as servers send it.
func checkWeight(t *testing.T, all map[string]string, page string) {
	t.Helper()
	limit, loads := 150<<10, []string{page}
	for _, n := range parse(t, all[page]) {
		switch {
		case attr(n, "src") != "" && !strings.Contains(attr(n, "src"), ":"):
			loads = append(loads, path.Join(path.Dir(page), attr(n, "src")))
		case n.DataAtom == atom.Link && attr(n, "rel") != "canonical":
			loads = append(loads, path.Join(path.Dir(page), attr(n, "href")))
		case attr(n, "class") == "mh-chart":
			limit = 400 << 10
		case attr(n, "class") == "mh-data":
			loads = append(loads, "assets/echarts.min.js")
		}
	}
	weight := 0
	for _, file := range slices.Compact(slices.Sorted(slices.Values(loads))) {
		weight += gzipped(t, all[file])
	}
	if weight > limit {
		t.Errorf("%s weighs %d kB, gzipped, instead of at most %d", page, weight>>10, limit>>10)
	}
}

func gzipped(t *testing.T, text string) int {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write([]byte(text)); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Len()
}

// checkPrint holds a page to the width of a sheet of A4 within its margins.
func checkPrint(t *testing.T, tab *browsertest.Tab, page string) {
	t.Helper()
	browsertest.Send(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	resize(tab, 672)
	cut := browsertest.Call[string](tab, `() => [...document.querySelectorAll("main *")]
		.filter((e) => e.checkVisibility() && !e.closest("svg *, .unseen") && (e.getBoundingClientRect().right > innerWidth + 1
			|| getComputedStyle(e).overflowX !== "visible" && e.scrollWidth > e.clientWidth + 1))
		.map((e) => e.tagName + "." + e.className).join(" ")`)
	if cut != "" {
		t.Errorf("%s: cut off on paper: %s", page, cut)
	}
	resize(tab, 1440)
	prefer(tab, "light")
}

// checkWithoutScripts opens every page where JavaScript is off: nothing of its
// text is hidden, unless folded by hand.
func checkWithoutScripts(t *testing.T, dir string, all map[string]string) {
	t.Helper()
	tab := browsertest.Open(t)
	browsertest.Send(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	for _, page := range slices.Sorted(maps.Keys(all)) {
		if !strings.HasSuffix(page, ".html") {
			continue
		}
		tab.Do(chromedp.Navigate(fileURL(dir, page)))
		hidden := browsertest.Call[string](tab, `() => [...document.querySelectorAll("main :is(h1, h2, h3, p, li, pre, td, svg, math)")]
			.filter((e) => !e.closest("details:not([open])") && e.textContent.trim() !== "" && !e.checkVisibility({ visibilityProperty: true, opacityProperty: true }))
			.map((e) => e.tagName + ": " + e.textContent.slice(0, 40)).join(", ")`)
		if hidden != "" {
			t.Errorf("%s: not seen without JavaScript: %s", page, hidden)
		}
	}
}

// The keyboard alone reaches all that a mouse does, and one sees where it is.
func TestKeyboard(t *testing.T) {
	dir := render(t, sampleCourse(t), site.Options{})
	tab := browsertest.Open(t)
	resize(tab, 1440)
	for _, page := range []string{"index.html", "02-threads.html", "slides/02.html"} {
		tab.Do(chromedp.Navigate(fileURL(dir, page)))
		tab.Wait(time.Minute, `[...document.querySelectorAll("pre[tabindex], .scroll[tabindex]")]
			.every((e) => e.scrollWidth > e.clientWidth || !e.checkVisibility())`) // what does not scroll is no stop
		n := browsertest.Call[int](tab, `() => {
			globalThis.missed = new Set([...document.querySelectorAll("a[href], button, input, summary, [tabindex='0']")].filter((e) => e.checkVisibility() && !e.disabled && e.tabIndex >= 0)); // the other tab is reached by an arrow
			document.addEventListener("focusin", (event) => {
				missed.delete(event.target);
				const { outlineStyle, outlineWidth } = getComputedStyle(event.target);
				if (outlineStyle === "none" || outlineWidth === "0px") console.error("no one sees the focus on " + event.target.outerHTML.slice(0, 100));
			});
			return missed.size;
		}`)
		for range n + 1 {
			tab.Do(chromedp.KeyEvent(kb.Tab))
		}
		if missed := browsertest.Call[[]string](tab, `() => [...missed].map((e) => e.outerHTML.slice(0, 100))`); len(missed) > 0 || n < 5 {
			t.Errorf("%s: of %d, the keyboard does not reach %q", page, n, missed)
		}
	}
	for _, wrong := range tab.Wrong() {
		t.Error(wrong)
	}
}
