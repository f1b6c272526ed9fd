package server

import (
	"context"
	"math"
	"net"

	"golang.org/x/time/rate"
)

// shape returns a listener whose connections send no faster than the limits
// allow. Shaping the connection, not the answers, makes headers count and lets
// all requests of a kept-alive connection share its bucket.
func (l Limits) shape(inner net.Listener) net.Listener {
	if !l.shaped() {
		return inner
	}
	return &link{inner, bucket(l.Link), l.Connection}
}

func (l Limits) shaped() bool { return l.Link > 0 || l.Connection > 0 }

// bucket returns a token bucket, in bytes, which is full. It holds 10 ms: enough to make
// up for a timer or a core that comes late, too little to be seen.
func bucket(bytesPerSecond float64) *rate.Limiter {
	if bytesPerSecond == 0 {
		return rate.NewLimiter(rate.Inf, math.MaxInt)
	}
	return rate.NewLimiter(rate.Limit(bytesPerSecond), int(max(1, min(bytesPerSecond/100, 1<<30))))
}

type link struct {
	net.Listener
	bucket     *rate.Limiter // of all connections
	connection float64       // bytes/s of each
}

func (l *link) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.Background())
	return &conn{inner, ctx, cancel, l.bucket, bucket(l.connection)}, nil
}

// A conn is a connection whose Write takes its time.
type conn struct {
	net.Conn
	open      context.Context // until Close
	cancel    context.CancelFunc
	link, own *rate.Limiter
}

// Write sends p in pieces, each as soon as both buckets have the tokens for it.
// The bucket that is waited for first refills while the other is waited for, so the
// narrower of the two alone sets the pace.
func (c *conn) Write(p []byte) (sent int, err error) {
	piece := min(c.link.Burst(), c.own.Burst())
	for sent < len(p) {
		n := min(len(p)-sent, piece)
		for _, b := range []*rate.Limiter{c.own, c.link} {
			if err := b.WaitN(c.open, n); err != nil {
				return sent, net.ErrClosed
			}
		}
		n, err := c.Conn.Write(p[sent : sent+n])
		sent += n
		if err != nil {
			return sent, err
		}
	}
	return sent, nil
}

// Close also ends a Write that waits for tokens.
func (c *conn) Close() error {
	c.cancel()
	return c.Conn.Close()
}
