package lab_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// A cable is the way from a browser to a server, which can be cut.
type cable struct {
	address string
	mu      sync.Mutex
	cut     bool
	conns   map[net.Conn]bool
}

func newCable(t *testing.T, server string) *cable {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{address: l.Addr().String(), conns: make(map[net.Conn]bool)}
	var running sync.WaitGroup
	t.Cleanup(func() {
		l.Close()
		c.set(true)
		running.Wait()
	})
	running.Go(func() {
		for {
			browser, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() { c.carry(browser, server) })
		}
	})
	return c
}

// carry carries one connection until an end closes it, or the cable is cut.
func (c *cable) carry(browser net.Conn, server string) {
	defer browser.Close()
	jupyter, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	defer jupyter.Close()
	c.mu.Lock()
	if c.cut {
		c.mu.Unlock()
		return
	}
	c.conns[browser], c.conns[jupyter] = true, true
	c.mu.Unlock()
	var both sync.WaitGroup
	for to, from := range map[net.Conn]net.Conn{browser: jupyter, jupyter: browser} {
		both.Go(func() {
			io.Copy(to, from)
			browser.Close()
			jupyter.Close()
		})
	}
	both.Wait()
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.conns, browser)
	delete(c.conns, jupyter)
}

// set cuts the cable, or mends it.
func (c *cable) set(cut bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = cut
	for conn := range c.conns {
		if cut {
			conn.Close()
		}
	}
}

// TestLostConnection has the connection between browser and server break while a
// cell runs: what the cell prints meanwhile comes when the connection is there again.
func TestLostConnection(t *testing.T) {
	s := arrive(t, map[string]string{"scratch.ipynb": blank(t, 1)})
	direct := s.server
	cable := newCable(t, strings.TrimSuffix(strings.TrimPrefix(s.server, "http://"), "/"))
	s.server, s.idle = "http://"+cable.address+"/", idleInLab
	s.Do(chromedp.Navigate(s.server + "lab?token=" + s.token))
	s.waitOpen()

	end := s.begin()
	cable.set(true)
	s.waitKernel(direct, func(k kernel) bool { return k.Connections == 0 }) // from then on the server keeps what the cell prints
	end(direct)
	s.Screenshot("connection cut")
	cable.set(false)
	s.Wait(2*time.Minute, `document.querySelectorAll(".jp-Cell")[0].textContent.includes("there\n")`)
	s.Screenshot("connection mended")
}

// TestClosedTab has a student close the page while a cell runs, and open it again,
// before the cell ends and afterwards. The kernel is the same, and goes on.
func TestClosedTab(t *testing.T) {
	s := sitDown(t, map[string]string{"scratch.ipynb": blank(t, 2)})
	for _, early := range []bool{true, false} {
		end := s.begin()
		s.save()
		s.Do(chromedp.Navigate("about:blank"))
		if !early {
			end(s.server)
		}
		s.Do(chromedp.Navigate(s.server + "lab?token=" + s.token))
		if early {
			s.Wait(3*time.Minute, `document.querySelectorAll(".jp-Notebook .jp-Cell").length > 0`)
			s.Screenshot("opened while the cell runs")
			end(s.server)
		}
		s.waitOpen()
		s.write(1, fmt.Sprintf("%%%%\nfmt.Println(6*7, %t)", early))
		s.run()
		s.Wait(time.Minute, fmt.Sprintf(`document.querySelectorAll(".jp-Cell")[1].querySelector(".jp-OutputArea")?.textContent.includes("42 %t")`, early))
		s.Screenshot("opened again")
	}
}

// begin has the first cell run until the returned function ends it, which waits for
// the only kernel that the server should have to have nothing to do.
func (s *student) begin() (end func(server string)) {
	s.t.Helper()
	again := filepath.Join(s.t.TempDir(), "again") // there as soon as the cell may end
	s.write(0, fmt.Sprintf(`import (
"fmt"
"os"
"time"
)

func main() {
fmt.Println("on my way")
for _, err := os.Stat(%[1]q); err != nil; _, err = os.Stat(%[1]q) {
time.Sleep(10 * time.Millisecond)
}
fmt.Println("there")
}`, again))
	s.run()
	s.Wait(time.Minute, `document.querySelectorAll(".jp-Cell")[0].textContent.includes("on my way\n")`)
	return func(server string) {
		s.t.Helper()
		if err := os.WriteFile(again, nil, 0o600); err != nil {
			s.t.Fatal(err)
		}
		s.waitKernel(server, func(k kernel) bool { return k.State == "idle" })
	}
}
