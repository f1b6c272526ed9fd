package kernel

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/go-zeromq/zmq4"
	"github.com/go-zeromq/zmq4/security/null"
)

// channel is one of the sockets between a client and a kernel.
type channel int

const (
	shell channel = iota
	control
	stdin
	iopub
	channels
)

// connection is the contents of a connection file:
// https://jupyter-client.readthedocs.io/en/latest/kernels.html#connection-files
type connection struct {
	Transport       string `json:"transport"`
	IP              string `json:"ip"`
	ShellPort       int    `json:"shell_port"`
	ControlPort     int    `json:"control_port"`
	StdinPort       int    `json:"stdin_port"`
	IOPubPort       int    `json:"iopub_port"`
	HBPort          int    `json:"hb_port"`
	Key             string `json:"key"`
	SignatureScheme string `json:"signature_scheme"`
}

// sendLimit is how long a kernel may leave a request unread.
const sendLimit = 10 * time.Second

// link is the connection to a kernel. It speaks ZMTP through zmq4's Conn
// rather than zmq4's sockets: those retry, queue and linger on their own,
// while here a read ends when the link closes, and a kernel that floods is
// slowed down by its own pipe instead of filling memory.
//
// The sockets are Unix sockets in the kernel's folder, so that no port can be
// taken and no other user of the machine can reach them.
type link struct {
	key      []byte
	session  string
	conns    [channels]*zmq4.Conn
	raw      [channels]net.Conn
	sending  [channels]sync.Mutex
	messages chan message // from all channels

	closed  chan struct{}
	readers sync.WaitGroup
}

// writeConnection writes the connection file into the kernel's folder and
// returns its path.
func (h *home) writeConnection() (string, error) {
	h.key = []byte(rand.Text())
	data, err := json.Marshal(connection{
		Transport: "ipc", IP: filepath.Join(h.dir, "z"), Key: string(h.key), SignatureScheme: "hmac-sha256",
		ShellPort: port(shell), ControlPort: port(control), StdinPort: port(stdin), IOPubPort: port(iopub),
		HBPort: port(channels),
	})
	if err != nil {
		return "", err
	}
	id := make([]byte, 8)
	rand.Read(id)
	path := filepath.Join(h.dir, "kernel-"+hex.EncodeToString(id)+".json") // kernels read their id from the name
	if err := os.WriteFile(path, data, 0o600); err != nil {
		return "", fmt.Errorf("write the connection file: %w", err)
	}
	return path, nil
}

// port numbers the Unix sockets; the protocol names them "ip-port".
func port(c channel) int { return int(c) + 1 }

func (h *home) socket(c channel) string {
	return fmt.Sprintf("%s-%d", filepath.Join(h.dir, "z"), port(c))
}

// dial connects to all channels, waiting for the kernel to open them.
func dial(ctx context.Context, h *home, p *process) (*link, error) {
	l := &link{
		key: h.key, session: rand.Text(),
		messages: make(chan message), closed: make(chan struct{}),
	}
	for c := range channels {
		if err := l.open(ctx, c, h.socket(c), p); err != nil {
			l.close()
			return nil, err
		}
	}
	if err := l.conns[iopub].SendMsg(zmq4.NewMsg([]byte{1})); err != nil { // subscribe to everything
		l.close()
		return nil, fmt.Errorf("subscribe to its output: %w", err)
	}
	for c := range channels {
		l.readers.Go(func() { l.read(c) })
	}
	return l, nil
}

// open connects one channel.
func (l *link) open(ctx context.Context, c channel, path string, p *process) error {
	conn, err := await(ctx, path, p)
	if err != nil {
		return err
	}
	l.raw[c] = conn
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	defer stop()
	kind := zmq4.Dealer
	if c == iopub {
		kind = zmq4.Sub
	}
	// One identity on all channels: by it the kernel finds the stdin of the
	// client whose request it runs.
	l.conns[c], err = zmq4.Open(conn, null.Security(), kind, zmq4.SocketIdentity(l.session), false, nil)
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// await dials the Unix socket at path until somebody listens there.
func await(ctx context.Context, path string, p *process) (net.Conn, error) {
	var dialer net.Dialer
	for {
		conn, err := dialer.DialContext(ctx, "unix", path)
		if err == nil {
			return conn, nil
		}
		select {
		case <-time.After(5 * time.Millisecond): // a Unix socket cannot be waited for
		case <-p.dead:
			return nil, p.death()
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// read passes on the messages of one channel until it ends.
func (l *link) read(c channel) {
	for {
		var m message
		frames, err := l.conns[c].RecvMsg()
		if err == nil {
			m, err = decode(l.key, frames.Frames)
		}
		m.channel, m.err = c, err
		select {
		case l.messages <- m:
		case <-l.closed:
			return
		}
		if err != nil {
			return
		}
	}
}

// request sends a request and returns its id, by which answers name it.
func (l *link) request(c channel, kind string, content any) (id string, err error) {
	frames, id, err := encode(l.key, l.session, kind, content)
	if err != nil {
		return "", err
	}
	l.sending[c].Lock()
	defer l.sending[c].Unlock()
	if err := l.raw[c].SetWriteDeadline(time.Now().Add(sendLimit)); err != nil {
		return "", fmt.Errorf("send a %s: %w", kind, err)
	}
	if err := l.conns[c].SendMsg(zmq4.NewMsgFrom(frames...)); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = fmt.Errorf("the kernel did not read it within %v", sendLimit)
		}
		return "", fmt.Errorf("send a %s: %w", kind, err)
	}
	return id, nil
}

// close ends the link; its readers are gone when it returns.
func (l *link) close() {
	close(l.closed)
	for _, conn := range l.raw {
		if conn != nil {
			conn.Close()
		}
	}
	l.readers.Wait()
}
