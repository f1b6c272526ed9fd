//go:build unix

package cluster_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"manyhands/helpers/cluster"
	"manyhands/helpers/process"
	"manyhands/internal/brokerd"
)

var (
	square = cluster.Register("square", func(_ context.Context, n int) (int, error) { return n * n, nil })

	// unruly does as it is told.
	unruly = cluster.Register("unruly", func(ctx context.Context, order string) (string, error) {
		switch order {
		case "fail":
			return "", errors.New("it failed")
		case "fail at length":
			return "", errors.New("x" + strings.Repeat("é", 1<<20))
		case "panic":
			panic("it panicked")
		case "die":
			syscall.Kill(os.Getpid(), syscall.SIGKILL)
		case "wait":
			<-ctx.Done()
			return "", ctx.Err()
		case "slow":
			time.Sleep(4 * time.Second)
		}
		if _, file, ok := strings.Cut(order, "until "); ok {
			for {
				if _, err := os.Stat(file); err == nil {
					return order, nil
				}
				time.Sleep(5 * time.Millisecond)
			}
		}
		return order, nil
	})

	// waits tells that it has begun, within the test program.
	waits = cluster.Register("waits", func(ctx context.Context, n int) (int, error) {
		begun <- n
		<-ctx.Done()
		return 0, ctx.Err()
	})
	begun = make(chan int, 1000)

	size    = cluster.Register("size", func(_ context.Context, b []byte) (int, error) { return len(b), nil })
	repeat  = cluster.Register("repeat", func(_ context.Context, n int) ([]byte, error) { return bytes.Repeat([]byte("x"), n), nil })
	sends   = cluster.Register("sends", func(_ context.Context, _ int) (chan int, error) { return make(chan int), nil })
	refused = cluster.Register("refused", func(_ context.Context, _ func()) (int, error) { return 0, nil })
	nothing = cluster.Register("nothing", func(_ context.Context, _ struct{}) (struct{}, error) { return struct{}{}, nil })
	blob    = cluster.Register("blob", func(ctx context.Context, b cluster.Blob) (int, error) {
		data, err := b.Bytes(ctx)
		return len(data), err
	})
	largest = cluster.Register("largest", most)
)

func most(_ context.Context, c chunk) (float64, error) {
	return slices.Max(c.Array.Slice()[c.From:c.To]), nil
}

type chunk struct {
	Array    *process.Shared[float64]
	From, To int
}

// where is the URL of the broker of most tests.
var where string

func TestMain(m *testing.M) {
	if node := os.Getenv(nodeVariable); node != "" {
		if err := brokerd.RunNode(context.Background(), node); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	b, err := brokerd.Start("nats")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	where = b.URL
	code := m.Run()
	b.Stop()
	if code == 0 {
		if err := goleak.Find(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// open starts a pool that ends with the test.
func open[In, Out any](t testing.TB, f *cluster.Func[In, Out], o cluster.Options) *cluster.Pool[In, Out] {
	t.Helper()
	if o.URL == "" {
		o.URL = where
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // without a deadline JetStream gives a busy cluster 5 s
	defer cancel()
	pool, err := f.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// jetStream connects to a broker as nothing of ours does, until the test ends.
func jetStream(t *testing.T, url string) jetstream.JetStream {
	t.Helper()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	return js
}

func TestMap(t *testing.T) {
	pool := open(t, square, cluster.Options{Workers: 2})
	ins := make([]int, 500)
	for i := range ins {
		ins[i] = i
	}
	outs, err := pool.Map(t.Context(), ins)
	if err != nil {
		t.Fatal(err)
	}
	for i, out := range outs {
		if out != i*i {
			t.Fatalf("the square of %d came as %d", i, out)
		}
	}
	for range pool.Completed(t.Context(), ins) {
		break // the rest is cancelled
	}
	if out, err := pool.Call(t.Context(), 7); out != 49 || err != nil {
		t.Error("after a loop that was left:", out, err)
	}
}

func TestFailures(t *testing.T) {
	pool := open(t, unruly, cluster.Options{Workers: 2, Tries: 2, Silence: time.Second, Pause: time.Millisecond})
	outs, err := pool.Map(t.Context(), []string{"fail", "a", "panic", "die", "b"})
	if !slices.Equal(outs, []string{"", "a", "", "", "b"}) {
		t.Errorf("results: %q", outs)
	}
	for _, want := range []string{
		"job 0: cluster: unruly: the job failed 2 times: it failed\n",
		"job 2: cluster: unruly: the job failed 2 times: the function panicked: it panicked",
		"job 3: cluster: unruly: the job ended its worker each time, 2 times",
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %v", want, err)
		}
	}
	if !errors.Is(err, cluster.ErrFailed) || !errors.Is(err, cluster.ErrCrashed) {
		t.Error("the errors cannot be told apart:", err)
	}
	parked, err := pool.Parked(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var orders []string
	for _, p := range parked {
		orders = append(orders, p.Argument)
		if p.Reason == "" {
			t.Error("no reason for", p.Argument)
		}
	}
	slices.Sort(orders)
	if !slices.Equal(orders, []string{"die", "fail", "panic"}) {
		t.Errorf("parked are %q", orders)
	}
}

// TestLongReason has a function say more than a message may hold, and a header.
func TestLongReason(t *testing.T) {
	events := newEvents()
	pool := open(t, unruly, cluster.Options{Workers: 1, Tries: 1, OnEvent: events.add})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := pool.Call(ctx, "fail at length")
	if !errors.Is(err, cluster.ErrFailed) || len(err.Error()) < 64<<10 || !utf8.ValidString(err.Error()) {
		t.Errorf("the error is %.100v", err)
	}
	events.wait(t, cluster.Failed, 1)
	if parked, err := pool.Parked(ctx); err != nil || len(parked) != 1 || !strings.HasSuffix(parked[0].Reason, "éé…") {
		t.Errorf("parked is %.100v, %v", parked, err)
	}
}

func TestCodec(t *testing.T) {
	sends := open(t, sends, cluster.Options{Workers: 1})
	if _, err := sends.Call(t.Context(), 1); !errors.Is(err, cluster.ErrCodec) || !strings.Contains(err.Error(), "chan int") {
		t.Error("a result that is a channel:", err)
	}
	refused := open(t, refused, cluster.Options{Workers: 1})
	if _, err := refused.Call(t.Context(), nil); !errors.Is(err, cluster.ErrCodec) || !strings.Contains(err.Error(), "the argument") {
		t.Error("an argument that is a function:", err)
	}
}

// TestSilence has a job that takes four times as long as a worker may be silent:
// its heartbeats keep it from being done twice.
func TestSilence(t *testing.T) {
	t.Parallel() // it mostly waits
	events := newEvents()
	pool := open(t, unruly, cluster.Options{Workers: 2, Silence: time.Second, OnEvent: events.add})
	if out, err := pool.Call(t.Context(), "slow"); out != "slow" || err != nil {
		t.Fatal(out, err)
	}
	if n := events.count(cluster.Begun); n != 1 {
		t.Errorf("it was begun %d times", n)
	}
}

// TestKilledWorker kills the worker that has a job in hand.
func TestKilledWorker(t *testing.T) {
	t.Parallel() // it mostly waits
	events := newEvents()
	pool := open(t, unruly, cluster.Options{Workers: 2, OnEvent: events.add})
	file := t.TempDir() + "/go"
	job := pool.Submit(t.Context(), "until "+file)
	first := events.wait(t, cluster.Begun, 1)
	if first.Job != 0 || first.Try != 1 {
		t.Error("the first event is", first)
	}
	killed := time.Now()
	if err := syscall.Kill(first.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	second := events.wait(t, cluster.Begun, 2)
	if second.PID == first.PID || second.Try != 2 {
		t.Errorf("begun first by %+v, then by %+v", first, second)
	}
	t.Logf("begun again after %v", time.Since(killed))
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := job.Wait(); err != nil {
		t.Error(err)
	}
}

func TestCancel(t *testing.T) {
	events := newEvents()
	pool := open(t, unruly, cluster.Options{Workers: 1, OnEvent: events.add})
	ctx, cancel := context.WithCancelCause(t.Context())
	begun, queued := pool.Submit(ctx, "wait"), pool.Submit(ctx, "fail")
	events.wait(t, cluster.Begun, 1)
	reason := errors.New("not needed any more")
	cancel(reason)
	for _, job := range []*cluster.Future[string]{begun, queued} {
		if _, err := job.Wait(); !errors.Is(err, reason) {
			t.Error("a cancelled job:", err)
		}
	}
	if out, err := pool.Call(t.Context(), "next"); out != "next" || err != nil {
		t.Error("the worker is not free for the next job:", err)
	}
	if n := events.count(cluster.Failed); n != 0 {
		t.Error("the queued job was begun")
	}
	if _, err := pool.Call(ctx, "late"); !errors.Is(err, reason) {
		t.Error("a job whose context has ended:", err)
	}
}

func TestLarge(t *testing.T) {
	const large = 10 << 20
	size := open(t, size, cluster.Options{Workers: 1})
	if n, err := size.Call(t.Context(), make([]byte, large)); n != large || err != nil {
		t.Error("an argument of 10 MB:", n, err)
	}
	repeat := open(t, repeat, cluster.Options{Workers: 1})
	if b, err := repeat.Call(t.Context(), large); len(b) != large || err != nil {
		t.Error("a result of 10 MB:", len(b), err)
	}
	blob := open(t, blob, cluster.Options{Workers: 1})
	b, err := blob.Put(t.Context(), make([]byte, large))
	if err != nil {
		t.Fatal(err)
	}
	if ns, err := blob.Map(t.Context(), []cluster.Blob{b, b}); !slices.Equal(ns, []int{large, large}) || err != nil {
		t.Error("10 MB by reference:", ns, err)
	}
	if _, err := b.Bytes(t.Context()); err == nil {
		t.Error("a blob was fetched outside of a job")
	}
}

// TestShared sends jobs a reference to memory that program and workers share.
func TestShared(t *testing.T) {
	array, err := process.Share([]float64{1, 7, 3, 9, 2, 4})
	if err != nil {
		t.Fatal(err)
	}
	defer array.Close()
	pool := open(t, largest, cluster.Options{Workers: 2})
	outs, err := pool.Map(t.Context(), []chunk{{array, 0, 3}, {array, 3, 6}})
	if !slices.Equal(outs, []float64{7, 9}) || err != nil {
		t.Error(outs, err)
	}
}

// TestNames has two names on one broker, and workers of one of them only.
func TestNames(t *testing.T) {
	blue := open(t, square, cluster.Options{Name: "blue", Workers: cluster.None})
	red := open(t, square, cluster.Options{Name: "red", Workers: 1})
	waiting := blue.Submit(t.Context(), 3)
	if out, err := red.Call(t.Context(), 4); out != 16 || err != nil {
		t.Fatal(out, err)
	}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error)
	go func() { served <- square.Serve(ctx, cluster.Options{URL: where, Name: "blue"}) }()
	if out, err := waiting.Wait(); out != 9 || err != nil {
		t.Error("by a worker elsewhere:", out, err)
	}
	stop()
	if err := <-served; err != nil {
		t.Error("a worker that was told to end:", err)
	}
}

func TestClose(t *testing.T) {
	pool := open(t, unruly, cluster.Options{Workers: 1})
	job := pool.Submit(t.Context(), "wait")
	pool.Close()
	if _, err := job.Wait(); !errors.Is(err, cluster.ErrClosed) {
		t.Error("a job at a pool that was closed:", err)
	}
	if _, err := pool.Call(t.Context(), "late"); !errors.Is(err, cluster.ErrClosed) {
		t.Error("a job for a pool that was closed:", err)
	}
}

// TestCloseElsewhere closes pools whose jobs are done elsewhere: none is begun after
// that, be it that the broker has just been sent it or that it has waited.
func TestCloseElsewhere(t *testing.T) {
	o := cluster.Options{URL: where, Name: "elsewhere", Workers: cluster.None}
	next := 0
	submit := func(jobs int) *cluster.Pool[int, int] {
		pool := open(t, waits, o)
		for range jobs {
			next++
			pool.Submit(t.Context(), next)
		}
		return pool
	}
	submit(1).Close()
	submit(300).Close()
	serve(t, waits, o)
	for range 3 {
		want := next + 1
		pool := submit(50)
		if got := <-begun; got != want {
			t.Fatalf("job %d has begun, of a pool that is closed, and not %d", got, want)
		}
		pool.Close()
	}
}

// TestCloseAway closes a pool whose broker is away and has many jobs.
func TestCloseAway(t *testing.T) {
	t.Parallel() // it mostly waits
	node := startNode(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
	pool := open(t, square, cluster.Options{URL: node.ClientURL(), Name: "away", Workers: cluster.None})
	for i := range 200 {
		pool.Submit(t.Context(), i)
	}
	awaitStored(t, node, "manyhands_away_square", "manyhands.*.*.job", 200)
	node.Shutdown()
	node.WaitForShutdown()
	within(t, "Close", pool.Close)
}

func TestBadOptions(t *testing.T) {
	plain := startNode(t, &server.Options{Username: "ann", Password: "secret"})
	for name, test := range map[string]struct {
		o    cluster.Options
		want string
	}{
		"nobody there": {cluster.Options{URL: "nats://127.0.0.1:1"}, "nats://127.0.0.1:1: nats: no servers available for connection: see that it runs"},
		"password":     {cluster.Options{URL: plain.ClientURL()}, "give user and password in the URL"},
		"JetStream":    {cluster.Options{URL: "nats://ann:secret@" + plain.Addr().String()}, "nats-server -js"},
		"name":         {cluster.Options{URL: where, Name: "a.b"}, `"a.b"`},
		"workers":      {cluster.Options{URL: where, Workers: -2}, "leave it out"},
		"elsewhere":    {cluster.Options{URL: where, Workers: cluster.None}, "give it a name"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := square.Start(t.Context(), test.o)
			if err == nil || !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "secret") {
				t.Errorf("the error is %v", err)
			}
		})
	}
	if err := square.Serve(t.Context(), cluster.Options{URL: where}); err == nil {
		t.Error("a worker without a name")
	}
}

// TestBrokerAway takes the broker away while jobs are on their way, and brings it
// back with what it had stored.
func TestBrokerAway(t *testing.T) {
	t.Parallel() // it mostly waits
	o := &server.Options{JetStream: true, StoreDir: t.TempDir()}
	node := startNode(t, o)
	pool := open(t, square, cluster.Options{URL: node.ClientURL(), Name: "kept", Workers: 2, Silence: time.Second})
	ins := make([]int, 3000)
	for i := range ins {
		ins[i] = i
	}
	done := 0
	for i, r := range pool.Completed(t.Context(), ins) {
		if r.Err != nil || r.Value != i*i {
			t.Fatal(i, r)
		}
		if done++; done == 500 {
			node.Shutdown()
			node.WaitForShutdown()
			node = startNode(t, o)
		}
	}
	if done != len(ins) {
		t.Errorf("%d of %d jobs were done", done, len(ins))
	}
}

// TestFullBuffer closes a pool that has more on its way to a broker that is away
// than the client keeps.
func TestFullBuffer(t *testing.T) {
	t.Parallel() // it mostly waits
	node := startNode(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
	pool := open(t, size, cluster.Options{URL: node.ClientURL(), Workers: 1})
	node.Shutdown()
	node.WaitForShutdown()
	for range 10 {
		pool.Submit(t.Context(), make([]byte, 900<<10))
	}
	last := pool.Submit(t.Context(), make([]byte, 900<<10))
	time.Sleep(6 * time.Second) // by now the first, which was kept for five, is sent again
	within(t, "Close", pool.Close)
	if _, err := last.Wait(); !errors.Is(err, cluster.ErrClosed) {
		t.Error("a job that was not sent:", err)
	}
}

// TestCancelAway has a context end while the broker is away, and more jobs wait for
// it than may be on their way.
func TestCancelAway(t *testing.T) {
	node := startNode(t, &server.Options{JetStream: true, StoreDir: t.TempDir()})
	pool := open(t, square, cluster.Options{URL: node.ClientURL(), Workers: 1})
	node.Shutdown()
	node.WaitForShutdown()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	within(t, "Map", func() {
		if _, err := pool.Map(ctx, make([]int, 5000)); !errors.Is(err, context.DeadlineExceeded) {
			t.Error("of a map whose context has ended:", err)
		}
	})
}

// TestSmallerBroker brings the broker back with a limit that a job on its way
// exceeds: the client gives up its connection.
func TestSmallerBroker(t *testing.T) {
	t.Parallel() // it mostly waits
	o := &server.Options{JetStream: true, StoreDir: t.TempDir()}
	node := startNode(t, o)
	pool := open(t, size, cluster.Options{URL: node.ClientURL(), Name: "smaller", Workers: 1})
	node.Shutdown()
	node.WaitForShutdown()
	job := pool.Submit(t.Context(), make([]byte, 500<<10))
	o.MaxPayload = 100 << 10
	startNode(t, o)
	within(t, "the job", func() {
		if _, err := job.Wait(); !errors.Is(err, cluster.ErrClosed) {
			t.Error("a job that the broker does not take:", err)
		}
	})
}

// within fails if something does not end, by far.
func within(t *testing.T, what string, do func()) {
	t.Helper()
	done := make(chan struct{})
	go func() {
		defer close(done)
		do()
	}()
	select {
	case <-done:
	case <-time.After(time.Minute):
		t.Fatal(what, "has not ended")
	}
}

// TestBrokerLost brings the broker back with nothing.
func TestBrokerLost(t *testing.T) {
	o := &server.Options{JetStream: true, StoreDir: t.TempDir()}
	node := startNode(t, o)
	pool := open(t, unruly, cluster.Options{URL: node.ClientURL(), Workers: 1}) // in the broker's memory
	job := pool.Submit(t.Context(), "wait")
	node.Shutdown()
	node.WaitForShutdown()
	startNode(t, o)
	if _, err := job.Wait(); !errors.Is(err, cluster.ErrLost) {
		t.Error("a job that the broker lost:", err)
	}
}

// startNode starts a server that ends with the test; its port goes into the
// options, for the next one.
func startNode(t *testing.T, o *server.Options) *server.Server {
	t.Helper()
	o.Host, o.NoLog, o.NoSigs = "127.0.0.1", true, true
	if o.Port == 0 {
		o.Port = lastingPort(t)
	}
	s, err := server.NewServer(o)
	if err != nil {
		t.Fatal(err)
	}
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	if !s.ReadyForConnections(time.Minute) {
		t.Fatal("the server does not listen")
	}
	return s
}

// lastingPort returns a free port below those that the system gives to whoever asks
// for any, or connects from one: it is still free when a server comes back to it.
func lastingPort(t *testing.T) int {
	t.Helper()
	var err error
	for range 100 {
		port := 10_000 + rand.IntN(20_000)
		l, taken := net.Listen("tcp", fmt.Sprint("127.0.0.1:", port))
		if taken == nil {
			l.Close()
			return port
		}
		err = taken
	}
	t.Fatal(err)
	return 0
}

// events keeps what happened.
type events struct {
	mu   sync.Mutex
	all  []cluster.Event
	more chan struct{}
}

func newEvents() *events { return &events{more: make(chan struct{}, 1000)} }

func (e *events) add(one cluster.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.all = append(e.all, one)
	e.more <- struct{}{}
}

func (e *events) of(what cluster.What) (some []cluster.Event) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, one := range e.all {
		if one.What == what {
			some = append(some, one)
		}
	}
	return some
}

func (e *events) count(what cluster.What) int { return len(e.of(what)) }

// wait waits for the n-th event of a kind.
func (e *events) wait(t *testing.T, what cluster.What, n int) cluster.Event {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		if some := e.of(what); len(some) >= n {
			return some[n-1]
		}
		select {
		case <-e.more:
		case <-limit:
			t.Fatalf("no event %d of kind %s", n, what)
		}
	}
}
