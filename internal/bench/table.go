package bench

import (
	"fmt"
	"math"
	"strings"
	"text/tabwriter"
	"time"

	"manyhands/helpers/measure"
)

// A Row is a case of a figure, or a size of a job, as tables show it.
type Row struct {
	Name   string
	Cost   string // the median time
	Ratio  string // with its interval
	Must   string // what the ratio must reach; empty: nothing
	Missed bool
}

// Rows returns the rows of a figure.
func (f Figure) Rows() []Row {
	var rows []Row
	for i, r := range f.Results {
		row := Row{Name: r.Name, Cost: duration(r.Median().Value / float64(max(f.Each, 1)))}
		if i > 0 {
			ratio := f.Ratio(i)
			row.Ratio = interval(ratio)
			if must, ok := f.Must[r.Name]; ok {
				row.Must, row.Missed = digits(must), upper(ratio) < must
			}
		}
		rows = append(rows, row)
	}
	for _, p := range f.Growth {
		rows = append(rows, Row{Name: fmt.Sprint(p.Size), Cost: duration(p.Seconds), Ratio: fmt.Sprintf("%.0f MiB", p.MiB)})
	}
	if len(f.Growth) > 0 {
		k := f.Exponent()
		rows = append(rows, Row{Name: "exponent", Ratio: fmt.Sprintf("%.2f", k), Must: fmt.Sprintf("at most %.2f", Linear), Missed: k > Linear})
	}
	return rows
}

// Heads are the names of the columns of Rows.
func (f Figure) Heads() [4]string {
	if len(f.Growth) > 0 {
		return [4]string{f.Title, "time", "memory", "must be"}
	}
	if f.Each > 0 {
		return [4]string{f.Title, "median, each", "times as fast as this", "must reach"}
	}
	return [4]string{f.Title, "median", "times as fast as this", "must reach"}
}

// interval is an estimate with its interval, "1.02 (1.01 to 1.03)".
func interval(e measure.Estimate) string {
	if !e.Known {
		return digits(e.Value)
	}
	return fmt.Sprintf("%s (%s to %s)", digits(e.Value), digits(e.Lo), digits(e.Hi))
}

// digits is a number with three digits, or more where it is large.
func digits(x float64) string {
	if x >= 1000 {
		return fmt.Sprintf("%.0f", x)
	}
	return fmt.Sprintf("%.3g", x)
}

// duration is a time in seconds with three digits, "12.3ms".
func duration(seconds float64) string {
	if !(seconds > 0) {
		return "?"
	}
	d := time.Duration(seconds * 1e9)
	digit := math.Pow(10, math.Floor(math.Log10(seconds*1e9))-2)
	return d.Round(time.Duration(max(digit, 1))).String()
}

// String returns the record as tables to print.
func (r Record) String() string {
	var out strings.Builder
	fmt.Fprintf(&out, "\n%s: %s\n%s\n", r.Group, r.Title(), r.Edition)
	var text strings.Builder
	table := tabwriter.NewWriter(&text, 0, 0, 3, ' ', 0)
	for _, f := range r.Figures {
		fmt.Fprintln(table, "\t\t\t") // the columns of the next figure go on
		heads := f.Heads()
		fmt.Fprintln(table, strings.Join(heads[:], "\t"))
		for _, row := range f.Rows() {
			verdict := row.Must
			if row.Missed {
				verdict += "  MISSED"
			}
			fmt.Fprintln(table, strings.Join([]string{"  " + row.Name, row.Cost, row.Ratio, verdict}, "\t"))
		}
		for _, note := range f.Notes {
			fmt.Fprintln(table, "  "+note+"\t\t\t")
		}
	}
	table.Flush()
	for line := range strings.Lines(text.String()) {
		fmt.Fprintln(&out, strings.TrimRight(line, " \n"))
	}
	for _, s := range r.Skipped {
		fmt.Fprintln(&out, "\nnot measured:", s)
	}
	return out.String()
}

// Title says what the record's group measures.
func (r Record) Title() string {
	if g, err := Find(r.Group); err == nil {
		return g[0].Title
	}
	return ""
}
