package echarts

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/dop251/goja"
)

// Width is the width in pixels of every static picture; its height is the chart's.
const Width = 720

// A Renderer makes static pictures. Making one takes about 0.3 s, most of it for compiling ECharts the first time; a
// picture takes some 50 to 100 ms, and one of thousands of spans up to 2 s. It is not safe for concurrent use.
type Renderer struct {
	draw    goja.Callable
	echarts goja.Value
	vm      *goja.Runtime
	colours map[string]string // name of a colour -> its stand-in
	style   string            // declares the colours of the pictures
	names   *strings.Replacer // stand-in -> var(--mh-name)
}

// program is ECharts compiled, once a process.
var program = sync.OnceValues(func() (*goja.Program, error) {
	return goja.Compile("echarts.min.js", string(Script), false)
})

// NewRenderer loads ECharts and the house runtime.
func NewRenderer() (*Renderer, error) {
	compiled, err := program()
	if err != nil {
		return nil, fmt.Errorf("loading echarts.min.js: %w", err)
	}
	vm := goja.New()
	// ECharts puts off some work to later turns of an event loop; a picture is taken before they come.
	for _, name := range []string{"setTimeout", "clearTimeout"} {
		if err := vm.Set(name, func() {}); err != nil {
			return nil, err
		}
	}
	if _, err := vm.RunProgram(compiled); err != nil {
		return nil, fmt.Errorf("loading echarts.min.js: %w", err)
	}
	if _, err := vm.RunScript("manyhands.js", string(Runtime)); err != nil {
		return nil, fmt.Errorf("loading manyhands.js: %w", err)
	}
	runtime := vm.Get("manyhands").ToObject(vm)
	draw, ok := goja.AssertFunction(runtime.Get("svg"))
	if !ok {
		return nil, errors.New("loading manyhands.js: it exports no function svg")
	}
	var palettes struct{ Light, Dark map[string]string }
	vm.SetFieldNameMapper(goja.UncapFieldNameMapper())
	if err := vm.ExportTo(runtime.Get("palettes"), &palettes); err != nil {
		return nil, fmt.Errorf("loading manyhands.js: its palettes: %w", err)
	}
	r := &Renderer{draw: draw, echarts: vm.Get("echarts"), vm: vm}
	r.setStyle(palettes.Light, palettes.Dark, runtime.Get("font").String())
	return r, nil
}

// setStyle gives each colour of the palettes a stand-in that ECharts may draw with, and makes the style in which every
// picture declares its font and what the colours are on a light and on a dark page. A page that knows its theme says so in the
// data-theme or data-jp-theme-light of an element around the picture; a picture in an <img> goes by the system's.
func (r *Renderer) setStyle(light, dark map[string]string, font string) {
	r.colours = map[string]string{}
	var names []string
	var lights, darks strings.Builder
	for i, name := range slices.Sorted(maps.Keys(light)) {
		stand := fmt.Sprintf("#fe01%02x", i)
		r.colours[name] = stand
		names = append(names, stand, "var(--mh-"+name+")")
		fmt.Fprintf(&lights, "--mh-%s:%s;", name, light[name])
		fmt.Fprintf(&darks, "--mh-%s:%s;", name, dark[name])
	}
	r.names = strings.NewReplacer(names...)
	r.style = fmt.Sprintf(".mh-svg{font:12px %[3]s;%[1]s}"+
		"@media screen and (prefers-color-scheme:dark){.mh-svg{%[2]s}}"+
		"[data-theme=light] .mh-svg,[data-jp-theme-light=true] .mh-svg{%[1]s}"+
		"@media screen{[data-theme=dark] .mh-svg,[data-jp-theme-light=false] .mh-svg{%[2]s}}",
		lights.String(), darks.String(), font)
}

// SVG renders a chart, the JSON of an output of type [MIME], as a picture that stands alone: it has the chart's
// title and description for screen readers, follows the page's light or dark theme, and refers to nothing outside
// itself. The same chart gives the same bytes; ids in the picture are made from the chart, so that two charts can be
// in one page.
func (r *Renderer) SVG(chart []byte) ([]byte, error) {
	var c struct {
		Title, Description string
		Height             int
		Option             json.RawMessage
	}
	if err := json.Unmarshal(chart, &c); err != nil {
		return nil, fmt.Errorf("reading a chart: %w", err)
	}
	if len(c.Option) == 0 || c.Height <= 0 {
		return nil, fmt.Errorf("reading a chart: %q has no option or no height", c.Title)
	}
	value, err := r.draw(goja.Undefined(), r.echarts, r.vm.ToValue(string(chart)), r.vm.ToValue(r.colours), r.vm.ToValue(Width))
	if err != nil {
		return nil, fmt.Errorf("rendering chart %q: %w", c.Title, err)
	}
	return r.finish(value.String(), chart, c.Title, c.Description), nil
}

var (
	// What ECharts adds for its own client in a page, and the styles it gives elements under the pointer.
	clientOnly = regexp.MustCompile(` (?:ecmeta_[a-z_]+|class|pointer-events)="[^"]*"|(?s:<style ?>.*?</style>\s*)`)

	ownID   = regexp.MustCompile(`(["#])zr\d+-`)
	standIn = regexp.MustCompile(`(fill|stroke)="(#fe01[0-9a-f]{2})"`)
	shape   = regexp.MustCompile(`^<path d="([^"]*)"((?: [a-z-]+="[^"]*")*)></path>$`)
	rect    = regexp.MustCompile(`l([0-9.]+) 0l0 ([0-9.]+)l-[0-9.]+ 0Z`)
	fonts   = regexp.MustCompile(` style="font-size:([0-9]+px);font-family:[^"]*"`)
)

// finish makes a picture that stands alone of what ECharts drew.
func (r *Renderer) finish(svg string, chart []byte, title, description string) []byte {
	svg = clientOnly.ReplaceAllString(svg, "")
	svg = fonts.ReplaceAllString(svg, ` font-size="$1"`)
	svg = strings.ReplaceAll(svg, ` font-size="12px"`, "") // what the style says
	sum := sha256.Sum256(chart)
	id := "mh-" + hex.EncodeToString(sum[:4])
	svg = ownID.ReplaceAllString(svg, "${1}"+id+"-")
	svg = standIn.ReplaceAllStringFunc(svg, r.names.Replace)

	var out bytes.Buffer
	_, body, _ := strings.Cut(svg, ">") // ECharts' own <svg …>
	_, body, _ = strings.Cut(body, "</rect>\n")
	var height int
	fmt.Sscanf(svg, `<svg width="720" height="%d"`, &height)
	fmt.Fprintf(&out, `<svg xmlns="http://www.w3.org/2000/svg" class="mh-svg" width="%[1]d" height="%[2]d" viewBox="0 0 %[1]d %[2]d" `+
		`role="img" aria-labelledby="%[3]s-title %[3]s-desc"><title id="%[3]s-title">%[4]s</title><desc id="%[3]s-desc">%[5]s</desc>`+
		"<style>%[6]s</style>\n"+`<rect width="100%%" height="100%%" rx="4" fill="var(--mh-background)"/>`+"\n",
		Width, height, id, escape(title), escape(description), r.style)
	mergeShapes(&out, body)
	return out.Bytes()
}

// mergeShapes copies the lines of an SVG and makes one path of neighbours that differ in their outline only, which is
// most of a timeline of thousands of spans.
func mergeShapes(out *bytes.Buffer, body string) {
	var outline strings.Builder
	look := ""
	flush := func() {
		if outline.Len() > 0 {
			fmt.Fprintf(out, "<path d=%q%s/>\n", outline.String(), look)
			outline.Reset()
		}
	}
	for line := range strings.Lines(body) {
		m := shape.FindStringSubmatch(strings.TrimSuffix(line, "\n"))
		if m == nil || strings.Contains(m[2], "transform=") {
			flush()
			out.WriteString(line)
			continue
		}
		if m[2] != look {
			flush()
			look = m[2]
		}
		outline.WriteString(rect.ReplaceAllString(m[1], "h${1}v${2}h-${1}z")) // a third shorter
	}
	flush()
}

// escape makes a text safe in XML, where control characters have no place at all.
func escape(text string) string {
	return html.EscapeString(strings.Map(func(c rune) rune {
		if c < ' ' && c != '\n' && c != '\t' || c == '\uFFFE' || c == '\uFFFF' {
			return ' '
		}
		return c
	}, text))
}
