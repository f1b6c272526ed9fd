package grade

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
)

// pointPackage is the name by which woven code knows package perturb.
const (
	pointPackage = "manyhandsPerturb"
	pointPath    = "manyhands/internal/grade/perturb"
)

// synchronising are the names of methods that the order of goroutines depends on,
// in sync, sync/atomic, context and errgroup. A method of the same name elsewhere
// costs a delay, no more.
var synchronising = map[string]bool{
	"Lock": true, "Unlock": true, "RLock": true, "RUnlock": true, "TryLock": true, "Wait": true, "Done": true, "Add": true,
	"Go": true, "Do": true, "Signal": true, "Broadcast": true, "Load": true, "Store": true, "Swap": true,
	"CompareAndSwap": true, "Acquire": true, "Release": true, "Cancel": true, "Err": true, "Sleep": true,
}

// weave returns the edits that put a point, where the goroutine may be delayed,
// before every statement that synchronises or touches what goroutines may share,
// and at the start of every function literal, which is what goroutines mostly
// are. (CHESS and its successors place preemptions at just these: Musuvathi et al.,
// "Finding and Reproducing Heisenbugs in Concurrent Programs", OSDI 2008.)
func (s *source) weave() []edit {
	w := &weaver{source: s, shared: s.sharedVariables()}
	ast.Inspect(s.file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.FuncLit:
			w.point(n.Body.Lbrace + 1)
		case *ast.BlockStmt:
			w.list(n.List)
		case *ast.CaseClause:
			w.list(n.Body)
		case *ast.CommClause:
			w.list(n.Body)
		}
		return true
	})
	return w.edits
}

type weaver struct {
	*source
	shared map[types.Object]bool
	edits  []edit
}

func (w *weaver) point(at token.Pos) {
	offset := w.offset(at)
	w.edits = append(w.edits, edit{offset, offset, fmt.Sprintf(" %s.Point(%d); ", pointPackage, len(w.edits)+1)})
}

func (w *weaver) list(statements []ast.Stmt) {
	for _, statement := range statements {
		switch statement.(type) {
		case *ast.CaseClause, *ast.CommClause: // nothing can stand between those
			continue
		}
		if w.delicate(statement) {
			w.point(statement.Pos())
		}
	}
}

// delicate tells whether a statement synchronises or touches what may be shared.
// What stands in blocks and function literals within it has points of its own.
func (w *weaver) delicate(statement ast.Stmt) bool {
	found := false
	ast.Inspect(statement, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BlockStmt, *ast.CaseClause, *ast.CommClause, *ast.FuncLit:
			return n == statement
		case *ast.GoStmt, *ast.SendStmt, *ast.SelectStmt:
			found = true
		case *ast.UnaryExpr:
			found = found || n.Op == token.ARROW
		case *ast.RangeStmt, *ast.StarExpr:
			found = true
		case *ast.Ident:
			found = found || w.shared[w.info.Uses[n]]
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "close" {
				found = true
			}
		case *ast.SelectorExpr:
			x, ok := n.X.(*ast.Ident)
			variable, isVar := w.info.Uses[x].(*types.Var)
			found = found || synchronising[n.Sel.Name] || ok && isVar && variable != nil
		}
		return !found
	})
	return found
}

// sharedVariables are those of the package, and those that a function literal
// uses from around it.
func (s *source) sharedVariables() map[types.Object]bool {
	shared := map[types.Object]bool{}
	var literals []*ast.FuncLit // that we are in
	ast.PreorderStack(s.file, nil, func(n ast.Node, stack []ast.Node) bool {
		ident, ok := n.(*ast.Ident)
		if !ok {
			return true
		}
		variable, ok := s.info.Uses[ident].(*types.Var)
		if !ok || variable.IsField() {
			return true
		}
		if variable.Parent() == variable.Pkg().Scope() {
			shared[variable] = true
			return true
		}
		literals = literals[:0]
		for _, around := range stack {
			if f, ok := around.(*ast.FuncLit); ok {
				literals = append(literals, f)
			}
		}
		for _, f := range literals {
			if variable.Pos() < f.Pos() {
				shared[variable] = true
			}
		}
		return true
	})
	return shared
}
