package site

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"image"
	_ "image/gif" // their sizes, for outputs
	_ "image/jpeg"
	_ "image/png"
	"strings"

	"manyhands/internal/notebook"
)

// maxText is the length in bytes from which an output's text is cut, and
// maxHTML the one from which an output's HTML is not shown: past them a page
// is no longer one that people read. The notebook beside the page has it all.
const (
	maxText = 64 << 10
	maxHTML = 4 << 20
)

// pictureTypes are the MIME types of the pictures that outputs and
// attachments may hold, and the names of their files, the best one first.
var pictureTypes = []struct{ mime, ext string }{
	{"image/svg+xml", ".svg"}, {"image/png", ".png"}, {"image/jpeg", ".jpg"}, {"image/webp", ".webp"}, {"image/gif", ".gif"},
}

// outputs writes what a cell printed, in its order; what it printed in
// several pieces on one stream is joined, so that colours and progress bars
// that go over a piece's end come out right.
func (d *document) outputs(outputs []notebook.Output) (string, error) {
	var out strings.Builder
	for i := 0; i < len(outputs); i++ {
		o := outputs[i]
		if o.Type == notebook.Stream {
			var text strings.Builder
			text.WriteString(o.Text)
			for i+1 < len(outputs) && outputs[i+1].Type == notebook.Stream && outputs[i+1].Name == o.Name {
				i++
				text.WriteString(outputs[i].Text)
			}
			o.Text = text.String()
		}
		shown, err := d.output(o)
		if err != nil {
			return "", fmt.Errorf("output %d: %w", i+1, err)
		}
		out.WriteString(shown)
	}
	return out.String(), nil
}

func (d *document) output(o notebook.Output) (string, error) {
	switch o.Type {
	case notebook.Stream:
		if strings.TrimSpace(o.Text) == "" {
			return "", nil
		}
		return console(o.Text, o.Name), nil
	case notebook.Error:
		return traceback(o), nil
	case notebook.DisplayData, notebook.ExecuteResult:
		return d.display(o)
	}
	return "", fmt.Errorf("its type %q is none that nbformat 4 knows", o.Type)
}

// console shows text as a terminal would.
func console(text, class string) string {
	note := ""
	if cut := len(text) - maxText; cut > 0 {
		at := maxText
		if end := strings.LastIndexByte(text[:maxText], '\n'); end > 0 {
			at = end
		}
		text = strings.ToValidUTF8(text[:at], "")
		note = fmt.Sprintf(`<p class="remark">%s more of this output is in the notebook.</p>`, size(cut))
	}
	label := ""
	if class == "stderr" {
		label = `<span class="label">stderr</span>`
	}
	return `<div class="text ` + html.EscapeString(class) + `">` + label +
		`<pre tabindex="0">` + terminal(strings.TrimRight(text, "\n")) + "</pre>" + note + "</div>"
}

func size(bytes int) string {
	switch {
	case bytes >= 1<<20:
		return fmt.Sprintf("%.1f MB", float64(bytes)/(1<<20))
	case bytes >= 1<<10:
		return fmt.Sprintf("%d kB", bytes>>10)
	}
	return fmt.Sprintf("%d bytes", bytes)
}

// traceback shows an error that ended a cell.
func traceback(o notebook.Output) string {
	body := strings.Join(o.Traceback, "\n")
	if strings.TrimSpace(body) == "" {
		body = o.EName + ": " + o.EValue
	}
	return strings.Replace(console(body, "error"), `<pre`, `<span class="label">`+html.EscapeString(cmp.Or(o.EName, "error"))+`</span><pre`, 1)
}

// display shows the richest form of an output that a page can show.
func (d *document) display(o notebook.Output) (string, error) {
	if figure, ok, err := d.chart(o); ok || err != nil {
		return figure, err
	}
	if source, ok := o.Data["text/html"].(string); ok && len(source) <= maxHTML {
		return rich("text/html", source, d.fragment)
	}
	if picture, ok, err := d.picture(o.Data); ok || err != nil {
		return picture, err
	}
	if source, ok := o.Data["text/markdown"].(string); ok && len(source) <= maxHTML {
		return rich("text/markdown", source, d.markdown)
	}
	if source, ok := o.Data["text/latex"].(string); ok && strings.HasPrefix(source, "$") {
		return rich("text/latex", source, d.markdown)
	}
	for _, mime := range []string{"text/latex", "text/plain"} {
		if text, ok := o.Data[mime].(string); ok {
			return console(text, "result"), nil
		}
	}
	if value, ok := o.Data["application/json"]; ok {
		text, err := json.MarshalIndent(value, "", "  ")
		return console(string(text), "result"), err
	}
	if len(o.Data) == 0 {
		return "", nil
	}
	return `<p class="remark">This output can only be seen in the notebook.</p>`, nil
}

// rich frames an output of the given type, as render renders its source.
func rich(mime, source string, render func(source string, prose bool) (string, error)) (string, error) {
	shown, err := render(source, false)
	if err != nil {
		return "", fmt.Errorf("%s: %w", mime, err)
	}
	return `<div class="rich">` + shown + "</div>", nil
}

// picture shows the best of the pictures in a MIME bundle.
func (d *document) picture(bundle map[string]any) (string, bool, error) {
	for _, kind := range pictureTypes {
		data, ok, err := pictureData(bundle, kind.mime)
		if err != nil {
			return "", false, err
		}
		if !ok {
			continue
		}
		src, err := d.site.picture(data, kind.mime, kind.ext)
		if err != nil {
			return "", false, err
		}
		dimensions := ""
		if c, _, err := image.DecodeConfig(bytes.NewReader(data)); err == nil {
			dimensions = fmt.Sprintf(` width="%d" height="%d"`, c.Width, c.Height)
		}
		return fmt.Sprintf(`<p class="picture"><img src="%s" alt="%s"%s loading="lazy"></p>`,
			html.EscapeString(src), "Picture drawn by the code above", dimensions), true, nil
	}
	return "", false, nil
}

// pictureData returns the bytes of a picture in a MIME bundle: SVG is text,
// the other types are base64.
func pictureData(bundle map[string]any, mime string) ([]byte, bool, error) {
	text, ok := bundle[mime].(string)
	if !ok {
		return nil, false, nil
	}
	if mime == "image/svg+xml" {
		return []byte(text), true, nil
	}
	data, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, false, fmt.Errorf("%s: not base64: %w", mime, err)
	}
	return data, true, nil
}
