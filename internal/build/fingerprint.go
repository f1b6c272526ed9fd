package build

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"manyhands/internal/course"
	"manyhands/internal/lesson"
	"manyhands/internal/notebook"
)

// imported are the folders whose packages cells import, themselves or by way of
// the helpers.
var imported = []string{"helpers", "internal/memory"}

// fingerprint is a hash of all that decides what a lesson's notebook says: its
// source, the packages that its cells import, the versions of the libraries,
// of Go and of the kernel, and the size factor. The machine is not part of
// it: another machine measures other figures, but the edition that is
// committed stays true to the machine that it names.
func fingerprint(c *course.Course, l *lesson.Lesson) (string, error) {
	h := sha256.New()
	fmt.Fprintln(h, runtime.Version(), os.Getenv("MANYHANDS_SCALE"))
	files := []string{l.Path, c.Path("go.mod"), c.Path("go.sum"), c.Path("tools", "go.mod")}
	for _, dir := range imported {
		paths, err := sources(c.Path(dir))
		if err != nil {
			return "", err
		}
		files = append(files, paths...)
	}
	for _, path := range files {
		if err := add(h, c, path); err != nil {
			return "", fmt.Errorf("fingerprint of %s: %w", l.Name, err)
		}
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

// add hashes one file's name within the course, and its text.
func add(h hash.Hash, c *course.Course, path string) error {
	name, err := filepath.Rel(c.Root, path)
	if err != nil {
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	fmt.Fprintln(h, filepath.ToSlash(name))
	_, err = io.Copy(h, f)
	return err
}

// sources lists the files under dir that a cell can see, in a fixed order:
// Go without its tests, and Python.
func sources(dir string) ([]string, error) {
	var paths []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && e.Name() == "testdata":
			return filepath.SkipDir
		case strings.HasSuffix(path, "_test.go"):
		case strings.HasSuffix(path, ".go"), strings.HasSuffix(path, ".py"):
			paths = append(paths, path)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return paths, err
}

// changed returns the lessons whose notebook is missing, was made from
// something else, or cannot be read.
func changed(c *course.Course, lessons []*lesson.Lesson) ([]*lesson.Lesson, error) {
	var due []*lesson.Lesson
	for _, l := range lessons {
		print, err := fingerprint(c, l)
		if err != nil {
			return nil, err
		}
		if built(c.Path("notebooks", l.Name+".ipynb")) != print {
			due = append(due, l)
		}
	}
	return due, nil
}

// built returns the fingerprint in the notebook at path, or "" where there is
// no such notebook or none that can be read: building mends both.
func built(path string) string {
	nb, err := notebook.Read(path)
	if err != nil {
		return ""
	}
	own, _ := nb.Metadata["manyhands"].(map[string]any)
	print, _ := own["fingerprint"].(string)
	return print
}
