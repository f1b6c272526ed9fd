package grade_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"manyhands/internal/grade"
	"manyhands/internal/notebook"
	"manyhands/internal/practical"
)

// classroom writes submissions, most of them broken, and returns their folder.
func classroom(t *testing.T, p *practical.Practical) string {
	t.Helper()
	dir := t.TempDir()
	handIn := func(path string, change func(nb *notebook.Notebook)) {
		nb := p.Release()
		cell(nb, "at-once").Source = right
		if change != nil {
			change(nb)
		}
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := nb.Write(path); err != nil {
			t.Fatal(err)
		}
	}
	put := func(path, text string) {
		if err := os.WriteFile(filepath.Join(dir, path), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	handIn("anna/deep/inside/answers.ipynb", func(nb *notebook.Notebook) {
		cell(nb, "explain-threads").Source = "=HYPERLINK(\"http://evil\")"
	})
	handIn("ben.ipynb", func(nb *notebook.Notebook) { // copied in JupyterLab: a new id, and nbgrader's twice
		c := *cell(nb, "at-once")
		c.ID, c.Source = "copy", "func AtOnce(int, func(int)) { panic(1) }"
		nb.Cells = append([]*notebook.Cell{&c}, nb.Cells...)
		nb.Metadata["kernelspec"] = map[string]any{"name": "python3", "display_name": "Python"}
	})
	handIn("carl.ipynb", func(nb *notebook.Notebook) { // deleted
		for i, c := range nb.Cells {
			if c.ID == "at-once" {
				nb.Cells = append(nb.Cells[:i], nb.Cells[i+1:]...)
				break
			}
		}
	})
	handIn("dora.ipynb", func(nb *notebook.Notebook) {
		cell(nb, "at-once-check").Source = "%test\nfunc TestAtOnce(t *testing.T) {}"
		c := cell(nb, "at-once")
		c.ID, c.Metadata = "lost", nil
	})
	handIn("emil/1-threads-and-pools.ipynb", nil)
	handIn("emil/Untitled.ipynb", func(nb *notebook.Notebook) { // JupyterLab's New
		nb.Metadata, nb.Cells = map[string]any{}, nil
	})
	handIn("fritz/first try.ipynb", func(nb *notebook.Notebook) { cell(nb, "at-once").Source = "func AtOnce(int, func(int)) {}" })
	handIn("fritz/second try.ipynb", nil)
	handIn("=1+1.ipynb", nil)
	put("empty.ipynb", "")
	put("text.ipynb", "I could not do it, sorry.")
	put("list.ipynb", "[1, 2, 3]")
	put("readme.txt", "not a submission")
	if err := os.MkdirAll(filepath.Join(dir, "nobody"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "nobody", "link.ipynb")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func cell(nb *notebook.Notebook, id string) *notebook.Cell {
	for _, c := range nb.Cells {
		if c.ID == id {
			return c
		}
	}
	return nil
}

// rows reads a table as student -> column -> text.
func rows(t *testing.T, path string) map[string]map[string]string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	all, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	table := map[string]map[string]string{}
	for _, row := range all[1:] {
		table[row[0]] = map[string]string{}
		for i, name := range all[0] {
			table[row[0]][name] = row[i]
		}
	}
	return table
}

func TestClass(t *testing.T) {
	t.Parallel()
	g := first(t, grade.Options{Seeds: []uint64{1}})
	submissions, err := grade.Submissions(classroom(t, g.Practical))
	if err != nil {
		t.Fatal(err)
	}
	if name, err := grade.Which(submissions); err != nil || name != g.Practical.Name {
		t.Errorf("the practical is %q, %v", name, err)
	}
	out := t.TempDir()
	var said bytes.Buffer
	if err := g.Class(t.Context(), submissions, out, &said); err != nil {
		t.Fatal(err)
	}
	grades := rows(t, filepath.Join(out, "grades.csv"))
	for student, want := range map[string]struct{ points, remark string }{
		"anna":   {"4", "not marked yet"},
		"ben":    {"4", `the kernel "python3"`},
		"carl":   {"0", ""},
		"dora":   {"4", "has lost its id"},
		"emil":   {"4", ""},
		"fritz":  {"4", "several notebooks; graded is second try.ipynb"},
		"'=1+1":  {"4", ""},
		"empty":  {"0", "empty.ipynb is not a notebook"},
		"text":   {"0", "is not a notebook"},
		"list":   {"0", "is not a notebook"},
		"nobody": {"0", "there is no notebook of"},
	} {
		have := grades[student]
		if have["points"] != want.points || have["of"] != "38" || !strings.Contains(have["remarks"], want.remark) {
			t.Errorf("%s: %v, want %s points and %q", student, have, want.points, want.remark)
		}
	}
	if len(grades) != 11 {
		t.Errorf("%d students, want 11", len(grades))
	}
	for student, want := range map[string]string{"ben": "2 cells have the same id", "dora": "the check was changed"} {
		if !strings.Contains(grades[student]["remarks"], want) {
			t.Errorf("%s: %q is not in %q", student, want, grades[student]["remarks"])
		}
	}
	if canvas := rows(t, filepath.Join(out, "canvas.csv")); canvas["anna"][g.Practical.Title] != "4" || canvas["    Points Possible"][g.Practical.Title] != "38" {
		t.Errorf("for Canvas: %v", canvas)
	}
	if moodle := rows(t, filepath.Join(out, "moodle.csv")); moodle["anna"][g.Practical.Title] != "4" {
		t.Errorf("for Moodle: %v", moodle)
	}
	var results []grade.Result
	data, err := os.ReadFile(filepath.Join(out, "grades.json"))
	if err != nil || json.Unmarshal(data, &results) != nil || len(results) != 11 {
		t.Errorf("grades.json: %v, %d results", err, len(results))
	}
	page, err := os.ReadFile(filepath.Join(out, "feedback", "carl.html"))
	if err != nil || !strings.Contains(string(page), "its cell is gone") {
		t.Errorf("carl's page: %v\n%s", err, page)
	}

	// A written answer is a text, and marked in the table.
	written := filepath.Join(out, "written.csv")
	if answers := rows(t, written); !strings.HasPrefix(answers["anna"]["answer"], "'=HYPERLINK") {
		t.Errorf("to mark: %v", answers)
	}
	table, err := os.ReadFile(written)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(written, bytes.Replace(table, []byte("anna,explain-threads,,"), []byte("anna,explain-threads,2,"), 1), 0o644); err != nil {
		t.Fatal(err)
	}

	// Again: nobody is graded twice, and the mark counts.
	said.Reset()
	again := first(t, grade.Options{Seeds: []uint64{1}})
	if err := again.Class(t.Context(), submissions, out, &said); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(said.String(), "11 of 11 were graded before") {
		t.Errorf("the second run said\n%s", said.String())
	}
	now := rows(t, filepath.Join(out, "grades.csv"))
	if now["anna"]["points"] != "6" || now["anna"]["explain-threads"] != "2" {
		t.Errorf("with the mark, anna has %v", now["anna"])
	}
	delete(now, "anna")
	delete(grades, "anna")
	if !maps.EqualFunc(now, grades, maps.Equal[map[string]string, map[string]string]) {
		t.Errorf("the grades have changed from\n%v to\n%v", grades, now)
	}
}

// TestMarksAreKept grades into one folder one student of the class, who then changes
// her answer, and another practical: whatever was typed stays in the table, and counts
// for its own answer only.
func TestMarksAreKept(t *testing.T) {
	t.Parallel()
	g := first(t, grade.Options{})
	dir, out := t.TempDir(), t.TempDir()
	written := filepath.Join(out, "written.csv")
	handIn := func(student, answer string) string {
		nb := g.Practical.Release()
		cell(nb, "explain-threads").Source = answer
		path := filepath.Join(dir, student+".ipynb")
		if err := nb.Write(path); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := func(g *grade.Grader, path string) (said string, grades map[string]map[string]string) {
		t.Helper()
		submissions, err := grade.Submissions(path)
		if err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		if err := g.Class(t.Context(), submissions, out, &log); err != nil {
			t.Fatal(err)
		}
		return log.String(), rows(t, filepath.Join(out, "grades.csv"))
	}
	edit := func(old, text string) {
		t.Helper()
		table, err := os.ReadFile(written)
		if err != nil || !bytes.Contains(table, []byte(old)) {
			t.Fatalf("%q is not in the table: %v\n%s", old, err, table)
		}
		if err := os.WriteFile(written, bytes.Replace(table, []byte(old), []byte(text), 1), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	holds := func(when string, want ...string) {
		t.Helper()
		table, err := os.ReadFile(written)
		if err != nil {
			t.Fatal(err)
		}
		if have := strings.Split(strings.TrimSpace(string(table)), "\n")[1:]; !slices.Equal(have, want) {
			t.Errorf("%s the table holds\n%s\nwant\n%s", when, strings.Join(have, "\n"), strings.Join(want, "\n"))
		}
	}
	anna := handIn("anna", "They share memory.")
	handIn("0012345", "I do not know.")
	handIn("carl", "Ask me later.")
	run(g, dir)
	edit("anna,explain-threads,,", "anna,explain-threads,2,")
	edit("0012345,explain-threads,,", "12345,explain-threads,1,") // as a spreadsheet takes it for a number
	const lost, carl = "12345,explain-threads,1,3,I do not know.", "carl,explain-threads,,3,Ask me later."

	said, grades := run(g, anna)
	if grades["anna"]["explain-threads"] != "2" {
		t.Errorf("anna has %v, want her 2 points", grades["anna"])
	}
	if want := "keeps the rows of 2 who are not in this run, such as 12345"; !strings.Contains(said, want) {
		t.Errorf("it said\n%s\nand not %q", said, want)
	}
	holds("with anna alone", "anna,explain-threads,2,3,They share memory.", lost, carl)

	handIn("anna", "They share  memory,\nand nothing orders them.")
	_, grades = run(g, dir)
	if have := grades["anna"]; have["explain-threads"] != "" || !strings.Contains(have["remarks"], "has changed; its points were 2 before") {
		t.Errorf("with another answer anna has %v, want that it waits", have)
	}
	const former = "anna,explain-threads,2,3,They share memory."
	holds("with another answer", "0012345,explain-threads,,3,I do not know.", "anna,explain-threads,,3,\"They share  memory,", "and nothing orders them.\"",
		former, carl, lost)
	edit("anna,explain-threads,,", "anna,explain-threads,3,")
	_, grades = run(g, dir)
	if have := grades["anna"]; have["explain-threads"] != "3" || strings.Contains(have["remarks"], "before") {
		t.Errorf("marked anew, anna has %v, want 3 points", have)
	}

	handIn("anna", "They share\nmemory.")
	_, grades = run(g, dir)
	if grades["anna"]["explain-threads"] != "2" {
		t.Errorf("with her former answer anna has %v, want the 2 points that it had", grades["anna"])
	}

	second := grader(t, "2-races-and-locks", grade.Options{})
	nb := second.Practical.Release()
	if err := nb.Write(anna); err != nil {
		t.Fatal(err)
	}
	run(second, anna)
	holds("with another practical", "anna,explain-threads,2,3,\"They share", "memory.\"", "anna,explain-threads,3,3,\"They share  memory,", "and nothing orders them.\"",
		"0012345,explain-threads,,3,I do not know.", lost, carl)

	dora := handIn("dora", "") // on paper
	edit(lost, lost+"\ndora,explain-threads,1,3,")
	run(g, dora)
	if _, grades = run(g, dora); grades["dora"]["explain-threads"] != "1" {
		t.Errorf("with no answer but a mark dora has %v, want 1 point for good", grades["dora"])
	}
}

// TestMarksMeanwhile marks while the class is being graded.
func TestMarksMeanwhile(t *testing.T) {
	t.Parallel()
	g := first(t, grade.Options{})
	path, out := filepath.Join(t.TempDir(), "anna.ipynb"), t.TempDir()
	nb := g.Practical.Release()
	cell(nb, "explain-threads").Source = "They share memory."
	if err := nb.Write(path); err != nil {
		t.Fatal(err)
	}
	submissions := []grade.Submission{{Student: "anna", Files: []string{path}}}
	if err := g.Class(t.Context(), submissions, out, io.Discard); err != nil {
		t.Fatal(err)
	}
	marking := writing(func(line []byte) {
		if bytes.Contains(line, []byte("✓ grading")) {
			table := []byte("student,question,points,of,answer\nanna,explain-threads,2,3,They share memory.\n")
			if err := os.WriteFile(filepath.Join(out, "written.csv"), table, 0o644); err != nil {
				t.Error(err)
			}
		}
	})
	if err := g.Class(t.Context(), submissions, out, marking); err != nil {
		t.Fatal(err)
	}
	if grades := rows(t, filepath.Join(out, "grades.csv")); grades["anna"]["explain-threads"] != "2" {
		t.Errorf("anna has %v, want the 2 points", grades["anna"])
	}
	if written := rows(t, filepath.Join(out, "written.csv")); written["anna"]["points"] != "2" {
		t.Errorf("the table holds %v, want the 2 points", written["anna"])
	}
}

// writing is a writer that is told of each line.
type writing func(line []byte)

func (w writing) Write(line []byte) (int, error) {
	w(line)
	return len(line), nil
}

func TestStoppedClass(t *testing.T) {
	t.Parallel()
	g := first(t, grade.Options{Seeds: []uint64{1}})
	submissions, err := grade.Submissions(classroom(t, g.Practical))
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	stop()
	err = g.Class(ctx, submissions, out, &bytes.Buffer{})
	if !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "another run goes on") {
		t.Errorf("error %v, want that it was stopped and how to go on", err)
	}
	if _, err := os.Stat(filepath.Join(out, "grades.csv")); err == nil {
		t.Error("there are grades of a class that is not graded")
	}
}

func TestNoSubmissions(t *testing.T) {
	if _, err := grade.Submissions(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no submissions") {
		t.Errorf("error %v for an empty folder", err)
	}
	if _, err := grade.Submissions(filepath.Join(t.TempDir(), "missing")); err == nil {
		t.Error("no error for a folder that is not there")
	}
}

// TestTwoOfOneName has a folder and a notebook of one name, and another name that is
// sorted between them.
func TestTwoOfOneName(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"anna", "anna-maria"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "anna.ipynb"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if s, err := grade.Submissions(dir); err == nil || !strings.Contains(err.Error(), "both a folder and a notebook called anna;") {
		t.Errorf("found %v with error %v, want one that names anna", s, err)
	}
}

// TestEscaped shows a student's words on their page, and no more than words.
func TestEscaped(t *testing.T) {
	t.Parallel()
	g := first(t, grade.Options{Seeds: []uint64{1}})
	dir, out := t.TempDir(), t.TempDir()
	nb := g.Practical.Release()
	cell(nb, "explain-threads").Source = "<script>alert(1)</script>"
	cell(nb, "at-once").Source = "func AtOnce(n int, task func(i int)) { panic(\"<img src=x onerror=alert(1)>\") }"
	if err := nb.Write(filepath.Join(dir, "eve.ipynb")); err != nil {
		t.Fatal(err)
	}
	submissions, err := grade.Submissions(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.Class(t.Context(), submissions, out, &bytes.Buffer{}); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile(filepath.Join(out, "feedback", "eve.html"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(page, []byte("<script")) || bytes.Contains(page, []byte("<img")) {
		t.Error("a student's words are markup on their page")
	}
	for _, want := range []string{"&lt;script&gt;", "panic: &lt;img", "in AtOnce, line 1"} {
		if !bytes.Contains(page, []byte(want)) {
			t.Errorf("the page does not say %q", want)
		}
	}
	for _, secret := range []string{"TestAtOnceMore", "func(t *practical.T)"} {
		if bytes.Contains(page, []byte(secret)) {
			t.Errorf("the page shows %s", secret)
		}
	}
}
