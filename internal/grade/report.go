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
	"iter"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/google/renameio/v2"
)

// writtenFile is the table in which people mark written answers.
const writtenFile = "written.csv"

var writtenHead = []string{"student", "question", "points", "of", "answer"}

// write writes the tables of a class, a result at a time:
//
//	grades.csv   a row a student, a column a question, and the sum
//	grades.json  all that is known
//	written.csv  a row for each written answer, with a column to mark it in; the
//	             next run reads it, and keeps the rows of students whom it does not
//	             grade, and the marks of answers that are not there any more
//	moodle.csv   for Moodle's import of grades, students known by their username
//	canvas.csv   for Canvas's import of a gradebook, by their login
//
// It takes the rows of its students out of marked.
func (g *Grader) write(out string, marked map[string][]mark, results iter.Seq2[*Result, error]) error {
	written := func(r *Result) [][]string {
		rows := append(writtenRows(r), asRows(r.others(marked[r.Student]))...)
		delete(marked, r.Student)
		return rows
	}
	list := []struct {
		name string
		head [][]string
		rows func(*Result) [][]string
		file *renameio.PendingFile
	}{
		{name: "grades.csv", head: g.gradesHead(), rows: gradesRows},
		{name: writtenFile, head: [][]string{writtenHead}, rows: written},
		{name: "moodle.csv", head: g.moodleHead(), rows: moodleRows},
		{name: "canvas.csv", head: g.canvasHead(), rows: canvasRows},
		{name: "grades.json"},
	}
	for i := range list {
		t := &list[i]
		var err error
		if t.file, err = renameio.NewPendingFile(filepath.Join(out, t.name), renameio.WithPermissions(0o644)); err != nil {
			return fmt.Errorf("write the grades: %w", err)
		}
		defer t.file.Cleanup() // does nothing once it is in its place
		t.file.Write(table(t.head))
	}
	between := "["
	for r, err := range results {
		if err != nil {
			return err
		}
		for _, t := range list {
			data := []byte(between)
			if t.rows != nil {
				data = table(t.rows(r))
			} else if one, err := json.MarshalIndent(r, "  ", "  "); err == nil {
				data = append(append(data, "\n  "...), one...)
			}
			if _, err := t.file.Write(data); err != nil {
				return fmt.Errorf("write the grades: %w", err)
			}
		}
		between = ","
	}
	for _, t := range list {
		var end []byte
		switch t.name {
		case writtenFile:
			for _, student := range slices.Sorted(maps.Keys(marked)) {
				end = append(end, table(asRows(marked[student]))...)
			}
		case "grades.json":
			end = []byte("\n]\n")
		}
		if _, err := t.file.Write(end); err != nil {
			return fmt.Errorf("write the grades: %w", err)
		}
		if err := t.file.CloseAtomicallyReplace(); err != nil {
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

func (g *Grader) gradesHead() [][]string {
	head := []string{"student"}
	for _, q := range g.Practical.Questions {
		head = append(head, q.ID)
	}
	return [][]string{append(head, "points", "of", "remarks")}
}

func gradesRows(r *Result) [][]string {
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
	return [][]string{append(row, strconv.Itoa(r.Points), strconv.Itoa(r.Worth), remarks)}
}

func writtenRows(r *Result) [][]string {
	var rows [][]string
	for _, q := range r.Questions {
		if !q.Written || q.Answer == "" && !q.Marked {
			continue
		}
		points := ""
		if q.Marked {
			points = strconv.Itoa(q.Points)
		}
		rows = append(rows, []string{r.Student, q.ID, points, strconv.Itoa(q.Worth), q.Answer})
	}
	return rows
}

// Moodle's columns are mapped to its fields when they are imported:
// https://docs.moodle.org/en/Grade_import
func (g *Grader) moodleHead() [][]string {
	return [][]string{{"username", g.Practical.Title, "feedback"}}
}

func moodleRows(r *Result) [][]string {
	var lost []string
	for _, q := range r.Questions {
		if q.Points < q.Worth {
			lost = append(lost, fmt.Sprintf("%s: %d of %d", q.Title, q.Points, q.Worth))
		}
	}
	return [][]string{{r.Student, strconv.Itoa(r.Points), strings.Join(lost, "; ")}}
}

// Canvas's columns and its row of points are described in its guide "How do I
// import grades in the Gradebook?".
func (g *Grader) canvasHead() [][]string {
	return [][]string{
		{"Student", "ID", "SIS User ID", "SIS Login ID", "Section", g.Practical.Title},
		{"    Points Possible", "", "", "", "", strconv.Itoa(g.Practical.Sum())},
	}
}

func canvasRows(r *Result) [][]string {
	return [][]string{{r.Student, "", "", r.Student, "", strconv.Itoa(r.Points)}}
}

// A mark is a row of written.csv: what people give to one answer of a student.
type mark struct {
	row    []string
	points int // -1 as long as it waits
}

// of tells whether it is a mark of the answer to q: of these words, however a
// spreadsheet has saved them.
func (m mark) of(q *Graded) bool {
	words := func(answer string) []string { return strings.Fields(strings.TrimLeft(answer, "'")) } // see table
	return q.Written && m.row[1] == q.ID && slices.Equal(words(m.row[4]), words(q.Answer))
}

// asRows returns the rows as they were read.
func asRows(marks []mark) [][]string {
	var rows [][]string
	for _, m := range marks {
		rows = append(rows, m.row)
	}
	return rows
}

// readMarks reads what people have marked, and have yet to, by student.
func readMarks(path string) (map[string][]mark, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // of a spreadsheet
	table := csv.NewReader(bytes.NewReader(data))
	if head, _, _ := bytes.Cut(data, []byte("\n")); bytes.Contains(head, []byte(";")) {
		table.Comma = ';' // where numbers have decimal commas, spreadsheets save it so
	}
	rows, err := table.ReadAll()
	if err == nil && (len(rows) == 0 || !slices.Equal(rows[0], writtenHead)) {
		err = errors.New("it begins otherwise")
	}
	if err != nil {
		return nil, fmt.Errorf("%s must have the columns %s (%w); save it as CSV with commas", path, strings.Join(writtenHead, ", "), err)
	}
	marks := map[string][]mark{}
	for i, row := range rows[1:] {
		m := mark{row, -1}
		if row[2] != "" {
			m.points, err = strconv.Atoi(row[2])
			if err != nil || m.points < 0 {
				return nil, fmt.Errorf("%s, row %d: %q is no number of points; give a whole number, or leave it empty", path, i+2, row[2])
			}
		}
		student := strings.TrimPrefix(row[0], "'")
		marks[student] = append(marks[student], m)
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
