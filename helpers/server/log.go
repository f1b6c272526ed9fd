package server

import (
	"cmp"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"manyhands/helpers/timeline"
)

// Stage is how far a request has come.
type Stage string

// Stages of a request.
const (
	Queued  Stage = "queued"
	Serving Stage = "serving"
	Served  Stage = "served"  // answered in full, be it by an error such as 404
	Refused Stage = "refused" // the queue was full
	Aborted Stage = "aborted" // the client went away, or the server was closed
)

// A Request is an entry of the [Log].
type Request struct {
	Path    string        // with its query
	Stage   Stage         // when the log was asked for
	Arrived time.Duration // since the log's Start
	Waited  time.Duration // in the queue, so far
	Took    time.Duration // being served, until the answer was sent, so far
	Status  int           // of HTTP; 0 if there was no answer
	Bytes   int64         // of the answer's body
}

// A Log is what a server did until the log was asked for. It is plain data.
type Log struct {
	Start       time.Time // when the first request arrived
	Connections int       // accepted; fewer than requests if clients keep them alive
	Requests    []Request // in the order of their arrival
}

// Count is the number of requests that are in a stage.
func (l Log) Count(stage Stage) int {
	n := 0
	for _, r := range l.Requests {
		if r.Stage == stage {
			n++
		}
	}
	return n
}

// MostAtOnce is the largest number of requests that were served at the same time.
func (l Log) MostAtOnce() int { return l.Timeline().MaxConcurrent(timeline.Running) }

// Timeline returns a lane for each request: waiting while it queued, running
// while it was served. The server's clock is that of this process, so
// [timeline.Merge] can show its lanes below those of its clients.
func (l Log) Timeline() *timeline.Timeline {
	t := &timeline.Timeline{Start: l.Start, Source: "server"}
	for i, r := range l.Requests {
		label := r.Path
		if r.Stage == Refused || r.Stage == Aborted {
			label += " (" + string(r.Stage) + ")"
		}
		lane := timeline.Lane{Name: fmt.Sprint("request ", i+1)}
		started := r.Arrived + r.Waited
		if r.Waited > 0 {
			lane.Spans = append(lane.Spans, timeline.Span{Start: r.Arrived, End: started,
				State: timeline.Waiting, Label: label, Open: r.Stage == Queued})
		}
		if r.Took > 0 {
			lane.Spans = append(lane.Spans, timeline.Span{Start: started, End: started + r.Took,
				State: timeline.Running, Label: label, Open: r.Stage == Serving})
		}
		t.Length = max(t.Length, started+r.Took)
		t.Lanes = append(t.Lanes, lane)
	}
	return t
}

// Depth is the length of the queue from a moment on, until that of the next Depth.
type Depth struct {
	At       time.Duration // since the log's Start
	Requests int
}

// Queue returns the depth of the queue over time: 0 at the start, then every
// change, and that at the end of the log. Changes at the same instant are one.
func (l Log) Queue() []Depth {
	var changes []Depth // by how much
	var end time.Duration
	for _, r := range l.Requests {
		end = max(end, r.Arrived+r.Waited+r.Took)
		if r.Waited > 0 {
			changes = append(changes, Depth{r.Arrived, +1})
			if r.Stage != Queued {
				changes = append(changes, Depth{r.Arrived + r.Waited, -1})
			}
		}
	}
	changes = append(changes, Depth{end, 0})
	slices.SortFunc(changes, func(a, b Depth) int { return cmp.Compare(a.At, b.At) })
	depths := []Depth{{}}
	for _, c := range changes {
		last := &depths[len(depths)-1]
		if c.At == last.At {
			last.Requests += c.Requests
		} else {
			depths = append(depths, Depth{c.At, last.Requests + c.Requests})
		}
	}
	return depths
}

// A journal is a log being written. Times are read under its lock, so that
// they are in the order of the events.
type journal struct {
	mu          sync.Mutex
	start       time.Time
	connections int
	queued      int
	requests    []Request
}

func (j *journal) connect() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.connections++
}

// arrive notes a request that has a place to be served at, or else queues if
// fewer than most do (0 is any number). It returns the request's number and stage.
func (j *journal) arrive(path string, place bool, most int) (int, Stage) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	if len(j.requests) == 0 {
		j.start = now
	}
	r := Request{Path: path, Stage: Queued, Arrived: now.Sub(j.start)}
	switch {
	case place:
		r.Stage = Serving
	case most > 0 && j.queued >= most:
		r.Stage, r.Status = Refused, http.StatusServiceUnavailable
	default:
		j.queued++
	}
	j.requests = append(j.requests, r)
	return len(j.requests) - 1, r.Stage
}

// move notes that a request leaves the queue.
func (j *journal) move(n int, to Stage) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.queued--
	r := &j.requests[n]
	*r = r.until(time.Since(j.start))
	r.Stage = to
}

// end notes that a request is not served any more.
func (j *journal) end(n, status int, bytes int64, aborted bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	r := &j.requests[n]
	*r = r.until(time.Since(j.start))
	r.Stage, r.Status, r.Bytes = Served, status, bytes
	if aborted {
		r.Stage = Aborted
	}
}

// until returns r with the time of its stage until now.
func (r Request) until(now time.Duration) Request {
	switch r.Stage {
	case Queued:
		r.Waited = now - r.Arrived
	case Serving:
		r.Took = now - r.Arrived - r.Waited
	}
	return r
}

func (j *journal) log() Log {
	j.mu.Lock()
	defer j.mu.Unlock()
	l := Log{Start: j.start.Round(0), Connections: j.connections, Requests: slices.Clone(j.requests)}
	now := time.Since(j.start)
	for i, r := range l.Requests {
		l.Requests[i] = r.until(now)
	}
	return l
}
