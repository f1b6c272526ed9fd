package lesson

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"manyhands/internal/notebook"
)

// Matches returns nil when the notebook could have been built from the lesson as it is: the same cells in the same
// order, with their ids, sources and metadata. Outputs are not looked at, nor what Jupyter adds to the metadata. The
// error, an [*Error], names the first cell that differs.
func (l *Lesson) Matches(nb *notebook.Notebook) error {
	want := l.Notebook()
	for _, key := range []string{"title", "manyhands"} {
		if what := differs(want.Metadata[key], nb.Metadata[key]); what != "" {
			return l.mismatch(1, "the front matter: %s%s", key, what)
		}
	}
	for i, c := range l.Cells {
		if i == len(nb.Cells) {
			return l.mismatch(c.Line, "cell %d (id %q) is missing", i+1, c.ID)
		}
		have := nb.Cells[i]
		line, what := c.Line, ""
		switch {
		case have.ID != c.ID:
			what = fmt.Sprintf("has the id %q", have.ID)
		case have.Type != c.Type:
			what = fmt.Sprintf("is a %s cell instead of %s", have.Type, c.Type)
		case have.Source != c.inNotebook():
			n, text := firstDifference(c.inNotebook(), have.Source)
			line, what = line+n, fmt.Sprintf("has %q", text)
		default:
			if what = differs(c.metadata(), have.Metadata); what == "" && len(c.Tags) == 0 && len(have.Tags()) > 0 {
				what = fmt.Sprintf(" has the tags %q", have.Tags())
			}
			what = strings.TrimPrefix(what, " ")
		}
		if what != "" {
			return l.mismatch(line, "cell %d (id %q) %s", i+1, c.ID, what)
		}
	}
	if extra := len(nb.Cells) - len(l.Cells); extra > 0 {
		last := l.Cells[len(l.Cells)-1]
		return l.mismatch(last.Line, "%d more cells follow its last one, id %q", extra, last.ID)
	}
	return nil
}

func (l *Lesson) mismatch(line int, format string, args ...any) error {
	return &Error{Path: l.Path, Line: line, Text: fmt.Sprintf("the notebook differs from the lesson: "+format+
		"; build it again with: go run . build %s", append(args, l.Name)...)}
}

// firstDifference returns the index of the first line in which have differs from want, and that line of have.
func firstDifference(want, have string) (int, string) {
	w, h := strings.Split(want, "\n"), strings.Split(have, "\n")
	n := 0
	for n < len(w) && n < len(h) && w[n] == h[n] {
		n++
	}
	if n == len(h) {
		return n, ""
	}
	return n, h[n]
}

// differs tells in words how have differs from want, "" if not at all. A field that only have holds is no difference.
func differs(want, have any) string {
	if fields, ok := want.(map[string]any); ok {
		haveFields, _ := have.(map[string]any)
		for key, v := range fields {
			if what := differs(v, haveFields[key]); what != "" {
				return " " + key + what
			}
		}
		return ""
	}
	w, _ := json.Marshal(want)
	h, _ := json.Marshal(have)
	if !bytes.Equal(w, h) {
		return fmt.Sprintf(" is %s instead of %s", h, w)
	}
	return ""
}
