package lessons_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/renameio/v2"

	"manyhands/internal/lesson"
)

var update = flag.Bool("update", false, "write the generated packages anew from the lessons")

// generated are the packages made of those cells of a lesson whose id begins
// with a prefix, so that what a lesson shows is tested and benchmarked.
var generated = []struct{ pkg, file, lesson, prefix string }{
	{"maximum", "maximum/maximum.go", "06-burning.md", "maximum"},
	{"eventloop", "eventloop/loop.go", "08-async.md", "loop"},
}

// TestGenerated fails when a package is not what the cells of its lesson declare.
func TestGenerated(t *testing.T) {
	for _, g := range generated {
		t.Run(g.pkg, func(t *testing.T) {
			want, err := declared(g.lesson, g.prefix, g.pkg)
			if err != nil {
				t.Fatal(err)
			}
			if *update {
				if err := renameio.WriteFile(g.file, want, 0o644); err != nil {
					t.Fatal(err)
				}
			}
			got, err := os.ReadFile(g.file)
			if err != nil {
				t.Fatal(err)
			}
			if string(got) != string(want) {
				t.Errorf("%s is not what the cells of %s say: run go generate ./lessons/%s", g.file, g.lesson, g.pkg)
			}
		})
	}
}

// declared returns, as a file of the package pkg, what those cells of a lesson
// declare whose id begins with prefix.
func declared(path, prefix, pkg string) ([]byte, error) {
	l, err := lesson.Read(path)
	if err != nil {
		return nil, err
	}
	imports, body := make(map[string]bool), ""
	for _, cell := range l.Cells {
		if !strings.HasPrefix(cell.ID, prefix) {
			continue
		}
		above, _, _ := strings.Cut(cell.Source, "\n%%")
		clause := "package " + pkg + "\n"
		file, err := parser.ParseFile(token.NewFileSet(), "", clause+above, parser.SkipObjectResolution)
		if err != nil {
			return nil, fmt.Errorf("%s:%d: cell %s: %w", path, cell.Line, cell.ID, err)
		}
		end := len(clause)
		for _, d := range file.Decls {
			if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.IMPORT {
				end = int(g.End() - file.FileStart)
			}
		}
		for _, spec := range file.Imports {
			imports[spec.Path.Value] = true
		}
		body += (clause + above)[end:] + "\n"
	}
	return format.Source(fmt.Appendf(nil, "// Code generated from the cells of lessons/%s by go generate. DO NOT EDIT.\n\n"+
		"package %s\n\nimport (\n%s\n)\n%s", path, pkg, strings.Join(slices.Sorted(maps.Keys(imports)), "\n"), body))
}
