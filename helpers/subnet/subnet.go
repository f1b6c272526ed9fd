// Package subnet plants a network on this machine, for scanners to find their
// way in: addresses of the loopback network with servers, without, and with
// nobody at all.
//
//	network, err := subnet.Plant(netip.MustParsePrefix("127.11.0.0/24"), map[byte]subnet.Host{
//		22: subnet.Greets("SSH-2.0-OpenSSH_9.2\r\n"),
//		80: subnet.Mute,
//		99: nil, // refuses
//	}) // and all other addresses are silent
//	defer network.Close()
//
// Nothing is simulated. The servers are sockets; a host that refuses is an
// address on whose port nobody listens; and at a silent one a request for a
// connection is dropped by the operating system, as it is where there is no
// machine: the queue of connections to be accepted has room for one, and is
// full.
//
// Linux answers at all addresses of 127.0.0.0/8. Other systems know 127.0.0.1
// only; there, Plant says so.
package subnet

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// A Host serves a connection. A nil Host refuses all.
type Host func(net.Conn)

// Greets is a server that says a greeting and then listens.
func Greets(greeting string) Host {
	return func(conn net.Conn) {
		io.WriteString(conn, greeting)
		Mute(conn)
	}
}

// Mute is a server that accepts and never says a word.
func Mute(conn net.Conn) { io.Copy(io.Discard, conn) }

// A Network is a planted subnet.
type Network struct {
	Prefix netip.Prefix
	Port   uint16 // that all hosts serve, refuse or are silent at

	mu      sync.Mutex
	open    []io.Closer // listeners and connections
	closed  bool
	serving sync.WaitGroup
}

// Plant plants the hosts at the addresses prefix.1 to prefix.254, all at the
// same free port; addresses without an entry are silent. The prefix has to be a
// /24 of 127.0.0.0/8. A silent host takes two open files, a server one and one
// for each connection.
func Plant(prefix netip.Prefix, hosts map[byte]Host) (*Network, error) {
	if prefix.Bits() != 24 || !prefix.Addr().Is4() || !prefix.Addr().IsLoopback() {
		return nil, fmt.Errorf("subnet: %v is not a subnet like 127.11.0.0/24", prefix)
	}
	n := &Network{Prefix: prefix.Masked()}
	for last := byte(1); last < 255; last++ {
		host, ok := hosts[last]
		if ok && host == nil {
			continue
		}
		if err := n.plant(n.Address(last), host); err != nil {
			n.Close()
			return nil, fmt.Errorf("subnet: planting %v: %w", n.Address(last), err)
		}
	}
	return n, nil
}

// Address is the address and port of a host, by the last byte of it.
func (n *Network) Address(last byte) netip.AddrPort {
	a := n.Prefix.Addr().As4()
	a[3] = last
	return netip.AddrPortFrom(netip.AddrFrom4(a), n.Port)
}

// pause is how long a server that cannot accept a connection waits before it
// tries again, as net/http's do at first.
const pause = 5 * time.Millisecond

// plant plants a host; one that is nil is silent.
func (n *Network) plant(address netip.AddrPort, host Host) error {
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(address))
	if err != nil {
		return err
	}
	n.keep(l)
	n.Port = l.Addr().(*net.TCPAddr).AddrPort().Port()
	if host == nil {
		return n.silence(l)
	}
	n.serving.Go(func() {
		for {
			conn, err := l.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			} else if err != nil { // too many open files, say
				time.Sleep(pause)
				continue
			}
			n.serving.Go(func() {
				n.keep(conn)
				host(conn)
				conn.Close()
			})
		}
	})
	return nil
}

// silence has the operating system drop all further requests for a connection:
// it makes the queue of connections to be accepted as short as can be, and
// fills it.
func (n *Network) silence(l *net.TCPListener) error {
	raw, err := l.SyscallConn()
	if err != nil {
		return err
	}
	var short error
	if err := raw.Control(func(fd uintptr) { short = shorten(fd) }); err != nil || short != nil {
		return cmp.Or(err, short)
	}
	conn, err := net.Dial("tcp4", l.Addr().String())
	if err != nil {
		return err
	}
	n.keep(conn)
	return nil
}

// keep notes what to close in the end, or closes it now if that is over.
func (n *Network) keep(c io.Closer) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed {
		c.Close()
		return
	}
	n.open = append(n.open, c)
}

// Close takes the network away, and returns when nothing of it runs any more.
func (n *Network) Close() {
	n.mu.Lock()
	n.closed = true
	for _, c := range n.open {
		c.Close()
	}
	n.open = nil
	n.mu.Unlock()
	n.serving.Wait()
}
