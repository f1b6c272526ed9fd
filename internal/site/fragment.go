package site

import (
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// heading is an entry of a page's table of contents.
type heading struct {
	Level    int // 2 or 3
	ID, Text string
}

// fragment fits a piece of HTML, a Markdown cell's or an output's, into the
// page: every element closed, ids unique, links to lessons turned into links
// to pages, pictures copied into the site, code coloured, callouts made. It
// works on HTML and not on Markdown so that raw HTML gets all of it too.
func (d *document) fragment(source string, prose bool) (string, error) {
	if d.site.policy != nil {
		source = d.site.policy.Sanitize(source)
	}
	context := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	nodes, err := html.ParseFragment(strings.NewReader(source), context)
	if err != nil {
		return "", err
	}
	f := fragment{document: d, prose: prose, renamed: map[string]string{}}
	for _, n := range nodes {
		context.AppendChild(n)
	}
	f.rename(context)
	err = f.children(context)
	var out strings.Builder
	for n := range context.ChildNodes() {
		err = errors.Join(err, html.Render(&out, n))
	}
	return out.String(), err
}

type fragment struct {
	*document
	prose   bool              // Markdown of the author, and not an output
	renamed map[string]string // ids that the page had already, to their new names
}

// rename gives every element an id that is new on the page: headings one made
// from their text, as GitHub does.
func (f *fragment) rename(root *html.Node) {
	for n := range root.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		id := attr(n, "id")
		if id == "" && f.prose && headingLevel(n) > 0 {
			id = slug(textOf(n))
		}
		if id == "" {
			continue
		}
		unique := f.uniqueID(id)
		if unique != id {
			f.renamed[id] = unique
		}
		setAttr(n, "id", unique)
	}
}

func (f *fragment) children(parent *html.Node) error {
	var errs []error
	for n := parent.FirstChild; n != nil; {
		next := n.NextSibling // n may be wrapped or removed
		if n.Type == html.ElementNode {
			errs = append(errs, f.element(n))
		}
		n = next
	}
	return errors.Join(errs...)
}

func (f *fragment) element(n *html.Node) error {
	f.references(n)
	if level := headingLevel(n); level > 0 {
		f.heading(n, level)
	}
	var err error
	switch n.DataAtom {
	case atom.A:
		err = f.link(n)
	case atom.Img:
		err = f.image(n)
	case atom.Pre:
		f.code(n)
	case atom.Table:
		wrap(n, element(atom.Div, "class", "scroll", "tabindex", "0"))
	case atom.Th:
		tableHeader(n)
	case atom.Blockquote:
		callout(n)
	case atom.Input:
		checkbox(n)
	case atom.Span:
		if slices.Contains(strings.Fields(attr(n, "class")), "formula") {
			err = f.formula(n)
		}
	}
	return errors.Join(err, f.children(n))
}

// references lets the attributes that point to an id follow its new name.
func (f *fragment) references(n *html.Node) {
	if len(f.renamed) == 0 {
		return
	}
	for i, a := range n.Attr {
		switch a.Key {
		case "for", "aria-labelledby", "aria-describedby", "aria-controls":
			if id, ok := f.renamed[a.Val]; ok {
				n.Attr[i].Val = id
			}
		case "href":
			if id, ok := f.renamed[strings.TrimPrefix(a.Val, "#")]; ok && strings.HasPrefix(a.Val, "#") {
				n.Attr[i].Val = "#" + id
			}
		}
	}
}

// heading fits a heading into the page's outline: the page has the only h1,
// no level is left out, and the heading's text is a link to itself. An
// output's headings are no part of the outline.
func (f *fragment) heading(n *html.Node, level int) {
	if !f.prose {
		rename(n, atom.P)
		addClass(n, "heading")
		return
	}
	level = min(max(level, 2), f.level+1)
	f.level = level
	rename(n, headings[level])
	id := attr(n, "id")
	if level <= 3 {
		f.toc = append(f.toc, heading{level, id, strings.TrimSpace(textOf(n))})
	}
	if find(n, atom.A) != nil {
		return
	}
	anchor := element(atom.A, "class", "anchor", "href", "#"+id)
	for c := n.FirstChild; c != nil; c = n.FirstChild {
		n.RemoveChild(c)
		anchor.AppendChild(c)
	}
	n.AppendChild(anchor)
}

// link points a link to a page of the site, to a copy of a file of the
// course, or leaves it where it leads elsewhere.
func (f *fragment) link(n *html.Node) error {
	href, ok := lookup(n, "href")
	if !ok {
		return nil
	}
	to, err := url.Parse(strings.TrimSpace(href))
	if err != nil {
		return f.broken(n, fmt.Errorf("link %q: %w", href, err))
	}
	switch {
	case slices.Contains([]string{"http", "https", "mailto", "tel"}, to.Scheme):
		return nil
	case to.Scheme == "attachment":
		href, err = f.attachment(to.Opaque)
	case to.Scheme != "" || to.Host != "":
		return f.broken(n, fmt.Errorf("link %q: its scheme is not one for a page", href))
	case to.Path == "" && to.Fragment == "":
		return nil
	case to.Path == "":
		// Jupyter keeps the case of a heading in its id, GitHub and we do not.
		id := to.Fragment
		if !f.ids[id] {
			id = slug(id)
		}
		f.refers(f.Name, id)
		href = "#" + id
	default:
		href, err = f.internal(to)
	}
	if err != nil {
		return f.broken(n, err)
	}
	if href == "" { // a lesson that is not built yet
		rename(n, atom.Span)
		n.Attr = []html.Attribute{{Key: "class", Val: "pending"}}
		return nil
	}
	setAttr(n, "href", href)
	return nil
}

// internal returns where a relative link leads in the site, "" for a lesson
// that has no page yet.
func (f *fragment) internal(to *url.URL) (string, error) {
	base := path.Base(to.Path)
	if path.Join("lessons", strings.TrimPrefix(to.Path, "../lessons/")) == guideFile {
		base = "guide.html"
	}
	if name, ok := cutAnySuffix(base, ".md", ".ipynb", ".html"); ok {
		if f.site.pages[name] {
			if to.Fragment == "" {
				return address(pageFile(name)), nil
			}
			id := slug(to.Fragment)
			f.refers(name, id)
			return address(pageFile(name)) + "#" + id, nil
		}
		if f.site.sources[name] != "" {
			return "", nil
		}
	}
	return f.site.copy(f.folder, to.Path)
}

// image copies a picture into the site. One from another server becomes a
// link to it: a page asks nothing of anyone.
func (f *fragment) image(n *html.Node) error {
	removeAttrs(n, "srcset")
	if _, ok := lookup(n, "alt"); !ok {
		setAttr(n, "alt", "")
	}
	src := strings.TrimSpace(attr(n, "src"))
	from, err := url.Parse(src)
	switch {
	case strings.HasPrefix(strings.ToLower(src), "data:image/"):
		return nil
	case err != nil:
		return f.broken(n, fmt.Errorf("picture %q: %w", src, err))
	case from.Scheme == "attachment":
		src, err = f.attachment(from.Opaque)
	case from.Scheme == "http", from.Scheme == "https":
		text := attr(n, "alt")
		if text == "" {
			text = src
		}
		rename(n, atom.A)
		n.Attr = []html.Attribute{{Key: "href", Val: src}}
		n.AppendChild(&html.Node{Type: html.TextNode, Data: text})
		return nil
	case from.Scheme != "" || from.Host != "" || from.Path == "":
		err = fmt.Errorf("picture %q: not a file of the course", src)
	default:
		src, err = f.site.copy(f.folder, from.Path)
	}
	if err != nil {
		return f.broken(n, err)
	}
	setAttr(n, "src", src)
	setAttr(n, "loading", "lazy")
	return nil
}

// broken deals with a link or a picture that leads nowhere: in the course's
// own lessons it is a mistake to mend; in a stranger's notebook its text stays.
func (f *fragment) broken(n *html.Node, err error) error {
	if !f.site.opt.Untrusted {
		return err
	}
	if n.DataAtom == atom.Img {
		n.AppendChild(&html.Node{Type: html.TextNode, Data: attr(n, "alt")})
	}
	rename(n, atom.Span)
	n.Attr = nil
	return nil
}

// code colours a fenced block in its language.
func (f *fragment) code(pre *html.Node) {
	setAttr(pre, "tabindex", "0")
	code := pre.FirstChild
	if code == nil || code.DataAtom != atom.Code || code.NextSibling != nil {
		return
	}
	for _, class := range strings.Fields(attr(code, "class")) {
		name, ok := strings.CutPrefix(class, "language-")
		if !ok {
			continue
		}
		coloured := highlight(textOf(code), languageOf(name))
		for c := code.FirstChild; c != nil; c = code.FirstChild {
			code.RemoveChild(c)
		}
		code.AppendChild(&html.Node{Type: html.RawNode, Data: coloured})
	}
}

// callout turns a quotation that starts with [!NOTE] and the like into a box.
func callout(quote *html.Node) {
	p := find(quote, atom.P)
	if p == nil || p.FirstChild == nil || p.FirstChild.Type != html.TextNode {
		return
	}
	mark, rest, _ := strings.Cut(p.FirstChild.Data, "\n")
	mark = strings.TrimSpace(mark)
	kinds := map[string]string{"[!NOTE]": "Note", "[!TIP]": "Tip", "[!IMPORTANT]": "Important", "[!WARNING]": "Warning", "[!CAUTION]": "Caution"}
	title, ok := kinds[strings.ToUpper(mark)]
	if !ok {
		return
	}
	p.FirstChild.Data = rest
	head := element(atom.P, "class", "callout-title")
	head.AppendChild(&html.Node{Type: html.TextNode, Data: title})
	p.Parent.InsertBefore(head, p)
	if strings.TrimSpace(textOf(p)) == "" && find(p, atom.Img) == nil {
		p.Parent.RemoveChild(p)
	}
	rename(quote, atom.Div)
	quote.Attr = []html.Attribute{{Key: "class", Val: "callout " + strings.ToLower(title)}, {Key: "role", Val: "note"}}
}

// tableHeader says of what a header is one. A header of nothing, as pandas
// writes, would confuse screen readers: it becomes a plain cell.
func tableHeader(n *html.Node) {
	if strings.TrimSpace(textOf(n)) == "" && find(n, atom.Img) == nil {
		rename(n, atom.Td)
		return
	}
	if _, said := lookup(n, "scope"); said {
		return
	}
	scope := "row"
	if row := n.Parent; row.Parent != nil && row.Parent.DataAtom == atom.Thead {
		scope = "col"
	}
	setAttr(n, "scope", scope)
}

// checkbox names the boxes of a task list for those who do not see them.
func checkbox(n *html.Node) {
	if attr(n, "type") != "checkbox" {
		return
	}
	name := "to do"
	if _, done := lookup(n, "checked"); done {
		name = "done"
	}
	setAttr(n, "aria-label", name)
}

// slug is the id that GitHub gives a heading: letters and digits in lower
// case, spaces as dashes, no punctuation.
func slug(title string) string {
	id := strings.Map(func(r rune) rune {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			return unicode.ToLower(r)
		case unicode.IsSpace(r):
			return '-'
		}
		return -1
	}, strings.TrimSpace(title))
	if id == "" {
		return "section"
	}
	return id
}

func cutAnySuffix(s string, suffixes ...string) (string, bool) {
	for _, suffix := range suffixes {
		if before, ok := strings.CutSuffix(s, suffix); ok {
			return before, true
		}
	}
	return s, false
}
