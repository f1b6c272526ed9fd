package site

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"net/url"
	"slices"
	"strings"

	"manyhands/internal/bench"
)

//go:embed templates
var templateFiles embed.FS

var templates = template.Must(template.New("").Funcs(template.FuncMap{
	"address":     address,
	"lower":       strings.ToLower,
	"slideNumber": func(i int) int { return i + 2 }, // after the title
}).ParseFS(templateFiles, "templates/*.html"))

// pageIDs are the ids of the templates, which no cell may take.
var pageIDs = []string{"content", "lessons", "contents", "theme", "run", "search", "query", "results", "found"}

// page is what the templates are given.
type page struct {
	entry
	File       string  // "02-threads.html"
	Canonical  string  // empty: not known
	Lessons    []entry // those that the sidebar lists, practicals among them
	All        int     // the number of all
	BuildsOn   []entry // as entry.Needs names them
	Previous   *entry
	Next       *entry
	Contents   []heading
	Body       template.HTML
	Charts     bool
	Untrusted  bool
	Notebook   string         // the notebook's file
	Source     string         // the path of what the page is written in; empty: not the course's
	Edit       string         // where that is edited; empty: not known
	Measured   []measured     // edition: all lessons
	Guide      bool           // there is an authors' guide
	Figures    bool           // the course has been measured beside its peers
	Records    []bench.Record // figures: what was found
	Front      *figure        // front page: a recorded timeline
	FrontFrom  *entry         // and the lesson it is from
	Map        *courseMap     // front page: nil where no lesson builds on another
	Practicals []entry        // front page: Lessons are all lessons, and these all practicals
	Time       string         // front page: how long all lessons take
	Opening    template.HTML  // slides: the speaker's notes to the title
	Slides     []*slide
}

// Projected tells whether the page is that of a lesson's slides.
func (p page) Projected() bool { return p.Deck != "" && p.File == p.Deck }

// Root leads from the page to the folder of the site.
func (p page) Root() string { return strings.Repeat("../", strings.Count(p.File, "/")) }

// nearby is how many lessons the sidebar lists on either side of the page's
// own: a course never has as many, but a page must not grow with the number
// of notebooks in a folder.
const nearby = 30

// page returns what the page of lesson i says of the site; -1 is the front page.
func (s *site) page(i int) page {
	from, to := max(0, i-nearby), min(len(s.entries), max(i, 0)+nearby+1)
	p := page{Lessons: s.entries[from:to], All: len(s.entries), Untrusted: s.opt.Untrusted, Guide: s.guide != "", Figures: len(s.records) > 0}
	if i < 0 {
		return p
	}
	p.entry = s.entries[i]
	if !p.Untrusted {
		p.Source = s.sources[p.Name]
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
	p.Lessons = nil
	total := 0
	for i, e := range s.entries {
		if e.Practical {
			p.Practicals = append(p.Practicals, e)
			continue
		}
		p.Lessons = append(p.Lessons, e)
		total += e.Minutes
		if lanes := all[i].lanes; lanes != nil && (p.Front == nil || lanes.scheduler && !p.Front.scheduler) {
			p.Front, p.FrontFrom = lanes, &s.entries[i]
		}
	}
	p.Time, p.Map = duration(total), drawMap(p.Lessons)
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

// folderAt returns the address of a folder with a slash at its end, empty if
// none is given. The option is what the error names.
func folderAt(option, address string) (string, error) {
	if address == "" {
		return "", nil
	}
	folder, err := url.Parse(strings.TrimSuffix(address, "/") + "/")
	if err != nil || folder.Scheme == "" || folder.Host == "" {
		return "", fmt.Errorf("%s %q is not an address such as https://school.example/go/", option, address)
	}
	return folder.String(), nil
}

// execute writes one page of the site.
func (s *site) execute(template, name string, p page) error {
	base, err := folderAt("base", s.opt.Base)
	if err != nil {
		return err
	}
	edit, err := folderAt("edit", s.opt.Edit)
	if err != nil {
		return err
	}
	if base != "" {
		p.Canonical = base + strings.TrimSuffix(name, "index.html")
	}
	if edit != "" && p.Source != "" {
		p.Edit = edit + p.Source
	}
	p.File = name
	var out bytes.Buffer
	if err := templates.ExecuteTemplate(&out, template, p); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return s.write(name, out.Bytes())
}
