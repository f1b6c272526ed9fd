package site_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"manyhands/helpers/measure"
	"manyhands/internal/benchtest"
	"manyhands/internal/course"
	"manyhands/internal/notebook"
	"manyhands/internal/site"
	"manyhands/internal/testparts"
)

var links = regexp.MustCompile(`\[([^]]+)\]\(\d\d-[^)]*\)`)

// BenchmarkGrowth renders folders of more and more lessons with charts from
// scratch: the time for a page must stay, and memory must not grow with them.
func BenchmarkGrowth(b *testing.B) {
	notebooks, err := sample()
	if err != nil {
		b.Fatal(err)
	}
	lesson := notebooks["02-threads"]
	// A folder of copies has none of the lessons that it links to.
	for _, cell := range lesson.Cells {
		if cell.Type == notebook.Markdown {
			cell.Source = links.ReplaceAllString(cell.Source, "$1")
		}
	}
	var file bytes.Buffer
	if err := lesson.Encode(&file); err != nil {
		b.Fatal(err)
	}
	benchtest.Growth{Title: "a site of so many lessons", Sizes: []int{1, 5, 20, 50, 100, 200, 1000}}.Measure(b, func(n int) func() error {
		c, out := newCourse(b, nil), filepath.Join(b.TempDir(), "site")
		for i := range n {
			writeFile(b, c.Path("notebooks", fmt.Sprintf("%02d-copy%d.ipynb", i%100, i)), file.String())
		}
		return func() error {
			return errors.Join(os.RemoveAll(out), site.Render(b.Context(), c, out, site.Options{}))
		}
	})
}

// BenchmarkCourse renders the course's own notebooks, as nbconvert does and as
// we do, in one run: ours has to be 15 times as fast.
func BenchmarkCourse(b *testing.B) {
	c, err := course.Find()
	if err != nil {
		b.Fatal(err)
	}
	notebooks, err := c.Notebooks()
	if err != nil {
		b.Fatal(err)
	}
	python, here := testparts.Python(b), b.TempDir()
	benchtest.Figure{Title: "the course's notebooks as pages", Plan: measure.Plan{Repeats: 6, Budget: 5 * time.Minute},
		Must: map[string]float64{"nbconvert": 15}}.Compare(b,
		measure.Case("go run . site", func() error {
			out := filepath.Join(here, "site")
			return errors.Join(os.RemoveAll(out), site.Render(b.Context(), c, out, site.Options{}))
		}),
		measure.Case("nbconvert", func() { nbconvert(b, python, "html", filepath.Join(here, "theirs"), notebooks...) }))
}

// BenchmarkEdit takes the time from an edit under --serve until the browser of
// a reader has the new page: at most 300 ms of it may be ours.
func BenchmarkEdit(b *testing.B) {
	original, err := course.Find()
	if err != nil {
		b.Fatal(err)
	}
	c := &course.Course{Root: b.TempDir()}
	for _, folder := range []string{"lessons", "notebooks", "helpers"} { // what the notebooks are made of and lead to
		if err := os.CopyFS(c.Path(folder), os.DirFS(original.Path(folder))); err != nil {
			b.Fatal(err)
		}
	}
	file := c.Path("notebooks", "02-threads.ipynb")
	nb, err := notebook.Read(file)
	if err != nil {
		b.Fatal(err)
	}
	dir := filepath.Join(b.TempDir(), "site")
	opt := site.Options{Cache: new(site.Cache)}
	if err := site.Render(b.Context(), c, dir, opt); err != nil {
		b.Fatal(err)
	}
	url := serve(b, dir, site.ServeOptions{Watch: []string{c.Path("notebooks"), c.Path("lessons")}, Changed: func(ctx context.Context) {
		if err := site.Render(ctx, c, dir, opt); err != nil {
			b.Error(err)
		}
	}})
	r, err := http.Get(url + ".news")
	if err != nil {
		b.Fatal(err)
	}
	defer r.Body.Close()
	news := bufio.NewScanner(r.Body)
	news.Scan()
	edits := 0
	for b.Loop() {
		edits++
		nb.Cells[1].Source = fmt.Sprintf("edited%d", edits)
		if err := nb.Write(file); err != nil {
			b.Fatal(err)
		}
		for news.Scan() && news.Text() != "event: rendered" {
		}
		if _, page := get(b, url+"02-threads.html"); !strings.Contains(page, nb.Cells[1].Source) {
			b.Fatal("the page is not the edited one")
		}
	}
}
