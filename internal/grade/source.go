package grade

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"path"
	"slices"
	"strconv"
	"strings"

	"manyhands/internal/practical"
)

// A source is one Go file made of a cell, line for line: what has to be added
// stands on the line of what it is added to, so that the line numbers of the
// compiler, a panic and a race report are those of the cell.
type source struct {
	text string
	fset *token.FileSet
	file *ast.File
	info *types.Info
}

// parse reads a cell. The types are known as far as the one file tells, which
// is enough to see which names are local, imported, or neither.
func parse(cell string) (*source, error) {
	s := &source{text: practical.Package(cell), fset: token.NewFileSet()}
	var err error
	s.file, err = parser.ParseFile(s.fset, "", s.text, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	s.info = &types.Info{
		Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{},
	}
	lenient := types.Config{Error: func(error) {}, Importer: noImports{}, FakeImportC: true}
	lenient.Check("answer", s.fset, []*ast.File{s.file}, s.info) // its errors are the compiler's to tell
	return s, nil
}

// noImports makes package types invent the imported packages.
type noImports struct{}

func (noImports) Import(path string) (*types.Package, error) { return nil, errors.New("not needed") }

func (s *source) line(n ast.Node) int { return s.fset.Position(n.Pos()).Line }

func (s *source) offset(p token.Pos) int { return s.fset.Position(p).Offset }

// An edit replaces the bytes from start up to end.
type edit struct {
	start, end int
	text       string
}

// blank is the edit that takes a node out and leaves its lines.
func (s *source) blank(n ast.Node) edit {
	start, end := s.offset(n.Pos()), s.offset(n.End())
	return edit{start, end, strings.Repeat("\n", strings.Count(s.text[start:end], "\n"))}
}

// edited returns the text with the edits made; one that lies within another, such
// as a declaration that is taken out, is not made.
func (s *source) edited(edits []edit) string {
	slices.SortStableFunc(edits, func(a, b edit) int { return a.start - b.start })
	var b strings.Builder
	at := 0
	for _, e := range edits {
		if e.start < at {
			continue
		}
		b.WriteString(s.text[at:e.start])
		b.WriteString(e.text)
		at = e.end
	}
	b.WriteString(s.text[at:])
	return b.String()
}

// declared lists the names that the file declares for its package.
func (s *source) declared() map[string]ast.Node {
	names := map[string]ast.Node{}
	for _, decl := range s.file.Decls {
		for name, node := range declares(decl) {
			names[name] = node
		}
	}
	return names
}

// declares maps the names that a declaration gives to the package to the part of
// it that has to go when the name has to. Methods have no name of their own.
func declares(decl ast.Decl) map[string]ast.Node {
	names := map[string]ast.Node{}
	switch d := decl.(type) {
	case *ast.FuncDecl:
		if d.Recv == nil {
			names[d.Name.Name] = d
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			var node ast.Node = spec
			if !d.Lparen.IsValid() {
				node = d
			}
			switch s := spec.(type) {
			case *ast.TypeSpec:
				names[s.Name.Name] = node
			case *ast.ValueSpec:
				for _, name := range s.Names {
					names[name.Name] = node
				}
			}
		}
	}
	return names
}

// usual are the packages that answers may import, and that are found without an
// import as GoNB finds them. None can reach files, processes, memory or the
// grader. A question can allow more.
var usual = names(
	"bytes", "cmp", "container/heap", "container/list", "container/ring", "context", "errors", "fmt", "io", "iter", "maps",
	"math", "math/big", "math/bits", "math/rand", "math/rand/v2", "runtime", "slices", "sort", "strconv", "strings", "sync",
	"sync/atomic", "time", "unicode", "unicode/utf8",
	"golang.org/x/sync/errgroup", "golang.org/x/sync/semaphore", "golang.org/x/sync/singleflight",
)

// ours are further packages that checks and given code may use without an import.
var ours = names("image", "net/http", "net/http/httptest", "os", "testing", "testing/synctest",
	"manyhands/helpers/measure", "manyhands/helpers/practical", "manyhands/helpers/process", "manyhands/helpers/server",
	"manyhands/helpers/workload")

// names maps the names of packages to their import paths.
func names(paths ...string) map[string]string {
	m := map[string]string{}
	for _, p := range paths {
		name := path.Base(p)
		if name == "v2" {
			name = path.Base(path.Dir(p)) // after math/rand in the list, and instead of it
		}
		m[name] = p
	}
	return m
}

// imports maps the names under which the file imports packages to their paths.
func (s *source) imports() map[string]string {
	m := map[string]string{}
	for _, spec := range s.file.Imports {
		importPath, _ := strconv.Unquote(spec.Path.Value)
		name := path.Base(importPath)
		if name == "v2" {
			name = path.Base(path.Dir(importPath))
		}
		if spec.Name != nil {
			name = spec.Name.Name
		}
		m[name] = importPath
	}
	return m
}

// packages calls visit for each x in x.Sel that is no variable, type or function
// of the file, and so the name of a package.
func (s *source) packages(visit func(x *ast.Ident, sel string)) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		selector, ok := n.(*ast.SelectorExpr)
		if !ok {
			return true
		}
		x, ok := selector.X.(*ast.Ident)
		if !ok {
			return true
		}
		_, isPackage := s.info.Uses[x].(*types.PkgName)
		if isPackage || s.info.Uses[x] == nil {
			visit(x, selector.Sel.Name)
		}
		return true
	})
}

// header returns the package clause, with the imports that the file uses, on one
// line: its own, else those known by their names. The edits take out what the
// file has of this itself. What is dropped needs no imports.
func (s *source) header(known map[string]string, dropped ...edit) (clause string, edits []edit) {
	own, used := s.imports(), map[string]string{}
	s.packages(func(x *ast.Ident, _ string) {
		at := s.offset(x.Pos())
		gone := slices.ContainsFunc(dropped, func(e edit) bool { return e.start <= at && at < e.end })
		if p := cmp.Or(own[x.Name], known[x.Name]); p != "" && !gone {
			used[x.Name] = p
		}
	})
	clause = "package answer; "
	edits = append(edits, edit{0, len(clause), ""})
	for _, name := range slices.Sorted(maps.Keys(used)) {
		clause += fmt.Sprintf("import %s %q; ", name, used[name])
	}
	for _, decl := range s.file.Decls {
		if d, ok := decl.(*ast.GenDecl); ok && d.Tok == token.IMPORT {
			edits = append(edits, s.blank(d))
		}
	}
	return clause, edits
}

// registrations returns the edits that give the functions which the file
// registers for worker processes names of their own question: all questions of a
// submission are one program, where a name can be registered once.
func (s *source) registrations(question string) []edit {
	var edits []edit
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || len(call.Args) == 0 || types.ExprString(call.Fun) != "process.Register" {
			return true
		}
		if name, ok := call.Args[0].(*ast.BasicLit); ok {
			at := s.offset(name.Pos()) + 1
			edits = append(edits, edit{at, at, question + "/"})
		}
		return true
	})
	return edits
}
