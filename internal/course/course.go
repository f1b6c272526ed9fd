// Package course knows where the course lives on disk, so that every command
// works from any folder inside it.
package course

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Module is the module path that marks the root of the course.
const Module = "manyhands"

// Course is one checkout of the course.
type Course struct {
	Root string // absolute path of the folder that holds the course's go.mod
}

// Find returns the course that holds the working directory.
func Find() (*Course, error) {
	dir, err := os.Getwd()
	if err != nil {
		return nil, fmt.Errorf("find the course: %w", err)
	}
	return FindFrom(dir)
}

// FindFrom returns the course that holds dir: the nearest folder, dir itself
// or one above it, whose go.mod declares [Module].
func FindFrom(dir string) (*Course, error) {
	start, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("find the course: %w", err)
	}
	for at := start; ; at = filepath.Dir(at) {
		if declares(filepath.Join(at, "go.mod"), Module) {
			return &Course{Root: at}, nil
		}
		if at == filepath.Dir(at) {
			return nil, fmt.Errorf("%s is not inside the course: no go.mod of module %s here or above; "+
				"run the command from the course's folder", start, Module)
		}
	}
}

// declares reports whether the go.mod at path declares the module.
func declares(path, module string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, ok := strings.CutPrefix(lines.Text(), "module "); ok {
			return strings.TrimSpace(name) == module
		}
	}
	return false
}

// Path joins the elements to the course's root.
func (c *Course) Path(elem ...string) string {
	return filepath.Join(append([]string{c.Root}, elem...)...)
}

// Lessons returns the absolute paths of lessons/NN-*.md, in the order they
// are taught.
func (c *Course) Lessons() ([]string, error) { return c.numbered("lessons", ".md") }

// Notebooks returns the absolute paths of notebooks/NN-*.ipynb, in the order
// they are taught.
func (c *Course) Notebooks() ([]string, error) { return c.numbered("notebooks", ".ipynb") }

// numbered lists the files of one folder whose names start with two digits
// and a dash. A folder that is not there has none.
func (c *Course) numbered(folder, ext string) ([]string, error) {
	entries, err := os.ReadDir(c.Path(folder))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("list %s: %w", folder, err)
	}
	var paths []string
	for _, e := range entries {
		if ok, _ := filepath.Match("[0-9][0-9]-*"+ext, e.Name()); ok {
			paths = append(paths, c.Path(folder, e.Name()))
		}
	}
	slices.Sort(paths)
	return paths, nil
}

// Lesson resolves what a person calls a lesson on the command line, "02",
// "threads", "02-threads" or a path, to the absolute path of its source.
func (c *Course) Lesson(name string) (string, error) {
	all, err := c.Lessons()
	if err != nil {
		return "", err
	}
	var found, names []string
	want := strings.TrimSuffix(filepath.Base(name), ".md")
	for _, path := range all {
		stem := strings.TrimSuffix(filepath.Base(path), ".md")
		names = append(names, stem)
		if stem == want || stem[:2] == want || stem[3:] == want {
			found = append(found, path)
		}
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return "", fmt.Errorf("no lesson %q; the lessons are %s", name, strings.Join(names, ", "))
	default:
		return "", fmt.Errorf("%q names %d lessons (%s); give the whole name", name, len(found), strings.Join(found, ", "))
	}
}
