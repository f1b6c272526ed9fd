package site

import (
	"errors"
	"fmt"
	"html/template"
	"io/fs"

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
	return rendered{d.Name, d.ids, d.targets, at, nil, false, sections}, s.execute("guide.html", d.URL(), p)
}

// editionPage says where and when each lesson was measured.
func (s *site) editionPage() error {
	p := s.page(-1)
	p.Measured = s.entries
	return s.execute("edition.html", "edition.html", p)
}
