package notebook_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"manyhands/internal/notebook"
)

// wrap returns a notebook of minor version 5 with the cells, given as JSON.
func wrap(cells string) string {
	return fmt.Sprintf(`{"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": [%s]}`, cells)
}

func decode(t *testing.T, source string) *notebook.Notebook {
	t.Helper()
	nb, err := notebook.Decode(strings.NewReader(source))
	if err != nil {
		t.Fatal(err)
	}
	return nb
}

func encode(t *testing.T, nb *notebook.Notebook) string {
	t.Helper()
	var b strings.Builder
	if err := nb.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// every.ipynb was written by Python's nbformat and holds every kind of cell and output, unknown fields at every level,
// awkward characters and awkward numbers.
func TestRoundTripKeepsBytes(t *testing.T) {
	want, err := os.ReadFile("testdata/every.ipynb")
	if err != nil {
		t.Fatal(err)
	}
	if got := encode(t, decode(t, string(want))); got != string(want) {
		t.Errorf("round trip changed the file:\n%s", got)
	}
}

func TestDecode(t *testing.T) {
	nb, err := notebook.Read("testdata/every.ipynb")
	if err != nil {
		t.Fatal(err)
	}
	md, code := nb.Cells[0], nb.Cells[1]
	if md.Type != notebook.Markdown || !strings.HasPrefix(md.Source, "# Überschrift\n\nText") {
		t.Errorf("the Markdown cell is %+v", md)
	}
	if got := md.Attachments["a.png"]["text/plain"]; got != "a\nb" {
		t.Errorf("attachment %q", got)
	}
	if got := code.Tags(); !slices.Equal(got, []string{"python", "slide"}) {
		t.Errorf("tags %q", got)
	}
	if code.ExecutionCount == nil || *code.ExecutionCount != 3 || nb.Cells[2].ExecutionCount != nil {
		t.Error("wrong execution counts")
	}
	display := code.Outputs[2]
	if display.Data["text/plain"] != "table\nrow" || display.Data["application/pdf"] != "a\nb" {
		t.Errorf("texts %q", display.Data)
	}
	if chart := display.Data["application/vnd.manyhands.chart+json"].(map[string]any); chart["version"] != json.Number("1") {
		t.Errorf("chart %v", chart)
	}
	if failed := code.Outputs[4]; failed.EName != "E" || failed.EValue != "boom\nx" || len(failed.Traceback) != 2 {
		t.Errorf("error %+v", failed)
	}
}

func TestEncodeOwnValues(t *testing.T) {
	nb := notebook.New()
	nb.Metadata = map[string]any{
		"float": 0.000001, "whole": 3.0, "large": 1e20, "huge": 1e21, "minusZero": math.Copysign(0, -1),
		"strings": []string{"<a>"}, "struct": struct{ A []int }{[]int{1}}, "invalid": "a\xffb", "signature": "transient",
	}
	nb.Cells = []*notebook.Cell{{ID: "a", Type: notebook.Code, Outputs: []notebook.Output{{Type: notebook.Error}}}}
	const want = `{
 "cells": [
  {
   "cell_type": "code",
   "execution_count": null,
   "id": "a",
   "metadata": {},
   "outputs": [
    {
     "ename": "",
     "evalue": "",
     "output_type": "error",
     "traceback": []
    }
   ],
   "source": []
  }
 ],
 "metadata": {
  "float": 1e-06,
  "huge": 1e+21,
  "invalid": "a�b",
  "large": 100000000000000000000,
  "minusZero": 0,
  "strings": [
   "<a>"
  ],
  "struct": {
   "A": [
    1
   ]
  },
  "whole": 3
 },
 "nbformat": 4,
 "nbformat_minor": 5
}
`
	if got := encode(t, nb); got != want {
		t.Errorf("got %s", got)
	}
}

func TestUpgradeGivesStableIDs(t *testing.T) {
	const cell = `{"cell_type": "code", "metadata": {"trusted": true}, "source": ["a"], "outputs": [], "execution_count": null}`
	old := func(cells ...string) *notebook.Notebook {
		return decode(t, `{"nbformat": 4, "nbformat_minor": 2, "metadata": {"orig_nbformat": 3}, "cells": [`+
			strings.Join(cells, ",")+`]}`)
	}
	one, three := old(cell), old(`{"cell_type": "raw", "source": "a"}`, cell, cell)
	if one.NBFormatMinor != notebook.Minor {
		t.Errorf("minor version %d", one.NBFormatMinor)
	}
	if one.Cells[0].ID != three.Cells[1].ID {
		t.Error("the id changed when a cell was inserted before")
	}
	if err := three.Validate(); err != nil {
		t.Error(err) // equal cells must have different ids
	}
	if len(one.Metadata)+len(one.Cells[0].Metadata) > 0 {
		t.Errorf("transient metadata left: %v, %v", one.Metadata, one.Cells[0].Metadata)
	}
}

func TestLaterMinorVersionSurvives(t *testing.T) {
	source := `{"nbformat": 4, "nbformat_minor": 9, "metadata": {}, "future": 1, "cells": [
		{"id": "a", "cell_type": "holo", "metadata": {}, "source": 7, "outputs": "odd"},
		{"id": "b", "cell_type": "code", "metadata": {}, "source": "", "execution_count": 1, "outputs": [
			{"output_type": "smell", "data": 5, "text": ["a", "b"]}]}]}`
	nb := decode(t, source)
	if err := nb.Validate(); err != nil {
		t.Error(err)
	}
	var want, got any
	if err := errors.Join(json.Unmarshal([]byte(source), &want), json.Unmarshal([]byte(encode(t, nb)), &got)); err != nil {
		t.Fatal(err)
	}
	want.(map[string]any)["cells"].([]any)[1].(map[string]any)["source"] = []any{}
	w, _ := json.Marshal(want)
	g, _ := json.Marshal(got)
	if !bytes.Equal(w, g) {
		t.Errorf("got  %s\nwant %s", g, w)
	}
}

func TestDecodeRefuses(t *testing.T) {
	code := func(rest string) string {
		return wrap(`{"id": "x", "cell_type": "markdown", "metadata": {}, "source": ""},
			{"id": "sum", "cell_type": "code", "metadata": {}, "source": "", ` + rest + `}`)
	}
	for _, tt := range []struct{ name, source, want string }{
		{"empty", "", "the file is empty"},
		{"text", "# Lesson\n", "not JSON at line 1, column 1"},
		{"comma", "{\n \"nbformat\": 4,,\n}", "not JSON at line 2, column 16"},
		{"cut short", "{\n \"cells\": [", "not JSON at line 2, column 12: the file ends too early"},
		{"merge conflict", "{\n<<<<<<< HEAD\n}", "not JSON at line 2, column 1"},
		{"two documents", `{"nbformat":4}` + "\n{}", "not JSON at line 2, column 1: more text"},
		{"Latin-1", "{\n\"a\": \"\xe4\"}", "not JSON at line 2, column 7: not UTF-8"},
		{"a list", "[]", "holds a list instead of an object"},
		{"no version", `{"cells": []}`, `not a notebook: "nbformat" is missing`},
		{"version text", `{"nbformat": "4"}`, `"nbformat" must be a whole number, but is a string`},
		{"version 4.5", `{"nbformat": 4.5, "nbformat_minor": 1}`, `"nbformat" must be a whole number, but is 4.5`},
		{"nbformat 3", `{"nbformat": 3, "nbformat_minor": 0, "worksheets": []}`, "nbformat 3.0 is not supported, only nbformat 4; convert it with: jupyter"},
		{"nbformat 5", `{"nbformat": 5, "nbformat_minor": 0, "cells": []}`, "nbformat 5.0 is not supported"},
		{"no cells", `{"nbformat": 4, "nbformat_minor": 5, "metadata": {}}`, `"cells" is missing`},
		{"cells object", `{"nbformat": 4, "nbformat_minor": 5, "cells": {}}`, `"cells" must be a list, but is an object`},
		{"metadata list", `{"nbformat": 4, "nbformat_minor": 5, "metadata": [], "cells": []}`, `"metadata" must be an object, but is a list`},
		{"cell number", wrap("7"), "cell 1: it is a number instead of an object"},
		{"cell without type", wrap(`{"id": "x"}`), `cell 1 (id "x"): "cell_type" is missing`},
		{"id number", wrap(`{"id": 1, "cell_type": "raw"}`), `cell 1: "id" must be a string, but is a number`},
		{"source number", wrap(`{"id": "x", "cell_type": "raw", "source": 1}`), `"source" must be a string or a list of strings, but is a number`},
		{"source mixed", wrap(`{"id": "x", "cell_type": "raw", "source": ["a", null]}`), `"source" must be a string or a list of strings`},
		{"count text", code(`"execution_count": "1"`), `cell 2 (id "sum"): "execution_count" must be a whole number`},
		{"count fraction", code(`"execution_count": 1.5`), `"execution_count" must be a whole number, but is 1.5`},
		{"outputs null", code(`"outputs": null`), `"outputs" must be a list, but is null`},
		{"output text", code(`"outputs": ["x"]`), `cell 2 (id "sum"): output 1: it is a string instead of an object`},
		{"output without type", code(`"outputs": [{}]`), `output 1: "output_type" is missing`},
		{"stream number", code(`"outputs": [{"output_type": "stream", "name": "stdout", "text": 1}]`), `output 1: "text" must be`},
		{"data list", code(`"outputs": [{"output_type": "display_data", "data": []}]`), `"data" must be an object`},
		{"traceback", code(`"outputs": [{"output_type": "error", "ename": "", "evalue": "", "traceback": [1]}]`), `"traceback" must be a list of strings, but is a number`},
		{"attachments", wrap(`{"id": "x", "cell_type": "raw", "attachments": {"a": 1}}`), `"attachments" must be an object of objects`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			nb, err := notebook.Decode(strings.NewReader(tt.source))
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, %v; want an error with %q", nb, err, tt.want)
			}
		})
	}
}

func TestReadNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "my notebook.ipynb")
	if _, err := notebook.Read(path); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Error(err)
	}
	if _, err := notebook.Read(filepath.Dir(path)); err == nil || !strings.Contains(err.Error(), filepath.Dir(path)) {
		t.Error(err)
	}
	if err := os.WriteFile(path, []byte("\ufeff{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := notebook.Read(path); err == nil || !strings.HasPrefix(err.Error(), path+": not JSON") {
		t.Error(err)
	}
}

func TestByteOrderMarkIsTolerated(t *testing.T) {
	decode(t, "\ufeff"+wrap(""))
}

func TestLargeFileIsRefusedUnread(t *testing.T) {
	path := filepath.Join(t.TempDir(), "large.ipynb")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(200<<20), f.Close()); err != nil { // a hole, no blocks on disk
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err = notebook.Read(path)
	runtime.ReadMemStats(&after)
	if !errors.Is(err, notebook.ErrTooLarge) || !strings.HasPrefix(err.Error(), path) {
		t.Error(err)
	}
	if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
		t.Errorf("%d bytes allocated to refuse a file", used)
	}
}

// spaces is an endless file of spaces that counts what was read of it.
type spaces struct{ read int }

func (s *spaces) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	s.read += len(p)
	return len(p), nil
}

func TestEndlessReaderIsRefused(t *testing.T) {
	var s spaces
	if _, err := notebook.Decode(&s); !errors.Is(err, notebook.ErrTooLarge) {
		t.Error(err)
	}
	if s.read > notebook.MaxSize+1 {
		t.Errorf("read %d bytes", s.read)
	}
}

func TestWriteIsAtomic(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.ipynb")
	nb := decode(t, wrap(`{"id": "x", "cell_type": "raw", "metadata": {}, "source": "old"}`))
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	nb.Cells[0].Metadata["speed"] = math.NaN()
	err := nb.Write(path)
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "cells: 1: metadata: speed: ") {
		t.Errorf("writing NaN: %v", err)
	}
	old, err := notebook.Read(path)
	if err != nil || old.Cells[0].Source != "old" {
		t.Errorf("after a failed write: %v", err)
	}
	delete(nb.Cells[0].Metadata, "speed")
	nb.Cells[0].Source = "new"
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || runtime.GOOS != "windows" && info.Mode().Perm() != 0o640 {
		t.Errorf("permissions %v, %v", info.Mode(), err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("left behind: %v", files)
	}
	if err := nb.Write(filepath.Join(dir, "none", "a.ipynb")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("into a missing folder: %v", err)
	}
}

func TestWriteDoesNotChangeTheNotebook(t *testing.T) {
	nb := notebook.New()
	nb.Metadata["signature"] = "kept in memory"
	nb.Extra = map[string]any{"top": "extra"}
	encode(t, nb)
	if nb.Metadata["signature"] == nil || len(nb.Extra) != 1 {
		t.Errorf("changed: %+v", nb)
	}
}

func ExampleDeriveID() {
	taken := map[string]bool{}
	fmt.Println(notebook.DeriveID(notebook.Code, "slow()", taken))
	fmt.Println(notebook.DeriveID(notebook.Code, "slow()", taken)) // the second of two equal cells
	// Output:
	// c65a8aef
	// 98bba3fa
}

func ExampleNotebook_Encode() {
	nb := notebook.New()
	nb.Cells = append(nb.Cells, &notebook.Cell{ID: "hello", Type: notebook.Markdown, Source: "# Threads\n\na < b"})
	nb.Encode(os.Stdout)
	// Output:
	// {
	//  "cells": [
	//   {
	//    "cell_type": "markdown",
	//    "id": "hello",
	//    "metadata": {},
	//    "source": [
	//     "# Threads\n",
	//     "\n",
	//     "a < b"
	//    ]
	//   }
	//  ],
	//  "metadata": {},
	//  "nbformat": 4,
	//  "nbformat_minor": 5
	// }
}

func ExampleNotebook_Validate() {
	nb := notebook.New()
	nb.Cells = []*notebook.Cell{{ID: "a", Type: notebook.Raw}, {ID: "a", Type: notebook.Raw}, {ID: "ä", Type: "prose"}}
	fmt.Println(nb.Validate())
	// Output:
	// cell 2 (id "a"): the id is already that of cell 1; give one of them another
	// cell 3 (id "ä"): the id must be 1 to 64 letters, digits, - and _
	// cell 3 (id "ä"): unknown cell type "prose"
}

func FuzzDecode(f *testing.F) {
	every, err := os.ReadFile("testdata/every.ipynb")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(every)
	f.Add([]byte(wrap("")))
	f.Add([]byte(`{"nbformat":4,"nbformat_minor":0,"metadata":{},"cells":[{"cell_type":"raw","source":["a"]}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		nb, err := notebook.Decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		nb.Validate()
		once := encode(t, nb)
		if twice := encode(t, decode(t, once)); twice != once {
			t.Errorf("not stable:\n%s\n%s", once, twice)
		}
	})
}
