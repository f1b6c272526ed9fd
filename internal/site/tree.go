package site

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"
)

// What a site keeps beside its pages: the list of the files that are its own,
// by which it knows what it may replace and remove, the lock of the run that
// is writing, and that run's unfinished files.
const (
	manifestName = ".manyhands-site"
	lockName     = ".manyhands-site.lock"
	stageName    = ".manyhands-site.new"
)

const manifestHeader = "# files of a site rendered by Many Hands, one a line; do not edit\n"

// tree replaces a folder of generated files by a new generation of it: write
// stages, commit swaps. Until commit, and after an error in it, every file is
// either the old one or the new one, whole.
type tree struct {
	dir  string
	lock *flock.Flock
	old  []string // the files of the generation before
	mu   sync.Mutex
	new  map[string]bool
}

// openTree prepares dir, which is made where it does not exist and must
// otherwise be empty or hold a site. It waits for another run to finish.
func openTree(ctx context.Context, dir string) (*tree, error) {
	old, err := readManifest(dir)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	t := &tree{dir: dir, lock: flock.New(filepath.Join(dir, lockName)), old: old, new: map[string]bool{}}
	if _, err := t.lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return nil, fmt.Errorf("wait for another run that renders into %s: %w", dir, err)
	}
	if t.old, err = readManifest(dir); err != nil { // that run may have added files
		return nil, errors.Join(err, t.close())
	}
	if err := os.RemoveAll(t.staged("")); err != nil {
		return nil, errors.Join(err, t.close())
	}
	return t, nil
}

// readManifest returns the files of the site in dir. It refuses a folder that
// holds anything without being a site.
func readManifest(dir string) ([]string, error) {
	list, err := os.ReadFile(filepath.Join(dir, manifestName))
	if err == nil {
		lines := strings.Split(strings.TrimPrefix(string(list), manifestHeader), "\n")
		return slices.DeleteFunc(lines, func(name string) bool { return !filepath.IsLocal(name) }), nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), manifestName) {
			return nil, fmt.Errorf("%s holds files that are not a site's, such as %s; name an empty or new folder", dir, e.Name())
		}
	}
	return nil, nil
}

func (t *tree) staged(name string) string {
	return filepath.Join(t.dir, stageName, filepath.FromSlash(name))
}

func (t *tree) live(name string) string { return filepath.Join(t.dir, filepath.FromSlash(name)) }

// write stages one file under its slash-separated name. The same name twice
// is the same file: the second is not written.
func (t *tree) write(name string, data []byte) error {
	if !filepath.IsLocal(filepath.FromSlash(name)) {
		return fmt.Errorf("%q would be written outside the site", name)
	}
	t.mu.Lock()
	known := t.new[name]
	t.new[name] = true
	t.mu.Unlock()
	if known {
		return nil
	}
	path := t.staged(name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o644)
}

// commit makes the staged files the site and removes those of the generation
// before that are no more. Files that have not changed are left alone.
func (t *tree) commit() error {
	names := slices.SortedFunc(maps.Keys(t.new), func(a, b string) int {
		// What pages need comes before the pages.
		return cmp.Or(strings.Count(b, "/")-strings.Count(a, "/"), strings.Compare(a, b))
	})
	var changed []string
	for _, name := range names {
		same, err := t.unchanged(name)
		if err != nil {
			return err
		}
		if !same {
			changed = append(changed, name)
		}
	}
	stale := slices.DeleteFunc(slices.Clone(t.old), func(name string) bool { return t.new[name] })
	if len(changed) == 0 && len(stale) == 0 && len(t.old) == len(names) {
		return nil
	}
	// An interrupted commit leaves both generations; both must stay listed.
	if err := t.list(slices.Concat(names, stale)); err != nil {
		return err
	}
	for _, name := range changed {
		if err := t.publish(name); err != nil {
			return err
		}
	}
	for _, name := range stale {
		if err := t.remove(name); err != nil {
			return err
		}
	}
	return t.list(names)
}

// publish puts a staged file in its place.
func (t *tree) publish(name string) error {
	if err := os.MkdirAll(filepath.Dir(t.live(name)), 0o755); err != nil {
		return err
	}
	return os.Rename(t.staged(name), t.live(name))
}

// remove removes a file, and the folders that held nothing else.
func (t *tree) remove(name string) error {
	if err := os.Remove(t.live(name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for folder := path.Dir(name); folder != "." && os.Remove(t.live(folder)) == nil; {
		folder = path.Dir(folder)
	}
	return nil
}

// unchanged compares a staged file with the live one, and refuses to replace
// one that no run of this program has written.
func (t *tree) unchanged(name string) (bool, error) {
	live, err := os.ReadFile(t.live(name))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	staged, err := os.ReadFile(t.staged(name))
	if err != nil {
		return false, err
	}
	same := bytes.Equal(live, staged)
	if !same && !slices.Contains(t.old, name) {
		return false, fmt.Errorf("%s is not a file of the site, but a new page would replace it; move it away", t.live(name))
	}
	return same, nil
}

func (t *tree) list(names []string) error {
	names = slices.Sorted(slices.Values(names))
	return renameio.WriteFile(filepath.Join(t.dir, manifestName), []byte(manifestHeader+strings.Join(names, "\n")+"\n"), 0o644)
}

// close drops what was staged and not committed, and lets the next run in.
func (t *tree) close() error {
	return errors.Join(os.RemoveAll(t.staged("")), t.lock.Unlock())
}
