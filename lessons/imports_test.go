package lessons_test

import (
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"manyhands/internal/lesson"
	"manyhands/internal/notebook"
	"manyhands/internal/practical"
)

// TestImports looks for the packages that cells import among those that set-up
// compiles. Without, a cell would need the network; and the kernel drops a
// misspelt import without a word, and imports what the code names in its place.
func TestImports(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "std", ".", "../helpers/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	compiled := strings.Fields(string(out))
	for path, place := range imported(t) {
		if !slices.Contains(compiled, path) {
			t.Errorf("%s: set-up knows no package %s: mend the path, or go get it and name it in lessons/imports.go", place, path)
		}
	}
}

// imported maps what the cells of lessons and practicals import to a place, file:line.
func imported(t *testing.T) map[string]string {
	t.Helper()
	lessons, _ := filepath.Glob("[0-9]*.md")
	practicals, _ := filepath.Glob("practicals/[0-9]*.md")
	places := make(map[string]string)
	for _, path := range append(lessons, practicals...) {
		l, err := lesson.Read(path)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, cell := range l.Cells {
			if cell.Type != notebook.Code {
				continue
			}
			fset := token.NewFileSet()
			file, err := parser.ParseFile(fset, "", practical.Package(cell.Source), parser.ImportsOnly)
			if err != nil {
				continue // a cell that is wrong on purpose, or the build fails
			}
			for _, spec := range file.Imports {
				name, _ := strconv.Unquote(spec.Path.Value)
				places[name] = "lessons/" + path + ":" + strconv.Itoa(cell.Line+fset.Position(spec.Pos()).Line-1)
			}
		}
	}
	return places
}
