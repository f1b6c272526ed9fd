package measure

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Comparison is what [Plan.Run] found, in the order of its cases.
type Comparison struct {
	Results []Result `json:"results"`
	Rounds  int      `json:"rounds"` // made within the budget
	Wanted  int      `json:"wanted"` // by the plan
}

// Record hands the name, the unit "s" and the wall times of each result to
// record, which in a cell is ledger.Record. It stops at the first error.
func (c Comparison) Record(record func(name, unit string, values ...float64) error) error {
	for _, r := range c.Results {
		if err := record(r.Name, "s", r.Wall...); err != nil {
			return err
		}
	}
	return nil
}

// String returns the comparison as a table to print: for each case its median
// time and interval, CPU time, cores kept busy, and speed-up over the first
// case. The table keeps to one unit, unless the times are too far apart.
func (c Comparison) String() string {
	if len(c.Results) == 0 {
		return "Nothing was measured.\n"
	}
	rows := [][]string{{"", "median", "±", "CPU time", "cores busy", "speed-up"}}
	for i, r := range c.Results {
		unit := c.unitFor(r)
		m := r.Median()
		row := []string{oneLine(r.Name), unit.format(m.Value), m.spread(), "?", "?", ""}
		if len(r.CPU) > 0 {
			row[3] = unit.format(r.MedianCPU().Value)
			row[4] = fmt.Sprintf("%.2f", r.Busy().Value)
		}
		if i > 0 {
			row[5] = verdict(r, c.Results[0])
		}
		rows = append(rows, row)
	}
	return align(rows) + c.note()
}

// oneLine keeps a name from breaking the table.
func oneLine(name string) string { return strings.Join(strings.Fields(name), " ") }

func verdict(r, base Result) string {
	s := r.SpeedUp(base)
	switch {
	case math.IsNaN(s.Value):
		return "?"
	case !s.Known:
		return ratio(s.Value) + " (too few repeats for an interval)"
	case !r.Distinguishable(base):
		return ratio(s.Value) + " (cannot be told apart)"
	}
	return fmt.Sprintf("%s (%s to %s)", ratio(s.Value), ratio(s.Lo), ratio(s.Hi))
}

func ratio(x float64) string { return significant(x) + "×" }

// significant formats x > 0 with three significant digits and no exponent.
func significant(x float64) string {
	digits := 2 - int(math.Floor(math.Log10(x)))
	return fmt.Sprintf("%.*f", min(max(digits, 0), 9), x)
}

// spread is the farther end of the interval, in percent of the value, as
// benchstat gives it.
func (e Estimate) spread() string {
	if !e.Known {
		return "?"
	}
	percent := 100 * max(e.Hi/e.Value-1, 1-e.Lo/e.Value)
	if percent < 9.95 {
		return fmt.Sprintf("%.1f %%", percent)
	}
	return fmt.Sprintf("%.0f %%", percent)
}

// note says below the table how its figures came about.
func (c Comparison) note() string {
	var b strings.Builder
	switch {
	case c.Rounds == 0:
		b.WriteString("Medians of times taken elsewhere")
	case c.Rounds < c.Wanted:
		fmt.Fprintf(&b, "Medians of %d rounds (of the %d wanted, in the time there was)", c.Rounds, c.Wanted)
	default:
		fmt.Fprintf(&b, "Medians of %d rounds", c.Rounds)
	}
	b.WriteString("; ± and “to” bound 95 % intervals")
	if slices.ContainsFunc(c.Results, func(r Result) bool { return !r.Median().Known }) {
		b.WriteString(", for which ± needs 6 rounds")
	}
	return b.String() + ".\n"
}

// A unit is a name and how many of it make a second.
type unit struct {
	name   string
	second float64
}

// unitFor returns the largest unit in which the fastest case is at least 1, or
// r itself if the slowest would then be a number of more than five digits.
func (c Comparison) unitFor(r Result) unit {
	fastest, slowest := math.Inf(1), 0.0
	for _, r := range c.Results {
		if m := r.Median().Value; m > 0 { // not so for NaN
			fastest, slowest = min(fastest, m), max(slowest, m)
		}
	}
	if slowest > 1e4*fastest {
		fastest = r.Median().Value
	}
	for _, u := range []unit{{"s", 1}, {"ms", 1e3}, {"µs", 1e6}} {
		if fastest*u.second >= 1 {
			return u
		}
	}
	return unit{"ns", 1e9}
}

func (u unit) format(seconds float64) string {
	if math.IsNaN(seconds) {
		return "?"
	}
	x := seconds * u.second
	if x == 0 {
		return "0 " + u.name
	}
	return significant(x) + " " + u.name
}

// align pads the cells of each column: the first column and the last to the
// left, numbers to the right.
func align(rows [][]string) string {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			pad := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			switch i {
			case 0:
				line.WriteString(cell + pad)
			case len(row) - 1:
				line.WriteString("  " + cell)
			default:
				line.WriteString("  " + pad + cell)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
	}
	return b.String()
}
