//go:build linux

package subnet_test

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"manyhands/helpers/subnet"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPlant(t *testing.T) {
	prefix := netip.MustParsePrefix("127.21.7.0/24")
	n, err := subnet.Plant(prefix, map[byte]subnet.Host{7: subnet.Greets("hello\n"), 8: subnet.Mute, 9: nil})
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	dial := func(last byte) (net.Conn, error) {
		return net.DialTimeout("tcp", n.Address(last).String(), 300*time.Millisecond)
	}
	for _, silent := range []byte{1, 6, 10, 254} {
		conn, err := dial(silent)
		if err == nil {
			conn.Close()
		}
		if timeout, ok := errors.AsType[net.Error](err); !ok || !timeout.Timeout() {
			t.Errorf("%v is not silent: %v", n.Address(silent), err)
		}
	}
	for _, refusing := range []byte{0, 9, 255} { // 0 and 255 are no hosts
		if _, err := dial(refusing); !errors.Is(err, syscall.ECONNREFUSED) && !errors.Is(err, syscall.EACCES) && !errors.Is(err, syscall.ENETUNREACH) {
			t.Errorf("%v does not refuse: %v", n.Address(refusing), err)
		}
	}
	greeting := make([]byte, 6)
	for range 3 { // more than one connection, at the same time
		conn, err := dial(7)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if _, err := io.ReadFull(conn, greeting); err != nil || string(greeting) != "hello\n" {
			t.Errorf("greeting %q, %v", greeting, err)
		}
	}
	conn, err := dial(8)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if n, err := conn.Read(greeting); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("the mute host said %q, %v", greeting[:n], err)
	}
	n.Close()
	for _, gone := range []byte{1, 7, 8} {
		if _, err := dial(gone); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%v after Close: %v", n.Address(gone), err)
		}
	}
}

func TestPlantRefuses(t *testing.T) {
	for _, prefix := range []string{"127.1.0.0/16", "10.0.0.0/24", "::1/128", "127.0.0.1/32"} {
		if n, err := subnet.Plant(netip.MustParsePrefix(prefix), nil); err == nil {
			n.Close()
			t.Errorf("planted in %s", prefix)
		}
	}
}
