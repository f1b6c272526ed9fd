//go:build unix

package main_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manyhands/helpers/process"
	"manyhands/internal/brokerd"
	"manyhands/internal/build"
	"manyhands/internal/course"
	"manyhands/internal/testparts"
)

// TestRealBrokers has a real Redis, which asks for a password, and a NATS cluster of
// three in the place of the course's own brokers.
func TestRealBrokers(t *testing.T) {
	if testparts.Race {
		t.Skip("what runs is other programs, which the race detector does not see")
	}
	address := startRedis(t, "secret")
	t.Setenv("REDIS_URL", "redis://:secret@"+address)
	t.Setenv("NATS_URL", startCluster(t))
	t.Run("lesson 12", func(t *testing.T) {
		t.Parallel()
		testLessonOnRedis(t, address)
	})
	t.Run("lesson 13", func(t *testing.T) {
		t.Parallel()
		testLessonOnCluster(t)
	})
}

// TestKilledWorker mostly waits, so it does that beside the others.
func TestKilledWorker(t *testing.T) {
	if testparts.Race {
		t.Skip("what runs is other programs, which the race detector does not see")
	}
	t.Parallel()
	address := startRedis(t, "secret")
	embedded, err := brokerd.Start("redis")
	if err != nil {
		t.Fatal(err)
	}
	defer embedded.Stop()
	var both sync.WaitGroup
	defer both.Wait()
	both.Go(func() { testKilledWorker(t, "Redis", "redis://:secret@"+address, 3) })
	both.Go(func() { testKilledWorker(t, "miniredis", embedded.URL, 2) })
}

// execute executes a lesson and leaves no notebook behind.
func execute(t *testing.T, name string) {
	t.Helper()
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = build.Notebook(t.Context(), c, c.Path("notebooks", name), filepath.Join(t.TempDir(), name), build.Options{Out: &out})
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
}

// startCluster starts a cluster by the course's command. It ends with the test.
func startCluster(t *testing.T) (urls string) {
	t.Helper()
	command := exec.Command(built(t), "broker", "nats", "--nodes", "3")
	out, err := command.StdoutPipe()
	if err == nil {
		err = command.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Signal(os.Interrupt)
		if err := command.Wait(); err != nil {
			t.Error("the cluster, interrupted:", err)
		}
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, password, _ := strings.Cut(line, "://")
	password, _, _ = strings.Cut(password, "@")
	if commands, err := exec.Command("ps", "-Ao", "args").Output(); err != nil || strings.Contains(string(commands), password) {
		t.Errorf("everybody can read the cluster's password %s by ps (%v)", password, err)
	}
	return strings.TrimSpace(line)
}

// built builds the course's command.
func built(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "manyhands")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return path
}

// testLessonOnCluster executes lesson 13, and finds the queue that it leaves behind
// on three servers, with nothing to do.
func testLessonOnCluster(t *testing.T) {
	execute(t, "13-cluster.ipynb")
	nc, err := nats.Connect(os.Getenv("NATS_URL"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	queue, err := js.Stream(ctx, "manyhands_mine_dawdle")
	if err != nil {
		t.Fatal(err)
	}
	if info := queue.CachedInfo(); info.Config.Replicas != 3 || info.State.LastSeq == 0 || info.State.Msgs > 0 {
		t.Errorf("the queue is %+v, %+v", info.Config, info.State)
	}
}

// testLessonOnRedis executes lesson 12, and looks all along at what it does on the
// Redis server: the lesson leaves nothing there.
func testLessonOnRedis(t *testing.T, address string) {
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: address, Password: "secret"})
	defer inspector.Close()
	done, over := make(map[string]int), make(chan struct{}) // by queue
	var watching sync.WaitGroup
	watching.Go(func() {
		for tick := time.Tick(20 * time.Millisecond); ; {
			for _, queue := range lessonQueues(t, inspector) {
				if info, err := inspector.GetQueueInfo(queue); err == nil { // it may be gone by now
					done[queue] = max(done[queue], info.Completed)
				}
			}
			select {
			case <-tick:
			case <-over:
				return
			}
		}
	})
	execute(t, "12-many-machines.ipynb")
	close(over)
	watching.Wait()
	sum := 0
	for _, n := range done {
		sum += n
	}
	if len(done) < 5 || sum < 60 {
		t.Errorf("on Redis the lesson had these queues with jobs done: %v", done)
	}
	if left := lessonQueues(t, inspector); len(left) > 0 {
		t.Errorf("the lesson has left queues on Redis: %q", left)
	}
}

// lessonQueues are those of lesson 12.
func lessonQueues(t *testing.T, inspector *asynq.Inspector) []string {
	queues, err := inspector.Queues()
	if err != nil {
		t.Error(err)
	}
	return slices.DeleteFunc(queues, func(queue string) bool { return !strings.HasPrefix(queue, "lesson-12-") })
}

// faultQueue is the queue of testKilledWorker.
const faultQueue = "fault"

// asynqWorker does the jobs of a queue, one at a time, until it is told to end.
var asynqWorker = process.Register("asynq worker", func(ctx context.Context, url string) (struct{}, error) {
	redis, err := asynq.ParseRedisURI(url)
	if err != nil {
		return struct{}{}, err
	}
	server := asynq.NewServer(redis, asynq.Config{Concurrency: 1, Queues: map[string]int{faultQueue: 1},
		LogLevel: asynq.FatalLevel, TaskCheckInterval: 50 * time.Millisecond, DelayedTaskCheckInterval: 100 * time.Millisecond,
		RetryDelayFunc: func(int, error, *asynq.Task) time.Duration { return 0 }})
	if err := server.Start(asynq.HandlerFunc(signAndWait)); err != nil {
		return struct{}{}, err
	}
	<-ctx.Done()
	server.Shutdown()
	return struct{}{}, nil
})

// signAndWait adds its process's number to the file that the job names, and does
// not return before the second who does so.
func signAndWait(ctx context.Context, job *asynq.Task) error {
	path := string(job.Payload())
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := fmt.Fprintln(file, os.Getpid()); err != nil {
		return err
	}
	for ctx.Err() == nil && job.Type() == "held" && len(lines(path)) < 2 {
		time.Sleep(10 * time.Millisecond)
	}
	return ctx.Err()
}

func lines(path string) []string {
	text, _ := os.ReadFile(path)
	return strings.Fields(string(text))
}

// testKilledWorker kills a worker that has a job in hand, and waits until another
// does it. Asynq gives a worker's lease half a minute after its last renewal, and
// looks for leases that are long over once a minute; neither can be set
// (https://pkg.go.dev/github.com/hibiken/asynq, recoverer.go, v0.26).
func testKilledWorker(t *testing.T, broker, url string, workers int) {
	redis, err := asynq.ParseRedisURI(url)
	if err != nil {
		t.Error(err)
		return
	}
	client, inspector, folder := asynq.NewClient(redis), asynq.NewInspector(redis), t.TempDir()
	defer client.Close()
	defer inspector.Close()
	pool, err := asynqWorker.Start(process.Options{Workers: workers})
	if err != nil {
		t.Error(err)
		return
	}
	defer pool.Close()
	for range workers {
		pool.Submit(t.Context(), url)
	}
	submit := func(kind, name string) {
		job := asynq.NewTask(kind, []byte(filepath.Join(folder, name)))
		if _, err := client.Enqueue(job, asynq.Queue(faultQueue), asynq.Retention(time.Hour)); err != nil {
			t.Error(err)
		}
	}
	submit("held", "held")
	limit := time.Now().Add(5 * time.Minute)
	await := func(done func() bool) {
		for !done() && time.Now().Before(limit) {
			time.Sleep(20 * time.Millisecond) // Redis makes no event here
		}
	}
	await(func() bool { return len(lines(filepath.Join(folder, "held"))) > 0 })
	const quick = 50
	for i := range quick {
		submit("quick", fmt.Sprint(i))
	}
	killed := time.Now()
	pid, err := strconv.Atoi(strings.Join(lines(filepath.Join(folder, "held")), ""))
	if err == nil {
		err = syscall.Kill(pid, syscall.SIGKILL)
	}
	if err != nil {
		t.Error("the job was not begun:", err)
		return
	}
	await(func() bool { return len(lines(filepath.Join(folder, "held"))) > 1 })
	t.Logf("%s: another worker began the job %v after its worker was killed", broker, time.Since(killed).Round(100*time.Millisecond))
	var info *asynq.QueueInfo
	await(func() bool {
		info, err = inspector.GetQueueInfo(faultQueue)
		return err == nil && info.Completed == quick+1
	})
	if signed := lines(filepath.Join(folder, "held")); len(signed) != 2 || signed[0] == signed[1] {
		t.Errorf("%s: the job was begun by %q", broker, signed)
	}
	if err != nil || info.Completed != quick+1 || info.Size != quick+1 {
		t.Errorf("%s: of %d jobs: %+v, %v", broker, quick+1, info, err)
	}
	for i := range quick {
		if signed := lines(filepath.Join(folder, fmt.Sprint(i))); len(signed) != 1 {
			t.Errorf("%s: job %d was done by %q", broker, i, signed)
		}
	}
}

// startRedis starts a server that ends with the test.
func startRedis(t *testing.T, password string) (address string) {
	t.Helper()
	program := testparts.Program(t, "install the package redis-server", "redis-server")
	for range 3 { // somebody else can take the port before Redis does
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		address = l.Addr().String()
		l.Close() // Redis takes no port 0
		if runRedis(t, program, address, password) {
			return address
		}
	}
	t.Fatal("Redis has ended three times instead of listening")
	return ""
}

// runRedis reports whether Redis listens, by what it says itself: to a connection
// somebody else may answer, even another Redis.
func runRedis(t *testing.T, program, address, password string) bool {
	t.Helper()
	host, port, _ := net.SplitHostPort(address)
	server := exec.Command(program, "--port", port, "--bind", host, "--requirepass", password,
		"--save", "", "--dir", t.TempDir())
	out, err := server.StdoutPipe()
	if err == nil {
		err = server.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	defer time.AfterFunc(20*time.Second, func() { server.Process.Kill() }).Stop()
	for log := bufio.NewScanner(out); log.Scan(); {
		t.Log(log.Text())
		if strings.Contains(log.Text(), "Ready to accept connections") {
			go io.Copy(io.Discard, out) // Redis would wait for a reader of its log
			return true
		}
	}
	return false
}

// TestBroker uses the command as a person does.
func TestBroker(t *testing.T) {
	command := built(t)
	run := func(args ...string) (string, error) {
		out, err := exec.CommandContext(t.Context(), command, append([]string{"broker"}, args...)...).CombinedOutput()
		return string(out), err
	}
	for _, test := range []struct{ args, says string }{
		{"rabbit", "rabbit"}, {"redis --nodes 3", "--nodes is for nats"}, {"nats --nodes 2", "3 or 5"}, {"nats --node x", "by itself"},
	} {
		if out, err := run(strings.Fields(test.args)...); err == nil || !strings.Contains(out, test.says) {
			t.Errorf("broker %s: %v\n%s", test.args, err, out)
		}
	}
	finished := exec.CommandContext(t.Context(), "true")
	if err := finished.Run(); err != nil {
		t.Fatal(err)
	}
	for args, servers := range map[string]int{"nats": 1, "redis": 1, "nats --nodes 3": 3} {
		kind := strings.Fields(args)[0]
		out, err := run(strings.Fields(fmt.Sprint(args, " --for ", finished.Process.Pid))...) // it ends at once, as its process has
		if err != nil || !strings.HasPrefix(out, kind+"://") || strings.Count(out, kind+"://") != servers {
			t.Errorf("broker %s: %v\n%s", args, err, out)
		}
	}
}
