package site_test

import (
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"manyhands/internal/browsertest"
	"manyhands/internal/notebook"
	"manyhands/internal/site"
)

func resize(tab *browsertest.Tab, width int64) {
	browsertest.Send(tab, emulation.SetDeviceMetricsOverride, emulation.SetDeviceMetricsOverrideParams{Width: width, Height: 900, DeviceScaleFactor: 1})
}

func prefer(tab *browsertest.Tab, scheme string) {
	browsertest.Send(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
		Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}}})
}

// press types a character as a keyboard does: none arrives where the page takes
// the key for itself.
func press(tab *browsertest.Tab, key string) {
	browsertest.Send(tab, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyDown, Key: key, Text: key})
	browsertest.Send(tab, input.DispatchKeyEvent, input.DispatchKeyEventParams{Type: input.DispatchKeyEventTypeKeyUp, Key: key})
}

func fileURL(elem ...string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(elem...))}).String()
}

// What is wider than the page without being in a box that scrolls.
const overflow = `() => [...document.querySelectorAll("body *")]
	.filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest("pre, .scroll, .rich, .mh-plot, .unseen"))
	.map(e => e.tagName + "." + e.className).join(" ")`

func TestScriptsInABrowser(t *testing.T) {
	dir := render(t, sampleCourse(t), site.Options{})
	tab := browsertest.Open(t)
	resize(tab, 1440)
	prefer(tab, "light")
	open := func(page string) { tab.Do(chromedp.Navigate(fileURL(dir, page))) }
	open("02-threads.html")
	for i := range 2 { // each is drawn when the reader comes to it
		browsertest.Call[chromedp.Void](tab, `(i) => document.querySelectorAll(".mh-chart")[i].scrollIntoView({ behavior: "instant" })`, i)
		tab.Wait(time.Minute, fmt.Sprintf(`document.querySelectorAll(".mh-chart")[%d].querySelector(".mh-drawn .mh-live") !== null`, i))
	}

	// What a reader has unfolded stays so when the charts are drawn anew, in other colours.
	browsertest.Call[chromedp.Void](tab, `() => { document.querySelector(".mh-chart details").open = true }`)
	const ground = `() => getComputedStyle(document.documentElement).backgroundColor`
	light := browsertest.Call[string](tab, ground)
	tab.Do(chromedp.Click[string]("#theme"), chromedp.Click[string]("#theme")) // light, dark
	if dark := browsertest.Call[string](tab, ground); dark == light {
		t.Error("the theme button changes nothing")
	}
	tab.Wait(time.Minute, `document.querySelector(".mh-live").dataset.theme === "dark"`)
	if !browsertest.Call[bool](tab, `() => document.querySelector(".mh-chart details").open`) {
		t.Error("the theme has folded the figures of a chart")
	}
	open("01-serial.html")
	if theme := browsertest.Call[string](tab, `() => document.documentElement.dataset.theme`); theme != "dark" {
		t.Errorf("the next page has the theme %q", theme)
	}
	open("02-threads.html")
	browsertest.Call[chromedp.Void](tab, `() => document.getElementById("when-it-goes-wrong").scrollIntoView({ behavior: "instant" })`)
	tab.Wait(time.Minute, `document.querySelector("#contents [aria-current]").textContent === "When it goes wrong"`)
	if folded := browsertest.Call[int](tab, `() => {
		dispatchEvent(new Event("beforeprint"));
		return document.querySelectorAll("details:not([open])").length;
	}`); folded != 0 {
		t.Errorf("%d folded parts on paper", folded)
	}
	for _, wrong := range tab.Wrong() {
		t.Error(wrong)
	}
}

// Two tabs share what is kept, and a heading may be in any language.
func TestTabsBesideEachOther(t *testing.T) {
	dir := render(t, newCourse(t, map[string]*notebook.Notebook{
		"01-a": notebookOf("# A", "## Größe\n\nText.", "## µs\n\nText."), "02-b": notebookOf("# B", "Text."),
	}), site.Options{})
	tab := browsertest.Open(t)
	tab.Do(chromedp.Navigate(fileURL(dir, "01-a.html")))
	browsertest.Call[chromedp.Void](tab, `() => { // as another tab does
		localStorage.setItem("manyhands-read", JSON.stringify(["02-b.html"]));
		localStorage.setItem("manyhands-theme", "dark");
		dispatchEvent(new StorageEvent("storage"));
		document.querySelector(".run").scrollIntoView({ behavior: "instant" });
	}`)
	tab.Wait(time.Minute, `localStorage.getItem("manyhands-read") === '["02-b.html","01-a.html"]'`)
	tab.Wait(time.Minute, `document.querySelectorAll("#lessons .tick").length === 2 && document.documentElement.dataset.theme === "dark"`)
	tab.Wait(time.Minute, `document.querySelector("#contents [aria-current]").textContent !== ""`)
	for _, wrong := range tab.Wrong() {
		t.Error(wrong)
	}
}

// A chart takes as much room before it is drawn as afterwards, on a phone too:
// whoever jumps to a section lands there.
func TestChartsKeepTheirRoom(t *testing.T) {
	dir := render(t, sampleCourse(t), site.Options{})
	tab := browsertest.Open(t)
	resize(tab, 390)
	tab.Do(chromedp.Navigate(fileURL(dir, "02-threads.html")))
	const heights = `() => [...document.querySelectorAll(".mh-plot")].map((e) => e.getBoundingClientRect().height)`
	before := browsertest.Call[[]float64](tab, heights)
	for i := range before {
		browsertest.Call[chromedp.Void](tab, `(i) => document.querySelectorAll(".mh-plot")[i].scrollIntoView({ behavior: "instant" })`, i)
		tab.Wait(time.Minute, fmt.Sprintf(`document.querySelectorAll(".mh-plot")[%d].querySelector(".mh-live") !== null`, i))
	}
	if after := browsertest.Call[[]float64](tab, heights); len(before) == 0 || !slices.Equal(before, after) {
		t.Errorf("charts of %v pixels take %v when they are drawn", before, after)
	}
}

func TestTabsInABrowser(t *testing.T) {
	dir := render(t, sampleCourse(t), site.Options{})
	tab := browsertest.Open(t)
	tab.Do(chromedp.Navigate(fileURL(dir, "02-threads.html")))
	shown := func(want string) {
		t.Helper()
		if got := browsertest.Call[string](tab, `() => [...document.querySelectorAll(".pair > .cell")].filter((e) => e.checkVisibility()).map((e) => e.dataset.language).join()`); got != want {
			t.Errorf("%s is shown instead of %s", got, want)
		}
	}
	shown("go")
	tab.Do(chromedp.Click[string](".tabs [role=tab]:last-child"))
	shown("python")
	tab.Do(chromedp.KeyEvent(kb.ArrowLeft))
	shown("go")
	if focus := browsertest.Call[string](tab, `() => document.activeElement.textContent`); focus != "Go" {
		t.Errorf("the focus is on %q", focus)
	}
	browsertest.Send(tab, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: "print"})
	shown("go,python")
}

func TestWithoutScripts(t *testing.T) {
	dir := render(t, sampleCourse(t), site.Options{})
	tab := browsertest.Open(t)
	browsertest.Send(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	resize(tab, 320)
	tab.Do(chromedp.Navigate(fileURL(dir, "02-threads.html")))
	text := browsertest.Call[string](tab, `() => document.body.innerText`)
	for _, want := range []string{"Threads", "A goroutine is a function", "wg.Wait()", "all five: 3.00 s", "DATA RACE", "atOnce(5)", "threading.Thread(target=slow", "printed after the chart"} {
		if !strings.Contains(text, want) {
			t.Errorf("nobody can read %q", want)
		}
	}
	count := func(what, selector string, want int, condition string) {
		t.Helper()
		if n := browsertest.Call[int](tab, `(selector) => [...document.querySelectorAll(selector)].filter(e => `+condition+`).length`, selector); n != want {
			t.Errorf("%d %s instead of %d", n, what, want)
		}
	}
	count("pictures of charts", ".mh-plot svg", 2, "e.getBoundingClientRect().height > 50")
	count("controls that do nothing", "#theme, #search, .copy", 0, "e.checkVisibility()")
	tab.Do(chromedp.Click[string]("[popovertarget=lessons]"))
	count("lessons to choose from", "#lessons li a", 4, "e.checkVisibility()")
}

func TestStrangersScriptsNeverRun(t *testing.T) {
	nb := notebookOf("# Hostile", hostile)
	nb.Cells = append(nb.Cells, shows(map[string]any{"text/html": hostile}).Cells...)
	dir := render(t, newCourse(t, map[string]*notebook.Notebook{"01-hostile": nb}), site.Options{Untrusted: true})
	tab := browsertest.Open(t)
	tab.Do(chromedp.Navigate(fileURL(dir, "01-hostile.html")))
	tab.CheckRequests(fileURL(dir) + "/")
	for _, wrong := range tab.Wrong() {
		t.Error(wrong)
	}
}
