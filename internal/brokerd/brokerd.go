// Package brokerd runs the brokers of lessons 12 and 13 within a Go program, so
// that the lessons need nothing installed: NATS with JetStream, which is the real
// server as a library, and miniredis, which speaks Redis's protocol and keeps
// everything in memory.
//
// They listen on 127.0.0.1 only, and ask for a password that their URL holds.
package brokerd

import (
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/nats-io/nats-server/v2/server"

	"manyhands/internal/tempdir"
)

// A Broker is one that runs.
type Broker struct {
	URL  string // with its password
	stop func()
}

// Stop ends the broker and removes what it has stored.
func (b *Broker) Stop() { b.stop() }

// Start starts a broker of a kind, "nats" or "redis", on a free port.
func Start(kind string) (*Broker, error) {
	switch kind {
	case "nats":
		return startNATS()
	case "redis":
		return startRedis()
	}
	return nil, fmt.Errorf("there is no broker %q: choose nats or redis", kind)
}

// readyLimit is how long the server may take to listen.
const readyLimit = 20 * time.Second

func startNATS() (*Broker, error) {
	folder, err := tempdir.Make("", "manyhands-nats-")
	if err != nil {
		return nil, err
	}
	token := rand.Text()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, Authorization: token,
		JetStream: true, StoreDir: folder.Path,
		NoLog: true, NoSigs: true,
	})
	if err != nil {
		folder.Remove()
		return nil, fmt.Errorf("nats: %w", err)
	}
	stop := func() {
		s.Shutdown()
		s.WaitForShutdown()
		folder.Remove()
	}
	s.Start()
	if !s.ReadyForConnections(readyLimit) {
		stop()
		return nil, errors.New("nats: the server does not listen")
	}
	return &Broker{address("nats", url.User(token), s.Addr().String()), stop}, nil
}

func startRedis() (*Broker, error) {
	s := miniredis.NewMiniRedis()
	password := rand.Text()
	s.RequireAuth(password)
	if err := s.StartAddr("127.0.0.1:0"); err != nil {
		return nil, fmt.Errorf("redis: %w", err)
	}
	// miniredis' clock stands still, so that nothing would ever expire
	tick, done := time.NewTicker(time.Second), make(chan struct{})
	go func() {
		for {
			select {
			case <-tick.C:
				s.FastForward(time.Second)
			case <-done:
				return
			}
		}
	}()
	stop := func() {
		tick.Stop()
		close(done)
		s.Close()
	}
	return &Broker{address("redis", url.UserPassword("", password), s.Addr()), stop}, nil
}

func address(scheme string, user *url.Userinfo, host string) string {
	return (&url.URL{Scheme: scheme, User: user, Host: host}).String()
}
