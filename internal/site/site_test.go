package site_test

import (
	"context"
	"encoding/base64"
	"io/fs"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"manyhands/internal/course"
	"manyhands/internal/notebook"
	"manyhands/internal/site"
)

// render renders a course and returns the folder of the site.
func render(t testing.TB, c *course.Course, opt site.Options) string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "site")
	if err := site.Render(t.Context(), c, out, opt); err != nil {
		t.Fatal(err)
	}
	return out
}

// parse returns the elements of a page, in their order.
func parse(t testing.TB, page string) []*html.Node {
	t.Helper()
	root, err := html.Parse(strings.NewReader(page))
	if err != nil {
		t.Fatal(err)
	}
	var all []*html.Node
	for n := range root.Descendants() {
		if n.Type == html.ElementNode {
			all = append(all, n)
		}
	}
	return all
}

func attr(n *html.Node, key string) string {
	i := slices.IndexFunc(n.Attr, func(a html.Attribute) bool { return a.Key == key })
	if i < 0 {
		return ""
	}
	return n.Attr[i].Val
}

// files lists the files of a folder by slash-separated name.
func files(t testing.TB, dir string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, entry fs.DirEntry, err error) error {
		if err == nil && !entry.IsDir() && !strings.HasSuffix(name, ".lock") {
			all[name] = readFile(t, dir, name)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// checkPage holds a page to what every page must be.
func checkPage(t *testing.T, name, page string) (ids map[string]bool, links []string) {
	t.Helper()
	ids = map[string]bool{}
	titles, level := 0, 0
	for _, n := range parse(t, page) {
		if id := attr(n, "id"); id != "" {
			if ids[id] {
				t.Errorf("%s: id %q twice", name, id)
			}
			ids[id] = true
		}
		switch n.DataAtom {
		case atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6:
			now := int(n.Data[1] - '0')
			if now == 1 {
				titles++
			}
			if now > level+1 {
				t.Errorf("%s: %s after h%d leaves a level out", name, n.Data, level)
			}
			level = now
		case atom.Img:
			if !slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == "alt" }) {
				t.Errorf("%s: a picture without alt", name)
			}
		}
		for _, key := range []string{"href", "src"} {
			if link := attr(n, key); link != "" {
				links = append(links, link)
			}
		}
	}
	if titles != 1 {
		t.Errorf("%s: %d h1", name, titles)
	}
	return ids, links
}

func TestEveryLinkLeadsSomewhere(t *testing.T) {
	all := files(t, render(t, sampleCourse(t), site.Options{}))
	if pages := checkLinks(t, all); pages != 10 {
		t.Fatalf("%d pages instead of 10", pages)
	}
	if got := all["02-threads.html"]; !strings.Contains(got, `href="01-serial.html#measuring-honestly"`) {
		t.Error("the link to a heading of another lesson was not made one to its page")
	}
}

// checkLinks follows every link of a site's pages and returns their number.
func checkLinks(t *testing.T, all map[string]string) (pages int) {
	t.Helper()
	ids := map[string]map[string]bool{}
	links := map[string][]string{}
	for name, content := range all {
		if strings.HasSuffix(name, ".html") {
			ids[name], links[name] = checkPage(t, name, content)
		}
	}
	for page, links := range links {
		for _, link := range links {
			to, err := url.Parse(link)
			if err != nil {
				t.Errorf("%s: %v", page, err)
				continue
			}
			if to.Scheme != "" {
				continue
			}
			name := path.Join(path.Dir(page), to.Path)
			if to.Path == "" {
				name = page
			}
			if _, ok := all[name]; !ok {
				t.Errorf("%s: link to %s, which is not there", page, link)
			} else if to.Fragment != "" && !ids[name][to.Fragment] {
				t.Errorf("%s: link to %s: no such id", page, link)
			}
		}
	}
	return len(ids)
}

func TestChartsAreOnlyLoadedWhereTheyAre(t *testing.T) {
	all := files(t, render(t, sampleCourse(t), site.Options{}))
	for page, want := range map[string]bool{"index.html": true, "01-serial.html": false, "02-threads.html": true} {
		if got := strings.Contains(all[page], "manyhands.js"); got != want {
			t.Errorf("%s loads the chart runtime: %v", page, got)
		}
	}
	lesson := all["02-threads.html"]
	for _, want := range []string{"<svg", `class="mh-data"`, `<th scope="col">`, `Builds on <a href="01-serial.html">One thing after another</a>`, "Measured on AMD EPYC 9354P, 2 cores, Linux, Go 1.26.8", "21 November 2026"} {
		if !strings.Contains(lesson, want) {
			t.Errorf("the lesson has no %s", want)
		}
	}
	before, bars, after := strings.Index(lesson, "cores busy"), strings.Index(lesson, "<figure"), strings.LastIndex(lesson, "printed after the chart")
	if before < 0 || before > bars || bars > after {
		t.Errorf("printed before the chart at %d, the chart at %d, printed after it at %d", before, bars, after)
	}
}

func TestSameNotebooksGiveTheSameBytes(t *testing.T) {
	c := sampleCourse(t)
	first, second := render(t, c, site.Options{}), render(t, c, site.Options{})
	a, b := files(t, first), files(t, second)
	for name := range a {
		if a[name] != b[name] {
			t.Errorf("%s differs", name)
		}
	}
	if len(a) != len(b) {
		t.Errorf("%d files, then %d", len(a), len(b))
	}
	page := filepath.Join(first, "02-threads.html")
	old := time.Now().Add(-time.Hour).Truncate(time.Second)
	if err := os.Chtimes(page, old, old); err != nil {
		t.Fatal(err)
	}
	if err := site.Render(t.Context(), c, first, site.Options{}); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(page); err != nil || !info.ModTime().Equal(old) {
		t.Error("a page that did not change was written again")
	}
}

func TestRenderKeepsWhatIsNotItsOwn(t *testing.T) {
	c := sampleCourse(t)
	out := render(t, c, site.Options{})
	writeFile(t, filepath.Join(out, "CNAME"), "many.example")
	if err := os.Remove(c.Path("notebooks", "04-pools.ipynb")); err != nil {
		t.Fatal(err)
	}
	if err := site.Render(t.Context(), c, out, site.Options{}); err != nil {
		t.Fatal(err)
	}
	all := files(t, out)
	if all["CNAME"] != "many.example" {
		t.Error("a file that is not the site's is gone")
	}
	for _, stale := range []string{"04-pools.html", "notebooks/04-pools.ipynb"} {
		if _, ok := all[stale]; ok {
			t.Errorf("%s is still there", stale)
		}
	}

	t.Run("a folder that is no site", func(t *testing.T) {
		dir := t.TempDir()
		writeFile(t, filepath.Join(dir, "thesis.txt"), "three years of work")
		err := site.Render(t.Context(), c, dir, site.Options{})
		wantError(t, err, "thesis.txt", "empty or new folder")
		if got := files(t, dir); len(got) != 1 {
			t.Errorf("the folder holds %v", got)
		}
	})
	t.Run("a file in a page's place", func(t *testing.T) {
		writeFile(t, filepath.Join(out, "05-mine.html"), "mine")
		nb := notebookOf("# Five")
		if err := nb.Write(c.Path("notebooks", "05-mine.ipynb")); err != nil {
			t.Fatal(err)
		}
		before := files(t, out)
		wantError(t, site.Render(t.Context(), c, out, site.Options{}), "05-mine.html", "move it away")
		wantSame(t, before, files(t, out))
	})
	t.Run("a notebook that cannot be rendered", func(t *testing.T) {
		writeFile(t, c.Path("notebooks", "05-mine.ipynb"), "{")
		before := files(t, out)
		wantError(t, site.Render(t.Context(), c, out, site.Options{}), "05-mine.ipynb")
		wantSame(t, before, files(t, out))
	})
	t.Run("a run that is called off", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		before := files(t, out)
		wantError(t, site.Render(ctx, c, out, site.Options{}), "canceled")
		wantSame(t, before, files(t, out))
	})
}

func wantSame(t *testing.T, before, after map[string]string) {
	t.Helper()
	for name, content := range before {
		if after[name] != content {
			t.Errorf("%s has changed", name)
		}
	}
	if len(before) != len(after) {
		t.Errorf("%d files before, %d after", len(before), len(after))
	}
}

func wantError(t *testing.T, err error, says ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one that says %q", says)
	}
	for _, s := range says {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("error %q does not say %q", err, s)
		}
	}
}

// codeCell is a notebook of one code cell.
func codeCell(source string, tags []any, outputs ...notebook.Output) *notebook.Notebook {
	nb := notebookOf()
	nb.Metadata["kernelspec"] = map[string]any{"name": "gonb", "display_name": "Go", "language": "go"}
	nb.Cells = []*notebook.Cell{{ID: "the-cell", Type: notebook.Code, Source: source, Metadata: map[string]any{"tags": tags}, Outputs: outputs}}
	return nb
}

func shows(data map[string]any) *notebook.Notebook {
	return codeCell("x", nil, notebook.Output{Type: notebook.DisplayData, Data: data})
}

const onePixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

func TestCells(t *testing.T) {
	withAttachment := notebookOf("![dot](attachment:../../dot.png)")
	withAttachment.Cells[0].Attachments = map[string]map[string]any{"../../dot.png": {"image/png": onePixel}}
	python := codeCell("def f(): pass", nil)
	python.Metadata = map[string]any{"language_info": map[string]any{"name": "python", "pygments_lexer": "ipython3"}}
	for name, test := range map[string]struct {
		notebook *notebook.Notebook
		want     []string
		not      []string
	}{
		"title":             {notebookOf("# The *title*\n\ntext"), []string{"<h1>The title</h1>", "<p>text</p>"}, []string{"<em>title"}},
		"no title":          {notebookOf("text"), []string{"<h1>01-a</h1>"}, nil},
		"second h1":         {notebookOf("# One", "# Two"), []string{`<h2 id="two"><a class="anchor" href="#two">Two</a></h2>`}, nil},
		"skipped level":     {notebookOf("# One", "### Deep"), []string{`<h2 id="deep">`}, nil},
		"same heading":      {notebookOf("## A", "## A"), []string{`<h2 id="a">`, `<h2 id="a-2">`, `<li class="level-2"><a href="#a-2">A</a></li>`}, nil},
		"reserved id":       {notebookOf("## Lessons"), []string{`<h2 id="lessons-2">`}, nil},
		"jupyter's anchor":  {notebookOf("## A Heading\n\n[up](#A-Heading)"), []string{`<a href="#a-heading">up</a>`}, nil},
		"footnotes":         {notebookOf("a[^1]\n\n[^1]: b", "c[^1]\n\n[^1]: d"), []string{`href="#fn:1"`, `id="fn:1"`, `href="#fn:1-2"`, `id="fn:1-2"`}, nil},
		"callout":           {notebookOf("> [!WARNING]\n> Mind the *gap*."), []string{`<div class="callout warning" role="note">`, `<p class="callout-title">Warning</p>`, "<em>gap</em>"}, []string{"[!", "<blockquote"}},
		"quotation":         {notebookOf("> [!NOTES] are not callouts"), []string{"<blockquote", "[!NOTES]"}, nil},
		"details":           {notebookOf("<details><summary>S</summary>\n\n**bold**\n\n</details>"), []string{"<details><summary>S</summary>", "<strong>bold</strong>"}, nil},
		"unclosed":          {notebookOf("<div class=x>", "<b>open", "## After"), []string{`<div class="x">`, "<b>open</b>", `<h2 id="after">`}, nil},
		"task list":         {notebookOf("- [x] a"), []string{`aria-label="done"`}, nil},
		"formula":           {notebookOf("a $a_1 < b_1$ and $$x\n\\\\ y$$, $5 and $6"), []string{`<span class="formula"><math><mrow><msub><mi>a</mi><mn>1</mn></msub><mo>&lt;</mo>`, `<span class="formula display"><math display="block"`, ", $5 and $6"}, []string{"<em>", "$a", "$$"}},
		"dollars in code":   {notebookOf("`$x$`"), []string{"<code>$x$</code>"}, []string{"<math"}},
		"fence":             {notebookOf("```go\nfunc f() {}\n```"), []string{`<span class="k">func</span>`}, nil},
		"remote picture":    {notebookOf("![a cat](https://cats.example/1.png)"), []string{`<a href="https://cats.example/1.png">a cat</a>`}, []string{"<img"}},
		"attachment":        {withAttachment, []string{`src="files/`, `.png"`, `alt="dot"`}, []string{"attachment:", ".."}},
		"lesson not built":  {notebookOf("[later](09-later.md#x)"), []string{`<span class="pending">later</span>`}, nil},
		"file of a course":  {notebookOf("[code](../helpers/my%20code.go)"), []string{`<a href="files/`, `-my-code.go"`}, nil},
		"go":                {codeCell("func f() {}", nil), []string{`<span class="label">Go</span>`, `<span class="k">func</span>`}, nil},
		"magics":            {codeCell("!ls\n%%\nfor {}", nil), []string{`<span class="magic">!ls</span>`, `<span class="magic">%%</span>`, `<span class="k">for</span>`}, nil},
		"python cell":       {codeCell("%%script python3 -u\ndef f():\n%x = 1", nil), []string{`<span class="label">Python</span>`, `<span class="k">def</span>`, "x = "}, []string{`magic">%x`}},
		"shell cell":        {codeCell("%%bash\nif true; then ls; fi", nil), []string{`<span class="label">Shell</span>`, `<span class="k">if</span>`}, nil},
		"file cell":         {codeCell("%%writefile a/b.json\n{}", nil), []string{`<span class="label">JSON</span>`}, nil},
		"python notebook":   {python, []string{`<span class="label">Python</span>`, `<span class="k">def</span>`}, nil},
		"hint":              {codeCell("x", []any{"hint"}), []string{`<details class="fold hint"><summary>Hint</summary>`}, nil},
		"solution":          {codeCell("x", []any{"solution"}), []string{"<summary>Solution</summary>"}, nil},
		"notes":             {codeCell("secret", []any{"notes"}), nil, []string{"secret<"}},
		"hidden input":      {codeCell("x", []any{"hide-input"}, stream("stdout", "seen")), []string{"<summary>Code</summary>", "seen"}, nil},
		"escapes":           {codeCell("a < b && c", nil, stream("stdout", "<b>&")), []string{"&lt;", "&lt;b&gt;&amp;"}, []string{"<b>"}},
		"stderr":            {codeCell("x", nil, stream("stderr", "oh")), []string{`<div class="text stderr"><span class="label">stderr</span>`}, nil},
		"error":             {codeCell("x", nil, notebook.Output{Type: notebook.Error, EName: "E", EValue: "<v>"}), []string{`<span class="label">E</span>`, "E: &lt;v&gt;"}, nil},
		"pieces":            {codeCell("x", nil, stream("stdout", "\x1b[1ma"), stream("stdout", "b\x1b[0mc")), []string{`<span class="ansi-bold">ab</span>c`}, nil},
		"progress":          {codeCell("x", nil, stream("stdout", "10 %\r99 %\rok\nnext")), []string{"ok %\nnext"}, []string{"10"}},
		"colours":           {codeCell("x", nil, stream("stdout", "\x1b[31mr\x1b[39m\x1b[48;5;21mb\x1b[m\x1b[38;2;1;2;3mt\x1b[0m\x1b]8;;http://x\x1b\\l")), []string{`<span class="ansi-fg-red">r</span>`, `<span class="ansi-bg" style="--bg:#0000ff">b</span>`, `style="--fg:#010203">t</span>`, "l"}, []string{"http://x", "\x1b"}},
		"picture":           {shows(map[string]any{"image/png": onePixel + "\n", "text/plain": "<Figure>"}), []string{`<img src="files/`, `width="1" height="1"`}, []string{"Figure"}},
		"svg":               {shows(map[string]any{"image/svg+xml": "<svg/>"}), []string{`<img src="files/`, ".svg"}, nil},
		"html":              {shows(map[string]any{"text/html": "<h1 id=content>H</h1><table><tr><th></th></tr></table>"}), []string{`<p id="content-2" class="heading">H</p>`, `<div class="scroll" tabindex="0"><table>`, "<td></td>"}, nil},
		"markdown":          {shows(map[string]any{"text/markdown": "**b**"}), []string{"<strong>b</strong>"}, nil},
		"latex":             {shows(map[string]any{"text/latex": "$x$"}), []string{"<math><mi>x</mi></math>"}, nil},
		"latex of papers":   {shows(map[string]any{"text/latex": "\\begin{figure}"}), []string{"\\begin{figure}"}, nil},
		"json":              {shows(map[string]any{"application/json": map[string]any{"a": 1}}), []string{"&#34;a&#34;: 1"}, nil},
		"widget":            {shows(map[string]any{"application/vnd.jupyter.widget-view+json": map[string]any{}}), []string{"only be seen in the notebook"}, nil},
		"flood":             {codeCell("x", nil, stream("stdout", strings.Repeat("line\n", 400<<10))), []string{"1.9 MB more of this output is in the notebook"}, nil},
		"a chart of no one": {shows(map[string]any{"application/vnd.manyhands.chart+json": map[string]any{"title": "T", "height": 100, "option": map[string]any{}, "table": map[string]any{"columns": []any{"c"}, "rows": []any{[]any{"1.50"}}}}}), []string{`<span class="title">T</span>`, "<details open>", "<td>1.50</td>"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			c := newCourse(t, map[string]*notebook.Notebook{"01-a": test.notebook})
			writeFile(t, c.Path("lessons", "09-later.md"), "")
			writeFile(t, c.Path("helpers", "my code.go"), "package p")
			page := readFile(t, render(t, c, site.Options{}), "01-a.html")
			checkPage(t, name, page)
			if len(page) > 1<<20 {
				t.Errorf("the page has %d bytes", len(page))
			}
			for _, want := range test.want {
				if !strings.Contains(page, want) {
					t.Errorf("no %s in\n%s", want, article(page))
				}
			}
			for _, not := range test.not {
				if strings.Contains(article(page), not) {
					t.Errorf("%s in\n%s", not, article(page))
				}
			}
		})
	}
}

func article(page string) string {
	_, rest, _ := strings.Cut(page, "<article>")
	text, _, _ := strings.Cut(rest, "</article>")
	return text
}

func TestMistakesAreNamed(t *testing.T) {
	long := notebookOf("fine", "")
	long.Cells[1].Source = strings.Repeat("<div>", 600)
	for name, test := range map[string]struct {
		notebook *notebook.Notebook
		says     []string
	}{
		"no such lesson":     {notebookOf("fine", "[x](03-nowhere.md)"), []string{"01-a.ipynb", "cell 2", "cell-2", "notebooks/03-nowhere.md"}},
		"no such heading":    {notebookOf("[x](#nowhere)"), []string{"01-a.ipynb", "cell 1", "#nowhere"}},
		"no such attachment": {notebookOf("![x](attachment:a.png)"), []string{"cell 1", `"a.png"`}},
		"out of the course":  {notebookOf("![x](../../secret.png)"), []string{"cell 1", "leads out of the course"}},
		"hidden file":        {notebookOf("[x](../.git/config)"), []string{"cell 1", "hidden"}},
		"a folder":           {notebookOf("[x](../lessons)"), []string{"cell 1", "not a file"}},
		"a script as a link": {notebookOf("[x](vbscript:a)", "<a href='javascript:alert(1)'>x</a>"), []string{"cell", "scheme"}},
		"not base64":         {shows(map[string]any{"image/png": "?"}), []string{"the-cell", "output 1", "image/png", "base64"}},
		"broken chart":       {shows(map[string]any{"application/vnd.manyhands.chart+json": "no chart"}), []string{"the-cell", "output 1", "chart", "go run . build"}},
		"no TeX":             {notebookOf(`fine`, `$\frac{1$`), []string{"01-a.ipynb", "cell 2", `\frac{1`, "end of input"}},
		"too deep":           {long, []string{"cell 2", "512"}},
	} {
		t.Run(name, func(t *testing.T) {
			out := filepath.Join(t.TempDir(), "site")
			err := site.Render(t.Context(), newCourse(t, map[string]*notebook.Notebook{"01-a": test.notebook}), out, site.Options{})
			wantError(t, err, test.says...)
			if _, err := os.Stat(filepath.Join(out, "index.html")); err == nil {
				t.Error("half a site was written")
			}
		})
	}
	t.Run("no notebooks", func(t *testing.T) {
		wantError(t, site.Render(t.Context(), newCourse(t, nil), t.TempDir(), site.Options{}), "go run . build")
	})
	t.Run("a base that is no address", func(t *testing.T) {
		wantError(t, site.Render(t.Context(), sampleCourse(t), t.TempDir(), site.Options{Base: "school"}), `"school"`)
	})
}

func TestSymlinkLeadsNowhere(t *testing.T) {
	c := newCourse(t, map[string]*notebook.Notebook{"01-a": notebookOf("![x](link.png)")})
	writeFile(t, filepath.Join(c.Root, "..", "secret.png"), "secret")
	if err := os.Symlink(filepath.Join(c.Root, "..", "secret.png"), c.Path("notebooks", "link.png")); err != nil {
		t.Fatal(err)
	}
	wantError(t, site.Render(t.Context(), c, filepath.Join(t.TempDir(), "site"), site.Options{}), "link.png")
}

// hostile is what a stranger may put into Markdown and into HTML outputs.
const hostile = `
<script>alert(1)</script><img src=x onerror=alert(1)><svg onload=alert(1)><script>alert(1)</script></svg>
<a href="javascript:alert(1)">a</a><a href="data:text/html,<script>alert(1)</script>">b</a>
<iframe src="https://evil.example/"></iframe><object data=x></object><embed src=x><form action=//evil.example><input name=x><button>b</button></form>
<style>body{display:none}</style><link rel=stylesheet href=//evil.example/a.css><meta http-equiv=refresh content="0;url=//evil.example"><base href=//evil.example>
<div id=content style="position:fixed" onclick=alert(1)>c</div><details open ontoggle=alert(1)>d</details><math><mtext><script>alert(1)</script></mtext></math>
`

func TestStrangersNotebooksAreHarmless(t *testing.T) {
	nb := notebookOf("# H <script>alert(1)</script>\n", hostile, "[x](../../../etc/passwd) ![p](../LICENSE) ![q](attachment:../../../evil) [l](../go.mod) ![](https://evil.example/pixel)",
		"![ok](attachment:ok.png)")
	nb.Cells[2].Attachments = map[string]map[string]any{"../../../evil": {"image/svg+xml": "<svg onload='alert(1)'/>"}}
	nb.Cells[3].Attachments = map[string]map[string]any{"ok.png": {"image/png": onePixel}}
	svg := `<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>`
	figure := `<div class="mh-plot"><img class="mh-static" alt="" src="data:image/svg+xml;base64,` + base64.StdEncoding.EncodeToString([]byte(svg)) + `">`
	for _, data := range []map[string]any{
		{"text/html": hostile}, {"text/markdown": hostile}, {"image/svg+xml": svg}, {"application/javascript": "alert(1)"},
		{"text/plain": hostile}, {"text/latex": hostile},
		{"application/vnd.manyhands.chart+json": map[string]any{"title": hostile, "description": hostile, "height": 1, "option": map[string]any{"tooltip": map[string]any{"formatter": hostile}},
			"table": map[string]any{"columns": []any{hostile}, "rows": []any{[]any{hostile}}}}, "text/html": figure},
	} {
		nb.Cells = append(nb.Cells, shows(data).Cells...)
	}
	nb.Cells = append(nb.Cells, codeCell(hostile, nil, stream("stdout\" onload=\"alert(1)", hostile),
		notebook.Output{Type: notebook.Error, EName: hostile, EValue: hostile, Traceback: []string{hostile}}).Cells...)
	for i, cell := range nb.Cells {
		cell.ID = string(rune('a' + i))
	}
	nb.Metadata["title"] = hostile
	nb.Metadata["manyhands"] = map[string]any{"edition": map[string]any{"cpu": hostile, "cores": 1, "go": hostile, "date": hostile, "os": hostile}}
	c := newCourse(t, map[string]*notebook.Notebook{"01-a": nb})
	writeFile(t, c.Path("LICENSE"), "ours")
	out := render(t, c, site.Options{Untrusted: true})
	page := readFile(t, out, "01-a.html")
	checkPage(t, "hostile", page)
	for _, n := range parse(t, page) {
		checkHarmless(t, n)
	}
	if !strings.Contains(article(page), `.png" alt="ok"`) {
		t.Error("a harmless picture was taken out")
	}
	for name, content := range files(t, out) {
		if strings.HasPrefix(name, "files/") && !strings.HasSuffix(name, ".png") || content == "ours" {
			t.Errorf("%s was published", name)
		}
	}
	if above := files(t, filepath.Dir(out)); len(above) != len(files(t, out)) {
		t.Error("something was written outside the site")
	}
}

// checkHarmless fails for an element that runs, loads or covers anything.
func checkHarmless(t *testing.T, n *html.Node) {
	t.Helper()
	switch n.DataAtom {
	case atom.Script:
		if src := attr(n, "src"); !strings.HasPrefix(src, "assets/") || n.FirstChild != nil {
			t.Errorf("a script %q", src)
		}
	case atom.Iframe, atom.Object, atom.Embed, atom.Form, atom.Style, atom.Base:
		t.Errorf("a <%s>", n.Data)
	case atom.Math:
		if !strings.HasPrefix(attr(n.Parent, "class"), "formula") {
			t.Error("a formula that is not ours")
		}
	case atom.Svg:
		if attr(n, "aria-hidden") == "" { // the mark in the bar
			t.Error("an inline picture of a stranger's")
		}
	case atom.Link:
		if !strings.HasPrefix(attr(n, "href"), "assets/") {
			t.Errorf("a link to %s", attr(n, "href"))
		}
	}
	for _, a := range n.Attr {
		value := strings.ToLower(strings.TrimSpace(a.Val))
		switch {
		case strings.HasPrefix(a.Key, "on"):
			t.Errorf("<%s %s>", n.Data, a.Key)
		case a.Key == "style" && n.Namespace != "math" && !strings.HasPrefix(value, "--fg:#") && !strings.HasPrefix(value, "--bg:#"):
			t.Errorf("<%s style=%q>", n.Data, a.Val)
		case a.Key == "src" && !strings.HasPrefix(value, "files/") && !strings.HasPrefix(value, "assets/") && !strings.HasPrefix(value, "data:image/"),
			a.Key == "href" && (strings.HasPrefix(value, "javascript:") || strings.HasPrefix(value, "data:")):
			t.Errorf("<%s %s=%q>", n.Data, a.Key, a.Val)
		}
	}
}

func TestPracticals(t *testing.T) {
	c := sampleCourse(t)
	all := files(t, render(t, c, site.Options{}))
	for page, want := range map[string][]string{
		"1-pools.html": {"<h1>Practical 1: pools</h1>", `href="02-threads.html#five-in-a-row"`, "Your answer</p>", "Check · 4 points</p>", "Your answer, in words · 1 point</p>", "TestPool",
			`Builds on <a href="02-threads.html">`, `href="notebooks/practicals/1-pools.ipynb"`, `<a rel="prev" href="04-pools.html">`},
		"index.html":    {`<h2 id="practicals-title">`, `<a href="1-pools.html"><span class="number">P1</span>`, "3 lessons"},
		"04-pools.html": {`<a rel="next" href="1-pools.html">`},
	} {
		for _, w := range want {
			if !strings.Contains(all[page], w) {
				t.Errorf("%s has no %s", page, w)
			}
		}
	}
	if _, ok := all["notebooks/practicals/1-pools.ipynb"]; !ok {
		t.Error("the notebook is not there to be downloaded")
	}
	writeFile(t, c.Path("notebooks", "practicals", "04-pools.ipynb"), all["notebooks/practicals/1-pools.ipynb"])
	wantError(t, site.Render(t.Context(), c, t.TempDir(), site.Options{}), "practicals/04-pools.ipynb", "rename one")
}

func TestPagesDoNotGrowWithTheFolder(t *testing.T) {
	notebooks := map[string]*notebook.Notebook{}
	for i := range 80 {
		notebooks["00-"+strings.Repeat("a", 1+i/26)+string(rune('a'+i%26))] = notebookOf("# One of many")
	}
	out := render(t, newCourse(t, notebooks), site.Options{})
	page := readFile(t, out, "00-aab.html")
	if n := strings.Count(page, `class="number"`); n == 0 || n > 61 {
		t.Errorf("the sidebar lists %d lessons", n)
	}
	if !strings.Contains(page, "All 80 lessons") {
		t.Error("no way to the others")
	}
	if n := strings.Count(readFile(t, out, "index.html"), `class="number"`); n != 80 {
		t.Errorf("the front page lists %d lessons", n)
	}
}

func TestCanonicalLinks(t *testing.T) {
	out := render(t, sampleCourse(t), site.Options{Base: "https://school.example/go"})
	for page, want := range map[string]string{"index.html": "https://school.example/go/", "02-threads.html": "https://school.example/go/02-threads.html"} {
		if !strings.Contains(readFile(t, out, page), `<link rel="canonical" href="`+want+`">`) {
			t.Errorf("%s has no canonical link %s", page, want)
		}
	}
}

func TestEditLinks(t *testing.T) {
	out := render(t, sampleCourse(t), site.Options{Edit: "https://forge.example/edit/main"})
	if want := `<a href="https://forge.example/edit/main/lessons/02-threads.md">`; !strings.Contains(readFile(t, out, "02-threads.html"), want) {
		t.Errorf("02-threads.html has no link %s", want)
	}
	wantError(t, site.Render(t.Context(), sampleCourse(t), t.TempDir(), site.Options{Edit: "forge"}), `edit "forge"`)
}

func TestProgressCountsEveryPage(t *testing.T) {
	var calls []int
	render(t, sampleCourse(t), site.Options{OnPage: func(done, total int, name string) {
		if total != 4 || name == "" {
			t.Errorf("page %q of %d", name, total)
		}
		calls = append(calls, done)
	}})
	if !slices.Equal(calls, []int{1, 2, 3, 4}) {
		t.Errorf("pages done: %v", calls)
	}
}

// text is what an element says.
func text(n *html.Node) string {
	var out strings.Builder
	for c := range n.Descendants() {
		if c.Type == html.TextNode {
			out.WriteString(c.Data)
		}
	}
	return strings.TrimSpace(out.String())
}
