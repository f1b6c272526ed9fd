package site

import (
	"cmp"
	"encoding/json"
	"fmt"
	"html"
	"net/url"
	"slices"
	"strings"

	xhtml "golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"manyhands/internal/edition"
	"manyhands/internal/notebook"
)

// entry is a lesson in lists of lessons.
type entry struct {
	Name    string // "02-threads", the notebook's file name without its ending
	Title   string
	Lede    string   // its first paragraph
	Minutes int      // 0: not given
	Needs   []string // the names of the lessons that it builds on
	Deck    string   // the file of its slides; empty: it has none
	Edition edition.Edition
	// Practical says that it is no lesson but questions for students, as they get them.
	Practical bool
}

// Number is the lesson's number, "02", or the practical's, "P1", which every
// list shows before its title.
func (e entry) Number() string {
	number, _, _ := strings.Cut(e.Name, "-")
	if e.Practical {
		return "P" + number
	}
	return number
}

// URL is the address of the lesson's page, from any other page of the site.
func (e entry) URL() string { return address(pageFile(e.Name)) }

// own are the names of the pages that are no notebook's.
var own = []string{"index", "edition", "guide", "figures"}

func pageFile(name string) string { return name + ".html" }

// address is that of a file of the site, whatever its name is made of.
func address(file string) string { return (&url.URL{Path: file}).String() }

// about is what a notebook's metadata says to the site, under "manyhands".
type about struct {
	Minutes int             `json:"minutes"`
	Needs   []string        `json:"needs"`
	Edition edition.Edition `json:"edition"`
}

// aboutNotebook reads the metadata leniently: a stranger's notebook may have
// anything there, and a page needs none of it.
func aboutNotebook(nb *notebook.Notebook) about {
	var a about
	if encoded, err := json.Marshal(nb.Metadata["manyhands"]); err == nil {
		_ = json.Unmarshal(encoded, &a)
	}
	return a
}

// newEntry reads what lists of lessons say about a notebook.
func newEntry(name string, nb *notebook.Notebook) entry {
	title, _ := nb.Metadata["title"].(string)
	a := aboutNotebook(nb)
	e := entry{Name: name, Title: cmp.Or(title, name), Minutes: a.Minutes, Needs: a.Needs, Edition: a.Edition}
	if len(nb.Cells) == 0 || nb.Cells[0].Type != notebook.Markdown {
		return e
	}
	heading, rest := cutTitle(nb.Cells[0].Source)
	e.Title = cmp.Or(paragraph(heading), e.Title)
	e.Lede = paragraph(rest)
	return e
}

// paragraph returns what the first paragraph of a Markdown source says.
func paragraph(source string) string {
	rendered, err := markdownHTML(source)
	if err != nil {
		return ""
	}
	root, err := xhtml.Parse(strings.NewReader(rendered))
	if err != nil {
		return ""
	}
	p := find(root, atom.P)
	if p == nil {
		return ""
	}
	return strings.Join(strings.Fields(textOf(p)), " ")
}

// kernelLanguage is the language of the notebook's plain code cells.
func kernelLanguage(nb *notebook.Notebook) language {
	info, _ := nb.Metadata["language_info"].(map[string]any)
	spec, _ := nb.Metadata["kernelspec"].(map[string]any)
	for _, candidate := range []any{info["pygments_lexer"], info["name"], spec["language"], spec["name"]} {
		name, _ := candidate.(string)
		if name == "gonb" {
			name = "go"
		}
		if found := languageOf(name); found.lexer != nil {
			return found
		}
	}
	return language{label: "Code"}
}

// document is one notebook on its way to a page.
type document struct {
	entry
	site     *site
	index    int // among the site's entries
	nb       *notebook.Notebook
	language language
	folder   string // the folder of the course that its links start from
	cell     int    // the index of the one being rendered
	ids      map[string]bool
	toc      []heading
	level    int               // of the heading before
	lanes    *figure           // the first timeline, for the front page
	charts   bool              // some chart can be live
	spread   []float64         // of what was measured, see spread
	pictures map[[32]byte]bool // the SVG pictures inlined so far, by hash
	targets  []target
	deck     deck
	figures  []*figure // those of the cell being rendered
}

// target is a place that a link in a cell leads to.
type target struct {
	cell     int
	page, id string
}

func (d *document) refers(page, id string) {
	d.targets = append(d.targets, target{d.cell, page, id})
}

func newDocument(s *site, e entry, nb *notebook.Notebook) *document {
	d := &document{
		entry: e, site: s, nb: nb, language: kernelLanguage(nb), folder: "notebooks",
		ids: map[string]bool{}, pictures: map[[32]byte]bool{}, level: 1,
	}
	if e.Practical {
		d.folder = practicalsFolder
	}
	for _, id := range pageIDs {
		d.ids[id] = true
	}
	return d
}

// uniqueID returns id, with a number added where the page has it already.
func (d *document) uniqueID(id string) string {
	unique := id
	for n := 2; d.ids[unique]; n++ {
		unique = fmt.Sprintf("%s-%d", id, n)
	}
	d.ids[unique] = true
	return unique
}

// body renders the notebook's cells. A Python counterpart that follows its Go
// code at once makes a pair with it, of which the page's script makes tabs.
func (d *document) body() (string, error) {
	all := make([]string, len(d.nb.Cells))
	for i, cell := range d.nb.Cells {
		d.cell, d.figures = i, nil
		shown, err := d.render(cell)
		if err == nil && d.Deck != "" {
			err = d.project(cell, shown)
		}
		if err != nil {
			return "", d.at(i, err)
		}
		if i > 0 && shown != "" && all[i-1] != "" && isPair(d.nb.Cells[i-1], cell) {
			all[i-1] = `<div class="pair">` + all[i-1]
			shown += "</div>"
		}
		all[i] = shown
	}
	return strings.Join(all, ""), nil
}

func isPair(first, second *notebook.Cell) bool {
	return first.Type == notebook.Code && second.Type == notebook.Code && len(first.Tags()) == 0 && slices.Equal(second.Tags(), []string{"python"})
}

// at says in which cell of which file something is wrong.
func (d *document) at(cell int, err error) error {
	return fmt.Errorf("%s: cell %d (id %q): %w", d.Name+".ipynb", cell+1, d.nb.Cells[cell].ID, err)
}

func (d *document) render(cell *notebook.Cell) (shown string, err error) {
	tags := cell.Tags()
	if slices.Contains(tags, "notes") { // the instructor's
		return "", nil
	}
	switch cell.Type {
	case notebook.Markdown:
		source := cell.Source
		if d.cell == 0 {
			_, source = cutTitle(source) // the page has its own place for it
		}
		shown, err = d.markdown(source, true)
	case notebook.Code:
		shown, err = d.code(cell)
	case notebook.Raw: // meant for other converters
	default:
		err = fmt.Errorf("its type %q is none that nbformat 4 knows", cell.Type)
	}
	if err != nil || strings.TrimSpace(shown) == "" {
		return "", err
	}
	return frame(graded(shown, cell), tags), nil
}

// frame sets a cell apart as its tags ask: hints, solutions and answers wait
// until the reader opens them.
func frame(shown string, tags []string) string {
	for _, f := range []struct{ tag, label string }{{"exercise", "Exercise"}, {"optional", "Optional"}} {
		if slices.Contains(tags, f.tag) {
			shown = fmt.Sprintf(`<div class="framed %s"><p class="frame-label">%s</p>%s</div>`, f.tag, f.label, shown)
		}
	}
	for _, f := range []struct{ tag, label string }{{"hint", "Hint"}, {"solution", "Solution"}, {"answer", "Answer"}} {
		if slices.Contains(tags, f.tag) {
			shown = fmt.Sprintf(`<details class="fold %s"><summary>%s</summary>%s</details>`, f.tag, f.label, shown)
		}
	}
	return shown
}

func (d *document) markdown(source string, prose bool) (string, error) {
	rendered, err := markdownHTML(source)
	if err != nil {
		return "", err
	}
	return d.fragment(rendered, prose)
}

// code renders a code cell: what was typed and, in the same frame, what came
// of it.
func (d *document) code(cell *notebook.Cell) (string, error) {
	source := strings.TrimRight(cell.Source, "\n")
	shown, err := d.outputs(cell.Outputs)
	if err != nil || source == "" && shown == "" {
		return "", err
	}
	lang := cellLanguage(source, d.language)
	var out strings.Builder
	fmt.Fprintf(&out, `<div class="cell" data-language="%s">`, html.EscapeString(strings.ToLower(lang.label)))
	if source != "" {
		typed := fmt.Sprintf(`<div class="source"><span class="label">%s</span><pre tabindex="0"><code>%s</code></pre></div>`,
			html.EscapeString(lang.label), highlightCell(source, lang))
		if slices.Contains(cell.Tags(), "hide-input") {
			typed = `<details class="fold"><summary>Code</summary>` + typed + `</details>`
		}
		out.WriteString(typed)
	}
	if shown != "" {
		out.WriteString(`<div class="output" role="group" aria-label="Output">` + shown + `</div>`)
	}
	out.WriteString("</div>\n")
	return out.String(), nil
}

// attachment copies a file that is attached to the cell into the site. Its
// name is the notebook's and never becomes a path.
func (d *document) attachment(name string) (string, error) {
	bundle, ok := d.nb.Cells[d.cell].Attachments[name]
	if !ok {
		return "", fmt.Errorf("attachment %q: the cell has none of this name", name)
	}
	for _, kind := range pictureTypes {
		data, ok, err := pictureData(bundle, kind.mime)
		if err != nil {
			return "", fmt.Errorf("attachment %q: %w", name, err)
		}
		if ok {
			return d.site.picture(data, kind.mime, kind.ext)
		}
	}
	return "", fmt.Errorf("attachment %q: it is not a picture that pages can show", name)
}

// cutTitle takes the title, a first line "# …", off a Markdown source.
func cutTitle(source string) (title, rest string) {
	line, rest, _ := strings.Cut(strings.TrimLeft(source, "\n"), "\n")
	title, ok := strings.CutPrefix(line, "# ")
	if !ok {
		return "", source
	}
	return strings.TrimSpace(strings.TrimRight(title, "# ")), rest
}
