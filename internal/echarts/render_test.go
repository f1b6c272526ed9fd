package echarts_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"html"
	"io"
	"math"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"manyhands/helpers/chart"
	"manyhands/internal/echarts"
	"manyhands/internal/notebook"
)

var renderer = sync.OnceValues(echarts.NewRenderer)

func newRenderer(t testing.TB) *echarts.Renderer {
	t.Helper()
	r, err := renderer()
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// A picture is what a reader sees of an SVG.
type picture struct {
	marks int // outlines in the colour of data
	texts string
	ids   []string
}

var dataColour = regexp.MustCompile(`^var\(--mh-(blue|alarm|green|purple|orange|sky|muted|text)\)$`)

func look(t *testing.T, svg []byte) picture {
	t.Helper()
	var p picture
	d := xml.NewDecoder(bytes.NewReader(svg))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return p
		}
		if err != nil {
			t.Fatalf("no well-formed XML: %v", err)
		}
		switch token := token.(type) {
		case xml.CharData:
			p.texts += string(token) + "\n"
		case xml.StartElement:
			attr := map[string]string{}
			for _, a := range token.Attr {
				attr[a.Name.Local] = a.Value
			}
			if id := attr["id"]; id != "" {
				p.ids = append(p.ids, id)
			}
			if dataColour.MatchString(attr["fill"]) || dataColour.MatchString(attr["stroke"]) {
				p.marks += strings.Count(attr["d"], "M")
			}
		}
	}
}

// TestSVG proves that the picture of every kind of chart shows the data and its labels.
func TestSVG(t *testing.T) {
	ids := map[string]string{}
	for _, g := range gallery {
		t.Run(g.name, func(t *testing.T) {
			svg, err := newRenderer(t).SVG(source(t, g.chart()))
			if err != nil {
				t.Fatal(err)
			}
			p := look(t, svg)
			if p.marks < g.marks {
				t.Errorf("%d marks, expected at least %d", p.marks, g.marks)
			}
			for _, text := range g.texts {
				if !strings.Contains(p.texts, text) {
					t.Errorf("%q is not written on it", text)
				}
			}
			for _, id := range p.ids {
				if other, taken := ids[id]; taken {
					t.Errorf("id %s is also in %s", id, other)
				}
				ids[id] = g.name
			}
			for _, bad := range []string{"NaN", "Infinity", "undefined", "#fe01", "zr0", "zr1", "ecmeta", "http://", "https://", "<script"} {
				if bytes.Contains(bytes.ReplaceAll(svg, []byte(`xmlns="http://www.w3.org/2000/svg"`), nil), []byte(bad)) {
					t.Errorf("it contains %q", bad)
				}
			}
			head, _, _ := strings.Cut(string(svg), "<style>")
			for _, part := range []string{`role="img"`, "<title ", "<desc "} {
				if !strings.Contains(head, part) {
					t.Errorf("no %s for screen readers", part)
				}
			}
		})
	}
}

// TestTextsStandApart proves that no text of a picture runs into another or over the edge. Texts are taken to be half as
// wide as high for each letter, which is less than any font needs.
func TestTextsStandApart(t *testing.T) {
	for _, g := range gallery {
		t.Run(g.name, func(t *testing.T) {
			svg, err := newRenderer(t).SVG(source(t, g.chart()))
			if err != nil {
				t.Fatal(err)
			}
			all := boxes(t, svg)
			for i, a := range all {
				if a.left < 0 || a.right > echarts.Width {
					t.Errorf("%q is cut off: it goes from %.0f to %.0f", a.text, a.left, a.right)
				}
				for _, b := range all[:i] {
					if a.left < b.right && b.left < a.right && math.Abs(a.y-b.y) < 10 {
						t.Errorf("%q stands on %q", a.text, b.text)
					}
				}
			}
		})
	}
}

// A box is where a text is written, in pixels; y is its middle.
type box struct {
	text           string
	left, right, y float64
}

var written = regexp.MustCompile(`<text ([^>]*)>([^<]*)</text>`)

func boxes(t *testing.T, svg []byte) []box {
	t.Helper()
	var all []box
	for _, m := range written.FindAllSubmatch(svg, -1) {
		number := func(pattern string) float64 {
			found := regexp.MustCompile(pattern).FindSubmatch(m[1])
			if found == nil {
				return 0
			}
			x, err := strconv.ParseFloat(string(found[1]), 64)
			if err != nil {
				t.Fatalf("%s: %v", m[1], err)
			}
			return x
		}
		b := box{text: html.UnescapeString(string(m[2]))}
		b.left = number(`(?:^| )x="([^"]*)"`) + number(`translate\(([0-9.-]+)`)
		b.y = number(`(?:^| )y="([^"]*)"`) + number(`translate\([0-9.-]+ ([0-9.-]+)`)
		width := 6 * float64(utf8.RuneCountInString(b.text))
		switch {
		case bytes.Contains(m[1], []byte(`"middle"`)):
			b.left -= width / 2
		case bytes.Contains(m[1], []byte(`"end"`)):
			b.left -= width
		}
		b.right = b.left + width
		all = append(all, b)
	}
	if len(all) == 0 {
		t.Fatal("the picture has no text")
	}
	return all
}

func TestSVGIsDeterministic(t *testing.T) {
	other, err := echarts.NewRenderer()
	if err != nil {
		t.Fatal(err)
	}
	want, err := other.SVG(source(t, speedUp()))
	if err != nil {
		t.Fatal(err)
	}
	for range 2 { // after other charts
		got, err := newRenderer(t).SVG(source(t, speedUp()))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want) {
			t.Fatal("the same chart gave different bytes")
		}
	}
}

func TestSVGRefuses(t *testing.T) {
	for name, source := range map[string]string{
		"no JSON":      "{",
		"no option":    `{"title":"x","height":100}`,
		"no height":    `{"title":"x","option":{"series":[]}}`,
		"a bad option": `{"title":"broken","height":100,"option":{"series":[{"type":"line","data":[1]}]}}`,
	} {
		if svg, err := newRenderer(t).SVG([]byte(source)); err == nil {
			t.Errorf("%s: got a picture of %d bytes, expected an error", name, len(svg))
		}
	}
}

// TestContrast computes the contrast of the colours that the pictures declare (WCAG 2.2, 1.4.3 and 1.4.11).
func TestContrast(t *testing.T) {
	svg, err := newRenderer(t).SVG(source(t, bars()))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile(`\.mh-svg\{([^}]*)\}`).FindAllSubmatch(svg, -1)
	if len(blocks) != 4 {
		t.Fatalf("%d declarations of colours, expected light and dark, by the system and by the page", len(blocks))
	}
	for i, mode := range []string{"light", "dark"} {
		colours := map[string]float64{}
		for _, m := range regexp.MustCompile(`--mh-(\w+):#([0-9a-f]{6});`).FindAllSubmatch(blocks[i][1], -1) {
			colours[string(m[1])] = luminance(t, string(m[2]))
		}
		if len(colours) < 11 {
			t.Fatalf("%s: %d colours", mode, len(colours))
		}
		for name, l := range colours {
			least := 3.0
			switch name {
			case "background", "grid":
				continue
			case "text", "muted":
				least = 4.5
			}
			if c := contrast(l, colours["background"]); c < least {
				t.Errorf("%s: %s has a contrast of %.2f, expected %.1f", mode, name, c, least)
			}
		}
		if c := contrast(colours["blue"], colours["background"]); c < 4.5 { // labels on spans
			t.Errorf("%s: text on blue has a contrast of %.2f, expected 4.5", mode, c)
		}
	}
}

func luminance(t *testing.T, hex string) float64 {
	t.Helper()
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	linear := func(shift uint) float64 {
		c := float64(n>>shift&0xff) / 255
		if c <= 0.04045 {
			return c / 12.92
		}
		return math.Pow((c+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(16) + 0.7152*linear(8) + 0.0722*linear(0)
}

func contrast(a, b float64) float64 { return (max(a, b) + 0.05) / (min(a, b) + 0.05) }

func TestIllustrate(t *testing.T) {
	text := notebook.Output{Type: notebook.Stream, Name: "stdout", Text: "before\n"}
	nb := notebook.New()
	nb.Cells = []*notebook.Cell{
		{ID: "prose", Type: notebook.Markdown, Source: "# Charts"},
		{ID: "charts", Type: notebook.Code, Outputs: []notebook.Output{text, output(t, bars()), output(t, hostile())}},
	}
	outputs := nb.Cells[1].Outputs
	if _, ok := echarts.Picture(outputs[1]); ok {
		t.Fatal("a picture before there is one")
	}
	if err := echarts.Illustrate(nb, newRenderer(t)); err != nil {
		t.Fatal(err)
	}
	once := outputs[1].Data["text/html"].(string)
	if err := echarts.Illustrate(nb, newRenderer(t)); err != nil {
		t.Fatal(err)
	}
	if outputs[1].Data["text/html"] != once {
		t.Error("illustrating again changed the figure")
	}
	if strings.Count(once, "<img ") != 1 || strings.Contains(once, "<details open>") {
		t.Errorf("expected one picture and a closed table in\n%.600s", once)
	}
	svg, ok := echarts.Picture(outputs[1])
	if want, err := newRenderer(t).SVG(source(t, bars())); err != nil || !ok || !bytes.Equal(svg, want) {
		t.Errorf("Picture gave %d bytes, %v; expected what SVG draws, %v", len(svg), ok, err)
	}
	if figure := outputs[2].Data["text/html"].(string); strings.Contains(figure, "<img src=x") {
		t.Errorf("a name became HTML in\n%s", figure)
	}
	if _, ok := echarts.Picture(text); ok {
		t.Error("a text has a picture")
	}
}

// TestNotebooks proves that the course's notebooks hold the pictures that the renderer draws now.
func TestNotebooks(t *testing.T) {
	paths, err := filepath.Glob("../../notebooks/*.ipynb")
	if err != nil || len(paths) == 0 {
		t.Fatal("no notebooks:", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			nb, err := notebook.Read(path)
			if err != nil {
				t.Fatal(err)
			}
			var before, after bytes.Buffer
			if err := errors.Join(nb.Encode(&before), echarts.Illustrate(nb, newRenderer(t)), nb.Encode(&after)); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(before.Bytes(), after.Bytes()) {
				t.Error("its charts are drawn otherwise now; draw them again with: go run . build --text")
			}
		})
	}
}

func TestIllustrateNamesTheCell(t *testing.T) {
	broken := output(t, bars())
	broken.Data["text/html"] = "<p>edited</p>"
	nb := notebook.New()
	nb.Cells = []*notebook.Cell{{ID: "edited", Type: notebook.Code, Outputs: []notebook.Output{broken}}}
	if err := echarts.Illustrate(nb, newRenderer(t)); err == nil || !strings.Contains(err.Error(), "edited") {
		t.Errorf("got %v, expected an error that names the cell", err)
	}
}

// TestSize bounds what a notebook holds of one chart, picture included.
func TestSize(t *testing.T) {
	const most = 300_000
	charts := map[string]func() chart.Chart{
		"100 000 spans in 8 lanes":    func() chart.Chart { return chart.Lanes(schedule(8, 2, 25_000)) },
		"100 000 spans in 1000 lanes": func() chart.Chart { return chart.Lanes(schedule(1000, 2, 110)) },
		"100 000 points":              func() chart.Chart { return chart.Depth(8, queue(8, 100_000)) },
		"100 000 values":              func() chart.Chart { return chart.Distribution(latencies("latency", 1, 100_000)) },
		"256 cores":                   func() chart.Chart { return chart.CPU(usage(256)) },
	}
	for name, c := range charts {
		t.Run(name, func(t *testing.T) {
			nb := notebook.New()
			nb.Cells = []*notebook.Cell{{ID: "big", Type: notebook.Code, Outputs: []notebook.Output{output(t, c())}}}
			if err := echarts.Illustrate(nb, newRenderer(t)); err != nil {
				t.Fatal(err)
			}
			data, err := json.Marshal(nb.Cells[0].Outputs[0].Data)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%d bytes", len(data))
			if len(data) > most {
				t.Errorf("%d bytes, expected at most %d", len(data), most)
			}
		})
	}
}

func BenchmarkNewRenderer(b *testing.B) {
	for b.Loop() {
		if _, err := echarts.NewRenderer(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSVG(b *testing.B) {
	for _, g := range gallery {
		b.Run(g.name, func(b *testing.B) {
			r, data := newRenderer(b), source(b, g.chart())
			var svg []byte
			for b.Loop() {
				var err error
				if svg, err = r.SVG(data); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(len(svg)), "bytes")
		})
	}
}
