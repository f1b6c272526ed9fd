package build

import (
	"bytes"
	"errors"
	"fmt"

	"manyhands/internal/course"
	"manyhands/internal/echarts"
	"manyhands/internal/lesson"
	"manyhands/internal/notebook"
	"manyhands/internal/progress"
)

// Text takes changed text over into the notebooks of lessons, draws their charts
// as the renderer now does, and executes nothing: what the cells printed and
// measured, and the edition that they did it in, stay. So mending a sentence, or
// a picture, costs no measurements. A lesson whose code has changed is an error,
// and its notebook stays as it is.
func Text(c *course.Course, opt Options) error {
	lessons, err := read(c, opt.Lessons)
	if err != nil {
		return err
	}
	renderer, err := echarts.NewRenderer()
	if err != nil {
		return err
	}
	show := progress.New(opt.Out)
	defer show.Wait()
	task := show.Task("text and charts", len(lessons))
	var errs []error
	for _, l := range lessons {
		task.Begin(l.Name)
		path := c.Path("notebooks", l.Name+".ipynb")
		changed, err := retext(l, path, renderer)
		if changed {
			show.Printf("new text or charts in %s", path)
		}
		errs = append(errs, err)
	}
	err = errors.Join(errs...)
	task.Done(err)
	return err
}

// retext brings a lesson's notebook up to date, without executing it, and reports
// whether that changed anything.
func retext(l *lesson.Lesson, path string, r *echarts.Renderer) (changed bool, err error) {
	nb, err := notebook.Read(path)
	if err != nil {
		return false, fmt.Errorf("%w; build it first with: go run . build %s", err, l.Name)
	}
	var before, after bytes.Buffer
	if err := nb.Encode(&before); err != nil {
		return false, err
	}
	if l.Matches(nb) != nil {
		if nb, err = reword(l, nb); err != nil {
			return false, err
		}
	}
	if err := echarts.Illustrate(nb, r); err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	if err := nb.Encode(&after); err != nil {
		return false, err
	}
	if bytes.Equal(before.Bytes(), after.Bytes()) {
		return false, nil
	}
	return true, nb.Write(path)
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
