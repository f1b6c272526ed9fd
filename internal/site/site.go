// Package site renders the course's executed notebooks as a static site that
// people would rather read than the notebooks: it opens from a disk, a phone,
// a school's server or paper, asks nothing of any other server, and needs
// JavaScript only for what is pleasant (search, live charts, copy buttons, a theme).
//
// Rendering is Go alone: goldmark for Markdown, chroma for code, Temml under
// goja for formulas, html/template for the pages around them. The same
// notebooks give the same bytes.
package site

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/microcosm-cc/bluemonday"
	"golang.org/x/sync/errgroup"

	"manyhands/internal/bench"
	"manyhands/internal/course"
	"manyhands/internal/echarts"
	"manyhands/internal/notebook"
)

// Options changes how a site is rendered; its zero value is right for the
// course itself.
type Options struct {
	// Base is the address under which the site will be published, such as
	// "https://school.example/go/"; it goes into each page's canonical link.
	// Empty: none; the pages work anywhere all the same.
	Base string
	// Edit is the address under which the course's files are edited, such as
	// "https://github.com/school/go/edit/main/": each page leads there. Empty:
	// the pages name the file.
	Edit string
	// From is a folder of notebooks, any .ipynb, to render instead of the
	// course's; they have to be Untrusted. Empty: the course's.
	From string
	// Untrusted says that the notebooks are not our own, a student's for
	// example: scripts and dangerous HTML are taken out, charts stay pictures,
	// no file of the course is copied, and links that lead nowhere become text.
	Untrusted bool
	// Cache, where set, spares the work for notebooks that have not changed
	// since it was last used.
	Cache *Cache
	// OnPage, where set, is called after each page, from one goroutine at a
	// time, with the number of pages done and to do.
	OnPage func(done, total int, name string)
}

// maxFile is the size in bytes from which a linked file is not copied.
const maxFile = 20 << 20

// Render renders the course's notebooks into the folder out: index.html, one
// page a lesson and a practical, slides of each lesson, edition.html with where
// all was measured, guide.html where the course has an authors' guide, figures.html where it has
// been measured beside its peers, and what they need. out is made where it does not exist; it
// must be empty or hold a site that Render wrote. Files there that are not the
// site's stay. A file whose content does not change is not touched, and on an
// error (the notebook and the cell are named) nothing changes at all.
func Render(ctx context.Context, c *course.Course, out string, opt Options) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("render the site: %w", err)
		}
	}()
	notebooks, err := listNotebooks(c, opt)
	if err != nil {
		return err
	}
	root, err := os.OpenRoot(c.Root)
	if err != nil {
		return err
	}
	defer root.Close()
	t, err := openTree(ctx, out)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, t.close()) }()
	s := &site{opt: opt, root: root, tree: t, pages: map[string]bool{}, sources: map[string]string{}}
	if opt.Untrusted {
		s.policy = policy()
	}
	if err := s.list(ctx, c, notebooks); err != nil {
		return err
	}
	if err := s.render(ctx, notebooks); err != nil {
		return err
	}
	return t.commit()
}

// listNotebooks returns what is to be rendered: the lessons in their order and
// then the practicals, or what is in another folder.
func listNotebooks(c *course.Course, opt Options) ([]string, error) {
	if opt.From != "" && !opt.Untrusted {
		return nil, fmt.Errorf("%s: notebooks from elsewhere are rendered as untrusted only", opt.From)
	}
	if opt.From != "" {
		found, err := notebooksIn(opt.From)
		if err == nil && len(found) == 0 {
			err = fmt.Errorf("no notebooks, files that end in .ipynb, in %s", opt.From)
		}
		return found, err
	}
	lessons, err := c.Notebooks()
	if err != nil {
		return nil, err
	}
	if len(lessons) == 0 {
		return nil, fmt.Errorf("no notebooks in %s; make them with `go run . build`", c.Path("notebooks"))
	}
	practicals, err := notebooksIn(c.Path("notebooks", "practicals"))
	if errors.Is(err, fs.ErrNotExist) { // none are released
		return lessons, nil
	}
	return append(lessons, practicals...), err
}

// notebooksIn lists the notebooks in a folder, by name.
func notebooksIn(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var found []string
	for _, e := range entries {
		// No links: in a stranger's folder one may lead anywhere.
		if e.Type().IsRegular() && filepath.Ext(e.Name()) == ".ipynb" && !strings.HasPrefix(e.Name(), ".") {
			found = append(found, filepath.Join(dir, e.Name()))
		}
	}
	return found, err
}

// site is a site being rendered.
type site struct {
	opt     Options
	root    *os.Root // of the course
	tree    *tree
	policy  *bluemonday.Policy // nil: the notebooks are trusted
	entries []entry
	guide   string            // the source of the authors' guide; empty: none
	records []bench.Record    // of bench; empty: none
	pages   map[string]bool   // what has a page that lessons may link to, by name
	sources map[string]string // name of a lesson or practical -> the path of its source
	written map[string][]byte // the files written so far; nil: nobody asks
	copied  bool              // among them one of the course's own
}

// list reads what every page says of all the others.
func (s *site) list(ctx context.Context, c *course.Course, notebooks []string) error {
	lessons, err := c.Lessons()
	if err != nil {
		return err
	}
	for _, file := range lessons {
		s.sources[stem(file)] = "lessons/" + filepath.Base(file)
	}
	if err := errors.Join(s.readGuide(), s.readFigures()); err != nil {
		return err
	}
	s.entries = make([]entry, len(notebooks))
	for _, file := range notebooks {
		if slices.Contains(own, stem(file)) {
			return fmt.Errorf("%s: the site has a page %s of its own; rename the notebook", file, pageFile(stem(file)))
		}
		if s.pages[stem(file)] {
			return fmt.Errorf("%s: another notebook has the page %s; rename one", file, pageFile(stem(file)))
		}
		s.pages[stem(file)] = true
	}
	err = each(ctx, len(notebooks), func(i int) error {
		source, err := os.ReadFile(notebooks[i])
		if err != nil {
			return err
		}
		s.entries[i], err = s.opt.Cache.entry(notebooks[i], source)
		s.entries[i].Name, s.entries[i].Practical = stem(notebooks[i]), isPractical(notebooks[i])
		return err
	})
	if !s.opt.Untrusted {
		decks(s.entries)
	}
	return err
}

// rendered is what the rest of the site needs to know of a page: only this
// stays in memory.
type rendered struct {
	name     string
	ids      map[string]bool
	targets  []target
	at       func(cell int, err error) error
	lanes    *figure
	charts   bool
	sections []section
	spread   []float64
}

func (s *site) render(ctx context.Context, notebooks []string) error {
	all := make([]rendered, len(notebooks))
	var mu sync.Mutex
	done := 0
	err := each(ctx, len(notebooks), func(i int) (err error) {
		if all[i], err = s.lesson(i, notebooks[i]); err != nil || s.opt.OnPage == nil {
			return err
		}
		mu.Lock()
		defer mu.Unlock()
		done++
		s.opt.OnPage(done, len(notebooks), s.entries[i].Name)
		return nil
	})
	if err != nil {
		return err
	}
	if s.guide != "" {
		guide, err := s.guidePage()
		if err != nil {
			return err
		}
		all = append(all, guide)
	}
	if err := s.checkTargets(all); err != nil {
		return err
	}
	if len(s.records) > 0 {
		if err := s.figuresPage(); err != nil {
			return err
		}
	}
	return errors.Join(s.index(all), s.editionPage(all), s.searchIndex(all), s.assets(all))
}

// each calls do for 0 to n-1, as many at once as there are cores, and stops at
// the first error.
func each(ctx context.Context, n int, do func(i int) error) error {
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for i := range n {
		group.Go(func() error {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			return do(i)
		})
	}
	return group.Wait()
}

// decode reads the notebook that is the contents of a file.
func decode(file string, source []byte) (*notebook.Notebook, error) {
	nb, err := notebook.Decode(bytes.NewReader(source))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return nb, nil
}

// lesson renders the page of one notebook, and puts the notebook beside it.
func (s *site) lesson(i int, file string) (rendered, error) {
	source, err := os.ReadFile(file)
	if err != nil {
		return rendered{}, err
	}
	return s.cachedLesson(file, source, func(s *site) (rendered, error) {
		nb, err := decode(file, source)
		if err != nil {
			return rendered{}, err
		}
		return s.notebook(i, nb, source)
	})
}

func (s *site) notebook(i int, nb *notebook.Notebook, source []byte) (rendered, error) {
	d := newDocument(s, s.entries[i], nb)
	d.index = i
	body, err := d.body()
	if err != nil {
		return rendered{}, err
	}
	sections, err := d.sections(body)
	if err != nil {
		return rendered{}, err
	}
	p := s.page(i)
	p.Body, p.Contents, p.Charts = template.HTML(body), d.toc, d.charts
	p.Notebook = d.folder + "/" + d.Name + ".ipynb"
	if err := s.write(p.Notebook, source); err != nil {
		return rendered{}, err
	}
	if err := s.execute("lesson.html", pageFile(d.Name), p); err != nil {
		return rendered{}, err
	}
	if d.Deck != "" {
		if err := s.slidesPage(d); err != nil {
			return rendered{}, err
		}
	}
	return rendered{d.Name, d.ids, d.targets, d.at, d.lanes, d.charts, sections, d.spread}, nil
}

// checkTargets finds the links to headings that are not there, on the same
// page or on another.
func (s *site) checkTargets(all []rendered) error {
	if s.opt.Untrusted {
		return nil
	}
	ids := make(map[string]map[string]bool, len(all))
	for _, r := range all {
		ids[r.name] = r.ids
	}
	var errs []error
	for _, r := range all {
		for _, t := range r.targets {
			if !ids[t.page][t.id] {
				errs = append(errs, r.at(t.cell, fmt.Errorf("link to #%s: %s has no heading of this name", t.id, t.page)))
			}
		}
	}
	return errors.Join(errs...)
}

// copy puts a file of the course into the site and returns its address there;
// the name is relative to a folder of the course.
func (s *site) copy(folder, name string) (string, error) {
	fail := func(err error) (string, error) { return "", fmt.Errorf("link to %q: %w", name, err) }
	inside := path.Join(folder, name)
	switch {
	case s.opt.Untrusted:
		return fail(errors.New("files of the course stay where they are"))
	case path.IsAbs(name) || !filepath.IsLocal(filepath.FromSlash(inside)):
		return fail(errors.New("it leads out of the course"))
	case strings.Contains("/"+inside, "/."):
		return fail(errors.New("hidden files are not published"))
	}
	info, err := s.root.Stat(inside)
	if errors.Is(err, fs.ErrNotExist) {
		return fail(fmt.Errorf("there is no %s in the course", inside))
	}
	switch {
	case err != nil:
		return fail(err)
	case !info.Mode().IsRegular():
		return fail(errors.New("it is not a file; link to one"))
	case info.Size() > maxFile:
		return fail(fmt.Errorf("it has %s; files of more than %s are not copied", size(int(info.Size())), size(maxFile)))
	}
	data, err := s.root.ReadFile(inside)
	if err != nil {
		return fail(err)
	}
	s.copied = true
	return s.file(data, "-"+safeName(path.Base(inside)))
}

// picture puts a picture into the site and returns its address. A stranger's
// SVG may hold scripts: it goes into the page as data, where they never run.
func (s *site) picture(data []byte, mime, ext string) (string, error) {
	if s.opt.Untrusted && mime == "image/svg+xml" {
		return dataURI(mime, data), nil
	}
	return s.file(data, ext)
}

// file writes data under a name made from it, so that no name of a notebook's
// becomes a path and the same data is there once.
func (s *site) file(data []byte, suffix string) (string, error) {
	sum := sha256.Sum256(data)
	name := "files/" + hex.EncodeToString(sum[:8]) + suffix
	return name, s.write(name, data)
}

func dataURI(mime string, data []byte) string {
	return "data:" + mime + ";base64," + base64.StdEncoding.EncodeToString(data)
}

func safeName(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r) {
			return r
		}
		return '-'
	}, name)
}

// stem is a file's name without its ending, "02-threads".
func stem(file string) string {
	return strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
}

//go:embed assets
var assets embed.FS

// assets writes the style sheet, the scripts and, where a page has a chart,
// the chart library.
func (s *site) assets(all []rendered) error {
	charts := false
	for _, r := range all {
		charts = charts || r.charts
	}
	if charts {
		err := errors.Join(s.tree.write("assets/echarts.min.js", echarts.Script), s.tree.write("assets/manyhands.js", echarts.Runtime))
		if err != nil {
			return err
		}
	}
	return fs.WalkDir(assets, "assets", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := assets.ReadFile(name)
		if err != nil {
			return err
		}
		return s.tree.write(name, data)
	})
}
