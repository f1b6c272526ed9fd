// Package chart draws what the other helpers measured, under the cell that measured it, in one house style:
//
//	chart.Bars(comparison).Show()     // times of alternatives, with their spread
//	chart.Within(limit, figures…)     // rates against what is possible
//	chart.Lanes(timeline).Show()      // who did what when; waiting for a core in the alarm colour
//	chart.SpeedUp(workers, c).Show()  // against the ideal, and beside fitted laws
//	chart.CPU(usage).Show()           // every core over time
//	chart.Distribution(figures…).Show()
//	chart.Depth(capacity, queues…).Show()
//	chart.Lines(x, y, series…).Show() // any quantity against another
//
// A chart's title states its finding, and is computed from the data, so that it is true on the reader's machine;
// [Chart.Titled] overrides it. Axes have units; whatever colour says is said in another way too; a description and a
// table of the numbers come with every chart. Outside a notebook Show prints the title and the table.
//
// # How it reaches the page
//
// A cell sends the chart as an option of Apache ECharts, in pure JSON, with an HTML figure that draws it by files
// beside the kernel's (echarts.min.js and manyhands.js): nothing is fetched from elsewhere. Where those files or
// JavaScript are missing, the figure shows the static picture that the course's build puts in, or the table.
//
// # Cost
//
// A chart of a few bars is 6 kB in the notebook and takes 0.2 ms to make; a timeline of 100 000 spans is thinned to
// [MaxSpans] marks, 120 kB, which takes 50 ms. The static picture adds up to as much again, and no chart is above 300 kB.
// Sending takes about 2 ms, see package display. BenchmarkChart proves the figures. Options are
// plain maps, as go-echarts' typed ones have no custom series and would still need house style around them; and no
// template is linked, which would keep every method of the program alive (0.1 to 0.2 s of a cell's link time).
package chart

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

	"manyhands/helpers/display"
)

// A Chart is ready to be shown. Make one by the functions of this package. Its methods return a changed copy.
type Chart struct {
	kind        string
	title       string
	description string // what a screen reader says of the picture
	note        string // what the reader must know to read it right
	height      int    // pixels
	option      option
	table       table
	err         error // why there is nothing to draw
}

// An option is an option of ECharts (https://echarts.apache.org/en/option.html), or part of one. A string "@name" is
// one of the functions and colours of internal/echarts/manyhands.js.
type (
	option = map[string]any
	list   = []any
)

// A table holds the numbers of a chart, as text with units.
type table struct {
	Columns []string   `json:"columns"`
	Rows    [][]string `json:"rows"`
}

// empty is the chart of nothing.
func empty(kind, reason string) Chart {
	return Chart{kind: kind, err: errors.New("chart: " + reason)}
}

// Titled replaces the title that was computed from the data.
func (c Chart) Titled(title string) Chart {
	c.title = title
	return c
}

// Described replaces what a screen reader says of the picture.
func (c Chart) Described(description string) Chart {
	c.description = description
	return c
}

// Noted replaces the note under the chart.
func (c Chart) Noted(note string) Chart {
	c.note = note
	return c
}

// Tall sets the height of the picture in pixels, between 80 and 2000.
func (c Chart) Tall(pixels int) Chart {
	c.height = min(max(pixels, 80), 2000)
	return c
}

// Err tells why there is nothing to draw, such as no data; nil if there is.
func (c Chart) Err() error { return c.err }

// Show displays the chart under the cell, or prints its title and table outside a notebook. What cannot be shown it
// says on standard error, as the cell need not end for a chart.
func (c Chart) Show() {
	bundle, err := c.Bundle()
	if err == nil {
		err = display.Show(bundle)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// MIME is the type under which a notebook holds a chart's option, table and texts as JSON.
const MIME = "application/vnd.manyhands.chart+json"

// Bundle returns the chart as [display.Show] takes it: as "text/plain", "text/html" and [MIME].
func (c Chart) Bundle() (map[string]any, error) {
	if c.err != nil {
		return nil, c.err
	}
	data, err := json.Marshal(map[string]any{
		"version": 1, "kind": c.kind, "title": c.title, "description": c.description, "note": c.note,
		"height": c.height, "option": c.option, "table": c.table,
	})
	if err != nil {
		return nil, fmt.Errorf("chart %q: %w", c.title, err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(data, &decoded); err != nil {
		return nil, fmt.Errorf("chart %q: %w", c.title, err)
	}
	figure, err := c.figure()
	if err != nil {
		return nil, fmt.Errorf("chart %q: %w", c.title, err)
	}
	return map[string]any{"text/plain": c.String(), "text/html": figure, MIME: decoded}, nil
}

// String returns the chart's title, table and note as text.
func (c Chart) String() string {
	if c.err != nil {
		return c.err.Error()
	}
	var b, rows strings.Builder
	fmt.Fprintln(&b, c.title)
	w := tabwriter.NewWriter(&rows, 0, 0, 2, ' ', 0)
	for _, row := range append([][]string{c.table.Columns}, c.table.Rows...) {
		fmt.Fprintln(w, "  "+strings.Join(row, "\t"))
	}
	w.Flush()
	for line := range strings.Lines(rows.String()) {
		fmt.Fprintln(&b, strings.TrimRight(line, " \n"))
	}
	if c.note != "" {
		fmt.Fprintln(&b, c.note)
	}
	return b.String()
}

// maxRows bounds the table under a chart.
const maxRows = 60

// bounded returns the table with at most maxRows rows, the last of which says what is missing.
func (t table) bounded() table {
	if len(t.Rows) <= maxRows {
		return t
	}
	rest := make([]string, len(t.Columns))
	rest[0] = fmt.Sprintf("and %d more", len(t.Rows)-maxRows+1)
	t.Rows = append(t.Rows[:maxRows-1:maxRows-1], rest)
	return t
}

// label makes a name fit for an axis, a title and a cell of a table: one line, 60 characters.
func label(name string) string {
	name = strings.Join(strings.Fields(strings.ToValidUTF8(name, "�")), " ")
	if utf8.RuneCountInString(name) > 60 {
		name = string([]rune(name)[:59]) + "…"
	}
	return name
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// sentences joins the notes that are not empty.
func sentences(notes ...string) string {
	var all []string
	for _, note := range notes {
		if note != "" {
			all = append(all, strings.TrimSuffix(note, ".")+".")
		}
	}
	return strings.Join(all, " ")
}
