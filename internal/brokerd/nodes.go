package brokerd

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/json"
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

// scheme begins the URL of a NATS server.
const scheme = "nats"

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
	ClusterPort         int
	Peers               []int // cluster ports of all
}

// tries is how many clusters are started before one is given up: anybody can take a
// port between its choice and its use.
const tries = 3

// StartNodes starts a cluster of n servers on 127.0.0.1 and returns when they have
// elected a leader. Command makes the command that runs one: it has to call
// [RunNode] with the text, and to print its error.
func StartNodes(ctx context.Context, n int, command func(text string) *exec.Cmd) (nodes *Nodes, err error) {
	for range tries {
		if nodes, err = startNodes(ctx, n, command); err == nil || ctx.Err() != nil {
			break
		}
	}
	return nodes, err
}

func startNodes(ctx context.Context, n int, command func(string) *exec.Cmd) (*Nodes, error) {
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
	ports, err := freePorts(n)
	if err != nil {
		return err
	}
	token := rand.Text()
	var outputs []io.Reader
	for i, port := range ports {
		name := fmt.Sprint("node", i+1)
		text, _ := json.Marshal(node{name, token, filepath.Join(all.folder.Path, name), port, ports})
		out, err := all.startNode(command(string(text)))
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		outputs = append(outputs, out)
	}
	urls, err := all.readURLs(ctx, outputs)
	all.URL = strings.Join(urls, ",")
	return err
}

// readURLs reads the URLs that the nodes print when they are ready. The first that
// prints something else ends the others, which would wait for it for ever.
func (all *Nodes) readURLs(ctx context.Context, outputs []io.Reader) (urls []string, err error) {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	defer context.AfterFunc(ctx, all.Stop)()
	urls = make([]string, len(outputs))
	var reading sync.WaitGroup
	for i, out := range outputs {
		reading.Go(func() {
			line, err := bufio.NewReader(out).ReadString('\n')
			if err != nil || !strings.HasPrefix(line, scheme+"://") {
				fail(fmt.Errorf("node%d says %q", i+1, line))
			}
			urls[i] = strings.TrimSuffix(line, "\n")
		})
	}
	reading.Wait()
	return urls, context.Cause(ctx)
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

// freePorts finds ports that nobody listens on yet, for servers that have to know
// each other's before they start.
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

// RunNode is the process of a node that [StartNodes] has started. It returns when
// the context or stdin ends, or the server cannot run.
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
	s, err := server.NewServer(n.options())
	if err != nil {
		return err
	}
	failed := make(fatal, 1)
	s.SetLoggerV2(failed, false, false, false)
	s.Start()
	defer s.WaitForShutdown()
	defer s.Shutdown()
	for !joined(s, len(n.Peers)) {
		select {
		case <-time.After(20 * time.Millisecond): // the vote makes no event here
		case err := <-failed:
			return err
		case <-ctx.Done():
			return nil
		}
	}
	fmt.Println(address(scheme, url.User(n.Token), s.Addr().String()))
	<-ctx.Done()
	return nil
}

// options has the server choose the port for clients, which nobody needs to know
// before. The others' cluster ports each node has to know from the start: JetStream
// counts the routes to learn how many vote.
func (n node) options() *server.Options {
	var routes []*url.URL
	for _, port := range n.Peers {
		routes = append(routes, &url.URL{Scheme: scheme, User: url.UserPassword("node", n.Token), Host: fmt.Sprint("127.0.0.1:", port)})
	}
	return &server.Options{
		ServerName: n.Name, Host: "127.0.0.1", Port: server.RANDOM_PORT, Authorization: n.Token,
		JetStream: true, StoreDir: n.Folder, NoLog: true, NoSigs: true, Routes: routes,
		Cluster: server.ClusterOpts{Name: "manyhands", Host: "127.0.0.1", Port: n.ClusterPort, Username: "node", Password: n.Token},
	}
}

// fatal is a server's logger that keeps the first error which ends a server. One
// without a logger runs on: it listens on no port that is taken, and says nothing.
type fatal chan error

func (f fatal) Fatalf(format string, v ...any) {
	select {
	case f <- fmt.Errorf(format, v...):
	default:
	}
}

func (fatal) Errorf(string, ...any)  {}
func (fatal) Warnf(string, ...any)   {}
func (fatal) Noticef(string, ...any) {}
func (fatal) Debugf(string, ...any)  {}
func (fatal) Tracef(string, ...any)  {}

// joined reports whether a node listens, and leads a cluster of n, or follows.
func joined(s *server.Server, n int) bool {
	if s.Addr() == nil || s.ClusterAddr() == nil {
		return false
	}
	if s.JetStreamIsLeader() {
		return len(s.JetStreamClusterPeers()) == n
	}
	return s.JetStreamIsCurrent()
}
