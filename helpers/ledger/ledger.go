// Package ledger keeps figures that outlive a cell. Every cell of a notebook is
// a program of its own whose variables end with it; what one cell records
// here, a later cell reads and charts:
//
//	ledger.Record("five at once", "s", 1.002, 1.004, 1.001) // in one cell
//	f, err := ledger.Read("five at once")                    // in a later one
//
// Python cells write to the same ledger; the module ledger.py beside this file
// has the same record, and needs nothing but Python 3.8:
//
//	import ledger
//	ledger.record("python threads", "s", 1.01, 1.03)
//
// # Runs
//
// A run is one execution of a cell: its process and the processes it starts,
// which inherit the run in the environment variable MANYHANDS_RUN. Records of
// the same name in one run add up, in the order they were written. When the
// cell is run again, its record of a name replaces the earlier run's as a
// whole, so no reader sees two runs mixed. Of several runs that recorded a
// name, the one that began to record it last counts.
//
// # File
//
// A notebook's ledger is one file in the folder $MANYHANDS_LEDGER, by default
// manyhands/ledger in the user's cache folder ([os.UserCacheDir]). It is called
// NAME-CRC.jsonl: the notebook's file name without .ipynb, cut at 200 bytes, and
// the CRC-32 (IEEE, 8 hex digits) of its path. Jupyter gives the path
// in JPY_SESSION_NAME. Where it does not, the kernel's own temporary folder
// (GONB_TMP_DIR) takes its place, so the ledger lasts as long as the kernel; and
// outside a notebook the working directory does.
//
// Each record is a line of JSON, in UTF-8:
//
//	{"run":"1f3a-18a2c4d5e6f7","time":"2026-11-21T20:37:23Z","name":"five at once","unit":"s","values":[1.002,1.004]}
//
// run is any text, the same for all records of a run; time is RFC 3339; values
// are finite numbers, at least one. A writer opens the file for appending, takes
// an exclusive flock(2) on it, begins a new line if the last one is torn, and
// writes its line at once; so goroutines and processes, Go and Python, write at
// the same time and lose nothing. Other fields of a line are ignored.
//
// The file grows by one line a record, about 150 bytes. It may be deleted at any
// time between cells; the figures in it are then gone until their cells run again.
//
// # Cost
//
// A record opens, locks, writes and closes the file: about 20 µs. Reading takes
// about 3 µs a line. BenchmarkRecord and BenchmarkRead prove it.
package ledger

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// A Figure is what the latest run recorded under a name.
type Figure struct {
	Name   string
	Unit   string    // of the values, such as "s" or "MB/s"; empty for a plain number
	Values []float64 // in the order they were recorded, at least one
	Time   time.Time // of the latest record
}

// DamageError tells of lines that are no record, such as the one being
// written when the machine crashed, or that have another unit than their run
// gave the same name before. They are skipped: the figures read along with a
// DamageError are good.
type DamageError struct {
	Path  string
	Lines []int // counted from 1
}

func (e *DamageError) Error() string {
	return fmt.Sprintf("ledger: %s: skipped %d damaged lines, the first is line %d; run the cells that record again",
		e.Path, len(e.Lines), e.Lines[0])
}

// ErrNotRecorded is wrapped by the error of [Read] for a name that no cell has
// recorded.
var ErrNotRecorded = errors.New("not recorded")

// Record adds values, in the given unit, to the figure called name in the
// ledger of this notebook. When Record returns nil the values are written as a
// whole, otherwise nothing is.
func Record(name, unit string, values ...float64) error {
	if err := record(name, unit, values); err != nil {
		return fmt.Errorf("ledger: cannot record %q: %w", name, err)
	}
	return nil
}

// Read returns the figure called name from the ledger of this notebook. If
// there is none, the error wraps [ErrNotRecorded] and lists the names there are.
// Damaged lines do not keep it from what is whole; [All] reports them.
func Read(name string) (Figure, error) {
	figures, err := All()
	return find(figures, err, name, "this notebook")
}

// ReadFrom is [Read] for the ledger of another notebook beside this one, named
// as its file is but without .ipynb, such as "02-threads". It knows the place
// only where Jupyter gave that of this notebook in JPY_SESSION_NAME.
func ReadFrom(notebook, name string) (Figure, error) {
	session, err := session()
	if err != nil {
		return Figure{}, fmt.Errorf("ledger: %w", err)
	}
	path, err := pathOf(filepath.Join(filepath.Dir(session), notebook+".ipynb"))
	if err != nil {
		return Figure{}, fmt.Errorf("ledger: %w", err)
	}
	figures, err := allOf(path)
	return find(figures, err, name, notebook)
}

// find returns the figure called name, of those read with an error or nil.
func find(figures []Figure, err error, name, notebook string) (Figure, error) {
	names := make([]string, len(figures))
	for i, f := range figures {
		if f.Name == name {
			return f, nil
		}
		names[i] = strconv.Quote(f.Name)
	}
	if err == nil || len(figures) > 0 {
		missing := fmt.Errorf("ledger: %q is %w in %s, only [%s] are: run the cell that records it first",
			name, ErrNotRecorded, notebook, strings.Join(names, ", "))
		err = errors.Join(missing, err)
	}
	return Figure{}, err
}

// All returns the figures in the ledger of this notebook, in the order in which
// their runs began to record them. A ledger that does not exist yet has none.
// The error may be a [*DamageError], along with all the figures that are whole.
func All() ([]Figure, error) {
	path, err := Path()
	if err != nil {
		return nil, fmt.Errorf("ledger: %w", err)
	}
	return allOf(path)
}

// allOf returns the figures in the ledger at path.
func allOf(path string) ([]Figure, error) {
	data, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("ledger: %w; set MANYHANDS_LEDGER to a folder of your own", err)
	}
	return figures(path, data)
}
