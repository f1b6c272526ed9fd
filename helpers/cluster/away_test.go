//go:build unix

package cluster_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go/jetstream"

	"manyhands/helpers/cluster"
)

// TestProgramAway has a job end while its program cannot be reached, be it that the
// broker knows so or not: the result is stored, and found later.
func TestProgramAway(t *testing.T) {
	for name, leave := range map[string]func(*proxy){"cut off": (*proxy).cut, "deaf": (*proxy).deafen} {
		t.Run(name, func(t *testing.T) {
			node := startNode(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
			line := startProxy(t, node.Addr().String())
			events := newEvents()
			pool := open(t, unruly, cluster.Options{URL: line.url(), Name: "away", Workers: cluster.None,
				Silence: 300 * time.Millisecond, OnEvent: events.add})
			serve(t, unruly, cluster.Options{URL: node.ClientURL(), Name: "away", Silence: 300 * time.Millisecond})
			file := t.TempDir() + "/go"
			job := pool.Submit(t.Context(), "until "+file)
			events.wait(t, cluster.Begun, 1)
			leave(line)
			if err := os.WriteFile(file, nil, 0o600); err != nil {
				t.Fatal(err)
			}
			awaitStored(t, node, "manyhands_away_unruly", "manyhands.*.*.stored.*", 1)
			line.restore()
			if out, err := job.Wait(); out != "until "+file || err != nil {
				t.Error(out, err)
			}
		})
	}
}

// TestJobOnTheWay has a job get lost between the program and the broker.
func TestJobOnTheWay(t *testing.T) {
	t.Parallel() // it mostly waits
	node := startNode(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
	line := startProxy(t, node.Addr().String())
	pool := open(t, square, cluster.Options{URL: line.url(), Name: "lost", Workers: 1})
	if out, err := pool.Call(t.Context(), 2); out != 4 || err != nil { // the worker has the same line
		t.Fatal(out, err)
	}
	line.silence()
	job := pool.Submit(t.Context(), 3)
	line.restore()
	if out, err := job.Wait(); out != 9 || err != nil {
		t.Error(out, err)
	}
}

// TestLargeResult has the line be cut while a program fetches a large result.
func TestLargeResult(t *testing.T) {
	t.Parallel() // it mostly waits
	node := startNode(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
	line := startProxy(t, node.Addr().String())
	o := cluster.Options{URL: line.url(), Name: "large", Workers: cluster.None, Silence: time.Second}
	pool := open(t, repeat, o)
	o.URL = node.ClientURL()
	serve(t, repeat, o)
	line.cutAt("$JS.API.CONSUMER.CREATE.OBJ_")
	if b, err := pool.Call(t.Context(), 3<<20); len(b) != 3<<20 || err != nil {
		t.Error(len(b), err)
	}
	if !line.wasCut() {
		t.Error("the line was not cut")
	}
}

// TestReconnectInStart has the line be cut while a pool makes its queue. Start may
// fail, after JetStream's five seconds.
func TestReconnectInStart(t *testing.T) {
	t.Parallel() // it mostly waits
	node := startNode(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
	line := startProxy(t, node.Addr().String())
	line.cutAt("$JS.API.STREAM.CREATE.")
	pool, err := square.Start(t.Context(), cluster.Options{URL: line.url(), Name: "start", Workers: cluster.None})
	if err == nil {
		pool.Close()
	}
	if !line.wasCut() {
		t.Error("the line was not cut")
	}
}

// serve runs a worker until the test ends.
func serve[In, Out any](t *testing.T, f *cluster.Func[In, Out], o cluster.Options) {
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- f.Serve(ctx, o) }()
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
}

// awaitStored waits until a stream has so many messages to subjects.
func awaitStored(t *testing.T, node *server.Server, stream, subjects string, n uint64) {
	t.Helper()
	js := jetStream(t, node.ClientURL())
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for ; ctx.Err() == nil; time.Sleep(10 * time.Millisecond) {
		s, err := js.Stream(ctx, stream)
		if err != nil {
			t.Fatal(err)
		}
		info, err := s.Info(ctx, jetstream.WithSubjectFilter(subjects))
		if err != nil {
			t.Fatal(err)
		}
		var found uint64
		for _, messages := range info.State.Subjects {
			found += messages
		}
		if found >= n {
			return
		}
	}
	t.Fatalf("%d messages to %s are not stored", n, subjects)
}

// A proxy is the line between a program and its broker.
type proxy struct {
	listener net.Listener
	target   string
	copying  sync.WaitGroup

	mu    sync.Mutex
	away  bool   // nobody gets through
	deaf  bool   // what the broker says is lost
	mute  bool   // what the program says is lost
	last  string // instead of hearing the program say this, once, the broker is cut off
	conns []net.Conn
}

func startProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target}
	p.copying.Go(p.accept)
	t.Cleanup(func() {
		l.Close()
		p.cut()
		p.copying.Wait()
	})
	return p
}

func (p *proxy) url() string {
	return (&url.URL{Scheme: "nats", Host: p.listener.Addr().String()}).String()
}

func (p *proxy) accept() {
	for {
		program, err := p.listener.Accept()
		if err != nil {
			return
		}
		broker, err := net.Dial("tcp", p.target)
		if err != nil {
			program.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, program, broker)
		if p.away {
			program.Close()
			broker.Close()
		}
		p.mu.Unlock()
		p.copying.Go(func() { io.Copy(hearer{p, broker, &p.mute, &p.last}, program); broker.Close() })
		p.copying.Go(func() { io.Copy(hearer{p, program, &p.deaf, new(string)}, broker); program.Close() })
	}
}

// A hearer hears what the other side says, unless that is lost.
type hearer struct {
	*proxy
	to   net.Conn
	lost *bool
	last *string
}

func (h hearer) Write(b []byte) (int, error) {
	h.mu.Lock()
	lost, cut := *h.lost, *h.last != "" && bytes.Contains(b, []byte(*h.last))
	if cut {
		*h.last = ""
	}
	h.mu.Unlock()
	switch {
	case cut:
		return 0, net.ErrClosed
	case lost:
		return len(b), nil
	}
	return h.to.Write(b)
}

// cutAt cuts the line when the program says a word. It may connect again.
func (p *proxy) cutAt(word string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = word
}

// wasCut reports whether the program has said the word.
func (p *proxy) wasCut() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.last == ""
}

func (p *proxy) deafen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.deaf = true
}

func (p *proxy) silence() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = true
}

func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = true
	for _, c := range p.conns {
		c.Close()
	}
	p.conns = nil
}

// restore lets the program connect again.
func (p *proxy) restore() {
	p.cut()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away, p.deaf, p.mute = false, false, false
}

// TestTwoPrograms has two programs use one broker at the same time, first each with
// its own workers, then both with the same: neither gets the other's results.
func TestTwoPrograms(t *testing.T) {
	for name, o := range map[string]cluster.Options{
		"apart": {Workers: 1}, "one name": {Name: "both", Workers: 1},
	} {
		t.Run(name, func(t *testing.T) {
			var both sync.WaitGroup
			for sign := -1; sign <= 1; sign += 2 {
				pool := open(t, double, o)
				both.Go(func() {
					ins := make([]int, 300)
					for i := range ins {
						ins[i] = sign * (i + 1)
					}
					outs, err := pool.Map(t.Context(), ins)
					for i, out := range outs {
						if out != 2*ins[i] {
							t.Errorf("twice %d came as %d", ins[i], out)
						}
					}
					if err != nil {
						t.Error(err)
					}
				})
			}
			both.Wait()
		})
	}
}

var double = cluster.Register("double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })

// TestOtherSettings opens a pool on a queue that an earlier edition of this package
// has left with settings of its own.
func TestOtherSettings(t *testing.T) {
	node := startNode(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
	js := jetStream(t, node.ClientURL())
	old := jetstream.StreamConfig{Name: "manyhands_old_double", Subjects: []string{"manyhands.old.double.job"}, Retention: jetstream.WorkQueuePolicy, MaxAge: time.Hour}
	s, err := js.CreateStream(t.Context(), old)
	if err != nil {
		t.Fatal(err)
	}
	pool := open(t, double, cluster.Options{URL: node.ClientURL(), Name: "old", Workers: 1})
	if out, err := pool.Call(t.Context(), 2); out != 4 || err != nil {
		t.Error(out, err)
	}
	if info, err := s.Info(t.Context()); err != nil || info.Config.MaxAge != 24*time.Hour {
		t.Errorf("the queue is as before: %+v, %v", info.Config, err)
	}
}
