// Package portscan finds the servers of a subnet: it asks every address for a
// connection to one port, and reads how whoever answers introduces itself.
//
//	scan := portscan.SSH
//	scan.Limit = 100
//	for host, err := range scan.Hosts(ctx, netip.MustParsePrefix("192.168.1.0/24")) {
//		…
//	}
//
// Most addresses of a subnet belong to nobody, and nobody does not answer. So a
// scan is nearly all waiting for time-outs, and as many of them may be waited
// for at once as there may be open sockets.
//
// Ask before you scan a network that is not yours: to its owner, it looks like
// the beginning of an attack.
package portscan

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"math"
	"net"
	"net/netip"
	"strings"
	"syscall"
	"time"

	"manyhands/helpers/stream"
)

// An Answer is what came of asking a host.
type Answer string

// Answers of hosts.
const (
	Found       Answer = "found"       // it accepts, and greets as wanted
	Open        Answer = "open"        // it accepts, but greets otherwise, or not in time
	Refused     Answer = "refused"     // it is there, but nobody serves this port
	Silent      Answer = "silent"      // no answer in time
	Unreachable Answer = "unreachable" // the network says that there is no way to it
)

// A Host is one address and its answer.
type Host struct {
	Address netip.AddrPort `json:"address"`
	Answer  Answer         `json:"answer"`
	Banner  string         `json:"banner,omitempty"` // the line it greeted with; the first, if none is as wanted
	Took    time.Duration  `json:"took_ns"`
}

// A Scan says what to ask the hosts for.
type Scan struct {
	Port     uint16
	Greeting string        // what a line of its greeting has to begin with; "" takes any host that accepts
	Timeout  time.Duration // for a host, connecting and greeting together: more than 0
	Limit    int           // hosts asked at once: 1 for one after another, 0 for no limit
}

// SSH looks for SSH servers, all addresses at once. They say "SSH-2.0-" and
// their software's name before anything is asked of them, in the first line or
// a later one (RFC 4253, section 4.2).
var SSH = Scan{Port: 22, Greeting: "SSH-", Timeout: 500 * time.Millisecond}

// maxGreeting is the most bytes of a greeting that are read.
const maxGreeting = 4096

// Hosts asks all hosts of the subnets and yields them as they answer, or as
// their time is up. The addresses of an IPv4 subnet that name the subnet itself
// and all of its hosts, its first and its last, are left out.
//
// An error means that a host could not be asked, for a reason that lies on this
// machine, such as too many open files: nothing is known of that Host but its
// Address. When ctx ends, its cause is the last error.
func (s Scan) Hosts(ctx context.Context, subnets ...netip.Prefix) iter.Seq2[Host, error] {
	return stream.Map(ctx, s.Limit, addresses(subnets), func(ctx context.Context, a netip.Addr) (Host, error) {
		return s.Ask(ctx, netip.AddrPortFrom(a, s.Port))
	})
}

// Ask asks one host. For the error see [Scan.Hosts].
func (s Scan) Ask(ctx context.Context, address netip.AddrPort) (Host, error) {
	if s.Timeout <= 0 {
		return Host{Address: address}, fmt.Errorf("portscan: a time-out of %v leaves a host no time to answer", s.Timeout)
	}
	start := time.Now()
	host := Host{Address: address}
	timed, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	conn, err := new(net.Dialer).DialContext(timed, "tcp", address.String())
	if err == nil {
		host.Answer, host.Banner = s.greet(timed, conn)
		conn.Close()
	} else if host.Answer = answer(err); host.Answer == "" || ctx.Err() != nil {
		return Host{Address: address}, err
	}
	host.Took = time.Since(start)
	return host, ctx.Err()
}

// answer is what a failed connection says of the host; "" if it says nothing.
func answer(err error) Answer {
	timeout, ok := errors.AsType[net.Error](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return Refused
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH),
		errors.Is(err, syscall.EHOSTDOWN): // macOS, of a neighbour that is not there
		return Unreachable
	case ok && timeout.Timeout():
		return Silent
	}
	return ""
}

// greet reads the greeting until a line is as wanted or ctx ends.
func (s Scan) greet(ctx context.Context, conn net.Conn) (Answer, string) {
	if s.Greeting == "" {
		return Found, ""
	}
	defer context.AfterFunc(ctx, func() { conn.SetReadDeadline(time.Unix(1, 0)) })()
	first := ""
	for lines := bufio.NewScanner(io.LimitReader(conn, maxGreeting)); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), s.Greeting) {
			return Found, lines.Text()
		}
		if first == "" {
			first = lines.Text()
		}
	}
	return Open, first
}

// addresses yields the addresses of all hosts of the subnets.
func addresses(subnets []netip.Prefix) iter.Seq[netip.Addr] {
	return func(yield func(netip.Addr) bool) {
		for _, subnet := range subnets {
			subnet = subnet.Masked()
			first, last := subnet.Addr(), false
			for a := first; !last; a = a.Next() {
				last = !subnet.Contains(a.Next())
				if (a == first || last) && named(subnet) {
					continue
				}
				if !yield(a) {
					return
				}
			}
		}
	}
}

// named reports whether the first and the last address of the subnet are no
// hosts' (RFC 1122, section 3.2.1.3; of two or fewer all are, RFC 3021).
func named(subnet netip.Prefix) bool { return subnet.Addr().Is4() && subnet.Bits() < 31 }

// Size is the number of hosts that a scan of the subnet asks, [math.MaxInt] if
// they are more than that.
func Size(subnet netip.Prefix) int {
	bits := subnet.Addr().BitLen() - subnet.Bits()
	switch {
	case bits >= 63:
		return math.MaxInt
	case named(subnet):
		return 1<<bits - 2
	}
	return 1 << bits
}
