package site

import (
	"crypto/sha256"
	"encoding/json"
	"sync"
)

// Cache keeps what came of each notebook from one Render to the next, so that
// under --serve only what was edited is rendered again. It holds about as much
// as the site; its zero value is an empty one.
type Cache struct {
	mu    sync.Mutex
	known map[string]*cached // by the notebook's file
}

// cached is what came of a notebook when it was last rendered.
type cached struct {
	source [32]byte // the sum of its bytes
	entry  entry
	shape  [32]byte // the sum of what its pages say of the others
	files  map[string][]byte
	rendered
}

// get returns what is known of a file, nil where it is new or has changed.
func (c *Cache) get(file string, sum [32]byte) *cached {
	c.mu.Lock()
	defer c.mu.Unlock()
	if known := c.known[file]; known != nil && known.source == sum {
		return known
	}
	return nil
}

func (c *Cache) put(file string, known *cached) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.known == nil {
		c.known = map[string]*cached{}
	}
	c.known[file] = known
}

// entry returns what lists say of a notebook; a nil cache keeps nothing.
func (c *Cache) entry(file string, source []byte) (entry, error) {
	sum := sha256.Sum256(source)
	if c != nil {
		if known := c.get(file, sum); known != nil {
			return known.entry, nil
		}
	}
	nb, err := decode(file, source)
	if err != nil {
		return entry{}, err
	}
	e := newEntry(stem(file), nb)
	if c != nil {
		c.put(file, &cached{source: sum, entry: e})
	}
	return e, nil
}

// shape sums up what a notebook's pages say that is not its own: it changes
// when some lesson gets another title, and with it every page.
func (s *site) shape() ([32]byte, error) {
	encoded, err := json.Marshal([]any{s.entries, s.pages, s.sources, s.guide != "", len(s.records) > 0, s.opt.Base, s.opt.Edit, s.opt.Untrusted})
	return sha256.Sum256(encoded), err
}

// cachedLesson returns what render makes of a lesson, or made of it last time.
func (s *site) cachedLesson(file string, source []byte, render func(*site) (rendered, error)) (rendered, error) {
	if s.opt.Cache == nil {
		return render(s)
	}
	shape, err := s.shape()
	if err != nil {
		return rendered{}, err
	}
	sum := sha256.Sum256(source)
	known := s.opt.Cache.get(file, sum)
	if known != nil && known.files != nil && known.shape == shape {
		for name, data := range known.files {
			if err := s.write(name, data); err != nil {
				return rendered{}, err
			}
		}
		return known.rendered, nil
	}
	recording := *s
	recording.written = map[string][]byte{}
	r, err := render(&recording)
	if err == nil && known != nil && !recording.copied { // a file of the course may change while the notebook does not
		s.opt.Cache.put(file, &cached{sum, known.entry, shape, recording.written, r})
	}
	return r, err
}

// write puts a file into the site.
func (s *site) write(name string, data []byte) error {
	if s.written != nil {
		s.written[name] = data
	}
	return s.tree.write(name, data)
}
