package echarts_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/heapprofiler"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"manyhands/internal/echarts"
	"manyhands/internal/notebook"
)

// A tab is a page in a browser of its own, and what that page said and asked for.
type tab struct {
	ctx context.Context
	t   *testing.T

	mu       sync.Mutex
	wrong    []string // errors, and dialogs that nobody asked for
	requests []string // URLs
}

// chromium starts a browser for a test, or skips the test where there is none.
func chromium(t *testing.T) *tab {
	t.Helper()
	var path string
	for _, name := range []string{"chromium", "chromium-browser", "google-chrome"} {
		if found, err := exec.LookPath(name); err == nil {
			path = found
			break
		}
	}
	if path == "" {
		if os.Getenv("MANYHANDS_TEST_ALL") == "1" {
			t.Fatal("no chromium, chromium-browser or google-chrome on PATH")
		}
		t.Skip("no chromium, chromium-browser or google-chrome on PATH")
	}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.DisableGPU, chromedp.UserDataDir(t.TempDir()),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-background-networking", true))
	p := &tab{t: t}
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, closeBrowser := chromedp.NewContext(allocator, chromedp.WithListener(p.listen))
	p.ctx = ctx
	t.Cleanup(func() {
		closeBrowser()
		stop()
	})
	if err := chromedp.Do(p.ctx); err != nil {
		t.Fatalf("starting %s: %v", path, err)
	}
	send(p, network.Enable, network.EnableParams{})
	return p
}

func (p *tab) listen(event any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch event := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if event.Type == runtime.ConsoleAPICalledTypeError || event.Type == runtime.ConsoleAPICalledTypeWarning {
			p.wrong = append(p.wrong, fmt.Sprintf("console: %s%s", event.Args[0].Description, event.Args[0].Value))
		}
	case *runtime.EventExceptionThrown:
		p.wrong = append(p.wrong, event.ExceptionDetails.Text+" "+event.ExceptionDetails.Exception.Description)
	case *page.EventJavascriptDialogOpening:
		p.wrong = append(p.wrong, "dialog: "+event.Message)
	case *network.EventRequestWillBeSent:
		p.requests = append(p.requests, event.Request.URL)
	}
}

// do runs steps within a minute, or ends the test.
func (p *tab) do(steps ...chromedp.Action[chromedp.Void]) {
	p.t.Helper()
	within(p, chromedp.Steps(steps...))
}

func within[T any](p *tab, action chromedp.Action[T]) T {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.ctx, time.Minute)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	if err != nil {
		p.t.Fatal(err)
	}
	return result
}

// send sends a command of the browser's protocol.
func send[P, R any](p *tab, command cdp.Command[P, R], params P) {
	p.t.Helper()
	if _, err := chromedp.Call(p.ctx, command, params); err != nil {
		p.t.Fatal(err)
	}
}

// wait waits until an expression is true in the page.
func (p *tab) wait(expression string) {
	p.t.Helper()
	within(p, chromedp.Poll[bool](expression))
}

// check fails the test for anything wrong, and for a request beyond this machine.
func (p *tab) check(origin string) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, w := range p.wrong {
		p.t.Error(w)
	}
	for _, url := range p.requests {
		if !strings.HasPrefix(url, origin) && !strings.HasPrefix(url, "data:") {
			p.t.Errorf("a request to %s", url)
		}
	}
}

func (p *tab) count(suffix string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, url := range p.requests {
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

// call runs a function in the page and returns its result.
func call[T any](p *tab, function string, args ...any) T {
	p.t.Helper()
	list, err := json.Marshal(append([]any{}, args...))
	if err != nil {
		p.t.Fatal(err)
	}
	return within(p, chromedp.Evaluate[T](fmt.Sprintf("(%s)(...%s)", function, list)))
}

// drawn waits until the page has n charts drawn.
func (p *tab) drawn(n int) {
	p.t.Helper()
	p.wait(fmt.Sprintf(`document.querySelectorAll(".mh-drawn > .mh-live canvas").length === %d`, n))
}

// has reports whether the canvas of the first chart has at least 50 pixels of a colour.
func (p *tab) has(hex string) bool {
	p.t.Helper()
	return call[int](p, `(hex) => {
		const canvas = document.querySelector(".mh-live canvas");
		const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
		const [r, g, b] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
		let n = 0;
		for (let i = 0; i < data.length; i += 4) n += data[i] === r && data[i + 1] === g && data[i + 2] === b;
		return n;
	}`, hex) >= 50
}

func TestJupyter(t *testing.T) {
	p := chromium(t)
	url := serve(t)
	p.do(chromedp.EmulateViewport(1000, 800), chromedp.Navigate(url+"/user/me/lab"))
	for _, g := range gallery {
		call[bool](p, `(html) => !!show(html)`, figure(t, output(t, g.chart())))
	}
	p.drawn(len(gallery))

	t.Run("loads once, beside the page's own loader", func(t *testing.T) {
		if n := p.count("/echarts.min.js"); n != 1 {
			t.Errorf("ECharts was fetched %d times, expected once", n)
		}
		if !call[bool](p, `() => window.defined === 0 && typeof window.define.amd === "object" && window.echarts === undefined`) {
			t.Error("the page's AMD loader or globals have changed")
		}
	})
	t.Run("texts are texts", func(t *testing.T) {
		if n := call[int](p, `() => document.querySelectorAll("img").length`); n != 0 {
			t.Errorf("%d images came out of a chart's name", n)
		}
	})
	t.Run("the table gives way", func(t *testing.T) {
		if n := call[int](p, `() => document.querySelectorAll("details[open]").length`); n != 0 {
			t.Errorf("%d tables are open under a drawn chart", n)
		}
	})
	t.Run("described", func(t *testing.T) {
		if n := call[int](p, `() => [...document.querySelectorAll(".mh-live")].filter(
			(d) => d.getAttribute("role") === "img" && d.getAttribute("aria-label").length > 20).length`); n != len(gallery) {
			t.Errorf("%d of %d charts have a description", n, len(gallery))
		}
	})
	t.Run("follows the theme", func(t *testing.T) {
		if !p.has("#0072b2") {
			t.Error("no light blue on a light page")
		}
		call[bool](p, `() => { document.body.dataset.jpThemeLight = "false"; return true; }`)
		p.wait(`document.querySelector(".mh-live")?.dataset.theme === "dark"`)
		p.drawn(len(gallery))
		if !p.has("#3d9be0") {
			t.Error("no dark blue on a dark page")
		}
	})
	t.Run("follows the width", func(t *testing.T) {
		p.do(chromedp.EmulateViewport(500, 800))
		p.wait(`[...document.querySelectorAll(".mh-live canvas")].every((c) => c.clientWidth <= 500)`)
	})
	t.Run("comes back with its cell", func(t *testing.T) { // JupyterLab detaches cells that are scrolled away
		call[bool](p, `() => { window.away = document.body.lastElementChild; window.away.remove(); return true; }`)
		p.wait(`!window.away.querySelector(".mh-live")`)
		call[bool](p, `() => { document.body.append(window.away); window.away = undefined; return true; }`)
		p.drawn(len(gallery))
	})
	t.Run("leaves nothing behind", func(t *testing.T) { // a cell that is run again loses its outputs
		call[bool](p, `() => {
			window.old = [...document.querySelectorAll("figure, .mh-live, canvas")].map((node) => new WeakRef(node));
			for (const output of [...document.body.children]) output.remove();
			return true;
		}`)
		left := func() int { return call[int](p, `() => window.old.filter((ref) => ref.deref()).length`) }
		for deadline := time.Now().Add(20 * time.Second); left() > 1 && time.Now().Before(deadline); {
			send(p, heapprofiler.CollectGarbage, cdp.Empty{})
		}
		if n := left(); n > 1 { // one canvas ECharts keeps for itself, however many charts there were
			t.Errorf("%d elements of removed charts are still in memory", n)
		}
	})
	p.check(url)
}

// TestNoAssets shows a figure where no page has our files, as VS Code and nbconvert do: the table stays.
func TestNoAssets(t *testing.T) {
	p := chromium(t)
	path := filepath.Join(t.TempDir(), "figure.html")
	if err := os.WriteFile(path, []byte(`<!doctype html><meta charset="utf-8">`+figure(t, output(t, bars()))), 0o644); err != nil {
		t.Fatal(err)
	}
	p.do(chromedp.Navigate("file://" + path))
	if !call[bool](p, `() => document.querySelector("details table").checkVisibility()`) {
		t.Error("neither picture nor table is visible")
	}
	p.check("file://" + path)
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
			p := chromium(t)
			dir := site(t, mode.theme)
			p.do(chromedp.EmulateViewport(800, 800), chromedp.Navigate("file://"+dir+"/index.html"))
			p.drawn(len(gallery))
			if n := call[int](p, `() => [...document.querySelectorAll(".mh-static")].filter((i) => i.checkVisibility()).length`); n != 0 {
				t.Errorf("%d static pictures are seen beside the drawn charts", n)
			}
			p.keep(dir)
			p.check("file://" + dir)
		})
	}
}

// TestNoScript opens the gallery where JavaScript is off: the pictures are seen, dark where the system is.
func TestNoScript(t *testing.T) {
	for _, mode := range []struct {
		name       string
		background color.Color
	}{{"light", color.RGBA{255, 255, 255, 255}}, {"dark", color.RGBA{0x16, 0x19, 0x1d, 255}}} {
		t.Run(mode.name, func(t *testing.T) {
			p := chromium(t)
			dir := site(t, "")
			send(p, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
			send(p, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
				Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: mode.name}}})
			p.do(chromedp.EmulateViewport(800, 800), chromedp.Navigate("file://"+dir+"/index.html"))
			loaded := call[int](p, `() => [...document.querySelectorAll("img.mh-static")].filter((i) => i.naturalWidth === 720 && i.alt).length`)
			shot := within(p, chromedp.Screenshot("img.mh-static"))
			if loaded != len(gallery) {
				t.Errorf("%d of %d pictures are seen", loaded, len(gallery))
			}
			if got := corner(t, shot); got != mode.background {
				t.Errorf("a picture's background is %v, expected %v", got, mode.background)
			}
			p.keep(dir)
			p.check("file://" + dir)
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
func (p *tab) keep(dir string) {
	p.t.Helper()
	if os.Getenv("MANYHANDS_GALLERY") == "" {
		return
	}
	if err := os.WriteFile(filepath.Join(dir, "page.png"), within(p, chromedp.FullScreenshot(100)), 0o644); err != nil {
		p.t.Fatal(err)
	}
}
