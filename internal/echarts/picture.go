package echarts

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"regexp"
	"strings"

	"manyhands/internal/notebook"
)

const dataURL = "data:image/svg+xml;base64,"

var plot = regexp.MustCompile(`<div class="mh-plot">(?:<img class="mh-static"[^>]*>)?`)

// Illustrate puts a static picture into the text/html of every chart output of an executed notebook, and closes the
// table that stood in for it. A picture that is there already is drawn again. The error names the cell; the charts before
// it have their pictures.
func Illustrate(nb *notebook.Notebook, r *Renderer) error {
	for _, cell := range nb.Cells {
		for _, output := range cell.Outputs {
			if err := illustrate(output, r); err != nil {
				return fmt.Errorf("cell %s: %w", cell.ID, err)
			}
		}
	}
	return nil
}

func illustrate(o notebook.Output, r *Renderer) error {
	chart, ok := o.Data[MIME]
	if !ok {
		return nil
	}
	figure, ok := o.Data["text/html"].(string)
	if !ok || !plot.MatchString(figure) {
		return fmt.Errorf("its chart has no text/html with a place for the picture; run the notebook again")
	}
	data, err := json.Marshal(chart) // with its keys in order: the same chart, the same picture
	if err != nil {
		return fmt.Errorf("reading a chart: %w", err)
	}
	svg, err := r.SVG(data)
	if err != nil {
		return err
	}
	var texts struct{ Description string }
	if err := json.Unmarshal(data, &texts); err != nil {
		return fmt.Errorf("reading a chart: %w", err)
	}
	image := fmt.Sprintf(`<div class="mh-plot"><img class="mh-static" alt="%s" src="%s%s">`,
		html.EscapeString(texts.Description), dataURL, base64.StdEncoding.EncodeToString(svg))
	figure = plot.ReplaceAllLiteralString(figure, image)
	o.Data["text/html"] = strings.Replace(figure, "<details open>", "<details>", 1)
	return nil
}

// Picture returns the static picture that [Illustrate] put into a chart output, for a page to hold inline.
func Picture(o notebook.Output) (svg []byte, ok bool) {
	figure, _ := o.Data["text/html"].(string)
	_, rest, _ := strings.Cut(figure, `<img class="mh-static"`)
	image, _, _ := strings.Cut(rest, ">")
	_, source, ok := strings.Cut(image, ` src="`+dataURL)
	encoded, _, closed := strings.Cut(source, `"`)
	if !ok || !closed {
		return nil, false
	}
	svg, err := base64.StdEncoding.DecodeString(encoded)
	return svg, err == nil
}
