package lesson_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"manyhands/internal/lesson"
	"manyhands/internal/notebook"
)

var update = flag.Bool("update", false, "write the golden files anew")

const header = "---\ntitle: Threads\nminutes: 45\njupyter:\n  kernelspec:\n    name: gonb\n    display_name: Go (gonb)\n    language: go\n---\n\n"

func parse(t *testing.T, source string) *lesson.Lesson {
	t.Helper()
	l, err := lesson.Parse("lessons/02-threads.md", []byte(source))
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestGolden(t *testing.T) {
	l, err := lesson.Read("testdata/02-every.md")
	if err != nil {
		t.Fatal(err)
	}
	if l.Name != "02-every" || l.Title != "Threads: a first look" || l.Minutes != 45 || !l.Exclusive || !slices.Equal(l.Needs, []string{"01-why"}) {
		t.Errorf("front matter: %+v", l)
	}
	var got bytes.Buffer
	nb := l.Notebook()
	if err := errors.Join(nb.Validate(), nb.Encode(&got)); err != nil {
		t.Fatal(err)
	}
	const golden = "testdata/02-every.ipynb"
	if *update {
		if err := os.WriteFile(golden, got.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Errorf("the notebook differs from %s; compare, then run go test ./internal/lesson -update; got:\n%s", golden, &got)
	}
}

// Every cell's line must hold the first line of its source, or the fence that stands for a magic.
func TestLines(t *testing.T) {
	l, err := lesson.Read("testdata/02-every.md")
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(l.Path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	for _, c := range l.Cells {
		first, _, _ := strings.Cut(c.Source, "\n")
		line := lines[c.Line-1]
		if c.Source == "" {
			first = "```" // of an empty cell, the line that closes it
		}
		if line != first && !strings.HasPrefix(line, "```script ") && line != "```bash" {
			t.Errorf("cell %s starts with %q, but line %d is %q", c.ID, first, c.Line, line)
		}
	}
}

func TestTolerated(t *testing.T) {
	want := parse(t, header+"# A\n\n```go id=\"x\"\na\n```\n")
	for name, source := range map[string]string{
		"CRLF":                 strings.ReplaceAll(header+"# A\n\n```go id=\"x\"\na\n```\n", "\n", "\r\n"),
		"byte order mark":      "\ufeff" + header + "# A\n\n```go id=\"x\"\na\n```\n",
		"no newline at end":    header + "# A\n\n```go id=\"x\"\na\n```",
		"blank lines at end":   header + "# A\n\n```go id=\"x\"\na\n```\n\n\n",
		"spaces in attributes": header + "# A\n\n``` go  id = \"x\" \na\n```\n",
	} {
		t.Run(name, func(t *testing.T) {
			if err := want.Matches(parse(t, source).Notebook()); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestErrors(t *testing.T) {
	const fm = "---\ntitle: A\nminutes: 1\n---\n" // the cells start at line 5
	for _, tt := range []struct {
		name, source string
		want         []string
	}{
		{"empty", "", []string{":1: no front matter"}},
		{"no front matter", "# A\n", []string{":1: no front matter; start the lesson with a line ---"}},
		{"front matter without end", "---\ntitle: A\n", []string{":1: the front matter has no end"}},
		{"front matter no YAML", "---\ntitle: A\nminutes: [\n---\ntext", []string{":3: the front matter is not YAML"}},
		{"front matter with a colon", "---\ntitle: A: B\nminutes: 1\n---\ntext", []string{":2:", "stands in quotes"}},
		{"front matter with a tab", "---\ntitle: A\nneeds:\n\t- x\nminutes: 1\n---\ntext", []string{"the front matter is not YAML"}},
		{"front matter a list", "---\n- a\n---\ntext", []string{":2: the front matter must be lines of the form key: value"}},
		{"front matter empty", "---\n---\ntext", []string{":1: the front matter has no title; add", ":1: the front matter has no minutes; add"}},
		{"key twice", "---\ntitle: A\ntitle: B\nminutes: 1\n---\ntext", []string{":3: "}},
		{"unknown keys", "---\ntitle: A\nauthor: me\nminutes: 1\nMinutes: 2\n---\ntext", []string{":3: unknown key \"author\"; the front matter knows title, ", ":5: unknown key \"Minutes\""}},
		{"empty title", "---\ntitle: \" \"\nminutes: 1\n---\ntext", []string{":2: title must be a text"}},
		{"minutes text", "---\ntitle: A\nminutes: soon\n---\ntext", []string{":3: minutes must be a whole number"}},
		{"minutes zero", "---\ntitle: A\nminutes: 0\n---\ntext", []string{":3: minutes must be a whole number from 1 on"}},
		{"minutes fraction", "---\ntitle: A\nminutes: 1.5\n---\ntext", []string{":3: minutes must be a whole number"}},
		{"minutes huge", "---\ntitle: A\nminutes: 99999999999999999999\n---\ntext", []string{":3: minutes must be a whole number"}},
		{"title a number", "---\ntitle: 2026\nminutes: 1\n---\ntext", []string{":2: title must be a text; put it in quotes"}},
		{"needs numbers", "---\ntitle: A\nminutes: 1\nneeds: [1]\n---\ntext", []string{":4: needs must be a list"}},
		{"alias without anchor", "---\ntitle: A\nminutes: 1\nneeds: *a\n---\ntext", []string{":4: needs must be a list"}},
		{"needs a text", "---\ntitle: A\nminutes: 1\nneeds: x\n---\ntext", []string{":4: needs must be a list"}},
		{"exclusive a text", "---\ntitle: A\nminutes: 1\nexclusive: perhaps\n---\ntext", []string{":4: exclusive must be true or false"}},
		{"other kernel", "---\ntitle: A\nminutes: 1\njupyter:\n  kernelspec:\n    name: python3\n---\ntext", []string{":4: the kernel is \"python3\"; lessons run on \"gonb\""}},
		{"no cells", fm, []string{":4: the lesson has no cells"}},
		{"Latin-1", fm + "a\n\xe4\n", []string{":6: not UTF-8"}},
		{"unclosed fence", fm + "a\n\n```go\nb\n", []string{":7: the fence has no end; close it with a line ```"}},
		{"unclosed long fence", fm + "````go\n```\n", []string{":5: the fence has no end; close it with a line ````"}},
		{"unclosed prose fence", fm + "a\n```text\n\n\nb\n", []string{":6: the fence has no end"}},
		{"long prose fence", fm + "````text\na\n````\n", []string{":5: Jupytext finds no end of a fence of four backticks"}},
		{"code fence closed by the next", fm + "```go\na\n\n```go\nb\n```\n", []string{":8: the fence of line 5 is still open here; close it with a line ```", ":10: the fence has no end"}},
		{"prose fence closed by the next", fm + "```text\na\n\n```go\nb\n```\n", []string{":8: the fence of line 5 is still open here"}},
		{"unclosed region", fm + "<!-- #region -->\na\n", []string{":5: the region has no end; close it with <!-- #endregion -->"}},
		{"empty Markdown cell", fm + "a\n\n```go\n```\n\n\n\n```go\n```\n", []string{":9: an empty Markdown cell"}},
		{"unknown tag", fm + "```go tags=[\"pyton\", \"python\"]\n```\n", []string{":5: unknown tag \"pyton\"; known are answer, exercise, "}},
		{"tag twice", fm + "```go tags=[\"python\", \"python\"]\n```\n", []string{":5: the tag \"python\" is given twice"}},
		{"tags a text", fm + "```go tags=\"python\"\n```\n", []string{":5: tags must be a list such as [\"python\"]; have python"}},
		{"tag a number", fm + "```go tags=[1]\n```\n", []string{":5: unknown tag"}},
		{"region with an unknown tag", fm + "a\n\n<!-- #region tags=[\"x\"] -->\na\n<!-- #endregion -->\n", []string{":7: unknown tag \"x\""}},
		{"id twice", fm + "```go id=\"a\"\n```\n\n```go id=\"a\"\n```\n", []string{":9: the cell id \"a\" is already that of the cell at line 6; choose another"}},
		{"id with a space", fm + "```go id=\"a b\"\n```\n", []string{":5: the id must be a text of 1 to 64 letters"}},
		{"id a number", fm + "```go id=7\n```\n", []string{":5: the id must be a text"}},
		{"attribute not JSON", fm + "```go id=sum\n```\n", []string{":5: the value of the attribute id is not JSON", "have sum"}},
		{"attribute in single quotes", fm + "```go tags=['python']\n```\n", []string{":5: the value of the attribute tags is not JSON"}},
		{"attribute cut short", fm + "```go tags=[\"python\"\n```\n", []string{":5: the value of the attribute tags is not JSON"}},
		{"attributes without a space", fm + "```go a=1b=2\n```\n", []string{":5: the value of the attribute a is not JSON"}},
		{"attribute without value", fm + "```go python\n```\n", []string{":5: attributes have the form name=value", "have python"}},
		{"attribute twice", fm + "```go a=1 a=2\n```\n", []string{":5: the attribute a is given twice"}},
		{"attributes broken object", fm + "```go {\"a\": }\n```\n", []string{":5: the attributes are not one JSON object"}},
		{"attribute active", fm + "```go active=\"md\"\n```\n", []string{":5: the attribute active is not for lessons"}},
		{"tab between attributes", fm + "```go\tid=\"a\"\n```\n", []string{":5: a tab between"}},
		{"other language", fm + "```python\nprint()\n```\n", []string{":5: GoNB cannot run ```python cells; use ```go with %%script", "or ```python .noeval"}},
		{"script without program", fm + "```script\nx\n```\n", []string{":5: a ```script cell must name its program"}},
		{"several at once", "---\ntitel: A\nminutes: 0\n---\n```go tags=[\"x\"] id=\"\"\n```\n\n```rust\n", []string{
			":1: the front matter has no title", ":2: unknown key \"titel\"", ":3: minutes", ":5: unknown tag", ":5: the id", ":8: GoNB cannot", ":8: the fence has no end"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, err := lesson.Parse("lessons/02-threads.md", []byte(tt.source))
			if err == nil {
				t.Fatalf("no error, but %+v", l)
			}
			rest := err.Error()
			for _, want := range tt.want { // in this order
				if strings.HasPrefix(want, ":") {
					want = "lessons/02-threads.md" + want
				}
				_, after, ok := strings.Cut(rest, want)
				if !ok {
					t.Fatalf("no %q in:\n%v", want, err)
				}
				rest = after
			}
			if _, ok := errors.AsType[*lesson.Error](err); !ok {
				t.Errorf("not a *lesson.Error: %v", err)
			}
		})
	}
}

// Links between lessons lead from notebook to notebook, other links and code stay.
func TestLinks(t *testing.T) {
	const source = header + "[a](02-threads.md) and [b](../13-http2.md#its-end), [c](README.md), [d](https://e.org/02-x.md)\n\n" +
		"```go\n// [a](02-threads.md)\n```\n"
	l := parse(t, source)
	nb := l.Notebook()
	const want = "[a](02-threads.ipynb) and [b](../13-http2.ipynb#its-end), [c](README.md), [d](https://e.org/02-x.md)"
	if got := nb.Cells[0].Source; got != want {
		t.Errorf("the links became %s", got)
	}
	if got := nb.Cells[1].Source; got != "// [a](02-threads.md)" {
		t.Errorf("the code became %s", got)
	}
	if err := l.Matches(nb); err != nil {
		t.Error(err)
	}
}

func TestReadMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "03-none.md")
	if _, err := lesson.Read(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
}

func TestIDsAreStable(t *testing.T) {
	const a, b = "```go\na()\n```\n\n", "```go\nb()\n```\n\n"
	before := parse(t, header+a+b+a)
	after := parse(t, header+"# New\n\n"+b+"```go id=\"mine\"\nc()\n```\n\n"+a+a)
	if before.Cells[1].ID != after.Cells[1].ID || before.Cells[0].ID != after.Cells[3].ID || before.Cells[2].ID != after.Cells[4].ID {
		t.Error("ids changed with the cells around")
	}
	if before.Cells[0].ID == before.Cells[2].ID {
		t.Error("two equal cells have the same id")
	}
	// An author who chooses the id that another cell would have been given does not clash with it.
	taken := parse(t, header+a+fmt.Sprintf("```go id=%q\nc()\n```\n", before.Cells[0].ID))
	if taken.Cells[0].ID == before.Cells[0].ID {
		t.Error("a derived id is the same as a chosen one")
	}
}

func TestMatches(t *testing.T) {
	l, err := lesson.Read("testdata/02-every.md")
	if err != nil {
		t.Fatal(err)
	}
	at := slices.IndexFunc(l.Cells, func(c lesson.Cell) bool { return c.ID == "in-a-row" })
	line := l.Cells[at].Line
	for _, tt := range []struct {
		name   string
		change func(nb *notebook.Notebook)
		line   int // 0: it still matches
		want   string
	}{
		{"executed", func(nb *notebook.Notebook) {
			one := 1
			c := nb.Cells[at]
			c.ExecutionCount, c.Metadata["execution"] = &one, map[string]any{"shell.execute_reply": "2026"}
			c.Outputs = []notebook.Output{{Type: notebook.Stream, Name: "stdout", Text: "x"}}
			nb.Metadata["manyhands"].(map[string]any)["machine"] = "two cores"
		}, 0, ""},
		{"title", func(nb *notebook.Notebook) { nb.Metadata["title"] = "Other" }, 1, `title is "Other" instead of "Threads: a first look"`},
		{"minutes", func(nb *notebook.Notebook) { nb.Metadata["manyhands"].(map[string]any)["minutes"] = 1 }, 1, "manyhands minutes is 1 instead of 45"},
		{"no metadata", func(nb *notebook.Notebook) { nb.Metadata = nil }, 1, "title is null"},
		{"source", func(nb *notebook.Notebook) { nb.Cells[at].Source = "%%\nfast()" }, line + 1, `cell 3 (id "in-a-row") has "fast()"`},
		{"source cut", func(nb *notebook.Notebook) { nb.Cells[at].Source = "%%" }, line + 1, `has ""`},
		{"id", func(nb *notebook.Notebook) { nb.Cells[at].ID = "x" }, line, `has the id "x"`},
		{"type", func(nb *notebook.Notebook) { nb.Cells[at].Type = notebook.Raw }, line, "is a raw cell instead of code"},
		{"tags", func(nb *notebook.Notebook) { nb.Cells[at].Metadata["tags"] = []any{"slide"} }, line, `tags is ["slide"] instead of ["slide","exercise"]`},
		{"tags added", func(nb *notebook.Notebook) { nb.Cells[0].Metadata["tags"] = []any{"hint"} }, l.Cells[0].Line, `has the tags ["hint"]`},
		{"metadata", func(nb *notebook.Notebook) { nb.Cells[at].Metadata["points"] = json.Number("3") }, line, "points is 3 instead of 2.5"},
		{"cell missing", func(nb *notebook.Notebook) { nb.Cells = nb.Cells[:at] }, line, `cell 3 (id "in-a-row") is missing`},
		{"cell added", func(nb *notebook.Notebook) { nb.Cells = append(nb.Cells, nb.Cells[0]) }, l.Cells[len(l.Cells)-1].Line, "1 more cells follow"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			if err := l.Notebook().Encode(&b); err != nil {
				t.Fatal(err)
			}
			nb, err := notebook.Decode(&b) // as build would find it on disk
			if err != nil {
				t.Fatal(err)
			}
			tt.change(nb)
			err = l.Matches(nb)
			if tt.line == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			where := fmt.Sprintf("testdata/02-every.md:%d: the notebook differs from the lesson: ", tt.line)
			if err == nil || !strings.HasPrefix(err.Error(), where) || !strings.Contains(err.Error(), tt.want) ||
				!strings.HasSuffix(err.Error(), "go run . build 02-every") {
				t.Errorf("got %v; want %s… %s", err, where, tt.want)
			}
		})
	}
}

func ExampleParse() {
	l, err := lesson.Parse("lessons/02-threads.md", []byte(`---
title: Threads
minutes: 45
---

# Threads

`+"```go id=\"sum\" tags=[\"exercise\"]"+`
func sum() {}
`+"```"+`
`))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(l.Name, l.Title, l.Minutes)
	for _, c := range l.Cells {
		fmt.Printf("line %d: %s %q %q\n", c.Line, c.Type, c.Source, c.Tags)
	}
	// Output:
	// 02-threads Threads 45
	// line 6: markdown "# Threads" []
	// line 9: code "func sum() {}" ["exercise"]
}

func ExampleParse_errors() {
	_, err := lesson.Parse("lessons/02-threads.md", []byte("---\ntitle: Threads\n---\n\n```go tags=[\"pyton\"]\n"))
	fmt.Println(err)
	// Output:
	// lessons/02-threads.md:1: the front matter has no minutes; add a line such as minutes: 45
	// lessons/02-threads.md:5: unknown tag "pyton"; known are answer, exercise, hide-input, hint, notes, optional, python, raises-exception, slide, solution
	// lessons/02-threads.md:5: the fence has no end; close it with a line ```
}

func FuzzParse(f *testing.F) {
	every, err := os.ReadFile("testdata/02-every.md")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(every)
	f.Add([]byte(header + "text"))
	f.Add([]byte("---\ntitle: A\nminutes: 1\nneeds: [&a b, *a]\n---\n<!-- #raw a={} -->\n<!-- #endraw -->"))
	f.Fuzz(func(t *testing.T, data []byte) {
		l, err := lesson.Parse("02-threads.md", data)
		if err != nil {
			for line := range strings.Lines(err.Error()) {
				if strings.HasPrefix(line, "02-threads.md:") {
					return
				}
				t.Fatalf("an error that names no line: %v", err)
			}
			return
		}
		nb := l.Notebook()
		if err := nb.Validate(); err != nil {
			t.Errorf("invalid notebook: %v", err)
		}
		var b bytes.Buffer
		if err := nb.Encode(&b); err != nil {
			t.Fatal(err)
		}
		back, err := notebook.Decode(&b)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Matches(back); err != nil {
			t.Error(err)
		}
	})
}
