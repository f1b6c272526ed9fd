package site_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"manyhands/internal/browsertest"
	"manyhands/internal/notebook"
	"manyhands/internal/site"
)

type section struct{ Page, Title, Heading, Anchor, Text string }

// index reads the search index of a site as its script would.
func index(t *testing.T, dir string) map[string]section {
	t.Helper()
	script := readFile(t, dir, "search-index.js")
	list, ok := strings.CutPrefix(script, "globalThis.manyhandsSections = ")
	list, end := strings.CutSuffix(list, ",\n];")
	if !ok || !end {
		t.Fatalf("not the script of an index: %.100s", script)
	}
	var sections []section
	if err := json.Unmarshal([]byte(list+"]"), &sections); err != nil {
		t.Fatal(err)
	}
	byAddress := map[string]section{}
	for _, s := range sections {
		byAddress[s.Page+"#"+s.Anchor] = s
	}
	if len(byAddress) != len(sections) {
		t.Errorf("%d sections at %d addresses", len(sections), len(byAddress))
	}
	return byAddress
}

func TestSearchIndex(t *testing.T) {
	sections := index(t, render(t, sampleCourse(t), site.Options{}))
	for address, want := range map[string]section{
		"02-threads.html#": {Heading: "", Text: "why it stops being a gain when the calls"},
		"02-threads.html#one-goroutine-for-each-call": {Heading: "One goroutine for each call", Text: "wg.Wait()"},
		"02-threads.html#what-pythons-threads-do":     {Heading: "What Python's threads do", Text: "Python with a global lock yes no"},
		"02-threads.html#when-it-goes-wrong":          {Heading: "When it goes wrong", Text: "Start fifty calls at once."},
		"guide.html#the-shape":                        {Heading: "The shape", Text: "A question that the reader"},
	} {
		got, ok := sections[address]
		if !ok || got.Heading != want.Heading || !strings.Contains(got.Text, want.Text) {
			t.Errorf("%s: %+v; want the heading %q and the text %q", address, got, want.Heading, want.Text)
		}
	}
	for address, s := range sections {
		for _, not := range []string{"starts at 8 kB", "What does a goroutine that sleeps", "atOnce(50)", "all five: 3.00 s", "DATA RACE", "%%"} {
			if strings.Contains(s.Text, not) {
				t.Errorf("%s gives away %q", address, not)
			}
		}
	}
}

func TestSearchIndexIsOnlyData(t *testing.T) {
	out := render(t, newCourse(t, map[string]*notebook.Notebook{"01-a": notebookOf("# T\n\n## `</script>` \u2028 `\"];alert(1)//`")}), site.Options{})
	if len(index(t, out)) != 2 || strings.ContainsAny(readFile(t, out, "search-index.js"), "<\u2028") {
		t.Error(readFile(t, out, "search-index.js"))
	}
}

func TestSearchInABrowser(t *testing.T) {
	dir := render(t, sampleCourse(t), site.Options{})
	tab := browsertest.Open(t)
	resize(tab, 1440)
	prefer(tab, "light")
	tab.Do(chromedp.Navigate(fileURL(dir, "01-serial.html")))
	for _, request := range tab.Requests() {
		if strings.HasSuffix(request, "minisearch.js") || strings.HasSuffix(request, "search-index.js") {
			t.Errorf("%s before anyone searched", request)
		}
	}
	listed := func() []string {
		return browsertest.Call[[]string](tab, `() => [...document.querySelectorAll("#results:not([hidden]) [role=option]")].map(e => e.querySelector(".name").textContent)`)
	}
	chosen := func() string {
		return browsertest.Call[string](tab, `() => {
			const input = document.getElementById("query"), id = input.getAttribute("aria-activedescendant");
			const option = document.querySelector("[aria-selected=true]");
			return option?.id === id && input.getAttribute("aria-expanded") === "true" ? option.querySelector(".name").textContent : "";
		}`)
	}
	wait := func(expression string) { t.Helper(); tab.Wait(time.Minute, expression) }
	slash := func() {
		t.Helper()
		press(tab, "/")
		wait(`document.activeElement.id === "query" && document.activeElement.value === ""`)
	}
	slash()
	tab.Do(chromedp.KeyEvent("gorout"))
	wait(`!document.getElementById("results").hidden && document.getElementById("found").textContent !== ""`)
	all := listed()
	if len(all) < 2 || all[0] != "One goroutine for each call" || chosen() != all[0] {
		t.Fatalf("found %q, chosen %q", all, chosen())
	}
	for _, test := range []struct{ key, want string }{{kb.ArrowDown, all[1]}, {kb.ArrowUp, all[0]}, {kb.ArrowUp, all[len(all)-1]}, {kb.ArrowDown, all[0]}} {
		tab.Do(chromedp.KeyEvent(test.key))
		if got := chosen(); got != test.want {
			t.Errorf("an arrow chooses %q instead of %q", got, test.want)
		}
	}
	for _, scheme := range []string{"light", "dark"} {
		prefer(tab, scheme)
		for _, width := range []int64{320, 1440} {
			resize(tab, width)
			if wide := browsertest.Call[string](tab, overflow); wide != "" {
				t.Errorf("at %d, wider than the page: %s", width, wide)
			}
			tab.Screenshot("search-" + scheme + map[int64]string{320: "-narrow"}[width])
		}
		for _, wrong := range tab.Violations() {
			t.Errorf("%s: %s", scheme, wrong)
		}
	}
	tab.Do(chromedp.KeyEvent(kb.Escape))
	if got := listed(); len(got) != 0 {
		t.Errorf("Escape leaves %q", got)
	}
	tab.Do(chromedp.KeyEvent(kb.ArrowDown))
	wait(`!document.getElementById("results").hidden`)
	browsertest.Within(tab, 20*time.Second, chromedp.WaitEvent(page.LoadEventFired, nil, chromedp.KeyEvent(kb.Enter)))
	wait(`location.pathname.endsWith("/02-threads.html") && location.hash === "#one-goroutine-for-each-call"`)

	slash()
	tab.Do(chromedp.KeyEvent("gorotine")) // misspelt
	wait(`document.querySelectorAll("#results:not([hidden]) li").length > 0`)
	tab.Do(chromedp.Evaluate[chromedp.Void](`document.getElementById("query").value = ""`), chromedp.KeyEvent("zebra"))
	wait(`document.getElementById("found").textContent === "Nothing found"`)
	if !browsertest.Call[bool](tab, `() => document.getElementById("results").hidden && document.getElementById("found").getBoundingClientRect().width > 50`) {
		t.Error("nobody sees that nothing was found")
	}
	tab.Do(chromedp.KeyEvent(kb.Escape))
	wait(`document.activeElement === document.body`)
	for _, wrong := range tab.Wrong() {
		t.Error(wrong)
	}
	tab.CheckRequests(fileURL(dir) + "/")
}

func TestReadingProgressInABrowser(t *testing.T) {
	dir := render(t, sampleCourse(t), site.Options{})
	tab := browsertest.Open(t)
	resize(tab, 1440)
	ticked := func() []string {
		return browsertest.Call[[]string](tab, `() => [...document.querySelectorAll(".tick")].map(e => e.closest("a").getAttribute("href"))`)
	}
	tab.Do(chromedp.Navigate(fileURL(dir, "02-threads.html")))
	if tab.Becomes(time.Second, `document.querySelector(".tick") !== null`) {
		t.Errorf("%q are read before anyone read", ticked())
	}
	browsertest.Call[chromedp.Void](tab, `() => document.querySelector(".run").scrollIntoView({ behavior: "instant" })`)
	tab.Wait(time.Minute, `document.querySelectorAll(".tick").length > 0`)
	for _, page := range []string{"04-pools.html", "index.html"} {
		tab.Do(chromedp.Navigate(fileURL(dir, page)))
		if got := ticked(); !slices.Contains(got, "02-threads.html") {
			t.Errorf("%s says that %q are read", page, got)
		}
	}
	browsertest.Call[chromedp.Void](tab, `() => localStorage.setItem("manyhands-read", "not JSON")`)
	tab.Do(chromedp.Navigate(fileURL(dir, "index.html")))
	if got := ticked(); len(got) != 0 {
		t.Errorf("%q are read", got)
	}
	for _, wrong := range tab.Wrong() {
		t.Error(wrong)
	}
}

func TestGuideEditionAndLicences(t *testing.T) {
	c := sampleCourse(t)
	if err := notebookOf("# Welcome\n\n[a](README.md) [b](../lessons/README.md#the-shape)").Write(c.Path("notebooks", "00-welcome.ipynb")); err != nil {
		t.Fatal(err)
	}
	writeFile(t, c.Path("bench", "results.json"), `[{"group": "pools", "edition": {"cpu": "AMD EPYC 9354P", "cores": 2, "go": "go1.26.8", "date": "2026-11-21"},
		"figures": [{"title": "tasks", "results": [{"name": "a <pool>", "wall": [1, 1]}, {"name": "another", "wall": [2, 2]}], "must": {"another": 3}}],
		"skipped": ["BenchmarkX: no dask"]}]`)
	all := files(t, render(t, c, site.Options{}))
	for page, want := range map[string][]string{
		"guide.html":      {"<h1>How to write a lesson</h1>", `href="02-threads.html#one-goroutine-for-each-call"`, `-tags.txt"`, "<code>lessons/README.md</code>"},
		"edition.html":    {"04 Pools and limits", "<td>AMD EPYC 9354P, 2 cores, 23 GiB</td><td>Linux, Go 1.26.8, GoNB v0.11.4</td>", "21 November 2026"},
		"02-threads.html": {"<code>lessons/02-threads.md</code>", `href="edition.html"`, `href="guide.html"`, "CC BY 4.0", "MIT"},
		"00-welcome.html": {`<a href="guide.html">a</a> <a href="guide.html#the-shape">b</a>`},
		"index.html":      {`href="edition.html"`, `href="guide.html"`, `href="figures.html"`, "CC BY 4.0"},
		"figures.html": {`<h2 id="pools">the cost of a task in pools of goroutines</h2>`, "AMD EPYC 9354P, 2 cores, Go 1.26.8, 21 November 2026",
			`<th scope="row">a &lt;pool&gt;</th><td>1s</td><td></td>`, "<td>2</td><td>3 <strong>missed</strong></td>", "Not measured: BenchmarkX: no dask"},
	} {
		for _, w := range want {
			if !strings.Contains(all[page], w) {
				t.Errorf("%s has no %s", page, w)
			}
		}
	}
	if strings.Contains(all["04-pools.html"], "04-pools.md") {
		t.Error("a lesson without a source is to be edited there")
	}
	untrusted := files(t, render(t, c, site.Options{Untrusted: true}))
	if _, ok := untrusted["figures.html"]; ok {
		t.Error("a stranger's notebook comes with our figures")
	}
	if _, ok := untrusted["guide.html"]; ok || strings.Contains(untrusted["02-threads.html"], "CC BY") {
		t.Error("a stranger's notebook comes with our guide or our licence")
	}
	writeFile(t, c.Path("lessons", "README.md"), "# G\n\n[x](02-threads.md#nowhere)")
	wantError(t, site.Render(t.Context(), c, t.TempDir(), site.Options{}), "lessons/README.md", "#nowhere")
	writeFile(t, c.Path("bench", "results.json"), "half of it")
	wantError(t, site.Render(t.Context(), c, t.TempDir(), site.Options{}), "bench/results.json", "go run . bench")
}
