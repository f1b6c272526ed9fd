// Package findfiles finds files by pattern in trees of folders, several folders
// at a time, and yields them while it searches.
//
//	search := findfiles.Search{Pattern: "**/*.{jpg,png}"}
//	for file, err := range search.Files(ctx, "/home/ada", "/media") {
//		…
//	}
//
// Patterns are those of doublestar, which knows "**" and "{a,b}" where the
// standard library's path.Match does not, and brings nothing else along.
package findfiles

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/bmatcuk/doublestar/v4"
	"golang.org/x/sync/errgroup"
)

// A Search says what to find, and how.
type Search struct {
	// Pattern is what the path of a file has to match, as seen from the folder
	// the search began in and with slashes on every system. As in .gitignore, a
	// pattern without a slash matches names in all folders, and a slash in front
	// ties it to the first: "*.go" is "**/*.go", and "/*.go" only what lies at
	// the top.
	Pattern string

	// Follow has links to folders followed. Each folder is searched once then,
	// by whichever way came first, so that links that lead in a circle do no
	// harm. Otherwise a link is a file like any other.
	Follow bool

	// Limit is how many folders are read at once: 1 for one after another, 0 for
	// no limit.
	Limit int
}

// A File is one that was found. Anything that is not a folder is a file.
type File struct {
	Path     string    `json:"path"` // begins with the folder as it was given
	Size     int64     `json:"size"` // in bytes
	Modified time.Time `json:"modified"`
}

// ahead is how many folders' files may be read before the loop has taken them:
// enough to keep the readers at work while it is busy with one.
const ahead = 16

// Files yields the files in and below the folders as they are found, in no
// particular order. What cannot be read comes as an error that names it, most
// often a [*fs.PathError], and the search goes on. When ctx ends, so does the
// search, and its cause is the last error. A pattern that is none is the only
// error there is; it wraps [doublestar.ErrBadPattern].
//
// Folders are read in other goroutines than the loop's; when the loop is left,
// they have ended.
func (s Search) Files(ctx context.Context, folders ...string) iter.Seq2[File, error] {
	return func(yield func(File, error) bool) {
		pattern := s.pattern()
		if !doublestar.ValidatePattern(pattern) {
			yield(File{}, fmt.Errorf("pattern %q: %w: see that every [, { and \\ is complete", s.Pattern, doublestar.ErrBadPattern))
			return
		}
		inner, cancel := context.WithCancel(ctx)
		w := &walk{ctx: inner, pattern: pattern, follow: s.Follow, found: make(chan batch, ahead)}
		w.group.SetLimit(cmp.Or(s.Limit, -1))
		defer func() {
			cancel()
			for range w.found { // nobody wants them, but until the last is there somebody reads
			}
		}()
		go func() {
			defer close(w.found)
			w.group.Go(func() error { w.all(w.roots(folders)); return nil })
			w.group.Wait()
		}()
		for b := range w.found {
			if ctx.Err() != nil {
				break
			}
			if b.err != nil && !yield(File{}, b.err) {
				return
			}
			for _, file := range b.files {
				if !yield(file, nil) {
					return
				}
			}
		}
		if ctx.Err() != nil {
			yield(File{}, context.Cause(ctx))
		}
	}
}

// pattern is the pattern as doublestar reads it.
func (s Search) pattern() string {
	if !strings.Contains(s.Pattern, "/") {
		return "**/" + s.Pattern
	}
	return strings.TrimPrefix(s.Pattern, "/")
}

// A walk is a search under way.
type walk struct {
	ctx     context.Context
	pattern string
	follow  bool
	group   errgroup.Group
	found   chan batch
	seen    sync.Map // of place, if links are followed
}

// A batch is what a part of a folder held, or why it could not be read.
type batch struct {
	files []File
	err   error
}

// A folder is one to search.
type folder struct {
	path  string // to open it
	rel   string // from the root, with slashes; "" for the root
	place place
}

// A place is where a folder really is, by whatever links it was reached. Roots
// are told apart, as patterns count from the root.
type place struct{ root, path string }

// all searches the folders and all below: each in a goroutine of its own while
// there is room for one, else in this one, so that nothing ever has to wait in
// a queue, and a limit of 1 leaves a plain recursion.
func (w *walk) all(folders []folder) {
	for _, f := range folders {
		if !w.group.TryGo(func() error { w.all(w.read(f)); return nil }) {
			w.all(w.read(f))
		}
	}
}

// roots are the folders that the search begins in.
func (w *walk) roots(paths []string) (roots []folder) {
	for _, path := range paths {
		f := folder{path: path, place: place{root: path}}
		info, err := os.Stat(path)
		if err == nil && !info.IsDir() {
			err = &fs.PathError{Op: "search", Path: path, Err: errors.New("not a folder")}
		}
		if err == nil {
			f.place.path, err = real(path)
		}
		if err != nil {
			w.send(batch{err: err})
		} else if w.enter(f) {
			roots = append(roots, f)
		}
	}
	return roots
}

// chunk is how many entries of a folder are read before those that match are
// sent off.
const chunk = 1024

// read reads one folder, sends off the files that match, and returns the
// folders in it.
func (w *walk) read(f folder) (below []folder) {
	if w.ctx.Err() != nil {
		return nil
	}
	dir, err := os.Open(f.path)
	if err != nil {
		w.send(batch{err: err})
		return nil
	}
	defer dir.Close()
	for w.ctx.Err() == nil {
		entries, err := dir.ReadDir(chunk)
		if err == io.EOF {
			break
		}
		var files []File
		for _, entry := range entries {
			rel := entry.Name()
			if f.rel != "" {
				rel = f.rel + "/" + rel
			}
			if sub, ok := w.folder(f, entry, rel); ok {
				if leads(w.pattern, rel) && w.enter(sub) {
					below = append(below, sub)
				}
			} else if doublestar.MatchUnvalidated(w.pattern, rel) {
				if info, err := entry.Info(); err == nil { // else it has gone meanwhile
					files = append(files, File{filepath.Join(f.path, entry.Name()), info.Size(), info.ModTime()})
				}
			}
		}
		w.send(batch{files, err})
		if err != nil {
			break
		}
	}
	return below
}

// folder returns an entry as a folder to search, if it is one.
func (w *walk) folder(in folder, entry fs.DirEntry, rel string) (sub folder, ok bool) {
	link := w.follow && entry.Type()&fs.ModeSymlink != 0
	if !entry.IsDir() && !link {
		return folder{}, false
	}
	name := entry.Name()
	sub = folder{filepath.Join(in.path, name), rel, place{in.place.root, filepath.Join(in.place.path, name)}}
	if !link {
		return sub, true
	}
	info, err := os.Stat(sub.path)
	if err != nil || !info.IsDir() {
		return folder{}, false // a link to a file, to nothing or to itself
	}
	sub.place.path, err = real(sub.path)
	return sub, err == nil
}

// enter reports whether a folder is yet to be searched.
func (w *walk) enter(f folder) bool {
	if !w.follow {
		return true
	}
	_, again := w.seen.LoadOrStore(f.place, true)
	return !again
}

// send hands a batch to the loop, unless it is empty.
func (w *walk) send(b batch) {
	if len(b.files) > 0 || b.err != nil {
		w.found <- b
	}
}

// real is the path of a folder without links.
func real(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(path)
}

// leads reports whether what matches the pattern may lie below the folder, as
// far as can be told step by step.
func leads(pattern, folder string) bool {
	for folder != "" {
		step, rest, more := strings.Cut(pattern, "/")
		if strings.Contains(step, "**") || strings.ContainsAny(step, `{[\`) {
			return true // the step may be more than one, or less than a whole one
		}
		name, deeper, _ := strings.Cut(folder, "/")
		if !more || !doublestar.MatchUnvalidated(step, name) {
			return false
		}
		pattern, folder = rest, deeper
	}
	return true
}
