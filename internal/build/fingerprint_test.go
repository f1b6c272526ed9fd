package build

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"manyhands/internal/course"
	"manyhands/internal/lesson"
)

// TestFingerprint changes one file of a course after the other: those that cells see count.
func TestFingerprint(t *testing.T) {
	c := &course.Course{Root: t.TempDir()}
	l := &lesson.Lesson{Name: "00-first", Path: c.Path("lessons", "00-first.md")}
	write := func(name, text string) {
		t.Helper()
		path := c.Path(name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	read := func() string {
		t.Helper()
		print, err := fingerprint(c, l)
		if err != nil {
			t.Fatal(err)
		}
		return print
	}
	seen := map[string]bool{
		"lessons/00-first.md": true, "go.mod": true, "go.sum": true, "tools/go.mod": true,
		"helpers/measure/measure.go": true, "helpers/media/play.py": true, "internal/memory/memory.go": true,
		"lessons/01-second.md": false, "helpers/measure/measure_test.go": false, "internal/site/site.go": false,
	}
	for name := range seen {
		write(name, "before")
	}
	for name, counts := range seen {
		before := read()
		write(name, "after")
		if changed := read() != before; changed != counts {
			t.Errorf("%s has changed, and the fingerprint: %v, want %v", name, changed, counts)
		}
	}
}

// TestImported holds the folders that count against what the helpers and the
// lessons' cells import.
func TestImported(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "list", "-deps", "./helpers/...", "./lessons")
	cmd.Dir = "../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	used := map[string]bool{}
	for path := range strings.FieldsSeq(string(out)) {
		name, ours := strings.CutPrefix(path, "manyhands/")
		if !ours || name == "lessons" { // which only lists what they import
			continue
		}
		i := slices.IndexFunc(imported, func(dir string) bool { return strings.HasPrefix(name+"/", dir+"/") })
		if i < 0 {
			t.Errorf("cells import %s, and a change of it changes no fingerprint: add it to imported", name)
			continue
		}
		used[imported[i]] = true
	}
	if len(used) < len(imported) {
		t.Errorf("of %v cells import only %v", imported, used)
	}
}
