package lab

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"
)

// deliver brings the student's copies of the notebooks, in work/, up to date
// and returns that folder. A file that the student has changed is never
// touched: work/.delivered.json holds the SHA-256 of every file as it was
// delivered, and only a file that still has it may be replaced.
func (l *lab) deliver() (string, error) {
	from, work := l.Path("notebooks"), l.Path("work")
	record := filepath.Join(work, ".delivered.json")
	delivered, err := readRecord(record)
	if err != nil {
		return "", err
	}
	before := maps.Clone(delivered)
	var fresh, refreshed, kept []string
	err = filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case path != from && strings.HasPrefix(d.Name(), "."): // .ipynb_checkpoints and the like
			if d.IsDir() {
				return filepath.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		name, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		lesson, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		copied := filepath.Join(work, name)
		mine, err := os.ReadFile(copied)
		newest := digest(lesson)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			fresh = append(fresh, name)
		case err != nil:
			return err
		case bytes.Equal(mine, lesson):
			delivered[name] = newest
			return nil
		case digest(mine) == delivered[name]:
			refreshed = append(refreshed, name)
		default:
			if delivered[name] != newest { // said once, then remembered as said
				kept = append(kept, name)
				delivered[name] = newest
			}
			return nil
		}
		if err := os.MkdirAll(filepath.Dir(copied), 0o777); err != nil {
			return err
		}
		delivered[name] = newest
		return renameio.WriteFile(copied, lesson, 0o666)
	})
	if errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("there are no notebooks to open yet: `go run . build` makes them from lessons/ (%w)", err)
	} else if err != nil {
		return "", fmt.Errorf("copy the notebooks to work/: %w", err)
	}
	l.report(fresh, refreshed, kept)
	if maps.Equal(before, delivered) {
		return work, nil
	}
	text, err := json.MarshalIndent(delivered, "", " ")
	if err != nil {
		return "", err
	}
	return work, renameio.WriteFile(record, text, 0o666)
}

func (l *lab) report(fresh, refreshed, kept []string) {
	if len(fresh) > 0 {
		l.say("New in work/, where you work on copies of your own: %s", list(fresh))
	}
	if len(refreshed) > 0 {
		l.say("Newer now in work/: %s", list(refreshed))
	}
	if len(kept) > 0 {
		l.say("There is a newer %s; the one in work/ stays, because you changed it.\n"+
			"Rename or delete yours and start again to get the new one.", list(kept))
	}
}

// list names a few files and counts many.
func list(names []string) string {
	if slices.Sort(names); len(names) > 4 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:3], ", "), len(names)-3)
	}
	return strings.Join(names, ", ")
}

// readRecord maps the files of work/, by their path in it, to the SHA-256 that
// each had when it was delivered.
func readRecord(path string) (map[string]string, error) {
	delivered := map[string]string{}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return delivered, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &delivered)
	}
	if err != nil {
		return nil, fmt.Errorf("%s says which notebooks you have changed, and cannot be read: %w; "+
			"delete it, and every notebook in work/ counts as changed", path, err)
	}
	return delivered, nil
}

func digest(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}
