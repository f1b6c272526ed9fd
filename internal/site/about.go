package site

import (
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"math"
	"slices"

	"manyhands/internal/bench"
	"manyhands/internal/notebook"
)

// guideFile tells authors how to write a lesson.
const guideFile = "lessons/README.md"

// readGuide reads the authors' guide of a course that has one; a stranger's
// notebooks are published without it.
func (s *site) readGuide() error {
	if s.opt.Untrusted {
		return nil
	}
	source, err := s.root.ReadFile(guideFile)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	s.guide = string(source)
	s.pages["guide"] = s.guide != ""
	return nil
}

// guidePage renders the authors' guide, as a notebook of one cell.
func (s *site) guidePage() (rendered, error) {
	nb := notebook.New()
	nb.Cells = []*notebook.Cell{{ID: "guide", Type: notebook.Markdown, Source: s.guide}}
	d := newDocument(s, newEntry("guide", nb), nb)
	d.folder = "lessons"
	at := func(_ int, err error) error { return fmt.Errorf("%s: %w", guideFile, err) }
	body, err := d.render(nb.Cells[0])
	if err != nil {
		return rendered{}, at(0, err)
	}
	sections, err := d.sections(body)
	if err != nil {
		return rendered{}, at(0, err)
	}
	p := s.page(-1)
	p.entry, p.Body, p.Contents, p.Source = d.entry, template.HTML(body), d.toc, guideFile
	return rendered{d.Name, d.ids, d.targets, at, nil, false, sections, nil}, s.execute("guide.html", pageFile(d.Name), p)
}

// figuresFile has what `go run . bench` found and the authors kept.
const figuresFile = "bench/results.json"

// readFigures reads them where there are any; a stranger's notebooks have none.
func (s *site) readFigures() error {
	if s.opt.Untrusted {
		return nil
	}
	data, err := s.root.ReadFile(figuresFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	s.records, err = bench.Decode(figuresFile, data)
	s.pages["figures"] = len(s.records) > 0
	return err
}

// figuresPage shows the course beside its peers.
func (s *site) figuresPage() error {
	p := s.page(-1)
	p.Records, p.Source = s.records, figuresFile
	for _, r := range s.records {
		p.Contents = append(p.Contents, heading{Level: 2, ID: r.Group, Text: r.Title()})
	}
	return s.execute("figures.html", "figures.html", p)
}

// measured is a lesson on the page of the edition.
type measured struct {
	entry
	Times          int // how many alternatives were timed
	Typical, Worst int // their spread: the middle one and the widest, in per cent
}

// editionPage says where and when each lesson was measured, and how far its
// figures are to be trusted.
func (s *site) editionPage(all []rendered) error {
	p := s.page(-1)
	for i, e := range s.entries {
		if e.Practical { // students run it, nobody has
			continue
		}
		m := measured{entry: e, Times: len(all[i].spread)}
		if m.Times > 0 {
			spread := slices.Sorted(slices.Values(all[i].spread))
			m.Typical, m.Worst = percent(spread[len(spread)/2]), percent(spread[len(spread)-1])
		}
		p.Measured = append(p.Measured, m)
	}
	return s.execute("edition.html", "edition.html", p)
}

func percent(share float64) int { return int(math.Ceil(100 * share)) }
