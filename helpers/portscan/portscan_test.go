//go:build linux

package portscan_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"manyhands/helpers/portscan"
	"manyhands/helpers/subnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const openSSH = "SSH-2.0-OpenSSH_9.2"

// plant plants one host of every kind; all others are silent.
func plant(tb testing.TB) *subnet.Network {
	tb.Helper()
	n, err := subnet.Plant(netip.MustParsePrefix("127.22.1.0/24"), map[byte]subnet.Host{
		10: subnet.Greets(openSSH + "\r\n"),
		11: subnet.Greets("Authorised use only.\r\nSSH-2.0-dropbear\r\n"),
		12: subnet.Greets("220 mail ESMTP\r\n"),
		13: subnet.Mute,
		14: nil,
		15: func(conn net.Conn) {}, // hangs up at once
		16: subnet.Greets(strings.Repeat("x", 1<<20)),
		17: subnet.Greets("SSH-2.0-without a line's end"),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(n.Close)
	return n
}

func TestHosts(t *testing.T) {
	n := plant(t)
	want := map[byte]portscan.Host{
		10: {Answer: portscan.Found, Banner: openSSH},
		11: {Answer: portscan.Found, Banner: "SSH-2.0-dropbear"},
		12: {Answer: portscan.Open, Banner: "220 mail ESMTP"},
		13: {Answer: portscan.Open},
		14: {Answer: portscan.Refused},
		15: {Answer: portscan.Open},
		16: {Answer: portscan.Open, Banner: strings.Repeat("x", 4096)},
		17: {Answer: portscan.Found, Banner: "SSH-2.0-without a line's end"},
	}
	for _, limit := range []int{0, 1, 100} {
		prefix, timeout := n.Prefix, time.Second
		if limit == 1 {
			timeout /= 2
			prefix = netip.PrefixFrom(n.Address(8).Addr(), 28) // 2 to 14 of the 16
		}
		scan := portscan.SSH
		scan.Port, scan.Limit, scan.Timeout = n.Port, limit, timeout
		seen := make(map[byte]bool)
		for host, err := range scan.Hosts(t.Context(), prefix) {
			if err != nil {
				t.Fatal(err)
			}
			last := host.Address.Addr().As4()[3]
			expected, ok := want[last]
			if !ok {
				expected.Answer = portscan.Silent
			}
			expected.Address = n.Address(last)
			waiting := expected.Answer == portscan.Silent || slices.Contains([]byte{12, 13, 17}, last)
			if slow := host.Took >= scan.Timeout; slow != waiting {
				t.Errorf("limit %d: %v took %v", limit, host.Address, host.Took)
			}
			host.Took = 0
			if host != expected {
				t.Errorf("limit %d: %+v instead of %+v", limit, host, expected)
			}
			if seen[last] {
				t.Errorf("limit %d: %v asked twice", limit, host.Address)
			}
			seen[last] = true
		}
		if len(seen) != portscan.Size(prefix) {
			t.Errorf("limit %d: %d hosts asked, not %d", limit, len(seen), portscan.Size(prefix))
		}
	}
}

// TestHostsAnyServer takes every server without waiting for its greeting.
func TestHostsAnyServer(t *testing.T) {
	n := plant(t)
	scan := portscan.Scan{Port: n.Port, Timeout: time.Second}
	var found []byte
	for host, err := range scan.Hosts(t.Context(), n.Prefix) {
		if err != nil {
			t.Fatal(err)
		}
		if host.Answer == portscan.Found {
			found = append(found, host.Address.Addr().As4()[3])
		}
	}
	slices.Sort(found)
	if want := []byte{10, 11, 12, 13, 15, 16, 17}; !slices.Equal(found, want) {
		t.Errorf("found %v instead of %v", found, want)
	}
}

// TestHostsCancelled calls off a scan that would take hours as soon as it has
// found something.
func TestHostsCancelled(t *testing.T) {
	n := plant(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	scan := portscan.Scan{Port: n.Port, Greeting: "SSH-", Timeout: time.Hour}
	enough := errors.New("enough")
	var last error
	for host, err := range scan.Hosts(ctx, n.Prefix) {
		if host.Answer == portscan.Found {
			cancel(enough)
		}
		last = err
	}
	if last != enough {
		t.Errorf("the last error is %v", last)
	}
	for range scan.Hosts(t.Context(), n.Prefix) {
		break // and goleak sees that nothing is left
	}
}

// TestHostsTooManyFiles sees that a host that could not be asked is not called
// silent.
func TestHostsTooManyFiles(t *testing.T) {
	n := plant(t)
	var was syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &was); err != nil {
		t.Fatal(err)
	}
	few := was
	few.Cur = 520 // most of them are the network's
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &few); err != nil {
		t.Fatal(err)
	}
	defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &was)
	scan := portscan.Scan{Port: n.Port, Timeout: 250 * time.Millisecond}
	failed := 0
	for host, err := range scan.Hosts(t.Context(), n.Prefix) {
		if err == nil {
			continue
		}
		failed++
		if !errors.Is(err, syscall.EMFILE) || host.Answer != "" || !host.Address.IsValid() {
			t.Errorf("%+v: %v", host, err)
		}
	}
	if failed == 0 {
		t.Error("254 sockets in 520 files, of which the network has 500")
	}
}

// TestAskHangsUp sees that no connection is left open.
func TestAskHangsUp(t *testing.T) {
	over := make(chan error)
	n, err := subnet.Plant(netip.MustParsePrefix("127.22.3.0/24"), map[byte]subnet.Host{
		1: func(conn net.Conn) {
			_, err := io.Copy(io.Discard, conn)
			over <- err
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	if host, err := (portscan.Scan{Timeout: time.Minute}).Ask(t.Context(), n.Address(1)); err != nil || host.Answer != portscan.Found {
		t.Errorf("%+v, %v", host, err)
	}
	if err := <-over; err != nil {
		t.Error(err)
	}
}

func TestAskUnreachable(t *testing.T) {
	scan := portscan.Scan{Timeout: time.Second}
	host, err := scan.Ask(t.Context(), netip.MustParseAddrPort("[100::1]:22")) // a discard prefix, RFC 6666
	if err != nil || host.Answer != portscan.Unreachable && host.Answer != portscan.Silent {
		t.Errorf("%+v, %v", host, err)
	}
}

// TestNoTime gives a host no time at all, which says nothing about the host.
func TestNoTime(t *testing.T) {
	if host, err := (portscan.Scan{}).Ask(t.Context(), netip.MustParseAddrPort("127.0.0.1:22")); err == nil || host.Answer != "" {
		t.Errorf("%+v, %v", host, err)
	}
}

func TestAnswerOf(t *testing.T) {
	for errno, want := range map[syscall.Errno]portscan.Answer{
		syscall.ECONNREFUSED: portscan.Refused, syscall.EHOSTUNREACH: portscan.Unreachable,
		syscall.ENETUNREACH: portscan.Unreachable, syscall.EHOSTDOWN: portscan.Unreachable,
		syscall.ETIMEDOUT: portscan.Silent, syscall.EMFILE: "",
	} {
		err := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", errno)}
		if got := portscan.AnswerOf(err); got != want {
			t.Errorf("%v: %q instead of %q", errno, got, want)
		}
	}
}

func TestSize(t *testing.T) {
	tests := map[string]int{
		"10.0.0.0/24": 254, "10.0.0.0/30": 2, "10.0.0.0/31": 2, "10.0.0.1/32": 1, "0.0.0.0/0": 1<<32 - 2,
		"::1/128": 1, "fe80::/120": 256, "fe80::/64": math.MaxInt,
	}
	for prefix, want := range tests {
		if got := portscan.Size(netip.MustParsePrefix(prefix)); got != want {
			t.Errorf("%s: %d instead of %d", prefix, got, want)
		}
	}
}

func ExampleScan_Hosts() {
	n, err := subnet.Plant(netip.MustParsePrefix("127.22.2.0/24"), map[byte]subnet.Host{
		42: subnet.Greets("SSH-2.0-OpenSSH_9.2\r\n"),
	})
	if err != nil {
		panic(err)
	}
	defer n.Close()
	scan := portscan.SSH
	scan.Port = n.Port
	for host, err := range scan.Hosts(context.Background(), n.Prefix) {
		if err != nil {
			panic(err)
		}
		if host.Answer == portscan.Found {
			fmt.Println(host.Address.Addr(), host.Banner)
		}
	}
	// Output: 127.22.2.42 SSH-2.0-OpenSSH_9.2
}
