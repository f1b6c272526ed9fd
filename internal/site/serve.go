package site

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// ServeOptions says what Serve does besides serving.
type ServeOptions struct {
	// Ready, where set, is called once with the address of the front page.
	Ready func(url string)
	// Watch lists folders whose files are what the site is made of.
	Watch []string
	// Changed, where set, is called when a file in one of them has changed, to
	// render the site again; it deals with its own errors.
	Changed func(ctx context.Context)
}

// poll is how often the watched folders are looked at. Looking costs a few
// microseconds a file, and works on every file system.
const poll = 100 * time.Millisecond

// Serve serves the site in dir on address, which must be one of this machine
// alone ("127.0.0.1:8000"; port 0 takes a free one), until ctx ends. Pages that
// are open in a browser reload when the site is rendered again, by Changed or
// by another run of the command. It returns nil when ctx ended it.
func Serve(ctx context.Context, dir, address string, opt ServeOptions) error {
	if _, err := os.Stat(filepath.Join(dir, manifestName)); err != nil {
		return fmt.Errorf("serve %s: no site there; render it with `go run . site`: %w", dir, err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("serve the site: %w", err)
	}
	defer root.Close()
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return fmt.Errorf("serve the site: %w; choose another port with --port", err)
	}
	if tcp, ok := listener.Addr().(*net.TCPAddr); !ok || !tcp.IP.IsLoopback() {
		return errors.Join(fmt.Errorf("serve the site: %s can be reached from other machines; use 127.0.0.1", address), listener.Close())
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	news := &broadcast{next: make(chan struct{})}
	server := &http.Server{
		Handler:           handler(root.FS(), news),
		BaseContext:       func(net.Listener) context.Context { return ctx }, // ends what waits for news
		ReadHeaderTimeout: 10 * time.Second,
	}
	var running sync.WaitGroup
	watch := watcher(dir, opt, news)
	running.Go(func() { watch(ctx) })
	running.Go(func() {
		<-ctx.Done()
		_ = server.Close()
	})
	if opt.Ready != nil {
		opt.Ready("http://" + listener.Addr().String() + "/")
	}
	err = server.Serve(listener)
	cancel()
	running.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve the site: %w", err)
}

// watcher notes what there is now, and returns the loop that has the site
// rendered when what it is made of changes, and tells the browsers when the
// site has changed.
func watcher(dir string, opt ServeOptions, news *broadcast) func(context.Context) {
	site := filepath.Join(dir, manifestName) // written last, and only when something changed
	sources, pages := fingerprint(opt.Watch...), fingerprint(site)
	return func(ctx context.Context) {
		tick := time.NewTicker(poll)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			if now := fingerprint(opt.Watch...); now != sources {
				sources = now
				if opt.Changed != nil {
					opt.Changed(ctx)
				}
			}
			if now := fingerprint(site); now != pages {
				pages = now
				news.send()
			}
		}
	}
}

// fingerprint sums up names, sizes and times of the files at and under paths.
func fingerprint(paths ...string) uint64 {
	sum := fnv.New64a()
	for _, root := range paths {
		_ = filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
			if err != nil {
				return nil // it has just gone: that is a change too
			}
			if info, err := entry.Info(); err == nil && !entry.IsDir() {
				fmt.Fprintln(sum, name, info.Size(), info.ModTime().UnixNano())
			}
			return nil
		})
	}
	return sum.Sum64()
}

// broadcast wakes everyone who waits.
type broadcast struct {
	mu   sync.Mutex
	next chan struct{} // closed by the next send
}

func (b *broadcast) send() {
	b.mu.Lock()
	defer b.mu.Unlock()
	close(b.next)
	b.next = make(chan struct{})
}

func (b *broadcast) wait() <-chan struct{} {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.next
}

// The pages of a served site, and only those, listen for news.
const (
	newsPath     = "/.news"
	listenerPath = "/.reload.js"
	listenerTag  = `<script src="` + listenerPath + `"></script>`
	// Where the reader was is kept by the browser over a reload.
	listenerJS = `new EventSource("` + newsPath + `").addEventListener("rendered", () => location.reload());`
)

func handler(site fs.FS, news *broadcast) http.Handler {
	files := http.FileServerFS(site)
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+listenerPath, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/javascript; charset=utf-8")
		_, _ = w.Write([]byte(listenerJS))
	})
	mux.HandleFunc("GET "+newsPath, news.stream)
	mux.HandleFunc("GET /", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Cache-Control", "no-cache")
		name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
		switch {
		case strings.Contains("/"+name, "/."):
			http.NotFound(w, r)
		case name == "" || strings.HasSuffix(name, ".html"):
			servePage(w, r, site, name)
		default:
			files.ServeHTTP(w, r)
		}
	})
	return mux
}

func servePage(w http.ResponseWriter, r *http.Request, site fs.FS, name string) {
	if name == "" {
		name = "index.html"
	}
	page, err := fs.ReadFile(site, name)
	if err != nil {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write(page)
	_, _ = w.Write([]byte(listenerTag)) // a script after </html> is one at the end of the body
}

// stream sends an event each time the site has been rendered.
func (b *broadcast) stream(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	next := b.wait()
	for event := ": listening\n\n"; ; event = "event: rendered\ndata:\n\n" {
		if _, err := w.Write([]byte(event)); err != nil {
			return
		}
		if err := http.NewResponseController(w).Flush(); err != nil {
			return
		}
		select {
		case <-r.Context().Done():
			return
		case <-next:
			next = b.wait()
		}
	}
}
