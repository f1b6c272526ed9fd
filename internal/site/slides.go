package site

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"manyhands/internal/notebook"
)

// slide is one slide of a lesson.
type slide struct {
	Title  string
	Anchor string        // the id of its section on the lesson's page
	Text   template.HTML // the section's first sentence
	Ask    template.HTML // a prediction that the class is asked for
	Code   *listing
	Output template.HTML // shown when the class has seen the rest
	Figure *figure
	Body   template.HTML // a table or a list, or all of a cell that is marked
	Notes  template.HTML // the text of the section, for the speaker
	marked bool          // stands where the lesson's author wants a slide
}

// listing is code on a slide.
type listing struct {
	Language string
	HTML     template.HTML
	Lines    int
}

// A slide shows no more code and output than a class can read from the last row.
const (
	maxSlideCode   = 24
	maxSlideOutput = 8
)

// deck makes a lesson's slides while its cells are rendered. A section, what
// stands under an h2, is a slide of its heading, its first sentence, its
// prediction and its code, and one for each chart; the other text becomes the
// speaker's notes. Cells with the tag "slide" replace that choice by whole
// cells, "notes" are only for the speaker, "optional" is left out, and so is
// what waits folded for the reader.
type deck struct {
	opening template.HTML // what the speaker says to the title
	slides  []*slide
	section []*slide // those of the section that is being read
	notes   strings.Builder
}

// begin starts a section.
func (k *deck) begin(title, anchor string) {
	k.end()
	k.section = []*slide{{Title: title, Anchor: anchor}}
}

// end closes the section: its marked slides, where it has any, or the others.
func (k *deck) end() {
	chosen := k.section
	if len(chosen) > 0 && chosen[0].Anchor == "" { // before the first h2: the title's slide has its sentence
		k.opening, chosen[0].Text = template.HTML(k.notes.String()), ""
		k.notes.Reset()
	}
	if len(chosen) > 0 && (len(chosen) > 1 || chosen[0].Code != nil) { // there is more to see than lists and tables
		k.notes.WriteString(string(chosen[0].Body))
		chosen[0].Body = ""
	}
	if slices.ContainsFunc(chosen, func(s *slide) bool { return s.marked }) {
		chosen = slices.DeleteFunc(chosen, func(s *slide) bool { return !s.marked })
	} else {
		chosen = slices.DeleteFunc(chosen, func(s *slide) bool { return s.empty() })
	}
	if len(chosen) > 0 {
		chosen[0].Notes = template.HTML(k.notes.String())
	}
	k.notes.Reset()
	k.slides = append(k.slides, chosen...)
	k.section = nil
}

func (s *slide) empty() bool {
	return s.Text == "" && s.Ask == "" && s.Code == nil && s.Figure == nil && s.Body == ""
}

// add starts another slide of the section.
func (k *deck) add(s slide) {
	s.Title, s.Anchor = k.section[0].Title, k.section[0].Anchor
	k.section = append(k.section, &s)
}

// project takes what slides need from a cell that has just been rendered.
func (d *document) project(cell *notebook.Cell, shown string) error {
	has := func(tag string) bool { return slices.Contains(cell.Tags(), tag) }
	if slices.ContainsFunc([]string{"optional", "hint", "solution", "answer", "exercise"}, has) {
		return nil
	}
	if d.deck.section == nil {
		d.deck.begin(d.Title, "")
	}
	if has("notes") {
		spoken, err := d.markdown(cell.Source, false)
		d.deck.notes.WriteString(spoken)
		return err
	}
	marked := has("slide")
	switch cell.Type {
	case notebook.Markdown:
		return d.projectText(shown, marked)
	case notebook.Code:
		d.projectCode(cell, marked)
	}
	return nil
}

func (d *document) projectText(shown string, marked bool) error {
	nodes, err := parseNodes(shown)
	if err != nil {
		return err
	}
	var whole strings.Builder
	for _, n := range nodes {
		relocate(n)
		here := d.deck.section[0]
		text := template.HTML(outerHTML(n))
		switch n.DataAtom {
		case atom.H2:
			d.deck.begin(strings.TrimSpace(textOf(n)), attr(n, "id"))
			continue
		case atom.P:
			d.deck.notes.WriteString(string(text))
			if here.Text == "" {
				here.Text = template.HTML(firstSentence(n))
			}
		case atom.Blockquote:
			if strings.HasPrefix(strings.TrimSpace(textOf(n)), "Predict.") && here.Ask == "" {
				here.Ask = text
			} else {
				d.deck.notes.WriteString(string(text))
			}
		case atom.Ul, atom.Ol:
			if here.Body == "" {
				here.Body = text
			}
		case atom.Div: // a table or a callout
			if here.Body == "" && attr(n, "class") != "footnotes" {
				here.Body = text
			}
		}
		whole.WriteString(string(text))
	}
	if marked {
		d.deck.add(slide{Body: template.HTML(whole.String()), marked: true})
	}
	return nil
}

func (d *document) projectCode(cell *notebook.Cell, marked bool) {
	here := d.deck.section[0]
	hidden := slices.Contains(cell.Tags(), "hide-input")
	switch {
	case marked:
		s := slide{Output: slideOutput(cell.Outputs), marked: true}
		if !hidden {
			s.Code = d.listing(cell.Source)
		}
		if s.Code != nil || s.Output != "" {
			d.deck.add(s)
		}
	case here.Code == nil && !hidden:
		if here.Code = d.listing(cell.Source); here.Code != nil {
			here.Output = slideOutput(cell.Outputs)
		}
	}
	for _, f := range d.figures {
		if f.Picture != "" {
			d.deck.add(slide{Figure: f, marked: marked})
		}
	}
}

var (
	imports   = regexp.MustCompile(`(?m)^import (\((?s:.*?)^\)|.*)\n*`)
	mainLine  = regexp.MustCompile(`(?m)^%%( main)?\n`)
	otherCell = regexp.MustCompile(`^%%\w.*\n`)
)

// listing is the key code of a cell: without its imports, and where it is long
// only what the cell runs. It is nil where that is too long, too.
func (d *document) listing(source string) *listing {
	lang := cellLanguage(source, d.language)
	source = imports.ReplaceAllString(source, "")
	if lines(source) > maxSlideCode {
		if at := mainLine.FindStringIndex(source); at != nil {
			source = source[at[1]:]
		}
	}
	if d.language.label != lang.label {
		source = otherCell.ReplaceAllString(source, "") // the slide says the language
	}
	source = strings.Trim(source, "\n")
	if source == "" || lines(source) > maxSlideCode {
		return nil
	}
	return &listing{lang.label, template.HTML(highlightCell(source, lang)), lines(source)}
}

func lines(text string) int { return 1 + strings.Count(strings.Trim(text, "\n"), "\n") }

// slideOutput is what a cell printed, where that is short.
func slideOutput(outputs []notebook.Output) template.HTML {
	var printed strings.Builder
	for _, o := range outputs {
		if o.Type == notebook.Stream {
			printed.WriteString(o.Text)
		}
	}
	text := strings.Trim(printed.String(), "\n")
	if text == "" || lines(text) > maxSlideOutput {
		return ""
	}
	return template.HTML(terminal(text))
}

// firstSentence returns the HTML of a paragraph's first sentence: up to a full
// stop, a question or an exclamation mark that a capital follows.
func firstSentence(p *xhtml.Node) string {
	cut := false
	var walk func(n *xhtml.Node)
	walk = func(n *xhtml.Node) {
		for c := n.FirstChild; c != nil; {
			next := c.NextSibling
			switch {
			case cut:
				n.RemoveChild(c)
			case c.Type == xhtml.TextNode && n.DataAtom != atom.Code:
				if end := sentenceEnd(c.Data, next); end > 0 {
					c.Data, cut = c.Data[:end], true
				}
			default:
				walk(c)
			}
			c = next
		}
	}
	walk(p)
	return outerHTML(p)
}

// sentenceEnd returns where the first sentence of a text ends, 0 for not in it.
// An element that follows the text, such as code, may begin the next one.
func sentenceEnd(text string, follows *xhtml.Node) int {
	for i := range len(text) {
		if !strings.ContainsRune(".?!", rune(text[i])) {
			continue
		}
		rest := text[i+1:]
		after := strings.TrimLeftFunc(rest, unicode.IsSpace)
		first, _ := utf8.DecodeRuneInString(after)
		if len(after) < len(rest) && (unicode.IsUpper(first) || after == "" && follows != nil) {
			return i + 1
		}
	}
	return 0
}

// dropFootnotes takes the marks out that lead to footnotes: slides have none.
func dropFootnotes(root *xhtml.Node) {
	for _, n := range slices.Collect(root.Descendants()) {
		if n.DataAtom == atom.Sup && n.Parent != nil && find(n, atom.A) != nil {
			n.Parent.RemoveChild(n)
		}
	}
}

func parseNodes(source string) ([]*xhtml.Node, error) {
	return xhtml.ParseFragment(strings.NewReader(source), &xhtml.Node{Type: xhtml.ElementNode, Data: "div", DataAtom: atom.Div})
}

func outerHTML(n *xhtml.Node) string {
	var out bytes.Buffer
	if err := xhtml.Render(&out, n); err != nil {
		return html.EscapeString(textOf(n))
	}
	return out.String()
}

// relocate fits a part of a lesson's page into one that is a folder below: its
// links lead up, and its ids, which slides may hold twice, are gone.
func relocate(root *xhtml.Node) {
	dropFootnotes(root)
	for n := range root.Descendants() {
		fix(n)
	}
	fix(root)
}

func fix(n *xhtml.Node) {
	if n.DataAtom != atom.H2 {
		removeAttrs(n, "id")
	}
	for _, key := range []string{"href", "src"} {
		switch to := attr(n, key); {
		case strings.HasPrefix(to, "#"):
			removeAttrs(n, key) // its target is not on a slide
		case to != "" && !schemeOf.MatchString(to):
			setAttr(n, key, "../"+to)
		}
	}
}

var schemeOf = regexp.MustCompile(`^[a-zA-Z][a-zA-Z0-9+.-]*:`)

// slidesPage writes a lesson's slides.
func (s *site) slidesPage(d *document) error {
	d.deck.end()
	p := s.page(d.index)
	p.Opening, p.Slides = d.deck.opening, d.deck.slides
	return s.execute("slides.html", d.Deck, p)
}

// Lines is how many lines of code and output the slide has to find room for.
func (s *slide) Lines() int {
	n := 0
	if s.Code != nil {
		n += s.Code.Lines
	}
	if s.Output != "" {
		n += lines(string(s.Output))
	}
	return n
}

// decks names the file of each lesson's slides by the lesson's number, or by
// its whole name where two have the same. Practicals have none.
func decks(entries []entry) {
	seen := map[string]int{}
	for _, e := range entries {
		seen[e.Number()]++
	}
	for i, e := range entries {
		name := e.Number()
		if seen[name] > 1 {
			name = e.Name
		}
		if !e.Practical {
			entries[i].Deck = fmt.Sprintf("slides/%s.html", name)
		}
	}
}
