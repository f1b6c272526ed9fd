package echarts_test
import ("testing";"os";"time";"github.com/chromedp/chromedp")
func TestZZLab(t *testing.T) {
	if os.Getenv("LABTRY")=="" { t.Skip() }
	p := chromium(t)
	p.do(chromedp.EmulateViewport(1300, 1500), chromedp.Navigate(os.Getenv("LABTRY")))
	p.wait(`!!window.jupyterapp && !!document.querySelector(".jp-CodeCell")`)
	p.do(chromedp.Sleep(4*time.Second))
	call[any](p, `() => { window.jupyterapp.commands.execute("runmenu:run-all"); return 1 }`)
	for range 40 { if call[int](p, `() => document.querySelectorAll(".mh-drawn canvas").length`) >= 2 { break }; p.do(chromedp.Sleep(time.Second)) }
	p.do(chromedp.Sleep(time.Second))
	os.WriteFile("/tmp/charts/lab-light.png", within(p, chromedp.CaptureScreenshot()), 0o644)
	call[any](p, `() => { window.jupyterapp.commands.execute("apputils:change-theme", {theme:"JupyterLab Dark"}); return 1 }`)
	p.do(chromedp.Sleep(4*time.Second))
	os.WriteFile("/tmp/charts/lab-dark.png", within(p, chromedp.CaptureScreenshot()), 0o644)
	t.Log(call[int](p, `() => document.querySelectorAll(".mh-drawn canvas").length`), p.count("echarts.min.js"), p.wrong)
}
