package kernel

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"manyhands/internal/notebook"
)

// Tags of cells, as other tools that execute notebooks know them:
// https://nbclient.readthedocs.io/en/latest/client.html
const (
	tagRaises = "raises-exception" // the cell may fail
	tagSkip   = "skip-execution"   // the cell is not executed
)

// NotebookOptions says how to execute a notebook.
type NotebookOptions struct {
	Timeout   time.Duration          // the longest that one cell may run; 0 means no limit
	MaxOutput int                    // the most bytes that one output may have; 0 means 1 MiB
	OnCell    func(index, total int) // called before each code cell: its index in the notebook, and how many cells that has
}

// ExecuteNotebook runs the code cells of nb in order on k, in place: afterwards
// all outputs and execution counts are of this run. Cells without source and
// cells tagged skip-execution are not executed.
//
// It stops at the first failure, with a [*CellError] that names the cell. A
// cell tagged raises-exception may fail as long as the kernel survives it in
// time.
func ExecuteNotebook(ctx context.Context, k *Kernel, nb *notebook.Notebook, opt NotebookOptions) error {
	for _, cell := range nb.Cells {
		if cell.Type == notebook.Code {
			cell.Outputs, cell.ExecutionCount = []notebook.Output{}, nil
		}
	}
	shown := displays{}
	for i, cell := range nb.Cells {
		if cell.Type != notebook.Code {
			continue
		}
		if opt.OnCell != nil {
			opt.OnCell(i, len(nb.Cells))
		}
		tags := cell.Tags()
		if strings.TrimSpace(cell.Source) == "" || slices.Contains(tags, tagSkip) {
			continue
		}
		r, err := k.execute(ctx, cell.Source, Options{Timeout: opt.Timeout, MaxOutput: opt.MaxOutput})
		cell.Outputs, cell.ExecutionCount = r.outputs, r.count
		shown.apply(r)
		if err = at(i, cell, err); err != nil && !(slices.Contains(tags, tagRaises) && err.(*CellError).Err == nil) {
			return err
		}
	}
	return nil
}

// displays are the outputs of a notebook that may still be updated, by display
// id.
type displays map[string][]*notebook.Output

// apply carries out a cell's updates of earlier displays and adds its own.
func (d displays) apply(r result) {
	for _, u := range r.updates {
		for _, o := range d[u.display] {
			o.Data, o.Metadata = u.data, u.metadata
		}
	}
	for i, id := range r.displays {
		if id != "" {
			d[id] = append(d[id], &r.outputs[i])
		}
	}
}

// at says which cell an error is about.
func at(index int, cell *notebook.Cell, err error) error {
	if err == nil {
		return nil
	}
	failed, ok := errors.AsType[*CellError](err)
	if !ok {
		failed = &CellError{Err: err}
	}
	failed.Index, failed.ID = index, cell.ID
	return failed
}

// CellError says that a cell failed: it ran and ended in an error of its own
// (Name, Value, Traceback, Stderr), or it did not run to its end (Err).
type CellError struct {
	Index     int      // of the cell in its notebook, from 0; -1 from [Kernel.Execute]
	ID        string   // of the cell
	Name      string   // "ERROR" from GoNB
	Value     string   // such as "exit status 2"
	Traceback []string // may hold ANSI colours
	Stderr    string   // the end of what the cell wrote to stderr, or the beginning of a crash
	Err       error    // why it did not run to its end: a time-out, the kernel's death, the end of the context
}

// stderrLines is how many lines of a failed cell's stderr its error shows.
const stderrLines = 30

// colour matches ANSI's escape sequences for colours.
var colour = regexp.MustCompile(`\x1b\[[0-9;]*m`)

func (e *CellError) Error() string {
	var b strings.Builder
	if e.Index >= 0 {
		fmt.Fprintf(&b, "cell %d", e.Index+1)
		if e.ID != "" {
			fmt.Fprintf(&b, " (id %q)", e.ID)
		}
		b.WriteString(": ")
	}
	if e.Err != nil {
		return b.String() + e.Err.Error()
	}
	fmt.Fprintf(&b, "%s: %s", e.Name, strings.TrimSpace(e.Value))
	if e.Stderr != "" {
		b.WriteString("\n" + e.Stderr)
	}
	return colour.ReplaceAllString(b.String(), "")
}

// Unwrap returns why the cell did not run to its end, if it did not.
func (e *CellError) Unwrap() error { return e.Err }
