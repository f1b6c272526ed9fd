// Package practical reads the practicals: lessons in which some cells are
// questions, with all that belongs to a question (starter, hints, checks,
// solution, known-wrong solutions) in the one file.
//
// It exists so that students, the checks and the grader see the same question:
// the student's notebook is cut from the file that the tests prove, and cannot
// drift from it. lessons/practicals/README.md tells authors how to write one.
package practical

import (
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"manyhands/internal/course"
	"manyhands/internal/lesson"
	"manyhands/internal/notebook"
)

// Part says what a cell of a practical is; it stands on the cell as the
// attribute part="…".
type Part string

// The parts of a practical. A cell without one is text, or code that everybody
// sees and nobody grades.
const (
	Given    Part = "given"    // code for the student's answers to use
	Solution Part = "solution" // starts a question: code with the starter marked in it
	Answer   Part = "answer"   // starts a question that is answered in words: the model answer
	Hint     Part = "hint"     // Markdown, folded; the next hint folds inside
	Check    Part = "check"    // a %test cell that students see
	Hidden   Part = "hidden"   // a %test cell that only the grader runs
	Wrong    Part = "wrong"    // a solution with a mistake that the checks must find
)

// A Practical is one file of lessons/practicals.
type Practical struct {
	*lesson.Lesson
	Questions []*Question // in order, at least one
	Given     []lesson.Cell
}

// A Question is what a student answers in one cell.
type Question struct {
	ID       string      // of its cell, in the source as in the student's notebook
	Title    string      // the heading above it
	Cell     lesson.Cell // with the solution
	Written  bool        // answered in words, marked by people
	Points   int
	Imports  []string // that an answer may use beside the usual ones
	Hints    []lesson.Cell
	Checks   []lesson.Cell // those that students see, then the hidden ones
	Tests    []string      // the Test functions of Checks, in order
	Criteria []Criterion   // none for a written one
	Wrong    []Mistake
}

// A Criterion is what some of a question's points are given for.
type Criterion struct {
	Test   string // the function that checks it, "TestPool"
	Name   string // unique in its test
	What   string // "your answer is right if …"
	Points int
	Hidden bool
	Speed  bool // compares times
}

// Key names a criterion within its question.
func (c Criterion) Key() string { return c.Test + "/" + c.Name }

// A Mistake is a known-wrong solution.
type Mistake struct {
	Cell  lesson.Cell
	Why   string   // what is wrong with it
	Loses []string // names of the criteria that it must not meet
}

// Read reads a practical. The error joins all mistakes found in it, each with
// its file and line.
func Read(path string) (*Practical, error) {
	l, err := lesson.Read(path)
	if err != nil {
		return nil, err
	}
	r := reader{p: &Practical{Lesson: l}}
	for i := range l.Cells {
		r.cell(&l.Cells[i])
	}
	if len(r.p.Questions) == 0 {
		r.fail(1, "a practical needs questions: a ```go cell with part=\"solution\" starts one")
	}
	for _, q := range r.p.Questions {
		r.finish(q)
	}
	return r.p, errors.Join(r.errs...)
}

// All reads the course's practicals, in the order of their names.
func All(c *course.Course) ([]*Practical, error) {
	folder := c.Path("lessons", "practicals")
	names, err := fs.Glob(os.DirFS(folder), "*.md") // not filepath.Glob: the course's own path may have a * or a [
	if err != nil {
		return nil, err
	}
	lessons, err := c.Lessons()
	if err != nil {
		return nil, err
	}
	var all []*Practical
	var errs []error
	for _, name := range names {
		path := filepath.Join(folder, name)
		switch {
		case name == "README.md":
			continue
		case name[0] < '0' || name[0] > '9':
			errs = append(errs, fmt.Errorf("%s: a practical's file is named N-name.md, such as 5-queues.md", path))
			continue
		}
		p, err := Read(path)
		all, errs = append(all, p), append(errs, err)
		if err == nil && len(lessons) > 0 { // who only grades may have the practicals alone
			errs = append(errs, p.CheckNeeds(c.Lesson))
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no practicals in %s", c.Path("lessons", "practicals"))
	}
	return all, errors.Join(errs...)
}

// PartOf returns the part that a cell says it is; "" for none.
func PartOf(c lesson.Cell) Part {
	part, _ := c.Metadata["part"].(string)
	return Part(part)
}

// Sum adds up the points of the questions.
func (p *Practical) Sum() int {
	sum := 0
	for _, q := range p.Questions {
		sum += q.Points
	}
	return sum
}

// reader turns cells into a practical.
type reader struct {
	p     *Practical
	title string // the heading last seen
	errs  []error
}

func (r *reader) fail(line int, format string, args ...any) {
	r.errs = append(r.errs, &lesson.Error{Path: r.p.Path, Line: line, Text: fmt.Sprintf(format, args...)})
}

var heading = regexp.MustCompile(`(?m)^#+ +(.+)$`)

// types says which type of cell a part must be; a solution in words is an
// answer.
var types = map[Part]notebook.CellType{
	Given: notebook.Code, Solution: notebook.Code, Answer: notebook.Markdown, Hint: notebook.Markdown,
	Check: notebook.Code, Hidden: notebook.Code, Wrong: notebook.Code,
}

func (r *reader) cell(c *lesson.Cell) {
	part := PartOf(*c)
	if part == "" {
		if _, has := c.Metadata["part"]; has {
			r.fail(c.Line, "part must be one of given, solution, answer, hint, check, hidden and wrong")
		}
		if c.Type == notebook.Markdown {
			for _, m := range heading.FindAllStringSubmatch(c.Source, -1) {
				r.title = m[1]
			}
		}
		return
	}
	want, known := types[part]
	switch {
	case !known:
		r.fail(c.Line, "unknown part %q; a part is given, solution, answer, hint, check, hidden or wrong", part)
		return
	case c.Type != want:
		r.fail(c.Line, "a %s must be a %s cell", part, want)
		return
	}
	if part == Given {
		r.p.Given = append(r.p.Given, *c)
		return
	}
	if part == Solution || part == Answer {
		r.question(c, part)
		return
	}
	if len(r.p.Questions) == 0 {
		r.fail(c.Line, "a %s before the first solution; it belongs behind the solution of its question", part)
		return
	}
	q := r.p.Questions[len(r.p.Questions)-1]
	switch part {
	case Hint:
		q.Hints = append(q.Hints, *c)
	case Check, Hidden:
		r.check(q, c, part == Hidden)
	case Wrong:
		m := Mistake{Cell: *c, Loses: r.texts(c, "loses")}
		m.Why, _ = c.Metadata["why"].(string)
		if m.Why == "" || len(m.Loses) == 0 {
			r.fail(c.Line, `a wrong solution says why it is wrong and what it must lose: why="not joined" loses=["all"]`)
		}
		q.Wrong = append(q.Wrong, m)
	}
}

func (r *reader) question(c *lesson.Cell, part Part) {
	q := &Question{ID: c.ID, Title: r.title, Cell: *c, Written: part == Answer, Imports: r.texts(c, "imports")}
	if q.Written {
		if n, ok := c.Metadata["points"]; ok {
			q.Points, _ = strconv.Atoi(fmt.Sprint(n))
		}
		if q.Points < 1 {
			r.fail(c.Line, "say how many points the answer can bring, as in points=2")
		}
	} else if _, _, err := cut(c.Source); err != nil {
		r.fail(c.Line, "%v", err)
	}
	r.p.Questions = append(r.p.Questions, q)
}

// texts reads an attribute that is a list of texts.
func (r *reader) texts(c *lesson.Cell, name string) []string {
	value, ok := c.Metadata[name]
	if !ok {
		return nil
	}
	list, ok := value.([]any)
	var all []string
	for _, v := range list {
		s, isText := v.(string)
		ok = ok && isText
		all = append(all, s)
	}
	if !ok {
		r.fail(c.Line, "%s must be a list of texts; have %v", name, value)
	}
	return all
}

// check adds a check cell to its question, with the criteria that stand in it.
func (r *reader) check(q *Question, c *lesson.Cell, hidden bool) {
	if !strings.HasPrefix(c.Source, "%test") {
		r.fail(c.Line, "a check starts with a line %%test")
		return
	}
	q.Checks = append(q.Checks, *c)
	fset := token.NewFileSet()
	file, err := parser.ParseFile(fset, "", Package(c.Source), parser.SkipObjectResolution)
	if err != nil {
		r.fail(c.Line, "the check is not Go: %v", err)
		return
	}
	for _, decl := range file.Decls {
		f, ok := decl.(*ast.FuncDecl)
		if !ok || f.Recv != nil || !strings.HasPrefix(f.Name.Name, "Test") {
			continue
		}
		q.Tests = append(q.Tests, f.Name.Name)
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok {
				return true
			}
			method, ok := call.Fun.(*ast.SelectorExpr)
			if !ok || len(call.Args) != 4 || method.Sel.Name != "Criterion" && method.Sel.Name != "Speed" {
				return true
			}
			line := c.Line + fset.Position(call.Pos()).Line - 1
			name, err1 := literal(call.Args[0], strconv.Unquote)
			points, err2 := literal(call.Args[1], strconv.Atoi)
			what, err3 := literal(call.Args[2], strconv.Unquote)
			if err := errors.Join(err1, err2, err3); err != nil || points < 1 {
				r.fail(line, "a criterion's name, points and words must be literals: q.Criterion(\"all\", 2, \"every …\", func …)")
				return true
			}
			q.Criteria = append(q.Criteria, Criterion{f.Name.Name, name, what, points, hidden, method.Sel.Name == "Speed"})
			return true
		})
	}
}

// literal reads a literal in the source.
func literal[T any](e ast.Expr, read func(string) (T, error)) (T, error) {
	lit, ok := e.(*ast.BasicLit)
	if !ok {
		var zero T
		return zero, errors.New("not a literal")
	}
	return read(lit.Value)
}

// finish checks what can only be seen when all of a question is read.
func (r *reader) finish(q *Question) {
	if q.Written {
		return
	}
	names := map[string]bool{}
	for _, c := range q.Criteria {
		q.Points += c.Points
		if names[c.Name] {
			r.fail(q.Cell.Line, "two criteria of question %s are called %q", q.ID, c.Name)
		}
		names[c.Name] = true
	}
	if !slices.ContainsFunc(q.Criteria, func(c Criterion) bool { return !c.Hidden }) {
		r.fail(q.Cell.Line, "question %s has no check that students see", q.ID)
	}
	for _, m := range q.Wrong {
		for _, name := range m.Loses {
			if !names[name] {
				r.fail(m.Cell.Line, "there is no criterion %q in question %s", name, q.ID)
			}
		}
	}
}

// Package makes a Go file of a cell without changing its lines: magic lines are
// blanked, and what stands below %% is left out.
func Package(cell string) string {
	lines := strings.Split(cell, "\n")
	for i, line := range lines {
		magic := strings.TrimPrefix(line, "//gonb:")
		switch {
		case strings.HasPrefix(magic, "%%") || strings.HasPrefix(magic, "%main"):
			return "package answer; " + strings.Join(lines[:i], "\n")
		case strings.HasPrefix(magic, "%"), strings.HasPrefix(magic, "!"):
			lines[i] = ""
		}
	}
	return "package answer; " + strings.Join(lines, "\n")
}
