package site_test

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"

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

func fileURL(elem ...string) string {
	return (&url.URL{Scheme: "file", Path: filepath.ToSlash(filepath.Join(elem...))}).String()
}

// What is wider than the page without being in a box that scrolls.
const overflow = `() => [...document.querySelectorAll("body *")]
	.filter(e => e.getBoundingClientRect().right > innerWidth + 1 && !e.closest("pre, .scroll, .rich, .mh-plot, .unseen"))
	.map(e => e.tagName + "." + e.className).join(" ")`

// Texts whose contrast with their ground is less than WCAG's 4.5:1. Grounds
// are opaque in the style sheet, so the nearest one that is set counts; a
// canvas turns every way of writing a colour into numbers.
const faint = `() => {
	const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
	const rgba = (colour) => {
		canvas.clearRect(0, 0, 1, 1);
		canvas.fillStyle = colour;
		canvas.fillRect(0, 0, 1, 1);
		return [...canvas.getImageData(0, 0, 1, 1).data];
	};
	const luminance = (c) => {
		const [r, g, b] = c.map(v => (v /= 255, v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
		return 0.2126 * r + 0.7152 * g + 0.0722 * b;
	};
	const found = new Set();
	for (const e of document.querySelectorAll("body *:not(svg *):not(script)")) {
		if (![...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()) || !e.checkVisibility({ opacityProperty: true })) continue;
		let ground = e;
		while (ground !== document.documentElement && rgba(getComputedStyle(ground).backgroundColor)[3] === 0) ground = ground.parentElement;
		const [a, b] = [e, ground].map((n, i) => luminance(rgba(getComputedStyle(n)[i ? "backgroundColor" : "color"])));
		const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
		if (contrast < 4.5) found.add(e.tagName + "." + e.className + " " + contrast.toFixed(2));
	}
	return [...found].join(", ");
}`

func TestInABrowser(t *testing.T) {
	dir := render(t, sampleCourse(t), site.Options{})
	tab := browsertest.Open(t)
	for _, page := range []string{"index.html", "01-serial.html", "02-threads.html", "guide.html", "edition.html"} {
		tab.Do(chromedp.Navigate(fileURL(dir, page)))
		for _, scheme := range []string{"light", "dark"} {
			prefer(tab, scheme)
			for _, width := range []int64{320, 1000, 1440} {
				resize(tab, width)
				if wide := browsertest.Call[string](tab, overflow); wide != "" {
					t.Errorf("%s at %d: wider than the page: %s", page, width, wide)
				}
			}
			if low := browsertest.Call[string](tab, faint); low != "" {
				t.Errorf("%s, %s: hard to read: %s", page, scheme, low)
			}
			tab.Screenshot(strings.TrimSuffix(page, ".html") + "-" + scheme)
		}
	}
	for _, wrong := range tab.Wrong() {
		t.Error(wrong)
	}
	if len(tab.Requests()) < 5*5 { // each page, its style sheet and its scripts
		t.Errorf("the pages ask for nothing but %s", tab.Requests())
	}
	tab.CheckRequests(fileURL(dir) + "/")
}

func TestScriptsInABrowser(t *testing.T) {
	dir := render(t, sampleCourse(t), site.Options{})
	tab := browsertest.Open(t)
	resize(tab, 1440)
	prefer(tab, "light")
	open := func(page string) { tab.Do(chromedp.Navigate(fileURL(dir, page))) }
	open("02-threads.html")
	tab.Wait(20*time.Second, `document.querySelectorAll(".mh-drawn .mh-live").length === 2`)

	const ground = `() => getComputedStyle(document.documentElement).backgroundColor`
	light := browsertest.Call[string](tab, ground)
	tab.Do(chromedp.Click[string]("#theme"), chromedp.Click[string]("#theme")) // light, dark
	if dark := browsertest.Call[string](tab, ground); dark == light {
		t.Error("the theme button changes nothing")
	}
	open("01-serial.html")
	if theme := browsertest.Call[string](tab, `() => document.documentElement.dataset.theme`); theme != "dark" {
		t.Errorf("the next page has the theme %q", theme)
	}
	open("02-threads.html")
	browsertest.Call[chromedp.Void](tab, `() => document.getElementById("when-it-goes-wrong").scrollIntoView({ behavior: "instant" })`)
	tab.Wait(5*time.Second, `document.querySelector("#contents [aria-current]").textContent === "When it goes wrong"`)
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

func TestWithoutScripts(t *testing.T) {
	dir := render(t, sampleCourse(t), site.Options{})
	tab := browsertest.Open(t)
	browsertest.Send(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	resize(tab, 320)
	tab.Do(chromedp.Navigate(fileURL(dir, "02-threads.html")))
	text := browsertest.Call[string](tab, `() => document.body.innerText`)
	for _, want := range []string{"Threads", "A goroutine is a function", "wg.Wait()", "all five: 3.00 s", "DATA RACE", "printed after the chart"} {
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
	count("lessons to choose from", "#lessons li a", 3, "e.checkVisibility()")
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
