package lesson_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"manyhands/internal/lesson"
	"manyhands/internal/notebook"
	"manyhands/internal/testparts"
)

// opened is what Jupytext makes of a lesson.
type opened struct {
	Notebook json.RawMessage // the lesson as a notebook
	Saved    string          // and as Markdown again, as JupyterLab saves it
}

// jupytext opens the lessons in Jupytext and saves them again.
func jupytext(t *testing.T, lessons []string) []opened {
	t.Helper()
	const program = `
import json, sys, jupytext, nbformat.v4
def opened(text):
    nb = jupytext.reads(text, "md")
    return {"Notebook": json.loads(nbformat.v4.writes(nb)), "Saved": jupytext.writes(nb, "md")}
print(json.dumps([opened(text) for text in json.load(open(sys.argv[1]))]))
`
	path := filepath.Join(t.TempDir(), "lessons.json")
	data, err := json.Marshal(lessons)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), testparts.Python(t), "-W", "ignore", "-c", program, path)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &stderr)
	}
	var all []opened
	if err := json.Unmarshal(out, &all); err != nil {
		t.Fatal(err)
	}
	return all
}

// A view of a cell that both sides have.
type view struct {
	Type     notebook.CellType
	Source   string
	Metadata map[string]any
}

func ours(l *lesson.Lesson) []view {
	var all []view
	for i, c := range l.Notebook().Cells {
		all = append(all, view{c.Type, l.Cells[i].Source, plain(c.Metadata)}) // before links are turned
	}
	return all
}

// theirs leaves out what only Jupytext has: the front matter as a first raw cell, the id among the metadata, and how
// many blank lines stand between two cells.
func theirs(t *testing.T, data []byte) []view {
	t.Helper()
	nb, err := notebook.Decode(strings.NewReader(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	var all []view
	for _, c := range nb.Cells[1:] {
		delete(c.Metadata, "id")
		delete(c.Metadata, "lines_to_next_cell")
		all = append(all, view{c.Type, c.Source, plain(c.Metadata)})
	}
	return all
}

// plain returns the metadata as decoded JSON.
func plain(metadata map[string]any) map[string]any {
	data, _ := json.Marshal(metadata)
	var m map[string]any
	json.Unmarshal(data, &m)
	return m
}

// compare checks that Jupytext shows the cells that we build. It returns the lessons as Jupytext saves them.
func compare(t *testing.T, lessons map[string]string) map[string]string {
	t.Helper()
	saved := map[string]string{}
	names := slices.Sorted(maps.Keys(lessons))
	var sources []string
	for _, name := range names {
		sources = append(sources, lessons[name])
	}
	for i, jupytext := range jupytext(t, sources) {
		l, err := lesson.Parse(names[i], []byte(sources[i]))
		if err != nil {
			t.Error(err)
			continue
		}
		if mine, other := ours(l), theirs(t, jupytext.Notebook); !reflect.DeepEqual(mine, other) {
			t.Errorf("%s: %s", names[i], difference(mine, other))
		}
		saved[names[i]] = jupytext.Saved
	}
	return saved
}

// difference tells the first cells that are not the same.
func difference(a, b []view) string {
	for i := range max(len(a), len(b)) {
		x, y := fmt.Sprintf("%q", a[min(i, len(a)):min(i+1, len(a))]), fmt.Sprintf("%q", b[min(i, len(b)):min(i+1, len(b))])
		if x != y {
			return fmt.Sprintf("cell %d is\n%s\nhere and\n%s\nthere", i+1, x, y)
		}
	}
	return "all cells are the same"
}

func TestJupytextShowsTheSameLessons(t *testing.T) {
	lessons := map[string]string{}
	for _, pattern := range []string{"testdata/*.md", "../../lessons/[0-9]*.md", "../../lessons/practicals/[0-9]*.md"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			lessons[path] = string(data)
		}
	}
	for name, text := range compare(t, lessons) {
		l, err := lesson.Parse(name, []byte(lessons[name]))
		if err != nil {
			t.Fatal(err)
		}
		again, err := lesson.Parse(name, []byte(text))
		if err != nil {
			t.Errorf("after Jupytext saved it: %v\n%s", err, text)
			continue
		}
		sameID := func(a, b lesson.Cell) bool { return a.ID == b.ID }
		if !reflect.DeepEqual(ours(l), ours(again)) || !slices.EqualFunc(l.Cells, again.Cells, sameID) {
			t.Errorf("%s changed when Jupytext saved it, in its ids or so: %s", name, difference(ours(l), ours(again)))
		}
	}
}

// Lessons of lines drawn at random, so that every decision of the parser meets every other.
func TestJupytextCutsTheSameCells(t *testing.T) {
	lines := []string{
		"", "", "", "", "text", "# Title", "- item", "    indented", "  ```go", "~~~", "```", "```", "```", "```text", "```{note}",
		"```go", "```go", "%%%%script python3", "```go id=\"%d\"", "```go {\"points\": 1}", "```go tags=[\"python\", \"slide\"] a=\"= b\" c={\"d\": [1, null]}",
		"```python .noeval", "````go", "````", "```bash", "```script magic_args=\"python3\"", "%%test", " ", "<!-- a -->",
		"<!-- #region -->", "<!-- #endregion -->", "<!-- #region A b tags=[\"hint\"] -->", "<!-- #md -->", "<!-- #endmd -->", "<!--#raw a=1-->", "<!-- #endraw -->",
	}
	rng := rand.New(rand.NewPCG(1, 2))
	lessons := map[string]string{}
	for n := 0; len(lessons) < 150; n++ {
		var b strings.Builder
		b.WriteString(header)
		for i := range 1 + rng.IntN(25) {
			line := lines[rng.IntN(len(lines))]
			if strings.Contains(line, "%") {
				line = fmt.Sprintf(line, i)
			}
			b.WriteString(strings.TrimSuffix(line, "%!(EXTRA int="+fmt.Sprint(i)+")") + "\n")
		}
		source := strings.TrimRight(b.String(), " \n") + "\n"
		if _, err := lesson.Parse("random.md", []byte(source)); err == nil {
			lessons[fmt.Sprint("random lesson ", n)] = source
		}
	}
	compare(t, lessons)
}
