package lessons_test

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"manyhands/internal/lesson"
	"manyhands/internal/notebook"
)

// TestCellsFitAScreen counts lines and characters, as README.md asks for.
func TestCellsFitAScreen(t *testing.T) {
	const width, golang, python = 100, 15, 25
	paths, err := filepath.Glob("[0-9]*.md")
	if err != nil || len(paths) == 0 {
		t.Fatal("no lessons: ", err)
	}
	for _, path := range paths {
		l, err := lesson.Read(path)
		if err != nil {
			t.Error(err)
			continue
		}
		for _, cell := range l.Cells {
			if cell.Type != notebook.Code {
				continue
			}
			lines := strings.Split(strings.TrimRight(cell.Source, "\n"), "\n")
			for i, line := range lines {
				if n := utf8.RuneCountInString(strings.ReplaceAll(line, "\t", "    ")); n > width {
					t.Errorf("lessons/%s:%d: %d characters wide, more than %d", path, cell.Line+i, n, width)
				}
			}
			most, start := golang, slices.IndexFunc(lines, func(line string) bool { return strings.HasPrefix(line, "%%") })
			if start < 0 {
				continue // declarations
			} else if strings.HasPrefix(lines[start], "%%script") {
				most = python
			}
			if n := len(lines) - start - 1; n > most {
				t.Errorf("lessons/%s:%d: %d lines below %%%%, more than %d", path, cell.Line+start, n, most)
			}
		}
	}
}
