//go:build unix

package broker_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"manyhands/helpers/broker"
)

// TestMain lets tests start this program as another: as a kernel, which runs two
// cells, or as one of the cells.
func TestMain(m *testing.M) {
	switch os.Getenv("BROKER_TEST_ROLE") {
	case "kernel":
		os.Setenv("GONB_PIPE", "as in a cell")
		os.Setenv("BROKER_TEST_ROLE", "program")
		for range 2 {
			cell := exec.Command(os.Args[0])
			cell.Stdout, cell.Stderr = os.Stdout, os.Stderr
			check(cell.Run())
		}
	case "program":
		redis, err := broker.Redis(context.Background())
		check(err)
		nats, err := broker.NATS(context.Background())
		check(err)
		again, err := broker.NATS(context.Background())
		check(err)
		fmt.Println(redis, nats, again == nats && os.Getenv("NATS_URL") == nats)
	default:
		os.Exit(m.Run())
	}
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// play runs this program in a role, with an empty folder for its cache, and
// returns what it prints.
func play(t *testing.T, role string) string {
	t.Helper()
	goEnv, err := exec.CommandContext(t.Context(), "go", "env", "GOCACHE", "GOPATH").Output()
	if err != nil {
		t.Fatal(err)
	}
	folders := strings.Split(strings.TrimSpace(string(goEnv)), "\n")
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), "BROKER_TEST_ROLE="+role, "REDIS_URL=", "NATS_URL=", "GONB_PIPE=",
		"XDG_CACHE_HOME="+t.TempDir(), "GOCACHE="+folders[0], "GOPATH="+folders[1])
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, &complaints)
	}
	return string(out)
}

// TestKernel has two cells of a kernel find the same brokers, which end with the
// kernel.
func TestKernel(t *testing.T) {
	out := play(t, "kernel")
	first, second, _ := strings.Cut(strings.TrimSpace(out), "\n")
	if first != second {
		t.Errorf("the first cell found %s, the second %s", first, second)
	}
	ended(t, first)
}

// TestProgram has the brokers of a program outside of a notebook end with it.
func TestProgram(t *testing.T) {
	one, other := play(t, "program"), play(t, "program")
	if one == other {
		t.Error("two programs have the same broker:", one)
	}
	ended(t, one)
	ended(t, other)
}

// ended waits until the brokers of a line of output are gone.
func ended(t *testing.T, line string) {
	t.Helper()
	fields := strings.Fields(line)
	if len(fields) != 3 || fields[2] != "true" {
		t.Fatalf("the brokers are %q", line)
	}
	limit := time.Now().Add(20 * time.Second)
	for _, address := range fields[:2] {
		u, err := url.Parse(address)
		if err != nil || u.User == nil {
			t.Fatalf("a URL without a password: %q %v", address, err)
		}
		for {
			conn, err := net.Dial("tcp", u.Host)
			if err != nil {
				break
			}
			conn.Close()
			if time.Now().After(limit) {
				t.Fatal(u.Host, "is still there, without its program")
			}
			time.Sleep(20 * time.Millisecond) // another program's end makes no event here
		}
	}
}

func TestVariable(t *testing.T) {
	for variable, find := range map[string]func() (string, error){
		"NATS_URL":  func() (string, error) { return broker.NATS(t.Context()) },
		"REDIS_URL": func() (string, error) { return broker.Redis(t.Context()) },
	} {
		t.Setenv(variable, "scheme://elsewhere:1")
		if address, err := find(); address != "scheme://elsewhere:1" || err != nil {
			t.Error(variable, address, err)
		}
	}
}

// TestReason starts brokers that end at once, many at a time: what they say is not
// lost, however late it is read.
func TestReason(t *testing.T) {
	var starting sync.WaitGroup
	for range 100 {
		starting.Go(func() {
			_, err := broker.Announced(t.Context(), exec.Command("echo", "no port is free"), "nats")
			if err == nil || !strings.HasSuffix(err.Error(), "no port is free\n") {
				t.Error("the error is", err)
			}
		})
	}
	starting.Wait()
}

// TestNoGo cannot build the course's command.
func TestNoGo(t *testing.T) {
	t.Setenv("NATS_URL", "")
	t.Setenv("PATH", t.TempDir())
	if _, err := broker.NATS(t.Context()); err == nil || !strings.Contains(err.Error(), "set NATS_URL") {
		t.Error("without Go on PATH:", err)
	}
}
