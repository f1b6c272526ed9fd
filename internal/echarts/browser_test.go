package echarts_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/chromedp"

	"manyhands/internal/browsertest"
	"manyhands/internal/echarts"
	"manyhands/internal/notebook"
)

// check fails the test for anything that went wrong in the page, and for a request beyond the origin.
func check(t *testing.T, tab *browsertest.Tab, origin string) {
	t.Helper()
	for _, wrong := range tab.Wrong() {
		t.Error(wrong)
	}
	tab.CheckRequests(origin)
}

// fetched counts the requests for addresses that end so.
func fetched(tab *browsertest.Tab, suffix string) (n int) {
	for _, url := range tab.Requests() {
		if strings.HasSuffix(url, suffix) {
			n++
		}
	}
	return n
}

// jupyter is a page with what JupyterLab's has for our charts: its configuration, its theme on the body, and, as in
// Notebook, an AMD loader. The function show puts an output in as JupyterLab does, which makes each script anew.
const jupyter = `<!doctype html><html><head><meta charset="utf-8">
<script id="jupyter-config-data" type="application/json">{"baseUrl": "/user/me/"}</script>
<script>
  window.defined = 0;
  window.define = () => { window.defined++; };
  window.define.amd = {};
  function show(html) {
    const output = document.createElement("div");
    document.body.append(output);
    output.innerHTML = html;
    for (const script of [...output.querySelectorAll("script")]) {
      const again = document.createElement("script");
      for (const { name, value } of script.attributes) again.setAttribute(name, value);
      again.textContent = script.textContent;
      script.replaceWith(again);
    }
    return output;
  }
</script></head><body data-jp-theme-light="true"></body></html>`

func serve(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	file := func(contents []byte) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			http.ServeContent(w, r, r.URL.Path, time.Time{}, bytes.NewReader(contents))
		}
	}
	mux.HandleFunc("/user/me/kernelspecs/gonb/echarts.min.js", file(echarts.Script))
	mux.HandleFunc("/user/me/kernelspecs/gonb/manyhands.js", file(echarts.Runtime))
	mux.HandleFunc("/user/me/lab", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, jupyter) })
	mux.HandleFunc("/favicon.ico", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server.URL
}

func figure(t *testing.T, o notebook.Output) string {
	t.Helper()
	html, ok := o.Data["text/html"].(string)
	if !ok {
		t.Fatal("no text/html")
	}
	return html
}

// drawn waits until the page has n charts drawn.
func drawn(t *testing.T, p *browsertest.Tab, n int) {
	t.Helper()
	p.Wait(time.Minute, fmt.Sprintf(`document.querySelectorAll(".mh-drawn > .mh-live canvas").length === %d`, n))
}

// has reports whether the canvas of the first chart has at least 50 pixels of a colour.
func has(p *browsertest.Tab, hex string) bool {
	return browsertest.Call[int](p, `(hex) => {
		const canvas = document.querySelector(".mh-live canvas");
		const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
		const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
		let n = 0;
		for (let i = 0; i < data.length; i += 4) n += data[i] === r && data[i + 1] === g && data[i + 2] === b;
		return n;
	}`, hex) >= 50
}

func TestJupyter(t *testing.T) {
	p := browsertest.Open(t)
	url := serve(t)
	p.Do(chromedp.EmulateViewport(1000, 800), chromedp.Navigate(url+"/user/me/lab"))
	for _, g := range gallery {
		browsertest.Call[bool](p, `(html) => !!show(html)`, figure(t, output(t, g.chart())))
	}
	drawn(t, p, len(gallery))

	t.Run("loads once, beside the page's own loader", func(t *testing.T) {
		if n := fetched(p, "/echarts.min.js"); n != 1 {
			t.Errorf("ECharts was fetched %d times, expected once", n)
		}
		if !browsertest.Call[bool](p, `() => window.defined === 0 && typeof window.define.amd === "object" && window.echarts === undefined`) {
			t.Error("the page's AMD loader or globals have changed")
		}
	})
	t.Run("texts are texts", func(t *testing.T) {
		if n := browsertest.Call[int](p, `() => document.querySelectorAll("img").length`); n != 0 {
			t.Errorf("%d images came out of a chart's name", n)
		}
	})
	t.Run("the table gives way", func(t *testing.T) {
		if n := browsertest.Call[int](p, `() => document.querySelectorAll("details[open]").length`); n != 0 {
			t.Errorf("%d tables are open under a drawn chart", n)
		}
	})
	t.Run("described", func(t *testing.T) {
		if n := browsertest.Call[int](p, `() => [...document.querySelectorAll(".mh-live")].filter(
			(d) => d.getAttribute("role") === "img" && d.getAttribute("aria-label").length > 20).length`); n != len(gallery) {
			t.Errorf("%d of %d charts have a description", n, len(gallery))
		}
	})
	t.Run("follows the theme", func(t *testing.T) {
		if !has(p, "#0072b2") {
			t.Error("no light blue on a light page")
		}
		browsertest.Call[bool](p, `() => { document.body.dataset.jpThemeLight = "false"; return true; }`)
		p.Wait(time.Minute, `document.querySelector(".mh-live")?.dataset.theme === "dark"`)
		drawn(t, p, len(gallery))
		if !has(p, "#3d9be0") {
			t.Error("no dark blue on a dark page")
		}
	})
	t.Run("follows the width", func(t *testing.T) {
		p.Do(chromedp.EmulateViewport(500, 800))
		p.Wait(time.Minute, `[...document.querySelectorAll(".mh-live canvas")].every((c) => c.clientWidth <= 500)`)
	})
	t.Run("comes back with its cell", func(t *testing.T) { // JupyterLab detaches cells that are scrolled away
		browsertest.Call[bool](p, `() => { window.away = document.body.lastElementChild; window.away.remove(); return true; }`)
		p.Wait(time.Minute, `!window.away.querySelector(".mh-live")`)
		browsertest.Call[bool](p, `() => { document.body.append(window.away); window.away = undefined; return true; }`)
		drawn(t, p, len(gallery))
	})
	t.Run("leaves nothing behind", func(t *testing.T) { // a cell that is run again loses its outputs
		browsertest.Call[bool](p, `() => {
			window.old = [...document.querySelectorAll("figure, .mh-live, canvas")].map((node) => new WeakRef(node));
			for (const output of [...document.body.children]) output.remove();
			return true;
		}`)
		left := func() int { return browsertest.Call[int](p, `() => window.old.filter((ref) => ref.deref()).length`) }
		for deadline := time.Now().Add(20 * time.Second); left() > 1 && time.Now().Before(deadline); {
			browsertest.Send(p, heapprofiler.CollectGarbage, cdp.Empty{})
		}
		if n := left(); n > 1 { // one canvas ECharts keeps for itself, however many charts there were
			t.Errorf("%d elements of removed charts are still in memory", n)
		}
	})
	check(t, p, url)
}

// TestNoAssets shows a figure where no page has our files, as VS Code and nbconvert do: the table stays.
func TestNoAssets(t *testing.T) {
	p := browsertest.Open(t)
	path := filepath.Join(t.TempDir(), "figure.html")
	if err := os.WriteFile(path, []byte(`<!doctype html><meta charset="utf-8">`+figure(t, output(t, bars()))), 0o644); err != nil {
		t.Fatal(err)
	}
	p.Do(chromedp.Navigate("file://" + path))
	if !browsertest.Call[bool](p, `() => document.querySelector("details table").checkVisibility()`) {
		t.Error("neither picture nor table is visible")
	}
	check(t, p, "file://"+path)
}

var pictures = sync.OnceValues(func() ([]notebook.Output, error) {
	r, err := renderer()
	if err != nil {
		return nil, err
	}
	cell := &notebook.Cell{ID: "gallery", Type: notebook.Code}
	for _, g := range gallery {
		bundle, err := g.chart().Bundle()
		if err != nil {
			return nil, err
		}
		cell.Outputs = append(cell.Outputs, notebook.Output{Type: notebook.DisplayData, Data: bundle})
	}
	nb := notebook.New()
	nb.Cells = append(nb.Cells, cell)
	return cell.Outputs, echarts.Illustrate(nb, r)
})

// illustrated is the gallery with pictures.
func illustrated(t *testing.T) []notebook.Output {
	t.Helper()
	outputs, err := pictures()
	if err != nil {
		t.Fatal(err)
	}
	return outputs
}

// site writes a page as the course's site has it, with pictures and the runtime, to a folder of its own.
func site(t *testing.T, theme string) string {
	t.Helper()
	dir := t.TempDir()
	if keep := os.Getenv("MANYHANDS_GALLERY"); keep != "" {
		dir = filepath.Join(keep, t.Name())
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, `<!doctype html><html%s><head><meta charset="utf-8"><title>Gallery</title><script src="manyhands.js" defer></script>
<style>body { font: 16px sans-serif; max-width: 48em; margin: 1em auto; color-scheme: light dark; background: #fff; color: #1f2328 }
html[data-theme=dark] body { background: #16191d; color: #e6e9ec }
@media (prefers-color-scheme: dark) { html:not([data-theme]) body { background: #16191d; color: #e6e9ec } }</style></head><body>`, theme)
	for _, o := range illustrated(t) {
		b.WriteString(figure(t, o))
	}
	for name, contents := range map[string][]byte{"index.html": []byte(b.String()), "manyhands.js": echarts.Runtime, "echarts.min.js": echarts.Script} {
		if err := os.WriteFile(filepath.Join(dir, name), contents, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// TestSite opens the gallery from a file, as a reader may: without a server. With MANYHANDS_GALLERY=folder the pages
// and what they look like are kept there, to be looked at.
func TestSite(t *testing.T) {
	for _, mode := range []struct{ name, theme, background string }{
		{"light", ` data-theme="light"`, "#ffffff"}, {"dark", ` data-theme="dark"`, "#16191d"},
	} {
		t.Run(mode.name, func(t *testing.T) {
			p := browsertest.Open(t)
			dir := site(t, mode.theme)
			p.Do(chromedp.EmulateViewport(800, 800), chromedp.Navigate("file://"+dir+"/index.html"))
			if p.Becomes(time.Second, `document.querySelector(".mh-drawn") !== null`) || fetched(p, "/echarts.min.js") > 0 {
				t.Error("charts are drawn before the reader stirs")
			}
			browsertest.Call[chromedp.Void](p, `() => dispatchEvent(new Event("pointermove"))`)
			p.Wait(time.Minute, `document.querySelector(".mh-drawn canvas") !== null`)
			if n := browsertest.Call[int](p, `() => document.querySelectorAll(".mh-drawn").length`); n == len(gallery) {
				t.Error("charts that nobody has come near are drawn")
			}
			p.Do(chromedp.EmulateViewport(800, 20000))
			drawn(t, p, len(gallery))
			if n := browsertest.Call[int](p, `() => [...document.querySelectorAll(".mh-static")].filter((i) => i.checkVisibility()).length`); n != 0 {
				t.Errorf("%d static pictures are seen beside the drawn charts", n)
			}
			keep(t, p, dir)
			p.Do(chromedp.EmulateViewport(320, 20000))
			p.Wait(time.Minute, `[...document.querySelectorAll(".mh-live canvas")].every((canvas) => canvas.clientWidth <= 320)`)
			if n := browsertest.Call[int](p, grown); n == 0 {
				t.Error("no picture on a narrow page is higher for the rows of its legend")
			}
			check(t, p, "file://"+dir)
		})
	}
}

// grown counts the pictures that are higher than their charts ask for.
const grown = `() => [...document.querySelectorAll(".mh-drawn")].filter((plot) =>
	plot.querySelector(".mh-live").clientHeight > JSON.parse(plot.closest("figure").querySelector(".mh-data").textContent).height).length`

// TestNoScript opens the gallery where JavaScript is off: the pictures are seen, dark where the system is.
func TestNoScript(t *testing.T) {
	for _, mode := range []struct {
		name       string
		background color.Color
	}{{"light", color.RGBA{255, 255, 255, 255}}, {"dark", color.RGBA{0x16, 0x19, 0x1d, 255}}} {
		t.Run(mode.name, func(t *testing.T) {
			p := browsertest.Open(t)
			dir := site(t, "")
			browsertest.Send(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
			browsertest.Send(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: mode.name}}})
			p.Do(chromedp.EmulateViewport(800, 800), chromedp.Navigate("file://"+dir+"/index.html"))
			loaded := browsertest.Call[int](p, `() => [...document.querySelectorAll("img.mh-static")].filter((i) => i.naturalWidth === 720 && i.alt).length`)
			shot := browsertest.Within(p, time.Minute, chromedp.Screenshot("img.mh-static"))
			if loaded != len(gallery) {
				t.Errorf("%d of %d pictures are seen", loaded, len(gallery))
			}
			if got := corner(t, shot); got != mode.background {
				t.Errorf("a picture's background is %v, expected %v", got, mode.background)
			}
			keep(t, p, dir)
			check(t, p, "file://"+dir)
		})
	}
}

func corner(t *testing.T, shot []byte) color.Color {
	t.Helper()
	picture, err := png.Decode(bytes.NewReader(shot))
	if err != nil {
		t.Fatal(err)
	}
	at := picture.Bounds().Min.Add(image.Pt(8, 8))
	return color.RGBAModel.Convert(picture.At(at.X, at.Y))
}

// keep writes what the whole page looks like beside it, if the gallery is to be kept.
func keep(t *testing.T, p *browsertest.Tab, dir string) {
	t.Helper()
	if os.Getenv("MANYHANDS_GALLERY") == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, "page.png"), browsertest.Within(p, time.Minute, chromedp.FullScreenshot(100)), 0o644); err != nil {
		t.Fatal(err)
	}
}
