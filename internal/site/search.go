package site

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// section is what readers find: the text under one h2, or before the first.
// The search itself is assets/search.js with MiniSearch 7.2.0 from npm, as
// published (assets/minisearch.js): of the libraries that search in a browser
// it is a small one that knows beginnings of words and misspellings, and it
// needs no index made beforehand by Node.
type section struct {
	Page    string `json:"page"`
	Title   string `json:"title"`
	Heading string `json:"heading,omitempty"`
	Anchor  string `json:"anchor,omitempty"`
	Text    string `json:"text"`
}

// sections reads the sections off a page's finished text. What is folded
// stays out, so that looking for a word gives no answer away, and so does what
// the cells printed.
func (d *document) sections(body string) ([]section, error) {
	context := &html.Node{Type: html.ElementNode, Data: "div", DataAtom: atom.Div}
	nodes, err := html.ParseFragment(strings.NewReader(body), context)
	if err != nil {
		return nil, err
	}
	all := []section{{Page: d.URL(), Title: d.Title}}
	var text strings.Builder
	end := func() {
		all[len(all)-1].Text = strings.Join(strings.Fields(text.String()), " ")
		text.Reset()
	}
	var walk func(n *html.Node)
	walk = func(n *html.Node) {
		switch {
		case n.Type == html.TextNode:
			text.WriteString(n.Data)
			return
		case n.DataAtom == atom.H2:
			end()
			all = append(all, section{Page: d.URL(), Title: d.Title, Heading: strings.TrimSpace(textOf(n)), Anchor: attr(n, "id")})
			return
		case unsearched(n):
			return
		}
		for c := range n.ChildNodes() {
			walk(c)
		}
		if n.DataAtom != atom.Span && n.DataAtom != atom.A && n.DataAtom != atom.Code {
			text.WriteByte(' ')
		}
	}
	for _, n := range nodes {
		walk(n)
	}
	end()
	return all, nil
}

func unsearched(n *html.Node) bool {
	switch n.DataAtom {
	case atom.Details, atom.Script, atom.Style, atom.Svg:
		return true
	}
	return slices.Contains([]string{"output", "label", "magic"}, attr(n, "class"))
}

// searchIndex writes the sections of all pages as a script, which pages may
// load from a disk; data they may not.
func (s *site) searchIndex(all []rendered) error {
	var out bytes.Buffer
	out.WriteString("globalThis.manyhandsSections = [\n")
	for _, r := range all {
		for _, section := range r.sections {
			line, err := json.Marshal(section)
			if err != nil {
				return err
			}
			out.Write(line)
			out.WriteString(",\n")
		}
	}
	out.WriteString("];\n")
	return s.tree.write("search-index.js", out.Bytes())
}
