package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"time"
)

// entry is a line of the file.
type entry struct {
	Run    string    `json:"run"`
	Time   time.Time `json:"time"`
	Name   string    `json:"name"`
	Unit   string    `json:"unit"`
	Values []float64 `json:"values"`
}

// run identifies this execution of a cell.
var run = joinRun()

// joinRun returns the run that the parent process handed down, or begins one.
// It does so before main, so that every process that a cell starts, however and
// whenever, joins the cell's run. What is not a cell hands nothing down: the
// kernels that it may start would take all their cells for one run.
func joinRun() string {
	const env = "MANYHANDS_RUN"
	run := os.Getenv(env)
	if run == "" {
		run = strconv.FormatInt(int64(os.Getpid()), 16) + "-" + strconv.FormatInt(time.Now().UnixNano(), 16)
	}
	if os.Getenv("GONB_TMP_DIR") != "" {
		os.Setenv(env, run) // fails only for an invalid name
	}
	return run
}

func record(name, unit string, values []float64) error {
	switch {
	case name == "":
		return errors.New("a figure needs a name")
	case len(values) == 0:
		return errors.New("no values")
	}
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("value %d is %v: record finite numbers", i+1, v)
		}
	}
	path, err := Path()
	if err != nil {
		return err
	}
	line, err := json.Marshal(entry{run, time.Now().UTC(), name, unit, values})
	if err != nil {
		return err
	}
	if err := appendLine(path, append(line, '\n')); err != nil {
		return fmt.Errorf("%w; make room there, or set MANYHANDS_LEDGER to a folder you can write to", err)
	}
	return nil
}

// figures folds the lines of a ledger file into what their latest runs say.
func figures(path string, data []byte) ([]Figure, error) {
	type key struct{ name, run string }
	began := make(map[key]bool)
	latest := make(map[string]string) // name to run
	found := make(map[string]Figure)
	var order []string
	damage := &DamageError{Path: path}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		var e entry
		if err := json.Unmarshal(line, &e); err != nil || e.Name == "" || len(e.Values) == 0 {
			if len(bytes.TrimSpace(line)) > 0 {
				damage.Lines = append(damage.Lines, number)
			}
			continue
		}
		if k := (key{e.Name, e.Run}); !began[k] {
			began[k] = true
			latest[e.Name] = e.Run
			delete(found, e.Name)
			order = append(slices.DeleteFunc(order, func(n string) bool { return n == e.Name }), e.Name)
		}
		if latest[e.Name] != e.Run {
			continue // a straggler of a run that has been replaced
		}
		f, ok := found[e.Name]
		if ok && f.Unit != e.Unit { // would mix seconds with milliseconds
			damage.Lines = append(damage.Lines, number)
			continue
		}
		found[e.Name] = Figure{e.Name, e.Unit, append(f.Values, e.Values...), e.Time}
	}
	figures := make([]Figure, len(order))
	for i, name := range order {
		figures[i] = found[name]
	}
	if len(damage.Lines) > 0 {
		return figures, damage
	}
	return figures, nil
}
