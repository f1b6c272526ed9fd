package practical

import (
	"runtime"
	"strings"
	"time"
)

// A Call is a call of the student's code that goes on beside the check. With it
// a check brings goroutines to the very place where a mistake shows, on a machine
// of any speed: start one call, see that it waits, start the next.
type Call struct {
	t         *T
	goroutine string        // its number, as a stack begins with it
	returned  chan struct{} // closed
}

// Go calls f in a goroutine of its own. That f panics is reported as an error.
func (t *T) Go(f func()) *Call {
	c := &Call{t: t, returned: make(chan struct{})}
	number := make(chan string)
	go t.guard(func() {
		own := make([]byte, 64)
		own = own[:runtime.Stack(own, false)]
		head, _, _ := strings.Cut(string(own), "[")
		number <- head
		f()
	}, func(cause any) {
		if cause != nil {
			t.Errorf("%v", cause)
		}
		close(c.returned)
	})
	c.goroutine = <-number
	return c
}

// Ends is [T.Go] for a call that has to return, named as in "Get(1)". When it
// waits for what never comes, that is reported and the check ends.
func (t *T) Ends(call string, f func()) {
	if !t.Go(f).Returns() {
		t.Fatalf("%s does not return: it waits for what never comes%s", call, list(running(t.pkg, "")))
	}
}

// looks is how often a call is looked at before it counts as one that waits, or
// that never returns. Not a time: on a busy machine, looking takes longer too.
const (
	looksAtPolling = 20
	looksAtStuck   = 100
)

// Waits waits until the call waits for another goroutine, by a lock, a channel or
// a condition, in its own code or in a function of the check, and returns true.
// When the call has returned it returns false. A call that goes on and on, asking
// again and again for what does not come, counts as one that waits.
func (c *Call) Waits() bool {
	for range looksAtPolling {
		select {
		case <-c.returned:
			return false
		case <-c.t.ctx.Done():
			return true
		case <-time.After(time.Millisecond):
		}
		for _, stack := range stacks() {
			if strings.HasPrefix(stack, c.goroutine) && waits(stack) {
				return true
			}
		}
	}
	return true
}

// Returns waits until the call has returned, and returns true. When that cannot
// be, as all goroutines of the student's code and of the check wait for each
// other, it returns false a fifth of a second later.
func (c *Call) Returns() bool {
	for look := 0; look < looksAtStuck; look++ {
		select {
		case <-c.returned:
			return true
		case <-c.t.ctx.Done():
			return false
		case <-time.After(2 * time.Millisecond):
		}
		for _, stack := range stacks() {
			if concerns(stack, c.t.pkg) && !waits(stack) {
				look = -1 // it may still wake the call
			}
		}
	}
	return false
}

// concerns tells whether a goroutine runs, or was started by, code of the
// student's or of the check.
func concerns(stack, pkg string) bool {
	for line := range strings.Lines(stack) {
		if strings.HasPrefix(strings.TrimPrefix(line, "created by "), pkg) {
			return true
		}
	}
	return false
}

// waits tells whether a goroutine can go on only when another one does
// something. One that sleeps goes on by itself.
func waits(stack string) bool {
	_, state, _ := strings.Cut(stack, "[")
	for _, reason := range []string{"chan ", "select", "sync.", "semacquire"} {
		if strings.HasPrefix(state, reason) {
			return true
		}
	}
	return false
}
