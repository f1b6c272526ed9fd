package practical

import (
	"testing"
	"testing/synctest"
)

// Bubble runs check in a bubble of testing/synctest, where the clock stands still
// while any goroutine can run, and jumps when all of them wait. So an hour costs
// nothing, times can be compared to the nanosecond, and after a time.Sleep in check
// every goroutine is as far as it gets. When all wait and no clock wakes any of
// them, check ends with an error.
//
// What check waits for must be made in it: its contexts, for instance, of
// context.Background and not of [T.Context]. Waiting for a lock does not count as
// waiting. Goroutines that are left when check ends are stopped for good, without
// an error; [T.Leaks], at the end of check, reports them.
func (t *T) Bubble(check func()) {
	finished, over := false, false // it came to its end; it ended somehow
	var cause any
	var here string
	func() {
		defer func() {
			if deadlock := recover(); deadlock != nil && !over {
				cause = "everything waits for what never comes" + list(running(t.pkg, here))
			}
		}()
		synctest.Test(t.test, func(*testing.T) {
			ended := make(chan struct{})
			here = bubble()
			go t.guard(func() { check(); finished = true }, func(why any) {
				cause, over = why, true
				close(ended)
			})
			<-ended
		})
	}()
	if finished {
		return
	}
	if cause != nil {
		t.Errorf("%v", cause)
	}
	panic(fatal) // the criterion ends as well
}
