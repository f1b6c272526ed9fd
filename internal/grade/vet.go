package grade

import (
	"errors"
	"fmt"
	"go/ast"
	"go/scanner"
	"go/token"
	"go/types"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"manyhands/internal/practical"
)

// maxCell is the size in bytes of the largest cell that is read.
const maxCell = 100 << 10

// A refusal says why a cell cannot be graded, to its student.
type refusal struct{ text string }

func (r *refusal) Error() string { return r.text }

func refuse(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

// errEmpty is for a cell without an answer.
var errEmpty = errors.New("no answer")

// forbidden are things in the usual packages, and in those that a question may
// allow, that would reach around the rules, or change what the checks measure by.
var forbidden = map[string][]string{
	"runtime": {"RaceDisable", "RaceEnable", "RaceAcquire", "RaceRelease", "RaceReleaseMerge", "RaceErrors", "RaceRead",
		"RaceWrite", "RaceReadRange", "RaceWriteRange", "RaceSemacquire", "RaceSemrelease", "SetFinalizer", "AddCleanup",
		"LockOSThread", "SetCPUProfileRate", "Breakpoint", "GOMAXPROCS", "SetDefaultGOMAXPROCS"},
	"net/http": {"Dir", "FileServer", "FileServerFS", "ServeFile", "ServeFileFS", "NewFileTransport", "NewFileTransportFS",
		"DefaultTransport", "DefaultServeMux", "DefaultClient"},
}

// reading are calls that use something forbidden and change nothing; but tells
// students of them.
var (
	reading = regexp.MustCompile(`^\w+\.(GOMAXPROCS\(0\)$|DefaultClient\.\w+\()`)
	but     = map[string]string{"GOMAXPROCS": ", but for GOMAXPROCS(0)", "DefaultClient": ", but to call its methods"}
)

// harmless are the functions that a variable of the package may be initialised
// with: what runs then, runs before the checks do.
var harmless = map[string]bool{"make": true, "new": true, "errors.New": true, "len": true, "cap": true,
	"process.Register": true}

// A vetted answer is one that may be compiled, together with our files.
type vetted struct {
	*source
	drop  []edit          // declarations that are not for the answer to make
	names map[string]bool // that it declares
	notes []string        // what the student should know
}

// vet reads the answer of a student to q. Reserved are the names that are not
// theirs to declare. A cell that tries what no answer needs is refused as a whole,
// with a word why; what is merely superfluous is left out, with a note.
func vet(q *practical.Question, cell string, reserved map[string]bool) (*vetted, error) {
	if len(cell) > maxCell {
		return nil, refuse("the cell has %d KB, and no answer needs %d", len(cell)>>10, maxCell>>10)
	}
	if strings.TrimSpace(strings.TrimPrefix(practical.Package(cell), "package answer; ")) == "" {
		return nil, errEmpty
	}
	s, err := parse(cell)
	if list := (scanner.ErrorList)(nil); errors.As(err, &list) {
		return nil, refuse("line %d: this is not Go: %s", list[0].Pos.Line, list[0].Msg)
	} else if err != nil {
		return nil, refuse("this is not Go: %v", err)
	}
	v := &vetted{source: s, names: map[string]bool{}, notes: magics(cell)}
	for _, check := range []func() error{v.comments, func() error { return v.allowed(q) }, v.identifiers} {
		if err := check(); err != nil {
			return nil, err
		}
	}
	if err := v.declarations(reserved); err != nil {
		return nil, err
	}
	if len(v.names) == 0 && len(v.file.Decls) == 0 {
		return nil, errEmpty
	}
	return v, nil
}

// magics notes the lines that only the notebook runs.
func magics(cell string) []string {
	var notes []string
	for i, line := range strings.Split(cell, "\n") {
		switch {
		case strings.HasPrefix(line, "%%") && i > 0, line == "%%", strings.HasPrefix(line, "%main"):
			return notes // a body of main, to try things out
		case strings.HasPrefix(line, "%%"):
			return append(notes, fmt.Sprintf("line 1: %s makes a cell of another language, in which there is no answer", line))
		case strings.HasPrefix(line, "!"), strings.HasPrefix(line, "%"):
			notes = append(notes, fmt.Sprintf("line %d: %s is not run when grading", i+1, line))
		}
	}
	return notes
}

// comments refuses those that are orders to the compiler.
func (v *vetted) comments() error {
	for _, group := range v.file.Comments {
		for _, c := range group.List {
			for _, order := range []string{"//go:", "//line ", "/*line ", "//export "} {
				if strings.HasPrefix(c.Text, order) {
					return refuse("line %d: the order %q to the compiler has no place in an answer", v.line(c), firstWord(c.Text))
				}
			}
		}
	}
	return nil
}

func firstWord(s string) string {
	word, _, _ := strings.Cut(s, " ")
	word, _, _ = strings.Cut(word, "\n")
	return word
}

// allowed refuses imports that the question has no use for, and what is
// forbidden in the others.
func (v *vetted) allowed(q *practical.Question) error {
	for _, spec := range v.file.Imports {
		p, _ := strconv.Unquote(spec.Path.Value)
		if !slices.Contains(slices.Collect(maps.Values(usual)), p) && !slices.Contains(q.Imports, p) && p != "math/rand" {
			return refuse("line %d: the answer imports %q, which this question has no use for", v.line(spec), p)
		}
		if spec.Name != nil && (spec.Name.Name == "." || spec.Name.Name == "_") {
			return refuse("line %d: import %q under its own name", v.line(spec), p)
		}
	}
	var err error
	own, known, reads, changes := v.imports(), knownTo(q), v.reads(), v.changes()
	v.packages(func(x *ast.Ident, sel string) {
		p := own[x.Name]
		if p == "" {
			p = known[x.Name]
		}
		switch {
		case err != nil || p == "":
		case slices.Contains(forbidden[p], sel) && !reads[x.Pos()]:
			err = refuse("line %d: %s.%s has no place in an answer%s", v.line(x), x.Name, sel, but[sel])
		case changes[x.Pos()]:
			err = refuse("line %d: %s.%s is not the answer's to change", v.line(x), x.Name, sel)
		}
	})
	return err
}

// reads returns where calls begin that only read.
func (v *vetted) reads() map[token.Pos]bool {
	begin := map[token.Pos]bool{}
	ast.Inspect(v.file, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && reading.MatchString(types.ExprString(call)) {
			begin[call.Pos()] = true
		}
		return true
	})
	return begin
}

// changes returns where expressions begin that are assigned to, or whose address is
// taken.
func (v *vetted) changes() map[token.Pos]bool {
	begin := map[token.Pos]bool{}
	ast.Inspect(v.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				begin[ast.Unparen(left).Pos()] = true
			}
		case *ast.UnaryExpr:
			if _, literal := n.X.(*ast.CompositeLit); n.Op == token.AND && !literal {
				begin[ast.Unparen(n.X).Pos()] = true
			}
		}
		return true
	})
	return begin
}

// knownTo maps names to the packages that an answer may use without importing
// them.
func knownTo(q *practical.Question) map[string]string {
	known := maps.Clone(usual)
	for _, p := range q.Imports {
		known[path.Base(p)] = p
	}
	return known
}

// identifiers keeps the name that the weaver uses out of answers.
func (v *vetted) identifiers() error {
	var err error
	ast.Inspect(v.file, func(n ast.Node) bool {
		if ident, ok := n.(*ast.Ident); ok && ident.Name == pointPackage && err == nil {
			err = refuse("line %d: the name %s is the grader's", v.line(ident), pointPackage)
		}
		return err == nil
	})
	return err
}

// declarations leaves out those that are not the answer's to make, and refuses
// code that would run before the checks.
func (v *vetted) declarations(reserved map[string]bool) error {
	for _, decl := range v.file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Body == nil {
			return refuse("line %d: the function %s has no body", v.line(f), f.Name.Name)
		}
		for name, node := range declares(decl) {
			why := superfluous(name, reserved)
			if why == "" {
				v.names[name] = true
				continue
			}
			v.notes = append(v.notes, fmt.Sprintf("line %d: %s %s", v.line(node), name, why))
			v.drop = append(v.drop, v.blank(node))
		}
	}
	for _, decl := range v.file.Decls { // with all names known
		if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.VAR {
			if err := v.initialisers(d); err != nil {
				return err
			}
		}
	}
	return nil
}

// superfluous says why an answer may not declare a name; "" if it may.
func superfluous(name string, reserved map[string]bool) string {
	switch {
	case name == "init", strings.HasPrefix(name, "init_"), name == "main":
		return "is not run when grading"
	case strings.HasPrefix(name, "Test"), strings.HasPrefix(name, "Benchmark"), strings.HasPrefix(name, "Fuzz"):
		return "is not a part of the answer; the checks are ours"
	case reserved[name], types.Universe.Lookup(name) != nil:
		return "is not yours to declare; the answer is graded without it"
	}
	return ""
}

// initialisers refuses variables of the package whose first value takes code
// that could do anything.
func (v *vetted) initialisers(d *ast.GenDecl) error {
	var err error
	ast.Inspect(d, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit: // runs only when called
			return false
		case *ast.CallExpr:
			called := types.ExprString(n.Fun)
			first, _, _ := strings.Cut(called, ".") // such as errors, if that is the package
			if (!harmless[called] || v.names[first]) && err == nil {
				err = refuse("line %d: a variable outside of functions is initialised by a call of %s; do that in the function",
					v.line(n), called)
			}
		case *ast.UnaryExpr:
			if n.Op == token.ARROW && err == nil {
				err = refuse("line %d: a variable outside of functions is received from a channel; do that in the function", v.line(n))
			}
		}
		return err == nil
	})
	return err
}
