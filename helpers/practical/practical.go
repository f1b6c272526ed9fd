// Package practical is what the checks of the practicals are written with: a
// question has criteria, a criterion has points, and what is missing is said in
// plain words. The same checks run in the notebook, for instant feedback, and
// in the grader, for points.
//
//	%test -test.run=TestPool
//	func TestPool(t *testing.T) {
//		q := practical.Check(t)
//		q.Criterion("all", 2, "every task runs once", func(t *practical.T) {
//			var ran atomic.Int32
//			Pool(3, 10, func(int) { ran.Add(1) })
//			if ran.Load() != 10 {
//				t.Errorf("of 10 tasks, %d ran", ran.Load())
//			}
//		})
//	}
package practical

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// Limit is how long a criterion may take in a notebook, where people wait for it.
// What takes longer waits for something that never comes: no check needs a
// second. The criteria behind such a one are not tried.
const Limit = 1500 * time.Millisecond

// A Judge decides which criteria run, and is told how they ended. The grader
// has one; in a notebook there is none, and the outcome is printed.
type Judge interface {
	// Begin says that a criterion, named "Test…/name", is next; it does not run on false.
	Begin(criterion string) bool
	// End says how the criterion ended: passed, or why not.
	End(criterion string, passed bool, messages []string)
	// Limit is how long a criterion may take.
	Limit() time.Duration
}

var judge Judge

// SetJudge hands all later checks to a judge.
func SetJudge(j Judge) { judge = j }

// A Question is a set of criteria; make one with [Check].
type Question struct {
	t             *testing.T
	points, worth int
	hung          bool // a criterion of this question took all its time
}

// Check starts the checks of a question, as the first line of a test. In a
// notebook the points that the visible criteria would bring are printed when
// the test ends.
func Check(t *testing.T) *Question {
	q := &Question{t: t}
	if judge == nil {
		t.Cleanup(func() { fmt.Printf("%d of %d points here; grading looks at more\n", q.points, q.worth) })
	}
	return q
}

// Criterion runs one check, worth some points: all of them if it reports no
// error, none otherwise. What completes the sentence "your answer is right
// if …" and is what the student reads, in the notebook as in the feedback. Name
// (a word), points and what must be literals: the grader reads them from the
// source.
func (q *Question) Criterion(name string, points int, what string, check func(*T)) {
	limit := Limit
	if judge != nil {
		if !judge.Begin(q.t.Name() + "/" + name) {
			return
		}
		limit = judge.Limit()
	}
	var messages []string
	passed := q.t.Run(name, func(t *testing.T) {
		if judge == nil && q.hung {
			messages = []string{"not tried, as one before was not done in time"}
			t.Fail()
			return
		}
		started := time.Now()
		messages = run(t, limit, check)
		q.hung = q.hung || time.Since(started) >= limit
	})
	if judge != nil {
		judge.End(q.t.Name()+"/"+name, passed, messages)
		return
	}
	q.worth += points
	mark := "✗"
	if passed {
		q.points += points
		mark = "✓"
	}
	fmt.Printf("%s %s (%d)\n", mark, what, points)
	for _, m := range messages {
		fmt.Println("    " + strings.ReplaceAll(m, "\n", "\n    "))
	}
}

// Speed is [Question.Criterion] for a check that compares times, most often by
// [T.SpeedUp]. Before points are lost the grader measures again, in the end while
// it runs nothing else.
func (q *Question) Speed(name string, points int, what string, check func(*T)) {
	q.Criterion(name, points, what, check)
}

// T is what a check reports to.
type T struct {
	test *testing.T
	ctx  context.Context
	pkg  string // import path of the code under check, with a dot behind

	mu       sync.Mutex
	messages []string // what is missing; guarded by mu
	closed   bool     // the criterion is over; guarded by mu
}

// run runs one check in a goroutine of its own, so that one that hangs can be
// left behind, and returns what it reported.
func run(t *testing.T, limit time.Duration, check func(*T)) []string {
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	c := &T{test: t, ctx: ctx, pkg: packageOf(check)}
	done := make(chan any, 1)
	go c.guard(func() { check(c) }, func(cause any) { done <- cause })
	select {
	case cause := <-done:
		if cause != nil {
			c.Errorf("%v", cause)
		}
	case <-time.After(limit + limit/10): // a check that heeds its context ends by itself
		c.Errorf("not done after %v: something waits for what never comes, or loops without end%s", limit, list(running(c.pkg, "")))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
	if len(c.messages) > 0 {
		t.Fail()
	}
	return c.messages
}

// guard calls check and then end, with the reason, in words, if check did not come
// to its end: nil if it did, or if it ended by Fatalf.
func (t *T) guard(check func(), end func(cause any)) {
	finished := false
	defer func() {
		cause := recover()
		switch {
		case cause == fatal:
			cause = nil
		case cause != nil:
			cause = fmt.Sprintf("panic: %v%s", cause, panicked(t.pkg))
		case !finished:
			cause = "your code ended the goroutine that called it (runtime.Goexit)"
		}
		end(cause)
	}()
	check()
	finished = true
}

// most is the number of messages that are kept of one criterion: the first say
// enough.
const most = 5

// Errorf says what is missing, in words for the student. The check goes on.
func (t *T) Errorf(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.closed || len(t.messages) == most {
		return
	}
	m := []rune(fmt.Sprintf(format, args...))
	if len(m) > 1000 {
		m = append(m[:1000], '…')
	}
	if !slices.Contains(t.messages, string(m)) { // twice says no more than once
		t.messages = append(t.messages, string(m))
	}
}

// Fatalf says what is missing and ends the check, whose goroutine must call it.
func (t *T) Fatalf(format string, args ...any) {
	t.Errorf(format, args...)
	panic(fatal)
}

// fatal is what Fatalf panics with.
var fatal = new(int)

// Context ends when the time of the criterion is over.
func (t *T) Context() context.Context { return t.ctx }

// Leaks reports an error when goroutines that run code of the student's are
// still there: it waits up to half a second for those that are about to end.
// Goroutines of the check itself must have ended.
func (t *T) Leaks() {
	const patience = 500 * time.Millisecond
	for waited, pause := time.Duration(0), time.Millisecond; ; waited, pause = waited+pause, 2*pause {
		left := t.left()
		if len(left) == 0 {
			return
		}
		if waited >= patience {
			t.Errorf("%d of your goroutines still run after your function has returned%s", len(left), list(left))
			return
		}
		time.Sleep(pause) // ever longer, as looking stops the whole program
	}
}

// left returns those that are there now, in the caller's bubble or outside of all.
// In a bubble they have to be at rest: one that helps the garbage collector is, for
// that moment, in none.
func (t *T) left() []string {
	where := bubble()
	if where != outside {
		synctest.Wait()
	}
	return running(t.pkg, where)
}
