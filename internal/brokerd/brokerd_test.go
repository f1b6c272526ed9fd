package brokerd_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"go.uber.org/goleak"

	"manyhands/internal/brokerd"
)

// nodeVariable makes the test program a node of a NATS cluster.
const nodeVariable = "BROKERD_TEST_NODE"

func TestMain(m *testing.M) {
	if node := os.Getenv(nodeVariable); node != "" {
		if err := brokerd.RunNode(context.Background(), node); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, kind string) string {
	t.Helper()
	b, err := brokerd.Start(kind)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Stop)
	return b.URL
}

func TestNATS(t *testing.T) {
	address := start(t, "nats")
	nc, err := nats.Connect(address)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err == nil {
		_, err = js.AccountInfo(t.Context())
	}
	if err != nil {
		t.Error("JetStream:", err)
	}
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := nats.Connect("nats://" + u.Host); err == nil {
		t.Error("it asks for no password")
	}
}

// TestRedis speaks Redis's protocol, in which a line is a command.
func TestRedis(t *testing.T) {
	u, err := url.Parse(start(t, "redis"))
	if err != nil {
		t.Fatal(err)
	}
	conn, err := net.Dial("tcp", u.Host)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	password, _ := u.User.Password()
	replies := bufio.NewReader(conn)
	for _, step := range [][2]string{
		{"SET k v", "-NOAUTH"}, {"AUTH " + password, "+OK"}, {"SET k v PX 300", "+OK"}, {"EXISTS k", ":1"},
	} {
		fmt.Fprint(conn, array(step[0]))
		if reply, err := replies.ReadString('\n'); err != nil || !strings.HasPrefix(reply, step[1]) {
			t.Errorf("%s: %q, %v", step[0], reply, err)
		}
	}
	for reply := ""; reply != ":0\r\n"; { // until the key expires
		fmt.Fprint(conn, array("EXISTS k"))
		if reply, err = replies.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
}

// array is a command in Redis's protocol.
func array(command string) string {
	words := strings.Fields(command)
	text := fmt.Sprintf("*%d\r\n", len(words))
	for _, word := range words {
		text += fmt.Sprintf("$%d\r\n%s\r\n", len(word), word)
	}
	return text
}

func TestNoSuchBroker(t *testing.T) {
	if _, err := brokerd.Start("rabbit"); err == nil || !strings.Contains(err.Error(), "rabbit") {
		t.Error("the error is", err)
	}
}

// TestNoNode has nodes that end before they are ready, while the first waits for
// them. What good ones do the test of package cluster sees.
func TestNoNode(t *testing.T) {
	started := 0
	_, err := brokerd.StartNodes(t.Context(), 3, func(string) *exec.Cmd {
		if started++; started%3 == 1 {
			return exec.Command("cat")
		}
		return exec.Command("echo", "no port is free")
	})
	if err == nil || !regexp.MustCompile(`^a cluster of 3: node[23] says "no port is free\\n"$`).MatchString(err.Error()) {
		t.Error("the error is", err)
	}
	if _, err := brokerd.StartNodes(t.Context(), 3, func(string) *exec.Cmd { return exec.Command("/no/such/program") }); err == nil {
		t.Error("a program that there is not became a cluster")
	}
}

// TestTakenPort has somebody else listen on the second node's port before the node
// does, the first time only.
func TestTakenPort(t *testing.T) {
	started := 0
	nodes, err := brokerd.StartNodes(t.Context(), 3, func(text string) *exec.Cmd {
		if started++; started == 2 {
			takePort(t, text)
		}
		return nodeCommand(text)
	})
	if err != nil {
		t.Fatal(err)
	}
	defer nodes.Stop()
	if started < 6 {
		t.Errorf("only %d nodes were started, though a port was taken", started)
	}
	for i, address := range strings.Split(nodes.URL, ",") {
		nc, err := nats.Connect(address)
		if err != nil {
			t.Fatal(err)
		}
		if name := nc.ConnectedServerName(); name != fmt.Sprint("node", i+1) {
			t.Errorf("the node number %d is %s", i+1, name)
		}
		nc.Close()
	}
}

// TestNoPort has somebody else listen on the second node's port every time.
func TestNoPort(t *testing.T) {
	started := 0
	nodes, err := brokerd.StartNodes(t.Context(), 3, func(text string) *exec.Cmd {
		if started++; started%3 == 2 {
			takePort(t, text)
		}
		return nodeCommand(text)
	})
	if err == nil {
		nodes.Stop()
	}
	if err == nil || !strings.Contains(err.Error(), `node2 says "Error listening`) {
		t.Error("the error is", err)
	}
}

func nodeCommand(text string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), nodeVariable+"="+text)
	return cmd
}

// takePort listens on the cluster port of a node until the test ends, unless
// somebody else does already.
func takePort(t *testing.T, text string) {
	t.Helper()
	var node struct{ ClusterPort int }
	if err := json.Unmarshal([]byte(text), &node); err != nil {
		t.Fatal(err)
	}
	if l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", node.ClusterPort)); err == nil {
		t.Cleanup(func() { l.Close() })
	}
}

func TestAwait(t *testing.T) {
	cat := exec.Command("cat")
	stdin, err := cat.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cat.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := brokerd.Await(ctx, cat.Process.Pid); err != nil { // by the context
		t.Error(err)
	}
	stdin.Close()
	if err := brokerd.Await(t.Context(), cat.Process.Pid); err != nil { // by the end, even before it is waited for
		t.Error(err)
	}
	cat.Wait()
	if err := brokerd.Await(t.Context(), cat.Process.Pid); err != nil {
		t.Error("a process that is gone:", err)
	}
}
