package site

import (
	"encoding/json"
	"fmt"
	"path"
	"path/filepath"

	"manyhands/internal/notebook"
)

// practicalsFolder holds the practicals as students get them.
const practicalsFolder = "notebooks/practicals"

// isPractical tells whether a notebook of the course is a practical's.
func isPractical(file string) bool {
	return filepath.Base(filepath.Dir(file)) == path.Base(practicalsFolder)
}

// graded says of a cell of a practical what it is for: nbgrader's metadata
// (schema 3) tell where an answer goes and what a check is worth.
func graded(shown string, cell *notebook.Cell) string {
	var about struct {
		NBGrader struct {
			Grade, Solution bool
			Points          float64
		}
	}
	encoded, err := json.Marshal(cell.Metadata)
	if err != nil || json.Unmarshal(encoded, &about) != nil {
		return shown // a stranger's metadata may be anything
	}
	label, kind := "", "answer-place"
	switch g := about.NBGrader; {
	case g.Solution && g.Grade:
		label = fmt.Sprintf("Your answer, in words · %g point%s", g.Points, plural(g.Points))
	case g.Solution:
		label = "Your answer"
	case g.Grade:
		label, kind = fmt.Sprintf("Check · %g point%s", g.Points, plural(g.Points)), "check"
	default:
		return shown
	}
	return fmt.Sprintf(`<div class="framed %s"><p class="frame-label">%s</p>%s</div>`, kind, label, shown)
}

func plural(n float64) string {
	if n == 1 {
		return ""
	}
	return "s"
}
