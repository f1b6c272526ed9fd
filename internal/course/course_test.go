package course_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"manyhands/internal/course"
)

// sample lays out a small course and returns its root.
func sample(t *testing.T) string {
	t.Helper()
	root := filepath.Join(t.TempDir(), "a course's folder")
	for path, text := range map[string]string{
		"go.mod":                     "// A comment first.\nmodule manyhands\n",
		"tools/go.mod":               "module manyhands/tools\n",
		"lessons/02-threads.md":      "",
		"lessons/00-welcome.md":      "",
		"lessons/README.md":          "",
		"lessons/2-short.md":         "",
		"notebooks/02-threads.ipynb": "",
	} {
		file := filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestFindFromAnyFolder(t *testing.T) {
	root := sample(t)
	for _, dir := range []string{"", "lessons", "tools"} {
		c, err := course.FindFrom(filepath.Join(root, dir))
		if err != nil {
			t.Fatal(err)
		}
		if c.Root != root {
			t.Errorf("from %q: root %q, want %q", dir, c.Root, root)
		}
	}
}

func TestFindOutside(t *testing.T) {
	if _, err := course.FindFrom(t.TempDir()); err == nil || !strings.Contains(err.Error(), "run the command from") {
		t.Errorf("outside a course: error %v, want one that tells the way out", err)
	}
}

func TestListsAreOrderedAndNumberedOnly(t *testing.T) {
	c := &course.Course{Root: sample(t)}
	lessons, err := c.Lessons()
	if err != nil {
		t.Fatal(err)
	}
	if got := names(lessons); got != "00-welcome.md 02-threads.md" {
		t.Errorf("lessons %q", got)
	}
	notebooks, err := c.Notebooks()
	if err != nil {
		t.Fatal(err)
	}
	if got := names(notebooks); got != "02-threads.ipynb" {
		t.Errorf("notebooks %q", got)
	}
}

func TestAFolderThatIsMissingHasNoLessons(t *testing.T) {
	c := &course.Course{Root: t.TempDir()}
	if lessons, err := c.Lessons(); err != nil || len(lessons) != 0 {
		t.Errorf("lessons %v, error %v; want none and no error", lessons, err)
	}
}

func TestLessonByAnyName(t *testing.T) {
	c := &course.Course{Root: sample(t)}
	for _, name := range []string{"02", "threads", "02-threads", "02-threads.md", "lessons/02-threads.md"} {
		path, err := c.Lesson(name)
		if err != nil || filepath.Base(path) != "02-threads.md" {
			t.Errorf("Lesson(%q) = %q, %v", name, path, err)
		}
	}
	if _, err := c.Lesson("nine"); err == nil || !strings.Contains(err.Error(), "00-welcome, 02-threads") {
		t.Errorf("an unknown lesson: error %v, want one that lists the lessons", err)
	}
}

func names(paths []string) string {
	var base []string
	for _, p := range paths {
		base = append(base, filepath.Base(p))
	}
	return strings.Join(base, " ")
}
