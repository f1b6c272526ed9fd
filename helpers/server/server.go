// Package server holds real web servers for the lessons to be clients of: one
// that sleeps, one with files and one with images, each as slow as asked for.
//
//	s := server.Sleepy(server.Limits{AtOnce: 10, Takes: 2 * time.Second}).Start()
//	defer s.Close()
//	resp, err := http.Get(s.URL)
//
// Pages from the internet would be slow too, but never twice alike, and no
// classroom may send them thirty times twenty requests. These servers listen on
// 127.0.0.1, end with their cell, and are slow for one stated reason: too few
// places to serve at ([Limits]), work to do, or a narrow link. They keep a [Log]
// of what they did, so that a lesson can prove what its clients only see from
// outside: how many requests were served at once, and who waited in the queue.
//
//	chart.Lanes(s.Log().Timeline()).Show()
//
// What cannot work, such as a negative limit, ends a cell as a panic that says
// what to do, as for [net/http/httptest.NewServer].
//
// # Cost
//
// Queueing, answering and keeping the log take about 3 µs a request
// (BenchmarkHandler); over a kept-alive connection all of it takes about 55 µs
// (BenchmarkRequest), and a file without limits comes at about 1 GB/s
// (BenchmarkDownload): beside those, what a lesson measures is its limits. A
// request stays in the log, with 72 bytes and its path. A cell that imports this
// package takes as long to build as any with net/http.
package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"math"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"
)

// Limits are what keeps a server from answering at once. A limit of zero is
// none.
type Limits struct {
	// AtOnce is how many requests are served at once, as by so many workers of
	// gunicorn. Further ones queue; first come, first served.
	AtOnce int

	// Queue is how many requests may queue. Further ones are refused with
	// status 503 and should be tried again later.
	Queue int

	// Takes is the time that each request keeps its place before the first byte
	// of the answer is sent.
	Takes time.Duration

	// Link is what the server sends to all its connections together, and
	// Connection what it sends to each, in bytes per second. Headers count.
	// Both are token buckets that hold what may be sent in 10 ms, but at least
	// one byte.
	Link, Connection float64
}

func (l Limits) check() error {
	switch {
	case l.AtOnce < 0 || l.Queue < 0 || l.Takes < 0:
		return fmt.Errorf("a negative number or time in %+v: leave it out for no limit", l)
	case l.Queue > 0 && l.AtOnce == 0:
		return fmt.Errorf("a queue of at most %d without AtOnce never fills: set AtOnce, too", l.Queue)
	}
	for _, rate := range []float64{l.Link, l.Connection} {
		if !(rate >= 0) || math.IsInf(rate, 1) {
			return fmt.Errorf("a link of %v bytes/s: give a positive number, or leave it out for no limit", rate)
		}
	}
	return nil
}

// A Server answers GET and HEAD requests for a few documents, within its limits.
// Make one by [Sleepy], [Files] or [Images]. It is an [http.Handler] by itself,
// and a server once started.
type Server struct {
	URL string // of the started server, such as "http://127.0.0.1:40123"

	limits    Limits
	documents []document
	places    *semaphore.Weighted // first in, first out
	journal   journal

	http    *http.Server
	cancel  context.CancelFunc // ends requests in flight
	running sync.WaitGroup     // the listener's and each connection's goroutine
}

func newServer(l Limits, documents ...document) *Server {
	if err := l.check(); err != nil {
		panic(fmt.Errorf("server: %w", err))
	}
	places := int64(math.MaxInt64)
	if l.AtOnce > 0 {
		places = int64(l.AtOnce)
	}
	return &Server{limits: l, documents: documents, places: semaphore.NewWeighted(places)}
}

// Start listens on a free port of 127.0.0.1 and serves until [Server.Close]. It
// returns s. To end with a context as well:
//
//	defer context.AfterFunc(ctx, s.Close)()
func (s *Server) Start() *Server {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(fmt.Errorf("server: no free port on this machine: %w", err))
	}
	return s.StartOn(l)
}

// StartOn is [Server.Start] on a listener of the caller's choice, which the server
// closes in the end: one of a certain port, say, or of a network in memory
// under the fake clock of [testing/synctest].
func (s *Server) StartOn(l net.Listener) *Server {
	if s.http != nil {
		panic(errors.New("server: started twice: make a new one"))
	}
	var ctx context.Context
	ctx, s.cancel = context.WithCancel(context.Background())
	s.URL = "http://" + l.Addr().String()
	s.http = &http.Server{
		Handler:           s,
		ReadHeaderTimeout: time.Minute,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState:         s.connState,
	}
	shaped := s.limits.shape(l)
	s.running.Go(func() {
		if err := s.http.Serve(shaped); !errors.Is(err, http.ErrServerClosed) {
			log.Printf("server: %s stopped: %v", s.URL, err)
		}
	})
	return s
}

// connState counts connections. New ones come from within Serve, which is
// counted itself, so that Close does not wait too early.
func (s *Server) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		s.running.Add(1)
		s.journal.connect()
	case http.StateClosed:
		s.running.Done()
	}
}

// Close stops the server: it closes all connections, ends requests that are
// served or queued, and returns when nothing of the server runs any more. Its
// log remains. Another Close, or one of a server never started, does nothing.
func (s *Server) Close() {
	if s.http == nil {
		return
	}
	s.http.Close() // before the requests end, so that none of them is answered
	s.cancel()     // as net/http notices the end of a connection only where no body is unread
	s.running.Wait()
}

// URLs returns the addresses of all documents of a started server, in order.
func (s *Server) URLs() []string {
	urls := make([]string, len(s.documents))
	for i, d := range s.documents {
		urls[i] = s.URL + d.path
	}
	return urls
}

// Log returns what the server did so far. A request whose answer a client has
// read to its end is in it as [Served].
func (s *Server) Log() Log { return s.journal.log() }

// ServeHTTP queues a request and answers it when its turn comes. A client that
// goes away gives up its place, in the queue as well as at work.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	free := s.places.TryAcquire(1)
	n, stage := s.journal.arrive(r.URL.RequestURI(), free, s.limits.Queue)
	switch stage {
	case Refused:
		w.Header().Set("Retry-After", "1")
		http.Error(w, fmt.Sprintf("%d requests are queueing already: try again later", s.limits.Queue), http.StatusServiceUnavailable)
		return
	case Queued:
		if err := s.places.Acquire(r.Context(), 1); err != nil {
			s.journal.move(n, Aborted)
			return
		}
		s.journal.move(n, Serving)
	}
	defer s.places.Release(1) // after the end is noted, lest more than AtOnce seem to be served
	out := &response{ResponseWriter: w, shaped: s.limits.shaped()}
	s.answer(out, r)
	s.journal.end(n, out.status, out.bytes, out.failed || r.Context().Err() != nil)
}

func (s *Server) answer(w *response, r *http.Request) {
	select {
	case <-r.Context().Done():
		return
	case <-time.After(s.limits.Takes):
	}
	i := slices.IndexFunc(s.documents, func(d document) bool { return d.path == r.URL.Path })
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "there is nothing here to "+r.Method+": use GET", http.StatusMethodNotAllowed)
	case i < 0:
		http.Error(w, fmt.Sprintf("there is no %s here, only %s", r.URL.Path, s.paths()), http.StatusNotFound)
	default:
		d := s.documents[i]
		w.Header().Set("Content-Type", d.mime)
		http.ServeContent(w, r, "", time.Time{}, io.NewSectionReader(d.content, 0, d.size))
	}
}

func (s *Server) paths() string {
	var paths []string
	for _, d := range s.documents {
		paths = append(paths, d.path)
	}
	return strings.Join(paths, " ")
}
