package server_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/jpeg"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"manyhands/helpers/server"
	"manyhands/helpers/timeline"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// A memory is a network without sockets, for tests under a fake clock.
type memory struct {
	accept chan net.Conn
	closed context.Context
	close  context.CancelFunc
}

func newMemory() *memory {
	ctx, cancel := context.WithCancel(context.Background())
	return &memory{make(chan net.Conn), ctx, cancel}
}

func (m *memory) Accept() (net.Conn, error) {
	select {
	case c := <-m.accept:
		return c, nil
	case <-m.closed.Done():
		return nil, net.ErrClosed
	}
}

func (m *memory) Dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case m.accept <- far:
		return near, nil
	case <-m.closed.Done():
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

func (m *memory) Close() error    { m.close(); return nil }
func (m *memory) Addr() net.Addr  { return m }
func (m *memory) Network() string { return "memory" }
func (m *memory) String() string  { return "memory" }

// inMemory starts s under the fake clock of a synctest bubble and returns a client.
func inMemory(t *testing.T, s *server.Server) *http.Client {
	network := newMemory()
	s.StartOn(network)
	transport := &http.Transport{DialContext: network.Dial}
	t.Cleanup(func() {
		s.Close()
		transport.CloseIdleConnections()
	})
	return &http.Client{Transport: transport}
}

// get returns the status and the body of a page.
func get(ctx context.Context, client *http.Client, url string) (int, []byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, nil, err
	}
	response, err := client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	return response.StatusCode, body, err
}

func mustGet(t *testing.T, client *http.Client, url string) []byte {
	t.Helper()
	status, body, err := get(t.Context(), client, url)
	if err != nil || status != http.StatusOK {
		t.Errorf("GET %s: status %d, %v\n%.200s", url, status, err, body)
	}
	return body
}

// deepest is the largest depth of a queue.
func deepest(queue []server.Depth) int {
	return slices.MaxFunc(queue, func(a, b server.Depth) int { return a.Requests - b.Requests }).Requests
}

// TestAtOnce holds the server to the times of the talk: as the clock is fake,
// they come out exactly if, and only if, as many are served at once as asked for.
func TestAtOnce(t *testing.T) {
	for _, test := range []struct {
		atOnce, clients int
		want            time.Duration
		most, queued    int
	}{
		{10, 1, 2 * time.Second, 1, 0},
		{10, 10, 2 * time.Second, 10, 0},
		{10, 11, 4 * time.Second, 10, 1},
		{10, 20, 4 * time.Second, 10, 10},
		{1, 20, 40 * time.Second, 1, 19},
		{0, 50, 2 * time.Second, 50, 0},
	} {
		t.Run(fmt.Sprintf("%d clients at a server of %d", test.clients, test.atOnce), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := server.Sleepy(server.Limits{AtOnce: test.atOnce, Takes: 2 * time.Second})
				client := inMemory(t, s)
				start := time.Now()
				var all sync.WaitGroup
				for range test.clients {
					all.Go(func() {
						if body := mustGet(t, client, s.URL); string(body) != "slept 2s\n" {
							t.Errorf("answer %q", body)
						}
					})
				}
				all.Wait()
				if d := time.Since(start); d != test.want {
					t.Errorf("took %v, want %v", d, test.want)
				}
				l := s.Log()
				if n := l.Count(server.Served); n != test.clients {
					t.Errorf("%d served", n)
				}
				if n := l.MostAtOnce(); n != test.most {
					t.Errorf("%d served at once, want %d", n, test.most)
				}
				if n := deepest(l.Queue()); n != test.queued {
					t.Errorf("%d queued, want %d: %v", n, test.queued, l.Queue())
				}
			})
		})
	}
}

func TestInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := server.Sleepy(server.Limits{AtOnce: 10, Takes: 2 * time.Second})
		client := inMemory(t, s)
		start := time.Now()
		for range 10 {
			mustGet(t, client, s.URL)
		}
		if d := time.Since(start); d != 20*time.Second {
			t.Errorf("took %v", d)
		}
		if l := s.Log(); l.MostAtOnce() != 1 || l.Connections != 1 {
			t.Errorf("%d at once over %d connections, want 1 over one kept alive", l.MostAtOnce(), l.Connections)
		}
	})
}

// TestQueue has five clients come to a server of one place, the second of which
// gives up, and follows each through the log.
func TestQueue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const s1 = time.Second
		s := server.Sleepy(server.Limits{AtOnce: 1, Queue: 3, Takes: 10 * s1})
		client := inMemory(t, s)
		var all sync.WaitGroup
		for i, patience := range []time.Duration{time.Hour, 5 * s1, time.Hour, 20 * s1, time.Hour} {
			all.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				defer cancel()
				status, body, err := get(ctx, client, fmt.Sprintf("%s/?%d", s.URL, i))
				switch {
				case i%2 == 1 && !errors.Is(err, context.DeadlineExceeded):
					t.Errorf("client %d got an answer: %d %s", i, status, body)
				case i == 4 && (status != http.StatusServiceUnavailable || !strings.Contains(string(body), "try again later")):
					t.Errorf("a client too many got %d %s", status, body)
				}
			})
			time.Sleep(s1) // so that they arrive in order
		}

		synctest.Wait()
		during := s.Log()
		all.Wait()
		synctest.Wait() // for the server to notice that the last client went away
		after := s.Log()
		for i, want := range []struct{ during, after server.Request }{
			{server.Request{Stage: server.Serving, Took: 5 * s1},
				server.Request{Stage: server.Served, Took: 10 * s1, Status: 200, Bytes: 10}},
			{server.Request{Stage: server.Queued, Arrived: 1 * s1, Waited: 4 * s1},
				server.Request{Stage: server.Aborted, Arrived: 1 * s1, Waited: 5 * s1}},
			{server.Request{Stage: server.Queued, Arrived: 2 * s1, Waited: 3 * s1},
				server.Request{Stage: server.Served, Arrived: 2 * s1, Waited: 8 * s1, Took: 10 * s1, Status: 200, Bytes: 10}},
			{server.Request{Stage: server.Queued, Arrived: 3 * s1, Waited: 2 * s1},
				server.Request{Stage: server.Aborted, Arrived: 3 * s1, Waited: 17 * s1, Took: 3 * s1}},
			{server.Request{Stage: server.Refused, Arrived: 4 * s1, Status: 503},
				server.Request{Stage: server.Refused, Arrived: 4 * s1, Status: 503}},
		} {
			want.during.Path = fmt.Sprintf("/?%d", i)
			want.after.Path = want.during.Path
			if during.Requests[i] != want.during || after.Requests[i] != want.after {
				t.Errorf("request %d is first %+v\nwant %+v\nand then %+v\nwant %+v", i,
					during.Requests[i], want.during, after.Requests[i], want.after)
			}
		}

		for range 4 { // as many as ever, now that the queue is empty
			all.Go(func() { mustGet(t, client, s.URL) })
		}
		all.Wait()
	})
}

func TestLog(t *testing.T) {
	const s1 = time.Second
	l := server.Log{Start: time.Unix(1, 0), Requests: []server.Request{
		{Path: "/a", Stage: server.Served, Took: 2 * s1},
		{Path: "/b", Stage: server.Aborted, Arrived: 1 * s1, Waited: 1 * s1},
		{Path: "/c", Stage: server.Serving, Arrived: 1 * s1, Waited: 1 * s1, Took: 3 * s1},
		{Path: "/d", Stage: server.Refused, Arrived: 1 * s1},
		{Path: "/e", Stage: server.Queued, Arrived: 3 * s1, Waited: 2 * s1},
	}}
	if queue, want := fmt.Sprint(l.Queue()), "[{0s 0} {1s 2} {2s 0} {3s 1} {5s 1}]"; queue != want {
		t.Errorf("queue %s, want %s", queue, want)
	}
	tl := l.Timeline()
	if err := tl.Validate(); err != nil {
		t.Error(err)
	}
	var got []string
	for name, s := range tl.Spans() {
		got = append(got, fmt.Sprint(name, ": ", s.Start, " to ", s.End, " ", s.State, " ", s.Label, " ", s.Open))
	}
	if want := []string{
		"request 1: 0s to 2s running /a false",
		"request 2: 1s to 2s waiting /b (aborted) false",
		"request 3: 1s to 2s waiting /c false",
		"request 3: 2s to 5s running /c true",
		"request 5: 3s to 5s waiting /e true",
	}; !slices.Equal(got, want) {
		t.Errorf("spans\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if l.MostAtOnce() != 1 || len(tl.Lanes) != 5 || tl.Length != 5*s1 || !tl.Start.Equal(l.Start) {
		t.Errorf("%d at once, %d lanes, %v long from %v", l.MostAtOnce(), len(tl.Lanes), tl.Length, tl.Start)
	}

	var none server.Log
	if queue := none.Queue(); len(queue) != 1 || none.MostAtOnce() != 0 || len(none.Timeline().Lanes) != 0 {
		t.Errorf("an empty log has a queue %v, lanes %v", queue, none.Timeline().Lanes)
	}
	if _, err := timeline.Merge(none.Timeline(), tl); err != nil {
		t.Error(err)
	}
}

// TestLink counts what arrives: at every moment a token bucket of a given rate has
// let through at most what it held plus rate × time; and no less, less a piece,
// where the link is what everybody waits for.
func TestLink(t *testing.T) {
	const size = 150_184
	for _, test := range []struct {
		name             string
		link, connection float64
		connections      int
		want             float64 // bytes/s, all together
	}{
		{"link", 20_000, 0, 1, 20_000},
		{"link shared", 30_000, 0, 3, 30_000},
		{"connection", 0, 10_000, 1, 10_000},
		{"connections", 0, 10_000, 3, 30_000},
		{"link the narrower", 10_000, 50_000, 3, 10_000},
		{"connection the narrower", 50_000, 10_000, 3, 30_000},
		{"as wide", 10_000, 10_000, 1, 10_000},
		{"a byte at a time", 0, 50, 1, 50},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := server.Files(1, server.Limits{Link: test.link, Connection: test.connection})
				network := newMemory()
				s.StartOn(network)
				defer s.Close()
				start := time.Now()
				var mu sync.Mutex
				var total int
				each := make([]int, test.connections)
				bucket := max(1, test.want/100)
				var all sync.WaitGroup
				for i := range test.connections {
					all.Go(func() {
						c, err := network.Dial(t.Context(), "", "")
						if err != nil {
							t.Error(err)
							return
						}
						defer c.Close()
						fmt.Fprint(c, "GET /3.bin HTTP/1.1\r\nHost: memory\r\n\r\n")
						p := make([]byte, 1<<16)
						for each[i] < size/4 {
							n, err := c.Read(p)
							if err != nil {
								t.Error(err)
								return
							}
							mu.Lock()
							each[i] += n
							total += n
							could := test.want*time.Since(start).Seconds() + bucket
							if float64(total) > could+1 { // waits are whole nanoseconds
								t.Errorf("%d bytes after %v, over the %v that the limits allow", total, time.Since(start), could)
							}
							if float64(total) < could-bucket*float64(test.connections)-1 {
								t.Errorf("only %d bytes after %v, far from the %v that the limits allow", total, time.Since(start), could)
							}
							mu.Unlock()
						}
					})
				}
				all.Wait()
				if most, least := slices.Max(each), slices.Min(each); most-least > most/10 {
					t.Errorf("shared unevenly: %v bytes", each)
				}
			})
		})
	}
}

// TestLogSpansTheSending: the log spans the sending, to the last byte.
func TestLogSpansTheSending(t *testing.T) {
	for _, scale := range []float64{1e-9, 0.01, 1} { // 1 byte, less than a buffer, more
		synctest.Test(t, func(t *testing.T) {
			const rate = 10_000
			s := server.Files(scale, server.Limits{Connection: rate})
			client := inMemory(t, s)
			size := len(mustGet(t, client, s.URL+"/1.bin"))
			r := s.Log().Requests[0]
			if r.Stage != server.Served || r.Bytes != int64(size) {
				t.Errorf("the log of a request for %d bytes is %+v", size, r)
			}
			if least := float64(size-1-rate/100) / rate; r.Took.Seconds() < least {
				t.Errorf("%d bytes noted as sent in %v, %v is the least", size, r.Took, least)
			}
		})
	}
}

// TestServedWhenRead: on real sockets, too, what a client has read is in the log.
func TestServedWhenRead(t *testing.T) {
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	for i := range 5 { // from less than a buffer to several
		s := server.Files(0.01, server.Limits{}).Start()
		for range 100 {
			mustGet(t, client, s.URLs()[i])
			if l := s.Log(); l.Count(server.Served) != len(l.Requests) {
				t.Errorf("the client has it all, the log says %+v", l.Requests[len(l.Requests)-1])
			}
		}
		s.Close()
	}
}

// TestCrowd has many clients at real sockets, some of which do not read what they get.
func TestCrowd(t *testing.T) {
	s := server.Sleepy(server.Limits{AtOnce: 3}).Start()
	defer s.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 20 {
				mustGet(t, client, s.URL)
				response, err := client.Head(s.URL + "/lost")
				if err != nil {
					t.Error(err)
				} else if response.Body.Close(); response.StatusCode != http.StatusNotFound {
					t.Errorf("status %d", response.StatusCode)
				}
				if response, err = client.Get(s.URL); err != nil {
					t.Error(err)
				} else {
					response.Body.Close()
				}
			}
		})
	}
	all.Wait()
	if l := s.Log(); l.Count(server.Served) != 8*20*3 || l.MostAtOnce() > 3 {
		t.Errorf("%d of %d served, %d at once", l.Count(server.Served), 8*20*3, l.MostAtOnce())
	}
}

// TestClose has requests in every stage when the server is closed.
func TestClose(t *testing.T) {
	const clients = 50
	for _, test := range []struct {
		name   string
		server *server.Server
		body   string
		queued int
	}{
		{"served and queued", server.Sleepy(server.Limits{AtOnce: 20, Takes: time.Hour}), "", clients - 20},
		{"with a body", server.Sleepy(server.Limits{Takes: time.Hour}), "unread", 0},
		{"being sent", server.Files(1, server.Limits{Connection: 0.001}), "", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := test.server
			ctx, cancel := context.WithCancel(t.Context())
			defer context.AfterFunc(ctx, s.Close)()
			s.Start()
			transport := &http.Transport{}
			var all sync.WaitGroup
			for range clients {
				all.Go(func() {
					request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.URLs()[0], strings.NewReader(test.body))
					if err != nil {
						t.Error(err)
						return
					}
					response, err := transport.RoundTrip(request)
					if err == nil {
						_, err = io.ReadAll(response.Body)
						response.Body.Close()
					}
					if err == nil {
						t.Errorf("a closed server answered: %s", response.Status)
					}
				})
			}
			for len(s.Log().Requests) < clients {
				time.Sleep(time.Millisecond)
			}
			if l := s.Log(); l.Count(server.Queued) != test.queued || l.Count(server.Serving) != clients-test.queued {
				t.Errorf("%d queued, %d served, want %d and the rest", l.Count(server.Queued), l.Count(server.Serving), test.queued)
			}
			cancel()
			s.Close() // at once with the one of the context
			if n := s.Log().Count(server.Aborted); n != clients {
				t.Errorf("%d requests aborted when Close has returned", n)
			}
			all.Wait()
			transport.CloseIdleConnections()
			if _, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://")); err == nil {
				t.Error("the server still listens")
			}
			goleak.VerifyNone(t)
		})
	}
	server.Sleepy(server.Limits{}).Close() // never started
}

// TestCloseWhileAccepting: no connection that arrives at the wrong moment is left behind.
func TestCloseWhileAccepting(t *testing.T) {
	for range 50 {
		s := server.Sleepy(server.Limits{}).Start()
		closed := make(chan struct{})
		var all sync.WaitGroup
		for range 4 {
			all.Go(func() {
				for {
					c, err := net.Dial("tcp", strings.TrimPrefix(s.URL, "http://"))
					if err != nil {
						break
					}
					defer c.Close()
				}
				<-closed // keeping its connections, so that it is Close that ends them
			})
		}
		for s.Log().Connections == 0 {
			time.Sleep(time.Microsecond)
		}
		s.Close()
		close(closed)
		all.Wait()
	}
}

func TestFiles(t *testing.T) {
	a := server.Files(0.1, server.Limits{}).Start()
	defer a.Close()
	b := server.Files(0.05, server.Limits{}).Start()
	defer b.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()

	sizes := []int{1_911, 7_197, 15_018, 110_000, 5_235_086}
	var previous []byte
	for i, url := range a.URLs() {
		whole := mustGet(t, client, url)
		if len(whole) != sizes[i] {
			t.Errorf("%s has %d bytes, want %d", url, len(whole), sizes[i])
		}
		if half := mustGet(t, client, b.URLs()[i]); !bytes.HasPrefix(whole, half) {
			t.Errorf("%s is not the same at another server", url)
		}
		if bytes.HasPrefix(whole, previous[:min(len(previous), 100)]) && i > 0 {
			t.Errorf("%s begins as the one before", url)
		}
		previous = whole

		request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set("Range", "bytes=1003-1908")
		response, err := client.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		part, err := io.ReadAll(response.Body)
		response.Body.Close()
		if response.StatusCode != http.StatusPartialContent || !bytes.Equal(part, whole[1003:1909]) || err != nil {
			t.Errorf("%s: a range of %d bytes, status %d, %v", url, len(part), response.StatusCode, err)
		}
	}

	head, err := client.Head(a.URLs()[3])
	if err != nil {
		t.Fatal(err)
	}
	head.Body.Close()
	if head.StatusCode != 200 || head.ContentLength != 110_000 {
		t.Errorf("HEAD: status %d, length %d", head.StatusCode, head.ContentLength)
	}
	post, err := client.Post(a.URLs()[3], "text/plain", strings.NewReader("hello"))
	if err != nil {
		t.Fatal(err)
	}
	message, _ := io.ReadAll(post.Body)
	post.Body.Close()
	if post.StatusCode != http.StatusMethodNotAllowed || !strings.Contains(string(message), "use GET") {
		t.Errorf("POST: status %d, %s", post.StatusCode, message)
	}
}

func TestImages(t *testing.T) {
	s := server.Images(server.Limits{}).Start()
	defer s.Close()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	seen := make(map[string]string)
	for _, url := range s.URLs() {
		data := mustGet(t, client, url)
		picture, err := jpeg.Decode(bytes.NewReader(data))
		if err != nil {
			t.Errorf("%s: %v", url, err)
		} else if size := picture.Bounds().Size(); size.X != 320 || size.Y != 240 {
			t.Errorf("%s: %v", url, size)
		}
		if other, ok := seen[string(data)]; ok {
			t.Errorf("%s is the same as %s", url, other)
		}
		seen[string(data)] = url
	}
	if len(seen) != 10 {
		t.Errorf("%d images", len(seen))
	}
}

func TestFileSizes(t *testing.T) {
	for scale, want := range map[float64]string{
		1:    "[19111 71970 150184 1100000 52350859]",
		0.01: "[191 720 1502 11000 523509]",
		1e-5: "[1 1 2 11 524]",
	} {
		if got := fmt.Sprint(server.FileSizes(scale)); got != want {
			t.Errorf("scale %v: %s, want %s", scale, got, want)
		}
	}
}

func TestMisuse(t *testing.T) {
	nan := 0.0
	nan /= nan
	for want, misuse := range map[string]func(){
		"negative number":     func() { server.Sleepy(server.Limits{AtOnce: -1}) },
		"negative number ":    func() { server.Images(server.Limits{Takes: -1}) },
		"set AtOnce, too":     func() { server.Sleepy(server.Limits{Queue: 5}) },
		"-5 bytes/s":          func() { server.Files(1, server.Limits{Link: -5}) },
		"NaN bytes/s":         func() { server.Files(1, server.Limits{Connection: nan}) },
		"files 0 times":       func() { server.Files(0, server.Limits{}) },
		"files NaN times":     func() { server.FileSizes(nan) },
		"started twice: make": func() { s := server.Sleepy(server.Limits{}).Start(); defer s.Close(); s.Start() },
	} {
		func() {
			defer func() {
				message := fmt.Sprint(recover())
				if !strings.HasPrefix(message, "server: ") || !strings.Contains(message, strings.TrimSpace(want)) {
					t.Errorf("panic %q, want %q", message, want)
				}
			}()
			misuse()
		}()
	}
}
