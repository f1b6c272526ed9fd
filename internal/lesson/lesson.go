// Package lesson reads the course's lessons: Jupytext Markdown with a YAML front matter.
//
// It exists so that a lesson has one source that is a pleasure to write, review and diff, that JupyterLab opens as a
// notebook by Jupytext, and that the course builds without Python. A lesson looks like this:
//
//	---
//	title: Threads
//	minutes: 45
//	needs: [01-why]
//	jupyter:
//	  kernelspec: {name: gonb, display_name: Go (gonb), language: go}
//	---
//
//	# Threads
//
//	Text up to the next code cell is one Markdown cell; two blank lines start another.
//
//	```go id="in-a-row" tags=["slide"]
//	%%
//	slow()
//	```
//
//	```go tags=["python"]
//	%%script python3
//	slow()
//	```
//
//	<!-- #region tags=["hint"] -->
//	A Markdown cell with tags.
//	<!-- #endregion -->
//
// Cells are cut exactly as Jupytext 1.19 cuts them (https://jupytext.readthedocs.io/en/latest/formats-markdown.html),
// with these rules:
//
//   - A ```go fence is a code cell. The attributes behind the language are name=JSON: id is the cell's id, tags its tags
//     (see [Tags]), any other name its metadata.
//   - Python stands in a ```go fence whose first line is the magic %%script python3. When Jupytext saves the lesson it
//     writes that cell as ```script magic_args="python3", without the magic; both read as the same cell. ```bash and
//     ```sh fences are code cells with the magics %%bash and %%sh.
//   - A fence of another language that Jupytext runs (```python, ```js) is refused: GoNB has no magic for it.
//     ```python .noeval shows code without running it; a fence of no such language (```text, ```json) is prose.
//     Jupytext does not know ~~~ fences: their lines are text like any other.
//   - <!-- #region --> … <!-- #endregion --> makes one Markdown cell, <!-- #raw --> … <!-- #endraw --> one raw cell.
//
// The front matter, which Jupytext shows as a first raw cell, becomes the notebook's metadata.
package lesson

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"manyhands/internal/notebook"
)

// Lesson is a lesson as its author wrote it.
type Lesson struct {
	Path      string   // as given to [Read]
	Name      string   // the file's name without .md: "02-threads"
	Title     string   // never empty
	Minutes   int      // of class time, at least 1
	Needs     []string // what the front matter says a reader should have read before
	needsLine int      // of the front matter
	Exclusive bool     // it measures time, so nothing else may run beside it
	Cells     []Cell   // at least one
}

// Cell is one cell of a lesson.
type Cell struct {
	Type     notebook.CellType
	ID       string // as the author chose, else made from the contents; unique
	Source   string
	Tags     []string       // of [Tags]
	Metadata map[string]any // the attributes that are neither id nor tags; numbers are [encoding/json.Number]
	Line     int            // line of the source's first line in the file, from 1
}

// Error is one mistake in a lesson's file.
type Error struct {
	Path string
	Line int    // from 1
	Text string // what is wrong; what to do
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.Path, e.Line, e.Text) }

// CheckNeeds looks for all that the lesson needs. What find does not find comes back as values of [*Error] joined with
// [errors.Join].
func (l *Lesson) CheckNeeds(find func(name string) (path string, err error)) error {
	var errs []error
	for _, name := range l.Needs {
		if _, err := find(name); err != nil {
			errs = append(errs, &Error{Path: l.Path, Line: l.needsLine, Text: "needs: " + err.Error()})
		}
	}
	return errors.Join(errs...)
}

// Read reads the lesson in the file path. The error holds every mistake that was found, as values of [*Error] joined
// by [errors.Join].
func Read(path string) (*Lesson, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("no such lesson: %w", err)
		}
		return nil, fmt.Errorf("reading a lesson: %w", err)
	}
	return Parse(path, source)
}

// Parse reads a lesson from memory; path names it in errors and gives it its name.
func Parse(path string, source []byte) (*Lesson, error) {
	p := parser{lesson: &Lesson{Path: path, Name: strings.TrimSuffix(filepath.Base(path), ".md")}}
	p.parse(source)
	if len(p.errs) > 0 {
		return nil, p.joined()
	}
	return p.lesson, nil
}

// Notebook returns the lesson as a notebook that has not been executed, for the GoNB kernel.
func (l *Lesson) Notebook() *notebook.Notebook {
	nb := notebook.New()
	nb.Metadata = map[string]any{
		"title":      l.Title,
		"kernelspec": map[string]any{"name": kernelName, "display_name": "Go (gonb)", "language": "go"},
		"language_info": map[string]any{
			"name":               "go",
			"file_extension":     ".go",
			"mimetype":           "text/x-go",
			"codemirror_mode":    "",
			"pygments_lexer":     "go", // without it nbconvert colours Go as Python
			"nbconvert_exporter": "",
		},
		"manyhands": map[string]any{"lesson": l.Name, "minutes": l.Minutes, "needs": append([]string{}, l.Needs...)},
	}
	for _, c := range l.Cells {
		nb.Cells = append(nb.Cells, &notebook.Cell{ID: c.ID, Type: c.Type, Source: c.inNotebook(), Metadata: c.metadata()})
	}
	return nb
}

// toLesson finds the links to other lessons.
var toLesson = regexp.MustCompile(`(\]\((?:\.\./)?\d\d-[a-z0-9-]+)\.md([#)])`)

// inNotebook returns the source of the cell in a notebook. There, links to other lessons lead to their notebooks, as
// JupyterLab opens a link beside the notebook that has it, where no Markdown is.
func (c *Cell) inNotebook() string {
	if c.Type != notebook.Markdown {
		return c.Source
	}
	return toLesson.ReplaceAllString(c.Source, "$1.ipynb$2")
}

// metadata returns the metadata of the cell in a notebook.
func (c *Cell) metadata() map[string]any {
	m := map[string]any{}
	maps.Copy(m, c.Metadata)
	if len(c.Tags) > 0 {
		m["tags"] = c.Tags
	}
	return m
}
