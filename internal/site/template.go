package site

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.ParseFS(templateFiles, "templates/*.html"))

// pageIDs are the ids of the templates, which no cell may take.
var pageIDs = []string{"content", "lessons", "contents", "theme", "run", "search", "query", "results", "found"}

// page is what the templates are given.
type page struct {
	entry
	File      string  // "02-threads.html"
	Canonical string  // empty: not known
	Lessons   []entry // those that the sidebar lists
	All       int     // the number of all lessons
	BuildsOn  []entry // as entry.Needs names them
	Previous  *entry
	Next      *entry
	Contents  []heading
	Body      template.HTML
	Charts    bool
	Untrusted bool
	Notebook  string  // the address of the notebook
	Source    string  // the path of what the page is written in; empty: not the course's
	Measured  []entry // edition: all lessons
	Guide     bool    // there is an authors' guide
	Front     *figure // front page: a recorded timeline
	FrontFrom *entry  // and the lesson it is from
	Time      string  // front page: how long all lessons take
}

// nearby is how many lessons the sidebar lists on either side of the page's
// own: a course never has as many, but a page must not grow with the number
// of notebooks in a folder.
const nearby = 30

// page returns what the page of lesson i says of the site; -1 is the front page.
func (s *site) page(i int) page {
	from, to := max(0, i-nearby), min(len(s.entries), max(i, 0)+nearby+1)
	p := page{Lessons: s.entries[from:to], All: len(s.entries), Untrusted: s.opt.Untrusted, Guide: s.guide != ""}
	if i < 0 {
		return p
	}
	p.entry = s.entries[i]
	if s.sources[p.Name] && !p.Untrusted {
		p.Source = "lessons/" + p.Name + ".md"
	}
	for _, e := range s.entries {
		if slices.Contains(p.Needs, e.Name) {
			p.BuildsOn = append(p.BuildsOn, e)
		}
	}
	if i > 0 {
		p.Previous = &s.entries[i-1]
	}
	if i+1 < len(s.entries) {
		p.Next = &s.entries[i+1]
	}
	return p
}

// index writes the front page.
func (s *site) index(all []rendered) error {
	p := s.page(-1)
	p.Lessons = s.entries
	total := 0
	for i, e := range s.entries {
		total += e.Minutes
		if p.Front == nil && all[i].lanes != nil {
			p.Front, p.FrontFrom = all[i].lanes, &s.entries[i]
		}
	}
	p.Time = duration(total)
	p.Charts = p.Front != nil && p.Front.Data != nil
	return s.execute("index.html", "index.html", p)
}

// duration says minutes as people do, "1 h 30 min".
func duration(minutes int) string {
	switch {
	case minutes <= 0:
		return ""
	case minutes < 60:
		return fmt.Sprintf("%d min", minutes)
	case minutes%60 == 0:
		return fmt.Sprintf("%d h", minutes/60)
	}
	return fmt.Sprintf("%d h %d min", minutes/60, minutes%60)
}

// execute writes one page of the site.
func (s *site) execute(template, name string, p page) error {
	if s.opt.Base != "" {
		base, err := url.Parse(strings.TrimSuffix(s.opt.Base, "/") + "/")
		if err != nil || base.Scheme == "" || base.Host == "" {
			return fmt.Errorf("base %q is not an address such as https://school.example/go/", s.opt.Base)
		}
		p.Canonical = base.String() + strings.TrimSuffix(name, "index.html")
	}
	p.File = name
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, template, p); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return s.tree.write(name, out.Bytes())
}
