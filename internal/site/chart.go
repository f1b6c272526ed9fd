package site

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"html/template"

	"manyhands/internal/echarts"
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
	Edition                  edition
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
	if drawn && f.Kind == "lanes" && d.lanes == nil {
		d.lanes = &f
	}
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, "figure", f); err != nil {
		return "", false, err
	}
	return out.String(), true, nil
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
