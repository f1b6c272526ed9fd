package lessons_test

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// TestCellsFitAScreen counts lines and characters, as README.md asks for.
func TestCellsFitAScreen(t *testing.T) {
	const width, golang, python = 100, 15, 25
	for path, cell := range codeCells(t, "[0-9]*.md") {
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
