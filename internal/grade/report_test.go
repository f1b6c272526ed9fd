package grade

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestMarkOf has answers as spreadsheets give them back.
func TestMarkOf(t *testing.T) {
	q := &Graded{ID: "why", Written: true, Answer: "=a lock;\n\nthen, 'a wait'"}
	of := func(question, answer string) bool {
		return mark{row: []string{"anna", question, "2", "3", answer}}.of(q)
	}
	for _, answer := range []string{q.Answer, "'" + q.Answer, "=a lock;\r\n\r\nthen, 'a wait' "} {
		if !of("why", answer) {
			t.Errorf("%q is taken for another answer", answer)
		}
	}
	if of("how", q.Answer) || of("why", "a lock") || of("why", "") {
		t.Error("a mark of another question or answer is taken for this one's")
	}
}

// TestMarks reads the table of written answers as spreadsheets save it.
func TestMarks(t *testing.T) {
	path := filepath.Join(t.TempDir(), writtenFile)
	save := func(text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	const table = "student,question,points,of,answer\nanna,why,2,3,\"a lock; then, a wait\"\nben,why,,3,no\n"
	const semicolons = "student;question;points;of;answer\r\nanna;why;2;3;\"a lock; then, a wait\"\r\nben;why;;3;no\r\n"
	for name, text := range map[string]string{
		"as written": table,
		"BOM":        "\ufeff" + table,
		"semicolons": semicolons,
		"both":       "\ufeff" + semicolons,
	} {
		save(text)
		marks, err := readMarks(path)
		if err != nil || len(marks["anna"]) != 1 || marks["anna"][0].points != 2 || len(marks["ben"]) != 1 || marks["ben"][0].points != -1 {
			t.Errorf("%s: %v, %v; want 2 points for anna, and that ben waits", name, marks, err)
		}
	}
	for name, text := range map[string]string{
		"nothing": "",
		"no head": "anna,why,2,3,a lock\n",
		"tabs":    strings.ReplaceAll("student,question,points,of,answer\nanna,why,2,3,a lock\n", ",", "\t"),
		"commas":  strings.ReplaceAll(table, ",2,3", "\t2\t3"),
	} {
		save(text)
		_, err := readMarks(path)
		if err == nil || !strings.Contains(err.Error(), "written.csv must have the columns student, question, points") {
			t.Errorf("%s: error %v, want one that names the file and its columns", name, err)
		}
	}
}
