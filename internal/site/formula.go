package site

import (
	_ "embed"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/dop251/goja"
	"golang.org/x/net/html"
)

// temmlScript is Temml 0.13.5 as npm publishes it (dist/temml.min.js, MIT, see
// temml/LICENSE): of the programs that turn TeX into MathML it is the one that
// needs no fonts and no style of its own on the page.
//
//go:embed temml/temml.min.js
var temmlScript string

// tex turns TeX into MathML, one formula at a time.
type tex struct {
	mu     sync.Mutex
	vm     *goja.Runtime
	render goja.Callable
	temml  goja.Value
}

// loadTeX is Temml ready for use; it takes some 0.1 s, once a process and only
// where there is a formula.
var loadTeX = sync.OnceValues(func() (*tex, error) {
	vm := goja.New()
	if _, err := vm.RunScript("temml.min.js", temmlScript); err != nil {
		return nil, fmt.Errorf("loading temml.min.js: %w", err)
	}
	temml := vm.Get("temml")
	render, ok := goja.AssertFunction(temml.ToObject(vm).Get("renderToString"))
	if !ok {
		return nil, errors.New("loading temml.min.js: it exports no function renderToString")
	}
	return &tex{vm: vm, render: render, temml: temml}, nil
})

// mathML returns a formula, without its dollars, as a <math> element.
func mathML(source string, display bool) (string, error) {
	t, err := loadTeX()
	if err != nil {
		return "", err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	// Macros that one formula defines must not reach the next: each gets its own.
	options := map[string]any{"displayMode": display, "throwOnError": true, "macros": map[string]any{}}
	math, err := t.render(t.temml, t.vm.ToValue(source), t.vm.ToValue(options))
	if err != nil {
		message, _, _ := strings.Cut(err.Error(), " at ")
		return "", fmt.Errorf("formula %q: %s; a dollar that begins no formula is written \\$", source, message)
	}
	return math.String(), nil
}

// formula turns the TeX in an element into MathML.
func (f *fragment) formula(n *html.Node) error {
	source := textOf(n)
	math, err := mathML(strings.TrimSpace(strings.Trim(source, "$")), strings.HasPrefix(source, "$$"))
	if err != nil {
		if f.site.opt.Untrusted { // its TeX can be read
			return nil
		}
		return err
	}
	for c := n.FirstChild; c != nil; c = n.FirstChild {
		n.RemoveChild(c)
	}
	n.AppendChild(&html.Node{Type: html.RawNode, Data: math})
	return nil
}
