package practical_test

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"manyhands/internal/course"
	"manyhands/internal/notebook"
	"manyhands/internal/practical"
)

// all reads the course's practicals.
func all(t testing.TB) []*practical.Practical {
	t.Helper()
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	practicals, err := practical.All(c)
	if err != nil {
		t.Fatal(err)
	}
	return practicals
}

// encoded returns the bytes of a notebook's file.
func encoded(t *testing.T, nb *notebook.Notebook) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := nb.Encode(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// TestNothingLeaks looks for what students must not get in what they get: every
// line of solutions, answers, hidden checks and wrong solutions that is not also
// public, in sources, outputs and metadata alike.
func TestNothingLeaks(t *testing.T) {
	for _, p := range all(t) {
		nb := p.Release()
		file := string(encoded(t, nb))
		for _, mark := range []string{"BEGIN SOLUTION", "STARTER", "END SOLUTION", "HIDDEN", `"part"`, `"loses"`, `"why"`} {
			if strings.Contains(file, mark) {
				t.Errorf("%s: the notebook holds %s", p.Name, mark)
			}
		}
		var public strings.Builder // what students may see, hints that quote a line among it
		for _, c := range p.Cells {
			switch practical.PartOf(c) {
			case "", practical.Given, practical.Hint, practical.Check:
				public.WriteString(c.Source + "\n")
			}
		}
		for _, q := range p.Questions {
			public.WriteString(q.Starter() + "\n")
		}
		for _, c := range nb.Cells {
			if len(c.Outputs) > 0 {
				t.Errorf("%s: the cell %s has outputs", p.Name, c.ID)
			}
		}
		secrets := 0
		for _, c := range p.Cells {
			switch practical.PartOf(c) {
			case practical.Solution, practical.Answer, practical.Hidden, practical.Wrong:
			default:
				continue
			}
			for line := range strings.Lines(c.Source) {
				line = strings.TrimSpace(line)
				if len(line) < 12 || strings.HasPrefix(line, "//") || strings.Contains(public.String(), line) {
					continue
				}
				secrets++
				quoted, err := json.Marshal(line)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(file, strings.Trim(string(quoted), `"`)) {
					t.Errorf("%s: line %d and what follows: students get %q", p.Path, c.Line, line)
				}
			}
		}
		if secrets < 2*len(p.Questions) { // or this test has looked for nothing
			t.Errorf("%s: only %d lines of solutions, hidden checks and wrong solutions are not public", p.Path, secrets)
		}
	}
}

// TestReleasedNotebooks holds what is committed against its source.
func TestReleasedNotebooks(t *testing.T) {
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	practicals := all(t)
	for _, p := range practicals {
		nb := p.Release()
		if err := nb.Validate(); err != nil {
			t.Errorf("%s: %v", p.Name, err)
		}
		have, err := os.ReadFile(c.Path("notebooks", "practicals", p.Name+".ipynb"))
		if err != nil {
			t.Error(err)
			continue
		}
		if !bytes.Equal(have, encoded(t, nb)) {
			t.Errorf("notebooks/practicals/%s.ipynb is not what its source says: go run . release", p.Name)
		}
	}
	if files, _ := filepath.Glob(c.Path("notebooks", "practicals", "*.ipynb")); len(files) != len(practicals) {
		t.Errorf("%d notebooks of %d practicals", len(files), len(practicals))
	}
}

// TestEveryQuestionIsProven demands of each practical what the guide for authors
// does.
func TestEveryQuestionIsProven(t *testing.T) {
	for _, p := range all(t) {
		if n := len(p.Questions); n < 5 || n > 8 {
			t.Errorf("%s has %d questions; a practical has five to eight", p.Path, n)
		}
		for _, q := range p.Questions {
			if q.Written {
				continue
			}
			if len(q.Wrong) < 4 {
				t.Errorf("%s:%d: question %s has %d wrong solutions; add some, one mistake each, until there are four", p.Path, q.Cell.Line, q.ID, len(q.Wrong))
			}
			if len(q.Hints) < 2 {
				t.Errorf("%s:%d: question %s has %d hints; it needs two or three, one step each", p.Path, q.Cell.Line, q.ID, len(q.Hints))
			}
			for _, c := range q.Criteria {
				lost := 0
				for _, w := range q.Wrong {
					for _, name := range w.Loses {
						if name == c.Name {
							lost++
						}
					}
				}
				if lost == 0 {
					t.Errorf("%s:%d: no wrong solution proves criterion %q of question %s: add one that loses it", p.Path, q.Cell.Line, c.Name, q.ID)
				}
			}
		}
	}
}

// TestNeeds has a practical that builds on a lesson which is not there.
func TestNeeds(t *testing.T) {
	c := &course.Course{Root: filepath.Join(t.TempDir(), "[class] room")}
	dir := c.Path("lessons", "practicals")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(head, "minutes", "needs: [02-thread]\nminutes", 1) + question + check
	for path, text := range map[string]string{filepath.Join(dir, "9-add.md"): text, c.Path("lessons", "02-threads.md"): ""} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := practical.All(c); err == nil || !strings.Contains(err.Error(), `9-add.md:3: needs: no lesson "02-thread"`) {
		t.Errorf("error %v, want one that names the file and the lesson", err)
	}
}

// TestNames has a practical whose file has no number, which must not be passed over.
func TestNames(t *testing.T) {
	c := &course.Course{Root: filepath.Join(t.TempDir(), "[class] room")}
	dir := c.Path("lessons", "practicals")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"README.md": "# How to write one", "9-add.md": head + question + check, "queues.md": head} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	_, err := practical.All(c)
	if err == nil || !strings.Contains(err.Error(), "queues.md: a practical's file is named N-name.md") || strings.Contains(err.Error(), "README") {
		t.Errorf("error %v, want one that says how to name queues.md", err)
	}
}

// TestClassIsVaried has a class of thirty: every file is another, the notebooks
// among them are for the grader to open, and some are none.
func TestClassIsVaried(t *testing.T) {
	p := all(t)[0]
	files, broken := map[string]bool{}, 0
	for i := range 30 {
		data, err := p.HandedIn(i)
		if err != nil {
			t.Fatal(err)
		}
		files[string(data)] = true
		nb, err := notebook.Decode(bytes.NewReader(data))
		if err != nil {
			broken++
			continue
		}
		var again bytes.Buffer
		if err := nb.Encode(&again); err != nil || !bytes.Equal(again.Bytes(), data) {
			t.Errorf("student %d: the notebook is not as it was written: %v", i, err)
		}
	}
	if len(files) != 30 || broken != 2 {
		t.Errorf("%d different files, of which %d are broken; want 30 and 2", len(files), broken)
	}
}

const head = "---\ntitle: Pools\nminutes: 5\n---\n\n"

const question = "## 1. Add\n\n```go part=\"solution\" id=\"add\"\nfunc Add(a, b int) int {\n\t// BEGIN SOLUTION\n\treturn a + b\n" +
	"\t// STARTER\n\t// // Your code here.\n\t// return 0\n\t// END SOLUTION\n}\n```\n\n"

const check = "```go part=\"check\" id=\"add-check\"\n%test\nfunc TestAdd(t *testing.T) {\n\tq := practical.Check(t)\n" +
	"\tq.Criterion(\"sum\", 2, \"it adds\", func(t *practical.T) {})\n}\n```\n\n"

func read(t *testing.T, text string) (*practical.Practical, error) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "9-add.md")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return practical.Read(path)
}

func TestRead(t *testing.T) {
	p, err := read(t, head+question+check)
	if err != nil {
		t.Fatal(err)
	}
	q := p.Questions[0]
	if q.Title != "1. Add" || q.Points != 2 || len(q.Criteria) != 1 || q.Criteria[0].What != "it adds" {
		t.Errorf("read %+v", q)
	}
	if want := "func Add(a, b int) int {\n\t// Your code here.\n\treturn 0\n}"; q.Starter() != want {
		t.Errorf("the starter is\n%s\nwant\n%s", q.Starter(), want)
	}
	if want := "func Add(a, b int) int {\n\treturn a + b\n}"; q.Solved() != want {
		t.Errorf("the solution is\n%s\nwant\n%s", q.Solved(), want)
	}
}

func TestMistakesAreNamed(t *testing.T) {
	wrong := func(attributes string) string {
		return "```go part=\"wrong\" " + attributes + "\nfunc Add(a, b int) int { return 0 }\n```\n\n"
	}
	for name, test := range map[string]struct{ text, want string }{
		"unknown part":          {question + check + "```go part=\"starter\"\n```\n", `9-add.md:28: unknown part "starter"`},
		"no question":           {"Only text.\n", "needs questions"},
		"a hint too early":      {"<!-- #region part=\"hint\" -->\nThink.\n<!-- #endregion -->\n\n" + question + check, "a hint before the first solution"},
		"no check":              {question, "has no check that students see"},
		"no marks":              {strings.ReplaceAll(question, "// BEGIN SOLUTION", "//") + check, "must follow each other"},
		"nothing to cut":        {"```go part=\"solution\"\nfunc Add() {}\n```\n" + check, "nothing is marked"},
		"no end":                {strings.ReplaceAll(question, "\t// END SOLUTION\n}", "\t//") + check, "has no end"},
		"starter is no comment": {strings.ReplaceAll(question, "// return 0", "return 0") + check, "must be comments"},
		"check without %test":   {question + strings.ReplaceAll(check, "%test", ""), "starts with a line %test"},
		"check that is no Go":   {question + strings.ReplaceAll(check, "func TestAdd", "fun TestAdd"), "is not Go"},
		"computed points":       {question + strings.ReplaceAll(check, "2, ", "1+1, "), "must be literals"},
		"the same name twice":   {question + check + strings.ReplaceAll(strings.ReplaceAll(check, "TestAdd", "TestMore"), "add-check", "more"), `are called "sum"`},
		"wrong without reason":  {question + check + wrong(`loses=["sum"]`), "says why it is wrong"},
		"loses what is not":     {question + check + wrong(`why="zero" loses=["product"]`), `there is no criterion "product"`},
		"loses is no list":      {question + check + wrong(`why="zero" loses="sum"`), "must be a list of texts"},
		"answer without points": {"<!-- #region part=\"answer\" id=\"why\" -->\nBecause.\n<!-- #endregion -->\n", "how many points"},
		"code as a hint":        {question + check + "```go part=\"hint\"\nx\n```\n", "must be a markdown cell"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := read(t, head+test.text)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
		})
	}
}
