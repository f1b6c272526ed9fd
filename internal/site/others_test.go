package site_test

import (
	"bytes"
	"encoding/base64"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"golang.org/x/net/html/atom"

	"manyhands/internal/course"
	"manyhands/internal/echarts"
	"manyhands/internal/notebook"
	"manyhands/internal/site"
	"manyhands/internal/testparts"
)

// nbconvert renders notebooks into a folder.
func nbconvert(t testing.TB, python, to, dir string, notebooks ...string) {
	t.Helper()
	command := exec.CommandContext(t.Context(), python, append([]string{"-m", "nbconvert", "--log-level=ERROR", "--to=" + to, "--output-dir=" + dir}, notebooks...)...)
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("nbconvert: %v\n%s", err, out)
	}
}

// Readers who have nbconvert, nbviewer or GitHub instead of our pages see the
// lesson too: charts as pictures that need no script, Go coloured as Go.
func TestOthersRenderOurNotebooks(t *testing.T) {
	python := testparts.Python(t)
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	file := c.Path("notebooks", "02-threads.ipynb")
	nb, err := notebook.Read(file)
	if err != nil {
		t.Fatal(err)
	}
	charts := 0
	for _, cell := range nb.Cells {
		for _, o := range cell.Outputs {
			if _, ok := o.Data[echarts.MIME]; ok {
				charts++
			}
		}
	}
	goWord := regexp.MustCompile(`<span class="k[a-z]*">func</span>`)
	for to, name := range map[string]string{"html": "02-threads.html", "slides": "02-threads.slides.html"} {
		t.Run(to, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			nbconvert(t, python, to, dir, file)
			page := readFile(t, dir, name)
			pictures := 0
			for _, n := range parse(t, page) {
				data, ok := strings.CutPrefix(attr(n, "src"), "data:image/svg+xml;base64,")
				if n.DataAtom != atom.Img || !ok {
					continue
				}
				svg, err := base64.StdEncoding.DecodeString(data)
				if err != nil || !bytes.Contains(svg, []byte("<svg")) || attr(n, "alt") == "" {
					t.Errorf("a picture that is none, or has no words: %v", err)
				}
				pictures++
			}
			if charts == 0 || pictures != charts {
				t.Errorf("%d pictures of %d charts", pictures, charts)
			}
			if !goWord.MatchString(page) {
				t.Error("Go is not coloured as Go")
			}
		})
	}
}

// The other way round: notebooks of any origin, in a folder of their own.
func TestNotebooksFromElsewhere(t *testing.T) {
	from := t.TempDir()
	nb := notebookOf("# Mine\n\n[x](other.ipynb) [y](../secret.txt) [z](a%23b%3F.ipynb) [j](./javascript:alert(1);a.ipynb)")
	nb.Metadata["kernelspec"] = map[string]any{"name": "ir", "display_name": "R", "language": "R"}
	cells := codeCell("x <- c(1, 2)", nil, stream("stdout", strings.Repeat("a line of fifty characters, again and again and on\n", 1<<20)),
		notebook.Output{Type: notebook.DisplayData, Data: map[string]any{"text/html": strings.Repeat("<p>x</p>", 1<<20), "text/plain": "too much HTML"}},
		notebook.Output{Type: notebook.DisplayData, Data: map[string]any{"application/vnd.jupyter.widget-view+json": map[string]any{"model_id": "x"}, "text/plain": "IntSlider(value=3)"}})
	nb.Cells = append(nb.Cells, cells.Cells...)
	for _, name := range []string{"Über Übung 1.ipynb", "other.ipynb", "a#b?.ipynb", "javascript:alert(1);a.ipynb"} {
		var file bytes.Buffer
		if err := nb.Encode(&file); err != nil {
			t.Fatal(err)
		}
		writeFile(t, filepath.Join(from, name), file.String())
		nb = notebookOf("# Other")
	}
	writeFile(t, filepath.Join(from, "..", "secret.txt"), "secret")
	writeFile(t, filepath.Join(from, "..", "solutions.ipynb"), "{}")
	if err := errors.Join(os.Symlink("../solutions.ipynb", filepath.Join(from, "link.ipynb")), os.Mkdir(filepath.Join(from, "folder.ipynb"), 0o755)); err != nil {
		t.Fatal(err)
	}
	c := sampleCourse(t)
	out := render(t, c, site.Options{From: from, Untrusted: true})
	page := readFile(t, out, "Über Übung 1.html")
	checkPage(t, "elsewhere", page)
	if len(page) > 200<<10 {
		t.Errorf("50 MB of output make a page of %d kB", len(page)>>10)
	}
	for _, want := range []string{`<span class="label">R</span>`, "50.9 MB more of this output is in the notebook", "too much HTML", "IntSlider(value=3)", `href="other.html"`, `href="a%23b%3F.html"`, `href="./javascript:alert%281%29;a.html"`} {
		if !strings.Contains(page, want) {
			t.Errorf("no %s", want)
		}
	}
	if strings.Contains(page, "02-threads") {
		t.Error("the course's lessons are listed")
	}
	if odd := readFile(t, out, "a#b?.html"); !strings.Contains(odd, `href="notebooks/a%23b%3F.ipynb"`) {
		t.Error("the notebook a#b? is not linked")
	}
	for _, name := range []string{"link", "folder"} {
		if _, err := os.Stat(filepath.Join(out, name+".html")); err == nil {
			t.Errorf("there is a page of the %s", name)
		}
	}
	wantError(t, site.Render(t.Context(), c, t.TempDir(), site.Options{From: from}), "untrusted")
	wantError(t, site.Render(t.Context(), c, t.TempDir(), site.Options{From: t.TempDir(), Untrusted: true}), "no notebooks", ".ipynb")
	writeFile(t, filepath.Join(from, "broken.ipynb"), `{"cells": 3}`)
	wantError(t, site.Render(t.Context(), c, t.TempDir(), site.Options{From: from, Untrusted: true}), "broken.ipynb")
	if _, err := os.Stat(filepath.Join(out, "broken.html")); err == nil {
		t.Error("it was rendered")
	}
	writeFile(t, filepath.Join(from, "broken.ipynb"), `{"cells": [], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}`)
	writeFile(t, filepath.Join(from, "index.ipynb"), `{}`)
	wantError(t, site.Render(t.Context(), c, t.TempDir(), site.Options{From: from, Untrusted: true}), "index.ipynb", "rename")
}

// A student's folder has practicals only.
func TestOnlyPracticals(t *testing.T) {
	from := filepath.Join(t.TempDir(), "practicals")
	var file bytes.Buffer
	if err := errors.Join(os.Mkdir(from, 0o755), notebookOf("# Practical 1: pools").Encode(&file)); err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(from, "1-pools.ipynb"), file.String())
	out := render(t, sampleCourse(t), site.Options{From: from, Untrusted: true})
	if !strings.Contains(readFile(t, out, "index.html"), `href="1-pools.html"`) {
		t.Error("the front page does not lead to the practical")
	}
}
