package bench

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"slices"

	"github.com/google/renameio/v2"
	"gonum.org/v1/gonum/stat"

	"manyhands/helpers/measure"
	"manyhands/internal/edition"
)

// A Figure is what one benchmark found: cases that were measured in one run,
// turn by turn, or how the cost of one job grows. It is plain data.
type Figure struct {
	Benchmark string `json:"benchmark"` // its name, with that of the part
	Title     string `json:"title"`
	// Results has the course's own case first. Ratios say how many times as fast
	// as each of the others it is.
	Results []measure.Result `json:"results,omitempty"`
	// Must says for some of the cases, by name, which ratio is to be reached.
	Must map[string]float64 `json:"must,omitempty"`
	// Each is how many calls or tasks a case is made of, 0 if that is not told.
	Each int `json:"each,omitempty"`
	// Growth is empty where Results are not.
	Growth []Point `json:"growth,omitempty"`
	// Notes are what was measured beside the times.
	Notes []string `json:"notes,omitempty"`
}

// A Point is what a job of a certain size costs.
type Point struct {
	Size    int     `json:"size"`
	Seconds float64 `json:"seconds"`
	MiB     float64 `json:"mib"` // the most memory that the process has had so far
}

// Ratio is how many times as fast as case i the first case is.
func (f Figure) Ratio(i int) measure.Estimate { return f.Results[0].SpeedUp(f.Results[i]) }

// Missed lists the cases whose ratio is below what must be reached, with its
// whole interval: chance does not explain it.
func (f Figure) Missed() []string {
	var missed []string
	for i, r := range f.Results {
		if must, ok := f.Must[r.Name]; ok && i > 0 && upper(f.Ratio(i)) < must {
			missed = append(missed, r.Name)
		}
	}
	if len(f.Growth) > 0 && f.Exponent() > Linear {
		missed = append(missed, "linear growth")
	}
	return missed
}

// upper is the upper end of an interval, or the value where there is none.
func upper(e measure.Estimate) float64 {
	if e.Known {
		return e.Hi
	}
	return e.Value
}

// Linear is the largest exponent of growth that counts as linear: caches that
// are too small and n log n add some.
const Linear = 1.15

// Exponent is the k of a cost that grows as sizeᵏ: the slope of the logarithms,
// by least squares, over the upper half of the sizes (three at least), where
// what does not grow matters less.
func (f Figure) Exponent() float64 {
	points := f.Growth[min(len(f.Growth)/2, max(0, len(f.Growth)-3)):]
	var x, y []float64
	for _, p := range points {
		x, y = append(x, math.Log(float64(p.Size))), append(y, math.Log(p.Seconds))
	}
	_, slope := stat.LinearRegression(x, y, nil, false)
	return slope
}

// A Record is what a run of a group found.
type Record struct {
	Group   string          `json:"group"`
	Edition edition.Edition `json:"edition"`
	Figures []Figure        `json:"figures"`
	Skipped []string        `json:"skipped,omitempty"` // what was not measured, and why
}

// Read reads the records of a file, none where there is no such file.
func Read(path string) ([]Record, error) {
	data, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("read the figures: %w", err)
	}
	return Decode(path, data)
}

// Decode reads records from the contents of a file.
func Decode(path string, data []byte) ([]Record, error) {
	var records []Record
	if err := json.Unmarshal(data, &records); err != nil {
		return nil, fmt.Errorf("%s holds no figures: %w; remove it and run `go run . bench --json %[1]s`", path, err)
	}
	return records, nil
}

// Add puts new records into a file, in the order of [Groups]. Those of other
// groups stay.
func Add(path string, records ...Record) error {
	all, err := Read(path)
	if err != nil {
		return err
	}
	for _, r := range records {
		all = slices.DeleteFunc(all, func(old Record) bool { return old.Group == r.Group })
		all = append(all, r)
	}
	place := func(r Record) int { return slices.IndexFunc(Groups, func(g Group) bool { return g.Name == r.Group }) }
	slices.SortFunc(all, func(a, b Record) int { return place(a) - place(b) })
	data, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		return err
	}
	return renameio.WriteFile(path, append(data, '\n'), 0o644)
}
