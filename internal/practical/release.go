package practical

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"strings"

	"manyhands/internal/lesson"
	"manyhands/internal/notebook"
)

// Release returns the student's notebook: starters for solutions, hints folded
// one inside the other, the visible checks, and nothing of the rest. Its cells
// carry nbgrader's metadata, so that a school's nbgrader can hand the notebook
// out, collect it and grade by the visible checks.
func (p *Practical) Release() *notebook.Notebook { return p.release(false) }

// Instructors returns the notebook that nbgrader makes the students' from: with
// the hidden checks, between nbgrader's own marks, by which it takes them out to
// hand out and puts them back to grade. The solutions stay with us.
func (p *Practical) Instructors() *notebook.Notebook { return p.release(true) }

func (p *Practical) release(instructors bool) *notebook.Notebook {
	public := *p.Lesson
	public.Cells = nil
	var q *Question // of which the cell is a part
	next := 0
	for _, c := range p.Cells {
		part := PartOf(c)
		if part == Solution || part == Answer {
			q = p.Questions[next]
			next++
		}
		switch part {
		case "":
			public.Cells = append(public.Cells, c)
		case Given:
			c.Metadata = grading(c, "", nbgrader{Locked: true})
			public.Cells = append(public.Cells, c)
		case Solution:
			c.Source = q.Starter()
			c.Metadata = grading(c, c.ID, nbgrader{Solution: true})
			public.Cells = append(public.Cells, c)
			public.Cells = append(public.Cells, q.hints()...)
		case Answer:
			c.Source = q.Starter()
			c.Metadata = grading(c, c.ID, nbgrader{Solution: true, Grade: true, Points: q.Points})
			public.Cells = append(public.Cells, c)
			public.Cells = append(public.Cells, q.hints()...)
		case Check, Hidden:
			if part == Hidden && !instructors {
				continue
			}
			if part == Hidden {
				c.Source = "// BEGIN HIDDEN TESTS\n" + c.Source + "\n// END HIDDEN TESTS"
			}
			c.Metadata = grading(c, "", nbgrader{Grade: true, Locked: true, Points: q.pointsOf(c)})
			public.Cells = append(public.Cells, c)
		}
	}
	nb := public.Notebook()
	own := nb.Metadata["manyhands"].(map[string]any)
	delete(own, "lesson")
	own["practical"] = p.Name
	return nb
}

// pointsOf adds up the points of the criteria in one check cell.
func (q *Question) pointsOf(c lesson.Cell) int {
	sum := 0
	for _, criterion := range q.Criteria {
		if strings.Contains(c.Source, "func "+criterion.Test+"(") {
			sum += criterion.Points
		}
	}
	return sum
}

// hints returns one cell with all hints of a question, each folded inside the
// one before.
func (q *Question) hints() []lesson.Cell {
	if len(q.Hints) == 0 {
		return nil
	}
	var open, end strings.Builder
	for i, h := range q.Hints {
		title := "A hint"
		if i > 0 {
			title = "Another hint"
		}
		fmt.Fprintf(&open, "<details>\n<summary>%s</summary>\n\n%s\n\n", title, strings.TrimSpace(h.Source))
		end.WriteString("</details>\n")
	}
	return []lesson.Cell{{
		Type: notebook.Markdown, ID: q.ID + "-hints", Source: open.String() + strings.TrimSpace(end.String()),
		Line: q.Hints[0].Line, Tags: []string{"hint"},
	}}
}

// nbgrader is what nbgrader knows about a cell, its schema 3:
// https://nbgrader.readthedocs.io/en/stable/contributor_guide/metadata.html
type nbgrader struct {
	Grade, Solution, Locked bool
	Points                  int // of a cell with a grade
}

// grading returns the metadata of a released cell: nbgrader's, and nothing of
// the source's.
func grading(c lesson.Cell, id string, n nbgrader) map[string]any {
	if id == "" {
		id = c.ID
	}
	m := map[string]any{
		"schema_version": 3, "grade": n.Grade, "solution": n.Solution, "locked": n.Locked, "task": false,
		"grade_id": id, "cell_type": string(c.Type),
	}
	if n.Grade {
		m["points"] = n.Points
	}
	if n.Locked {
		m["checksum"] = n.checksum(c, id)
	}
	return map[string]any{"nbgrader": m}
}

// checksum is by what nbgrader sees that a student has edited a cell that is
// not theirs: compute_checksum in nbgrader/utils.py, version 0.9.6.
func (n nbgrader) checksum(c lesson.Cell, id string) string {
	truth := map[bool]string{true: "True", false: "False"}
	text := c.Source + string(c.Type) + truth[n.Grade] + truth[n.Solution] + truth[n.Locked] + id
	if n.Grade {
		text += fmt.Sprintf("%d.0", n.Points)
	}
	sum := md5.Sum([]byte(text)) // nbgrader's choice
	return hex.EncodeToString(sum[:])
}
