package grade

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
)

// writtenFile is the table in which people mark written answers.
const writtenFile = "written.csv"

// write writes the tables of a class:
//
//	grades.csv   a row a student, a column a question, and the sum
//	grades.json  all that is known
//	written.csv  a row for each written answer, with a column to mark it in; the
//	             next run reads it
//	moodle.csv   for Moodle's import of grades, students known by their username
//	canvas.csv   for Canvas's import of a gradebook, by their login
func (g *Grader) write(out string, results []*Result) error {
	data, err := json.MarshalIndent(results, "", "  ")
	if err != nil {
		return err
	}
	for name, data := range map[string][]byte{
		"grades.json": append(data, '\n'),
		"grades.csv":  table(g.grades(results)),
		writtenFile:   table(g.written(results)),
		"moodle.csv":  table(g.moodle(results)),
		"canvas.csv":  table(g.canvas(results)),
	} {
		if err := renameio.WriteFile(filepath.Join(out, name), data, 0o644); err != nil {
			return fmt.Errorf("write the grades: %w", err)
		}
	}
	return nil
}

// table encodes rows as CSV. A text that a spreadsheet would take for a formula
// is kept from being one: a student chooses what it says.
func table(rows [][]string) []byte {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	for _, row := range rows {
		for i, text := range row {
			if text != "" && strings.ContainsRune("=+-@\t\r", rune(text[0])) {
				row[i] = "'" + text
			}
		}
		w.Write(row) // to memory, so it cannot fail
	}
	w.Flush()
	return b.Bytes()
}

func (g *Grader) grades(results []*Result) [][]string {
	head := []string{"student"}
	for _, q := range g.Practical.Questions {
		head = append(head, q.ID)
	}
	rows := [][]string{append(head, "points", "of", "remarks")}
	for _, r := range results {
		row := []string{r.Student}
		for _, q := range r.Questions {
			points := strconv.Itoa(q.Points)
			if q.Written && !q.Marked && q.Answer != "" {
				points = "" // to be marked
			}
			row = append(row, points)
		}
		remarks := strings.Join(r.Notes, "; ")
		if r.waiting() {
			remarks = strings.TrimPrefix(remarks+"; written answers are not marked yet", "; ")
		}
		rows = append(rows, append(row, strconv.Itoa(r.Points), strconv.Itoa(r.Worth), remarks))
	}
	return rows
}

func (g *Grader) written(results []*Result) [][]string {
	rows := [][]string{{"student", "question", "points", "of", "answer"}}
	for _, r := range results {
		for _, q := range r.Questions {
			if !q.Written || q.Answer == "" {
				continue
			}
			points := ""
			if q.Marked {
				points = strconv.Itoa(q.Points)
			}
			rows = append(rows, []string{r.Student, q.ID, points, strconv.Itoa(q.Worth), q.Answer})
		}
	}
	return rows
}

// moodle's columns are mapped to its fields when they are imported:
// https://docs.moodle.org/en/Grade_import
func (g *Grader) moodle(results []*Result) [][]string {
	rows := [][]string{{"username", g.Practical.Title, "feedback"}}
	for _, r := range results {
		var lost []string
		for _, q := range r.Questions {
			if q.Points < q.Worth {
				lost = append(lost, fmt.Sprintf("%s: %d of %d", q.Title, q.Points, q.Worth))
			}
		}
		rows = append(rows, []string{r.Student, strconv.Itoa(r.Points), strings.Join(lost, "; ")})
	}
	return rows
}

// canvas's columns and its row of points are described in its guide "How do I
// import grades in the Gradebook?".
func (g *Grader) canvas(results []*Result) [][]string {
	rows := [][]string{
		{"Student", "ID", "SIS User ID", "SIS Login ID", "Section", g.Practical.Title},
		{"    Points Possible", "", "", "", "", strconv.Itoa(g.Practical.Sum())},
	}
	for _, r := range results {
		rows = append(rows, []string{r.Student, "", "", r.Student, "", strconv.Itoa(r.Points)})
	}
	return rows
}

// readMarks reads the points that people have given: student, then question.
func readMarks(path string) (map[string]map[string]int, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	rows, err := csv.NewReader(bytes.NewReader(data)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	marks := map[string]map[string]int{}
	for i, row := range rows {
		if i == 0 || row[2] == "" {
			continue
		}
		points, err := strconv.Atoi(row[2])
		if err != nil || points < 0 {
			return nil, fmt.Errorf("%s, row %d: %q is no number of points; give a whole number, or leave it empty", path, i+1, row[2])
		}
		student := strings.TrimPrefix(row[0], "'")
		if marks[student] == nil {
			marks[student] = map[string]int{}
		}
		marks[student][row[1]] = points
	}
	return marks, nil
}

//go:embed feedback.html
var feedbackPage string

var feedback = template.Must(template.New("feedback").Parse(feedbackPage))

// writeFeedback writes a student's page.
func (g *Grader) writeFeedback(out string, r *Result) error {
	var page bytes.Buffer
	err := feedback.Execute(&page, map[string]any{"Result": r, "Title": g.Practical.Title, "Waiting": r.waiting()})
	if err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(out, "feedback", r.Student+".html"), page.Bytes(), 0o644); err != nil {
		return fmt.Errorf("write the feedback: %w", err)
	}
	return nil
}
