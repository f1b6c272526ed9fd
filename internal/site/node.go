package site

import (
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// headings lists the elements by their level; level 0 is none.
var headings = []atom.Atom{0, atom.H1, atom.H2, atom.H3, atom.H4, atom.H5, atom.H6}

func headingLevel(n *html.Node) int {
	if n.DataAtom == 0 {
		return 0
	}
	return max(0, slices.Index(headings, n.DataAtom))
}

// element makes an element with attributes given as keys and values in turn.
func element(a atom.Atom, attrs ...string) *html.Node {
	n := &html.Node{Type: html.ElementNode, Data: a.String(), DataAtom: a}
	for pair := range slices.Chunk(attrs, 2) {
		setAttr(n, pair[0], pair[1])
	}
	return n
}

func rename(n *html.Node, a atom.Atom) { n.Data, n.DataAtom = a.String(), a }

// wrap puts n into wrapper, in n's place.
func wrap(n, wrapper *html.Node) {
	n.Parent.InsertBefore(wrapper, n)
	n.Parent.RemoveChild(n)
	wrapper.AppendChild(n)
}

func lookup(n *html.Node, key string) (string, bool) {
	for _, a := range n.Attr {
		if a.Namespace == "" && a.Key == key {
			return a.Val, true
		}
	}
	return "", false
}

func attr(n *html.Node, key string) string {
	val, _ := lookup(n, key)
	return val
}

func setAttr(n *html.Node, key, val string) {
	for i, a := range n.Attr {
		if a.Namespace == "" && a.Key == key {
			n.Attr[i].Val = val
			return
		}
	}
	n.Attr = append(n.Attr, html.Attribute{Key: key, Val: val})
}

func removeAttrs(n *html.Node, keys ...string) {
	n.Attr = slices.DeleteFunc(n.Attr, func(a html.Attribute) bool { return slices.Contains(keys, a.Key) })
}

func addClass(n *html.Node, class string) {
	setAttr(n, "class", strings.TrimSpace(attr(n, "class")+" "+class))
}

// find returns the first element of its kind under n, nil for none.
func find(n *html.Node, a atom.Atom) *html.Node {
	for c := range n.Descendants() {
		if c.DataAtom == a {
			return c
		}
	}
	return nil
}

// textOf returns what n says, its scripts and styles left out.
func textOf(n *html.Node) string {
	var out strings.Builder
	for c := range n.Descendants() {
		hidden := c.Parent != nil && (c.Parent.DataAtom == atom.Script || c.Parent.DataAtom == atom.Style)
		if c.Type == html.TextNode && !hidden {
			out.WriteString(c.Data)
		}
	}
	return out.String()
}
