package site

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"html/template"
	"regexp"
	"slices"
	"strconv"

	"manyhands/helpers/timeline"
	"manyhands/internal/echarts"
	"manyhands/internal/edition"
	"manyhands/internal/notebook"
)

// figure is a chart as a page shows it: a picture that needs nothing, its
// table, and the data from which the house runtime makes it a live one.
type figure struct {
	Kind, Title, Description string
	Note                     string // what one must know to read it right
	Picture                  template.HTML
	Columns                  []string
	Rows                     [][]any
	Data                     any // nil: the picture stays one
	Edition                  edition.Edition
	scheduler                bool // recorded by Go's own scheduler
}

// chart shows an output that holds one of the course's charts; ok tells
// whether it does.
func (d *document) chart(o notebook.Output) (shown string, ok bool, err error) {
	value, ok := o.Data[echarts.MIME]
	if !ok {
		return "", false, nil
	}
	// Through JSON once more: the value may come from a file or from a test.
	encoded, err := json.Marshal(value)
	if err != nil {
		return "", false, fmt.Errorf("chart: %w", err)
	}
	var chart struct {
		Kind, Title, Description, Note string
		Height                         int
		Option                         json.RawMessage
		Table                          struct {
			Columns []string
			Rows    [][]any
		}
	}
	decoder := json.NewDecoder(bytes.NewReader(encoded))
	decoder.UseNumber()
	if err := decoder.Decode(&chart); err != nil {
		return "", false, fmt.Errorf("chart: %w; run the lesson again with `go run . build`", err)
	}
	f := figure{
		Kind: chart.Kind, Title: chart.Title, Description: chart.Description, Note: chart.Note,
		Columns: chart.Table.Columns, Rows: chart.Table.Rows, Edition: d.Edition,
	}
	svg, drawn := echarts.Picture(o)
	// In an option, ECharts takes strings for HTML: a stranger's stays a picture.
	if !d.site.opt.Untrusted {
		f.Data = map[string]any{"height": chart.Height, "description": chart.Description, "option": chart.Option}
		d.charts = true
	}
	if drawn {
		f.Picture = d.inline(svg, chart.Title, chart.Description)
	}
	f.scheduler = slices.Contains(f.Columns, string(timeline.Runnable))
	if drawn && f.Kind == "lanes" && (d.lanes == nil || f.scheduler && !d.lanes.scheduler) {
		d.lanes = &f
	}
	d.spread = append(d.spread, spread(f.Columns, f.Rows)...)
	d.figures = append(d.figures, &f)
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, "figure", f); err != nil {
		return "", false, err
	}
	return out.String(), true, nil
}

// interval is how helpers/chart writes a 95 % interval of a median in a table.
var interval = regexp.MustCompile(`^([\d.]+) to ([\d.]+)`)

// spread returns, for each row of a table that has a 95 % interval, how far it
// reaches to either side of its middle, as a share of it: 0.05 is ± 5 %.
func spread(columns []string, rows [][]any) []float64 {
	column := slices.Index(columns, "95 % interval")
	if column < 0 {
		return nil
	}
	var all []float64
	for _, row := range rows {
		if len(row) <= column {
			continue
		}
		text, _ := row[column].(string)
		ends := interval.FindStringSubmatch(text)
		if ends == nil {
			continue
		}
		low, err1 := strconv.ParseFloat(ends[1], 64)
		high, err2 := strconv.ParseFloat(ends[2], 64)
		if err1 == nil && err2 == nil && high+low > 0 {
			all = append(all, (high-low)/(high+low))
		}
	}
	return all
}

// inline returns a picture as part of the page, where it follows the page's
// theme, or as an image of its own: when it is a stranger's, as SVG may hold
// scripts, and when the page has the same one already, as its ids may be
// there only once.
func (d *document) inline(svg []byte, title, description string) template.HTML {
	sum := sha256.Sum256(svg)
	if d.site.opt.Untrusted || d.pictures[sum] {
		return template.HTML(fmt.Sprintf(`<img src="%s" alt="%s">`, dataURI("image/svg+xml", svg), template.HTMLEscapeString(title+". "+description)))
	}
	d.pictures[sum] = true
	return template.HTML(svg)
}
