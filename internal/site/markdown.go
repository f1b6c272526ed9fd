package site

import (
	"bytes"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/parser"
	"github.com/yuin/goldmark/renderer"
	"github.com/yuin/goldmark/renderer/html"
	"github.com/yuin/goldmark/text"
	"github.com/yuin/goldmark/util"
)

// markdown is the dialect of notebooks: GitHub's, with footnotes, raw HTML
// and formulas between dollars. What needs the page around it (links, ids,
// callouts, colours, MathML) is done afterwards, on the HTML, by document.fragment,
// so that raw HTML gets it as well.
var markdown = goldmark.New(
	goldmark.WithExtensions(extension.GFM, extension.Footnote, formulas{}),
	goldmark.WithRendererOptions(html.WithUnsafe()),
)

func markdownHTML(source string) (string, error) {
	var out bytes.Buffer
	if err := markdown.Convert([]byte(source), &out); err != nil {
		return "", err
	}
	return out.String(), nil
}

// formulas keeps TeX between $ and $ or $$ and $$ as its author wrote it:
// without it, Markdown would take a_1 and b_1 for emphasis and eat backslashes.
type formulas struct{}

func (formulas) Extend(m goldmark.Markdown) {
	m.Parser().AddOptions(parser.WithInlineParsers(util.Prioritized(formulas{}, 150)))
	m.Renderer().AddOptions(renderer.WithNodeRenderers(util.Prioritized(formulas{}, 500)))
}

func (formulas) Trigger() []byte { return []byte{'$'} }

// Parse follows pandoc's rule, which tells formulas from prices: the opening
// dollar has a character right after it, the closing one a character right
// before it and no digit after it.
func (formulas) Parse(_ ast.Node, block text.Reader, _ parser.Context) ast.Node {
	line, segment := block.PeekLine()
	fence := []byte("$")
	if bytes.HasPrefix(line, []byte("$$")) {
		fence = []byte("$$")
	}
	if len(fence) == 1 && (len(line) < 2 || util.IsSpace(line[1])) {
		return nil
	}
	saved, start := block.Position()
	node := &formula{display: len(fence) == 2}
	for from := len(fence); ; from = 0 {
		if end := closing(line, from, fence); end >= 0 {
			node.segments.Append(segment.WithStop(segment.Start + end))
			block.Advance(end)
			return node
		}
		node.segments.Append(segment)
		block.AdvanceLine()
		if line, segment = block.PeekLine(); line == nil {
			block.SetPosition(saved, start)
			return nil
		}
	}
}

// closing returns the index in line just past the closing fence, or -1.
func closing(line []byte, from int, fence []byte) int {
	for i := from; i+len(fence) <= len(line); i++ {
		if line[i] == '\\' {
			i++
			continue
		}
		if !bytes.HasPrefix(line[i:], fence) {
			continue
		}
		end := i + len(fence)
		if len(fence) == 2 {
			return end
		}
		digit := end < len(line) && line[end] >= '0' && line[end] <= '9'
		if i > 0 && !util.IsSpace(line[i-1]) && i > from && !digit {
			return end
		}
	}
	return -1
}

func (formulas) RegisterFuncs(r renderer.NodeRendererFuncRegisterer) {
	r.Register(formulaKind, func(w util.BufWriter, source []byte, n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		node := n.(*formula)
		class := "formula"
		if node.display {
			class = "formula display"
		}
		_, _ = w.WriteString(`<span class="` + class + `">`)
		for _, segment := range node.segments.Sliced(0, node.segments.Len()) {
			_, _ = w.Write(util.EscapeHTML(segment.Value(source)))
		}
		_, err := w.WriteString("</span>")
		return ast.WalkContinue, err
	})
}

var formulaKind = ast.NewNodeKind("Formula")

// formula is an inline node: TeX with its dollars.
type formula struct {
	ast.BaseInline
	display  bool
	segments text.Segments
}

func (*formula) Kind() ast.NodeKind { return formulaKind }

func (f *formula) Dump(source []byte, level int) { ast.DumpHelper(f, source, level, nil, nil) }
