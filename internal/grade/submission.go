package grade

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"manyhands/internal/notebook"
	"manyhands/internal/practical"
)

// A Submission is what one student handed in.
type Submission struct {
	Student string   // the name of their folder, or of their file
	Files   []string // notebooks, in the order of their names
}

// Submissions finds what students handed in: in dir, a folder or a notebook for
// each. A folder may have the notebook anywhere below, as in what nbgrader and
// Moodle collect. Links are not followed: a submission must not point into
// another, or to our files. If path is a notebook, it is the only submission.
func Submissions(path string) ([]Submission, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("find submissions: %w", err)
	}
	if !info.IsDir() {
		return []Submission{{name(path), []string{path}}}, nil
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return nil, fmt.Errorf("find submissions: %w", err)
	}
	var all []Submission
	for _, e := range entries {
		full := filepath.Join(path, e.Name())
		switch {
		case strings.HasPrefix(e.Name(), "."):
		case e.IsDir():
			files, err := notebooks(full)
			if err != nil {
				return nil, err
			}
			all = append(all, Submission{e.Name(), files})
		case e.Type().IsRegular() && filepath.Ext(full) == ".ipynb":
			all = append(all, Submission{name(full), []string{full}})
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no submissions in %s: there should be a folder or an .ipynb file for each student", path)
	}
	seen := map[string]bool{}
	for _, s := range all {
		if seen[s.Student] {
			return nil, fmt.Errorf("%s has both a folder and a notebook called %s; take one away", path, s.Student)
		}
		seen[s.Student] = true
	}
	return all, nil
}

func name(path string) string { return strings.TrimSuffix(filepath.Base(path), filepath.Ext(path)) }

// notebooks finds the notebooks below dir.
func notebooks(dir string) ([]string, error) {
	var files []string
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && e.Name() == ".ipynb_checkpoints":
			return filepath.SkipDir
		case e.Type().IsRegular() && filepath.Ext(path) == ".ipynb":
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("find submissions: %w", err)
	}
	return files, nil
}

// handedIn is a submission, read.
type handedIn struct {
	answers map[string]string // question's id -> source of the cell
	notes   []string
	hash    string // of the file
}

// read reads the notebook of a submission that answers p: one that says so goes
// before those that say nothing, such as JupyterLab's Untitled.ipynb. What is wrong
// with it becomes a note: it is the student who has to know.
func (s Submission) read(p *practical.Practical) (*handedIn, error) {
	in := &handedIn{answers: map[string]string{}}
	type file struct {
		*notebook.Notebook
		name, hash string
	}
	byPractical := map[string][]file{}
	for _, path := range s.Files {
		data, err := os.ReadFile(path)
		if err != nil {
			return nil, err
		}
		nb, err := notebook.Decode(strings.NewReader(string(data)))
		if err != nil {
			in.notes = append(in.notes, fmt.Sprintf("%s is not a notebook: %v", filepath.Base(path), err))
			continue
		}
		sum := sha256.Sum256(data)
		of := practicalOf(nb)
		byPractical[of] = append(byPractical[of], file{nb, filepath.Base(path), hex.EncodeToString(sum[:])})
	}
	files := byPractical[p.Name]
	if len(files) == 0 {
		files = byPractical[""]
	}
	if len(files) == 0 {
		in.notes = append(in.notes, "there is no notebook of "+p.Name)
		return in, nil
	}
	nb := files[len(files)-1]
	in.hash = nb.hash
	if len(files) > 1 {
		in.notes = append(in.notes, "several notebooks; graded is "+nb.name)
	}
	if spec, ok := nb.Metadata["kernelspec"].(map[string]any); ok && spec["name"] != "gonb" {
		in.notes = append(in.notes, fmt.Sprintf("the notebook is set to the kernel %q; it is graded as Go", spec["name"]))
	}
	in.take(p, nb.Notebook)
	return in, nil
}

// practicalOf returns the name of the practical that a notebook is of, "" if it
// does not say.
func practicalOf(nb *notebook.Notebook) string {
	own, _ := nb.Metadata["manyhands"].(map[string]any)
	name, _ := own["practical"].(string)
	return name
}

// take takes the answers out of a notebook.
func (in *handedIn) take(p *practical.Practical, nb *notebook.Notebook) {
	cells := map[string][]*notebook.Cell{}
	for _, c := range nb.Cells {
		id := cellID(c)
		cells[id] = append(cells[id], c)
	}
	for _, q := range p.Questions {
		found := slices.DeleteFunc(slices.Clone(cells[q.ID]), func(c *notebook.Cell) bool { return c.Type != q.Cell.Type })
		if len(found) == 0 && !q.Written {
			if found = declaring(nb, q); len(found) > 0 {
				in.notes = append(in.notes, fmt.Sprintf("%s: the cell has lost its id; it was found by what it declares", q.Title))
			}
		}
		if len(found) > 1 {
			in.notes = append(in.notes, fmt.Sprintf("%s: %d cells have the same id; graded is the last that was changed", q.Title, len(found)))
			changed := slices.DeleteFunc(slices.Clone(found), func(c *notebook.Cell) bool {
				return strings.TrimSpace(c.Source) == strings.TrimSpace(q.Starter())
			})
			if len(changed) > 0 {
				found = changed
			}
		}
		if len(found) > 0 {
			in.answers[q.ID] = found[len(found)-1].Source
		}
		for _, check := range q.Checks {
			for _, c := range cells[check.ID] {
				if c.Source != check.Source {
					in.notes = append(in.notes, fmt.Sprintf("%s: the check was changed; it is graded with ours", q.Title))
				}
			}
		}
	}
}

// cellID returns nbgrader's id of a cell, which survives copying, or else its own.
func cellID(c *notebook.Cell) string {
	if own, ok := c.Metadata["nbgrader"].(map[string]any); ok {
		if id, ok := own["grade_id"].(string); ok {
			return id
		}
	}
	return c.ID
}

// declaring returns the code cells that declare what the starter of q does first.
func declaring(nb *notebook.Notebook, q *practical.Question) []*notebook.Cell {
	var found []*notebook.Cell
	for line := range strings.Lines(q.Starter()) {
		signature, ok := strings.CutPrefix(line, "func ")
		if !ok {
			continue
		}
		function, _, _ := strings.Cut(signature, "(")
		for _, c := range nb.Cells {
			if c.Type == notebook.Code && strings.Contains("\n"+c.Source, "\nfunc "+function+"(") {
				found = append(found, c)
			}
		}
		break
	}
	return found
}

// Which returns the name of the practical that the submissions answer, by what
// their notebooks say.
func Which(submissions []Submission) (string, error) {
	names := map[string]bool{}
	for _, s := range submissions {
		for _, path := range s.Files {
			if nb, err := notebook.Read(path); err == nil && practicalOf(nb) != "" {
				names[practicalOf(nb)] = true
			}
		}
	}
	switch len(names) {
	case 0:
		return "", errors.New("no notebook says which practical it is of; name it with --practical")
	case 1:
		for name := range names {
			return name, nil
		}
	}
	return "", fmt.Errorf("there are notebooks of %d practicals; name the one to grade with --practical", len(names))
}
