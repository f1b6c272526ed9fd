package findfiles_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bmatcuk/doublestar/v4"
	"go.uber.org/goleak"

	"manyhands/helpers/findfiles"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// grow makes files, with the folders they lie in, and returns the top folder.
// Each holds its own name.
func grow(tb testing.TB, files ...string) string {
	tb.Helper()
	top := tb.TempDir()
	for _, name := range files {
		path := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			tb.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			tb.Fatal(err)
		}
	}
	return top
}

// link makes a symbolic link below top.
func link(t *testing.T, top, target, name string) {
	t.Helper()
	if err := os.Symlink(target, filepath.Join(top, name)); err != nil {
		t.Fatal(err)
	}
}

// find collects what a search finds in one folder: paths from it, sorted, and errors.
func find(t *testing.T, s findfiles.Search, top string) (paths []string, errs []error) {
	t.Helper()
	for file, err := range s.Files(t.Context(), top) {
		if err != nil {
			errs = append(errs, err)
			continue
		}
		rel, err := filepath.Rel(top, file.Path)
		if err != nil {
			t.Error(err)
		}
		paths = append(paths, filepath.ToSlash(rel))
	}
	slices.Sort(paths)
	return paths, errs
}

func TestFiles(t *testing.T) {
	top := grow(t, "a.go", "b.txt", "lib/c.go", "lib/deep/er/d.go", "lib/deep/e.txt", "old/f.go", ".hid/g.go", "a{b/h.go", "l[/i.go")
	tests := map[string]string{
		"*.go":                  ".hid/g.go a.go a{b/h.go l[/i.go lib/c.go lib/deep/er/d.go old/f.go",
		"**/*.go":               ".hid/g.go a.go a{b/h.go l[/i.go lib/c.go lib/deep/er/d.go old/f.go",
		"/*.go":                 "a.go",
		"lib/*.go":              "lib/c.go",
		"/lib/*.go":             "lib/c.go",
		"lib/**":                "lib/c.go lib/deep/e.txt lib/deep/er/d.go",
		"*/*.go":                ".hid/g.go a{b/h.go l[/i.go lib/c.go old/f.go",
		"l*/**/*.go":            "l[/i.go lib/c.go lib/deep/er/d.go",
		"**/deep/**/*.{go,txt}": "lib/deep/e.txt lib/deep/er/d.go",
		"{lib/deep,old}/*":      "lib/deep/e.txt old/f.go",
		`a\{b/*`:                "a{b/h.go",
		"l[[]/*":                "l[/i.go",
		"[lo]*/?.go":            "l[/i.go lib/c.go old/f.go",
		"b.txt":                 "b.txt",
		"lib":                   "", // a folder is no file
		"nothing/*":             "",
	}
	for pattern, want := range tests {
		for _, limit := range []int{0, 1, 2, 7} {
			got, errs := find(t, findfiles.Search{Pattern: pattern, Limit: limit}, top)
			if strings.Join(got, " ") != want || errs != nil {
				t.Errorf("%s, limit %d: %v, %v", pattern, limit, got, errs)
			}
		}
	}
}

func TestFilesOfSeveralFolders(t *testing.T) {
	one, two := grow(t, "a.go", "x/b.go"), grow(t, "c.go", "d.txt")
	var got []string
	for file, err := range (findfiles.Search{Pattern: "*.go"}).Files(t.Context(), one, filepath.Join(one, "x"), two) {
		if err != nil {
			t.Error(err)
		}
		info, err := os.Stat(file.Path)
		if err != nil || info.Size() != file.Size || !info.ModTime().Equal(file.Modified) {
			t.Errorf("%+v, %v", file, err)
		}
		got = append(got, file.Path)
	}
	slices.Sort(got)
	want := []string{one + "/a.go", one + "/x/b.go", one + "/x/b.go", two + "/c.go"} // x was asked for twice
	for i := range want {
		want[i] = filepath.FromSlash(want[i])
	}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%v instead of %v", got, want)
	}
}

// TestLargeFolder reads a folder in more than one go.
func TestLargeFolder(t *testing.T) {
	var files []string
	for i := range 2500 {
		files = append(files, fmt.Sprintf("%04d.txt", i))
	}
	got, errs := find(t, findfiles.Search{Pattern: "*.txt"}, grow(t, files...))
	if !slices.Equal(got, files) || errs != nil {
		t.Errorf("%d files, %v", len(got), errs)
	}
}

func TestLinks(t *testing.T) {
	top, other := grow(t, "a/1.txt", "b/2.txt"), grow(t, "3.txt", "deep/4.txt")
	link(t, top, "..", "a/up.txt")          // a circle
	link(t, top, "../b", "a/b")             // one circle by way of two
	link(t, top, "../a", "b/a")             //
	link(t, top, "self.txt", "self.txt")    // leads nowhere else
	link(t, top, "nothing", "broken.txt")   // leads nowhere
	link(t, top, "a/1.txt", "file.txt")     // to a file
	link(t, top, other, "other")            // out of the tree
	link(t, other, top, "deep/back")        // and back into it
	link(t, top, other+"/deep", "shortcut") // to what is reached anyway
	for _, limit := range []int{0, 1, 3} {
		got, errs := find(t, findfiles.Search{Pattern: "*.txt", Limit: limit}, top)
		if want := "a/1.txt a/up.txt b/2.txt broken.txt file.txt self.txt"; strings.Join(got, " ") != want || errs != nil {
			t.Errorf("limit %d: %v, %v", limit, got, errs)
		}
		got, errs = find(t, findfiles.Search{Pattern: "*.txt", Limit: limit, Follow: true}, top)
		for i, path := range got { // by whichever way they were reached
			got[i] = filepath.Base(path)
		}
		slices.Sort(got)
		if want := "1.txt 2.txt 3.txt 4.txt broken.txt file.txt self.txt"; strings.Join(got, " ") != want || errs != nil {
			t.Errorf("limit %d, following: %v, %v", limit, got, errs)
		}
	}
}

// TestNoFolder sees that a folder that is not there, or is a file, is told of,
// and keeps nobody from searching the others.
func TestNoFolder(t *testing.T) {
	top := grow(t, "1.txt", "2.txt")
	file := filepath.Join(top, "1.txt")
	var errs []error
	found := 0
	for _, err := range (findfiles.Search{Pattern: "*"}).Files(t.Context(), filepath.Join(top, "gone"), file, top) {
		if err != nil {
			errs = append(errs, err)
		} else {
			found++
		}
	}
	if found != 2 || len(errs) != 2 || !errors.Is(errs[0], fs.ErrNotExist) || !strings.Contains(errs[1].Error(), file+": not a folder") {
		t.Errorf("%d found, errors: %v", found, errs)
	}
}

func TestBadPattern(t *testing.T) {
	for _, pattern := range []string{"[a", "{a", `a\`, "**/[z-a]/["} {
		got, errs := find(t, findfiles.Search{Pattern: pattern}, t.TempDir())
		if len(got) > 0 || len(errs) != 1 || !errors.Is(errs[0], doublestar.ErrBadPattern) || !strings.Contains(errs[0].Error(), fmt.Sprintf("%q", pattern)) {
			t.Errorf("%s: %v, %v", pattern, got, errs)
		}
	}
}

// TestCancelled stops in the middle of a large tree.
func TestCancelled(t *testing.T) {
	top := library(t)
	search := findfiles.Search{Pattern: "*.go"}
	enough := errors.New("enough")
	for _, limit := range []int{0, 1, 4} {
		search.Limit = limit
		ctx, cancel := context.WithCancelCause(t.Context())
		defer cancel(nil)
		n, last := 0, error(nil)
		for _, err := range search.Files(ctx, top) {
			if n++; n == 10 {
				cancel(enough)
			}
			last = err
		}
		if last != enough || n > 10+1024 { // what was read of one folder before
			t.Errorf("limit %d: %d found, the last error %v", limit, n, last)
		}
		for range search.Files(t.Context(), top) {
			break // and goleak sees that nothing is left
		}
	}
}

// library is the folder of Go's own source, with some ten thousand files.
func library(t *testing.T) string {
	t.Helper()
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(strings.TrimSpace(string(root)), "src")
}

func ExampleSearch_Files() {
	search := findfiles.Search{Pattern: "**/find*.go"}
	for file, err := range search.Files(context.Background(), ".") {
		if err != nil {
			panic(err)
		}
		fmt.Println(file.Path)
	}
	// Unordered output:
	// findfiles.go
	// findfiles_test.go
}
