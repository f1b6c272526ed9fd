//go:build unix

package main_test

import (
	"bytes"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hibiken/asynq"

	"manyhands/internal/build"
	"manyhands/internal/course"
	"manyhands/internal/testparts"
)

// TestLessonOnRedis executes lesson 12 with a real Redis, which asks for a
// password, in the place of the course's own broker.
func TestLessonOnRedis(t *testing.T) {
	address := startRedis(t, "secret")
	t.Setenv("REDIS_URL", "redis://:secret@"+address)
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	err = build.Notebook(t.Context(), c, c.Path("notebooks", "12-many-machines.ipynb"),
		filepath.Join(t.TempDir(), "executed.ipynb"), build.Options{Out: &out})
	if err != nil {
		t.Fatalf("%v\n%s", err, &out)
	}
	inspector := asynq.NewInspector(asynq.RedisClientOpt{Addr: address, Password: "secret"})
	defer inspector.Close()
	queues, err := inspector.Queues()
	if err != nil || len(queues) < 5 {
		t.Errorf("the lesson had these queues on Redis: %q, %v", queues, err)
	}
	done := 0
	for _, queue := range queues {
		info, err := inspector.GetQueueInfo(queue)
		if err != nil || info.Pending+info.Active+info.Retry+info.Scheduled > 0 {
			t.Errorf("jobs are left: %+v, %v", info, err)
			continue
		}
		done += info.Completed
	}
	if done < 60 {
		t.Errorf("%d jobs were done", done)
	}
}

// startRedis starts a server that ends with the test.
func startRedis(t *testing.T, password string) (address string) {
	t.Helper()
	program := testparts.Program(t, "install the package redis-server", "redis-server")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address = l.Addr().String()
	l.Close() // Redis takes no port 0
	_, port, _ := net.SplitHostPort(address)
	server := exec.Command(program, "--port", port, "--bind", "127.0.0.1", "--requirepass", password,
		"--save", "", "--dir", t.TempDir())
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Process.Kill()
		server.Wait()
	})
	for limit := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
			return address
		}
		if time.Now().After(limit) {
			t.Fatal(err)
		}
	}
}

// TestBroker uses the command as a person does.
func TestBroker(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "run", ".", "broker", "rabbit").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "rabbit") {
		t.Errorf("a broker that there is not: %v\n%s", err, out)
	}
	finished := exec.CommandContext(t.Context(), "true")
	if err := finished.Run(); err != nil {
		t.Fatal(err)
	}
	for _, kind := range []string{"nats", "redis"} {
		cmd := exec.CommandContext(t.Context(), "go", "run", ".", "broker", kind, "--for", fmt.Sprint(finished.Process.Pid))
		out, err := cmd.Output() // it ends at once, as its process has
		if err != nil || !strings.HasPrefix(string(out), kind+"://") {
			t.Errorf("%s: %v\n%s", cmd, err, out)
		}
	}
}
