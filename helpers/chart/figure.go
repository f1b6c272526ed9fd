package chart

import (
	"encoding/json"
	"fmt"
	"html"
	"strings"
)

// loader draws the figure it stands in by manyhands.js, which Jupyter serves beside the kernel's logo. In a page that
// is no Jupyter's the figure stays as it is, unless that page loads manyhands.js itself.
const loader = `<script>
(() => {
  const figure = document.currentScript.closest("figure");
  const draw = () => window.manyhands.start(figure);
  if (window.manyhands) return draw();
  const config = document.getElementById("jupyter-config-data");
  if (!config) return;
  let script = document.querySelector("script[data-manyhands]");
  if (!script) {
    script = document.createElement("script");
    script.dataset.manyhands = "";
    script.src = JSON.parse(config.textContent).baseUrl + "kernelspecs/gonb/manyhands.js";
    document.head.append(script);
  }
  script.addEventListener("load", draw, { once: true });
})();
</script>`

// figure returns the chart as HTML. Every text is escaped, and package json writes <, > and & in a way that ends no
// script.
func (c Chart) figure() (string, error) {
	data, err := json.Marshal(map[string]any{"description": c.description, "height": c.height, "option": c.option})
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "<figure class=\"mh-chart\" data-kind=\"%s\" style=\"margin:1em 0\">\n", c.kind)
	fmt.Fprintf(&b, "<figcaption style=\"font-weight:600\">%s</figcaption>\n", html.EscapeString(c.title))
	fmt.Fprintf(&b, "<div class=\"mh-plot\"></div>\n")
	if c.note != "" {
		fmt.Fprintf(&b, "<p class=\"mh-note\" style=\"font-size:90%%\">%s</p>\n", html.EscapeString(c.note))
	}
	b.WriteString("<details open><summary>The numbers</summary>\n<table>\n<thead><tr>")
	for _, column := range c.table.Columns {
		fmt.Fprintf(&b, `<th scope="col">%s</th>`, html.EscapeString(column))
	}
	b.WriteString("</tr></thead>\n<tbody>\n")
	for _, row := range c.table.Rows {
		b.WriteString("<tr>")
		for _, cell := range row {
			fmt.Fprintf(&b, "<td>%s</td>", html.EscapeString(cell))
		}
		b.WriteString("</tr>\n")
	}
	b.WriteString("</tbody>\n</table>\n</details>\n")
	fmt.Fprintf(&b, "<script type=\"application/json\" class=\"mh-data\">%s</script>\n%s\n</figure>\n", data, loader)
	return b.String(), nil
}
