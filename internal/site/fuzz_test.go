package site_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"manyhands/internal/notebook"
	"manyhands/internal/site"
)

// FuzzRender renders what a stranger might write: no input may crash it, run
// anything, break the page around it or give an id twice. Each try writes a
// whole site, so that minimising is best kept short: -fuzzminimizetime 5x.
func FuzzRender(f *testing.F) {
	f.Add("# T\n\n> [!NOTE]\n> $a_1$ <b>x", "%%script python3\nx", "\x1b[31mr\x1b[0m\rk", "<p id=content>x<table><th>")
	f.Add("$\\frac{1}{n}$ $\\frac{$ $\\begin{aligned}a&b\\end{aligned}$", "x", "", "<span class=formula>$\\href{javascript:1}{a}$</span>")
	f.Add(hostile, hostile, hostile, hostile)
	f.Add("```go\nx\n```\n[^1]\n\n[^1]: n\n\n![a](attachment:b)", "!ls\n%%", "\x1b]8;;x\x07", "<svg><a xlink:href=javascript:1><style>")
	f.Add(strings.Repeat("> ", 100)+"- [x] $$a", "%%writefile ../x.go", "\x1b[38;5;300m\x1b[48;2;1m", strings.Repeat("<b><table>", 50))
	f.Fuzz(func(t *testing.T, markdown, source, text, html string) {
		nb := notebookOf(markdown, markdown)
		nb.Cells = append(nb.Cells, codeCell(source, nil, stream("stdout", text), stream("stderr", text),
			notebook.Output{Type: notebook.DisplayData, Data: map[string]any{"text/html": html}},
			notebook.Output{Type: notebook.DisplayData, Data: map[string]any{"text/markdown": html}}).Cells...)
		var file bytes.Buffer
		if err := nb.Encode(&file); err != nil {
			t.Skip(err)
		}
		c := newCourse(t, nil)
		writeFile(t, c.Path("notebooks", "01-a.ipynb"), file.String())
		out := filepath.Join(t.TempDir(), "site")
		if err := site.Render(t.Context(), c, out, site.Options{Untrusted: true}); err != nil {
			if !strings.Contains(err.Error(), "01-a.ipynb") {
				t.Errorf("the error names no file: %v", err)
			}
			return
		}
		page := readFile(t, out, "01-a.html")
		checkPage(t, "01-a.html", page)
		for _, n := range parse(t, page) {
			checkHarmless(t, n)
		}
	})
}
