//go:build unix

package cluster

import (
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// Workers hear of results that have arrived when they are so many, or so many
// bytes.
const (
	manyReceipts  = 32
	largeReceipts = 256 << 10
)

// receipts tell workers that their results have arrived, several at a time: a
// message for each would cost as much as the result.
type receipts struct {
	nc   *nats.Conn
	wait time.Duration // how long a worker may be left without

	mu      sync.Mutex
	replies []string // subjects, which end in the number that the worker gave the result
	bytes   int
	timer   *time.Timer
}

// add notes that a result has arrived.
func (r *receipts) add(reply string, bytes int) {
	r.mu.Lock()
	r.replies = append(r.replies, reply)
	r.bytes += bytes
	n, full := len(r.replies), len(r.replies) >= manyReceipts || r.bytes >= largeReceipts
	if n == 1 && !full {
		r.timer = time.AfterFunc(r.wait, r.send)
	}
	r.mu.Unlock()
	if full {
		r.send()
	}
}

// send tells the workers.
func (r *receipts) send() {
	r.mu.Lock()
	replies := r.replies
	r.replies, r.bytes = nil, 0
	if r.timer != nil {
		r.timer.Stop()
	}
	r.mu.Unlock()
	numbers := make(map[string][]string) // by inbox
	for _, reply := range replies {
		dot := strings.LastIndexByte(reply, '.')
		numbers[reply[:dot]] = append(numbers[reply[:dot]], reply[dot+1:])
	}
	for inbox, list := range numbers {
		r.nc.Publish(inbox+".arrived", []byte(strings.Join(list, " ")))
	}
}
