package lessons_test

import (
	"go/parser"
	"go/token"
	"iter"
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
	places := make(map[string]string)
	for path, cell := range codeCells(t, "[0-9]*.md", "practicals/[0-9]*.md") {
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
	return places
}

// codeCells yields the code cells of all files that the patterns match, with their file.
func codeCells(t *testing.T, patterns ...string) iter.Seq2[string, lesson.Cell] {
	t.Helper()
	return func(yield func(string, lesson.Cell) bool) {
		for _, pattern := range patterns {
			paths, err := filepath.Glob(pattern)
			if err != nil || len(paths) == 0 {
				t.Errorf("no lessons %s: %v", pattern, err)
			}
			for _, path := range paths {
				l, err := lesson.Read(path)
				if err != nil {
					t.Error(err)
					continue
				}
				for _, cell := range l.Cells {
					if cell.Type == notebook.Code && !yield(path, cell) {
						return
					}
				}
			}
		}
	}
}
