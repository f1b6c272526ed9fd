package brokerd

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"manyhands/internal/tempdir"
)

// Nodes are NATS servers that are one cluster, each a process of its own.
type Nodes struct {
	URL       string // of all, with commas between
	Processes []*os.Process

	stop   func() // once
	folder *tempdir.Dir
	inputs []io.Closer // a node ends with its stdin, and so with this process
	cmds   []*exec.Cmd
}

// node is what the process of a node has to know.
type node struct {
	Name, Token, Folder string
	Port, ClusterPort   int
	Peers               []int // cluster ports of all
}

// StartNodes starts a cluster of n servers on 127.0.0.1 and returns when they have
// elected a leader. Command makes the command that runs one: it has to call
// [RunNode] with the text.
func StartNodes(ctx context.Context, n int, command func(text string) *exec.Cmd) (*Nodes, error) {
	folder, err := tempdir.Make("", "manyhands-nats-")
	if err != nil {
		return nil, err
	}
	all := &Nodes{folder: folder}
	all.stop = sync.OnceFunc(all.end)
	if err := all.start(ctx, n, command); err != nil {
		all.Stop()
		return nil, fmt.Errorf("a cluster of %d: %w", n, err)
	}
	return all, nil
}

func (all *Nodes) start(ctx context.Context, n int, command func(string) *exec.Cmd) error {
	ports, err := freePorts(2 * n)
	if err != nil {
		return err
	}
	token := rand.Text()
	var urls []string
	var outputs []*bufio.Reader
	for i := range n {
		name := fmt.Sprint("node", i+1)
		text, _ := json.Marshal(node{name, token, filepath.Join(all.folder.Path, name), ports[i], ports[n+i], ports[n:]})
		out, err := all.startNode(command(string(text)))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		outputs = append(outputs, bufio.NewReader(out))
		urls = append(urls, address("nats", url.User(token), fmt.Sprint("127.0.0.1:", ports[i])))
	}
	defer context.AfterFunc(ctx, all.Stop)()
	for i, out := range outputs {
		if line, err := out.ReadString('\n'); line != ready+"\n" {
			return errors.Join(fmt.Errorf("node%d: %q, %w", i+1, line, err), context.Cause(ctx))
		}
	}
	all.URL = strings.Join(urls, ",")
	return nil
}

func (all *Nodes) startNode(cmd *exec.Cmd) (out io.Reader, err error) {
	cmd.Env = append(cmd.Environ(), "TMPDIR="+all.folder.Path)
	in, err := cmd.StdinPipe()
	if err == nil {
		out, err = cmd.StdoutPipe()
	}
	if err == nil {
		cmd.Stderr = cmd.Stdout
		err = cmd.Start()
	}
	if err == nil {
		all.Processes, all.inputs, all.cmds = append(all.Processes, cmd.Process), append(all.inputs, in), append(all.cmds, cmd)
	}
	return out, err
}

// Stop ends the nodes and removes what they have stored.
func (all *Nodes) Stop() { all.stop() }

// patience is how long a node may take to end by itself.
const patience = 10 * time.Second

func (all *Nodes) end() {
	defer time.AfterFunc(patience, func() {
		for _, p := range all.Processes {
			p.Kill()
		}
	}).Stop()
	for _, in := range all.inputs {
		in.Close()
	}
	for _, cmd := range all.cmds {
		cmd.Wait()
	}
	all.folder.Remove()
}

// freePorts finds ports that nobody listens on, for servers that have to know each
// other's before they start.
func freePorts(n int) (ports []int, err error) {
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	return ports, nil
}

// ready is what a node says when it is part of a cluster that works.
const ready = "ready"

// RunNode is the process of a node that [StartNodes] has started. It returns when
// the context or stdin ends.
func RunNode(ctx context.Context, text string) error {
	var n node
	if err := json.Unmarshal([]byte(text), &n); err != nil {
		return fmt.Errorf("this is for nodes that the command starts by itself: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	var routes []*url.URL
	for _, port := range n.Peers {
		routes = append(routes, &url.URL{Scheme: "nats", User: url.UserPassword("node", n.Token), Host: fmt.Sprint("127.0.0.1:", port)})
	}
	s, err := server.NewServer(&server.Options{
		ServerName: n.Name, Host: "127.0.0.1", Port: n.Port, Authorization: n.Token,
		JetStream: true, StoreDir: n.Folder, NoLog: true, NoSigs: true, Routes: routes,
		Cluster: server.ClusterOpts{Name: "manyhands", Host: "127.0.0.1", Port: n.ClusterPort, Username: "node", Password: n.Token},
	})
	if err != nil {
		return err
	}
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	for !joined(s, len(n.Peers)) {
		select {
		case <-time.After(20 * time.Millisecond): // the vote makes no event here
		case <-ctx.Done():
			return nil
		}
	}
	fmt.Println(ready)
	<-ctx.Done()
	return nil
}

// joined reports whether a node leads a cluster of n, or follows.
func joined(s *server.Server, n int) bool {
	if s.JetStreamIsLeader() {
		return len(s.JetStreamClusterPeers()) == n
	}
	return s.ReadyForConnections(time.Millisecond) && s.JetStreamIsCurrent()
}
