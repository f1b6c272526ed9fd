// Package browsertest drives a real Chromium in tests, and notes what a page
// does wrong on its own account: errors on the console, exceptions, dialogs,
// requests beyond this machine. It stands on chromedp, which speaks the
// browser's own protocol and needs no driver program.
package browsertest

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"manyhands/internal/testparts"
)

// A Tab is a page in a browser of its own, with a fresh profile.
type Tab struct {
	t   testing.TB
	ctx context.Context

	mu       sync.Mutex
	wrong    []string
	requests []string
}

// Find returns the path of Chromium, or ends the test where there is none, as
// testparts says. The race detector sees nothing of a browser, so under it the
// test is skipped.
func Find(t testing.TB) string {
	t.Helper()
	if testparts.Race {
		t.Skip("the race detector sees nothing of a browser")
	}
	return testparts.Program(t, "apt-get install chromium", "chromium", "chromium-browser", "google-chrome")
}

// Open starts a browser that ends with the test.
func Open(t testing.TB) *Tab {
	t.Helper()
	path := Find(t)
	tab := &Tab{t: t}
	options := append(slices.Clone(chromedp.DefaultExecAllocatorOptions[:]),
		chromedp.ExecPath(path), chromedp.WSURLReadTimeout(2*time.Minute), chromedp.NoSandbox, chromedp.DisableGPU, // the profile is chromedp's, which bears that a dying browser still writes to it
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-background-networking", true))
	allocator, stop := chromedp.NewExecAllocator(t.Context(), options...)
	ctx, closeBrowser := chromedp.NewContext(allocator, chromedp.WithListener(tab.listen))
	tab.ctx = ctx
	t.Cleanup(func() {
		closeBrowser()
		stop()
	})
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start %s: %v", path, err)
	}
	Send(tab, network.Enable, network.EnableParams{})
	return tab
}

// listen notes what the page did.
func (tab *Tab) listen(event any) {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	switch event := event.(type) {
	case *runtime.EventConsoleAPICalled:
		if event.Type == runtime.ConsoleAPICalledTypeError || event.Type == runtime.ConsoleAPICalledTypeWarning {
			tab.wrong = append(tab.wrong, fmt.Sprintf("console: %s%s", event.Args[0].Description, event.Args[0].Value))
		}
	case *runtime.EventExceptionThrown:
		wrong := fmt.Sprintf("%s:%d: %s", event.ExceptionDetails.URL, event.ExceptionDetails.LineNumber, event.ExceptionDetails.Text)
		if thrown := event.ExceptionDetails.Exception; thrown != nil {
			wrong += " " + thrown.Description
		}
		tab.wrong = append(tab.wrong, wrong)
	case *page.EventJavascriptDialogOpening:
		tab.wrong = append(tab.wrong, "dialog: "+event.Message)
	case *network.EventRequestWillBeSent:
		tab.requests = append(tab.requests, event.Request.URL)
	}
}

// Wrong returns what went wrong in the page so far.
func (tab *Tab) Wrong() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return slices.Clone(tab.wrong)
}

// Requests returns the addresses that the page asked for so far.
func (tab *Tab) Requests() []string {
	tab.mu.Lock()
	defer tab.mu.Unlock()
	return slices.Clone(tab.requests)
}

// CheckRequests fails the test for every request that did not go to one of
// the origins; what a page carries in itself, such as data: and blob:, is no
// request.
func (tab *Tab) CheckRequests(origins ...string) {
	tab.t.Helper()
	for _, url := range tab.Requests() {
		allowed := func(origin string) bool { return strings.HasPrefix(url, origin) }
		if !slices.ContainsFunc(append(origins, "data:", "blob:", "about:"), allowed) {
			tab.t.Errorf("a request to %s", url)
		}
	}
}

// Do takes the steps, within a minute, or ends the test.
func (tab *Tab) Do(steps ...chromedp.Action[chromedp.Void]) {
	tab.t.Helper()
	Within(tab, time.Minute, chromedp.Steps(steps...))
}

// Wait waits, for as long as given, until a JavaScript expression is true. It
// asks again and again from here, so that neither a reload of the page nor a
// browser that draws no frames stops it. A test that ends here says how the
// page stood.
func (tab *Tab) Wait(limit time.Duration, expression string) {
	tab.t.Helper()
	if err := tab.await(limit, expression); err != nil {
		tab.Screenshot(strings.ReplaceAll(tab.t.Name(), "/", " ") + " failed")
		tab.t.Fatalf("after %v this is not yet true: %s\nlast error: %v\nwrong in the page: %q\nthe page says:\n%s",
			limit, expression, err, tab.Wrong(), tab.text())
	}
}

// Becomes waits like Wait and tells whether the expression became true.
func (tab *Tab) Becomes(limit time.Duration, expression string) bool {
	return tab.await(limit, expression) == nil
}

func (tab *Tab) await(limit time.Duration, expression string) error {
	ctx, cancel := context.WithTimeout(tab.ctx, limit)
	defer cancel()
	for {
		// An error is one of the moment, such as a page on its way to another.
		met, err := chromedp.Run(ctx, chromedp.Evaluate[bool](expression))
		if met {
			return nil
		}
		select {
		case <-ctx.Done():
			return cmp.Or(err, ctx.Err())
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// text is what the page says, as far as it can be had from a page in trouble.
func (tab *Tab) text() string {
	ctx, cancel := context.WithTimeout(tab.ctx, 10*time.Second)
	defer cancel()
	text, err := chromedp.Run(ctx, chromedp.Evaluate[string](`document.body.innerText.slice(0, 4000)`))
	if err != nil {
		return err.Error()
	}
	return text
}

// Within takes one action within the limit and returns its result, or ends
// the test.
func Within[T any](tab *Tab, limit time.Duration, action chromedp.Action[T]) T {
	tab.t.Helper()
	ctx, cancel := context.WithTimeout(tab.ctx, limit)
	defer cancel()
	result, err := chromedp.Run(ctx, action)
	if err != nil {
		tab.Screenshot(strings.ReplaceAll(tab.t.Name(), "/", " ") + " failed")
		tab.t.Fatal(err)
	}
	return result
}

// Call calls a JavaScript function with arguments that JSON can carry and
// returns its result.
func Call[T any](tab *Tab, function string, args ...any) T {
	tab.t.Helper()
	return call[T](tab, function, args)
}

func call[T any](tab *Tab, function string, args []any, options ...chromedp.EvaluateOption) T {
	tab.t.Helper()
	if args == nil {
		args = []any{}
	}
	list, err := json.Marshal(args)
	if err != nil {
		tab.t.Fatal(err)
	}
	return Within(tab, time.Minute, chromedp.Evaluate[T](fmt.Sprintf("(%s)(...%s)", function, list), options...))
}

// Send sends a command of the browser's protocol.
func Send[P, R any](tab *Tab, command cdp.Command[P, R], params P) {
	tab.t.Helper()
	if _, err := chromedp.Call(tab.ctx, command, params); err != nil {
		tab.t.Fatal(err)
	}
}

// Screenshot writes a PNG of the window into the folder that the environment
// variable MANYHANDS_SCREENSHOTS names, so that a person can look at what the
// test saw; without it, nothing is written.
func (tab *Tab) Screenshot(name string) {
	tab.t.Helper()
	dir := os.Getenv("MANYHANDS_SCREENSHOTS")
	if dir == "" {
		return
	}
	ctx, cancel := context.WithTimeout(tab.ctx, time.Minute)
	defer cancel()
	picture, err := chromedp.Run(ctx, chromedp.CaptureScreenshot())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, name+".png"), picture, 0o644)
	}
	if err != nil {
		tab.t.Errorf("screenshot %s: %v", name, err)
	}
}
