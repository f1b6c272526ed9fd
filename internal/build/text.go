package build

import (
	"errors"
	"fmt"

	"manyhands/internal/course"
	"manyhands/internal/lesson"
	"manyhands/internal/notebook"
)

// Text takes changed text over into the notebooks of lessons and executes
// nothing: what the cells printed, and the edition that they printed it in, stay.
// So mending a sentence costs no measurements. A lesson whose code has changed is
// an error, and its notebook stays as it is.
func Text(c *course.Course, opt Options) error {
	lessons, err := read(c, opt.Lessons)
	if err != nil {
		return err
	}
	var errs []error
	for _, l := range lessons {
		path := c.Path("notebooks", l.Name+".ipynb")
		old, err := notebook.Read(path)
		if err != nil {
			errs = append(errs, fmt.Errorf("%w; build it first with: go run . build %s", err, l.Name))
			continue
		}
		if l.Matches(old) == nil {
			continue
		}
		nb, err := reword(l, old)
		if err == nil {
			err = nb.Write(path)
		}
		if err != nil {
			errs = append(errs, err)
			continue
		}
		fmt.Fprintln(opt.Out, "new text in", path)
	}
	return errors.Join(errs...)
}

// reword returns the notebook of a lesson with the outputs of an old one, which
// must have the same code.
func reword(l *lesson.Lesson, old *notebook.Notebook) (*notebook.Notebook, error) {
	printed := map[string]*notebook.Cell{}
	for _, cell := range old.Cells {
		if cell.Type == notebook.Code {
			printed[cell.ID] = cell
		}
	}
	nb := l.Notebook()
	for i, cell := range nb.Cells {
		if cell.Type != notebook.Code {
			continue
		}
		before, ok := printed[cell.ID]
		if !ok || before.Source != cell.Source {
			return nil, changedCode(l, l.Cells[i].Line)
		}
		delete(printed, cell.ID)
		cell.Outputs, cell.ExecutionCount = before.Outputs, before.ExecutionCount
	}
	if len(printed) > 0 {
		return nil, changedCode(l, 1)
	}
	own, _ := old.Metadata["manyhands"].(map[string]any)
	for _, key := range []string{"edition", "fingerprint"} { // the latter has the next build execute it
		stamp(nb, key, own[key])
	}
	return nb, nil
}

func changedCode(l *lesson.Lesson, line int) error {
	return &lesson.Error{Path: l.Path, Line: line,
		Text: "the code has changed since the lesson was built, so its figures are not this code's; execute it with: go run . build " + l.Name}
}
