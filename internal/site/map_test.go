package site_test

import (
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"manyhands/internal/notebook"
	"manyhands/internal/site"
)

// needing is a lesson that builds on others.
func needing(title string, needs ...any) *notebook.Notebook {
	nb := notebookOf("# " + title)
	nb.Metadata["manyhands"] = map[string]any{"needs": needs}
	return nb
}

// mapOf returns the rows of the front page's map, from above, and its roads.
func mapOf(t *testing.T, notebooks map[string]*notebook.Notebook) (rows map[string]string, roads int) {
	t.Helper()
	rows = map[string]string{}
	var svg *html.Node
	for _, n := range parse(t, readFile(t, render(t, newCourse(t, notebooks), site.Options{}), "index.html")) {
		if n.DataAtom == atom.Nav && attr(n, "class") == "map" {
			svg = n
		}
	}
	if svg == nil {
		return nil, 0
	}
	for n := range svg.Descendants() {
		switch {
		case n.Data == "path":
			roads++
		case n.DataAtom == atom.A:
			_, y, _ := strings.Cut(strings.TrimSuffix(attr(n, "transform"), ")"), " ")
			rows[y] += attr(n, "href") + " "
		}
	}
	return rows, roads
}

func TestMapOfTheCourse(t *testing.T) {
	rows, roads := mapOf(t, map[string]*notebook.Notebook{
		"00-a": needing("A"), "01-b": needing("B", "00-a"), "02-c": needing("C", "01-b"), "03-d": needing("D", "01-b", "00-a"), "04-e": needing("E", "03-d", "02-c", "09-later"),
	})
	want := map[string]string{"42": "00-a.html ", "126": "01-b.html ", "210": "02-c.html 03-d.html ", "294": "04-e.html "}
	for y, row := range want {
		if rows[y] != row {
			t.Errorf("at %s: %q instead of %q", y, rows[y], row)
		}
	}
	if len(rows) != len(want) || roads != 5 { // a-b, b-c, b-d, c-e, d-e; not a-d, which goes by b
		t.Errorf("%d rows and %d roads", len(rows), roads)
	}
	for name, notebooks := range map[string]map[string]*notebook.Notebook{
		"nothing to draw": {"00-a": needing("A"), "01-b": needing("B")},
		"itself":          {"00-a": needing("A", "00-a")},
		"a circle":        {"00-a": needing("A", "01-b"), "01-b": needing("B", "00-a")}, // the author's mistake
	} {
		if rows, _ := mapOf(t, notebooks); rows != nil {
			t.Errorf("%s: %q", name, rows)
		}
	}
}

func TestSpreadOnThePageOfTheEdition(t *testing.T) {
	chart := func(rows ...any) notebook.Output {
		return notebook.Output{Type: notebook.DisplayData, Data: map[string]any{"application/vnd.manyhands.chart+json": map[string]any{
			"kind": "bars", "title": "T", "height": 100, "option": map[string]any{}, "table": map[string]any{"columns": []any{"", "95 % interval"}, "rows": rows}}}}
	}
	nb := codeCell("x", nil, chart([]any{"a", "9 to 11 s"}, []any{"b", "95 to 105.0 ms"}), chart([]any{"c", "99 to 101 µs"}, []any{"d", ""}, []any{"e"}))
	nb.Metadata["manyhands"] = map[string]any{"edition": edition}
	page := readFile(t, render(t, newCourse(t, map[string]*notebook.Notebook{"01-a": nb}), site.Options{}), "edition.html")
	if want := `<span class="spread">± 5 %</span>, up to <span class="spread">± 10 %</span>`; !strings.Contains(page, want) {
		t.Errorf("no %s in\n%s", want, article(page))
	}
}
