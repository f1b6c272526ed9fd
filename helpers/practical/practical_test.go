package practical_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"manyhands/helpers/practical"
)

// A judge notes what it is told, as the grader's does.
type notes struct {
	messages map[string][]string
	passed   map[string]bool
	skip     string
}

func (n *notes) Begin(criterion string) bool { return !strings.HasSuffix(criterion, n.skip) }
func (n *notes) Limit() time.Duration        { return 2 * time.Second }
func (n *notes) End(criterion string, passed bool, messages []string) {
	name := criterion[strings.LastIndex(criterion, "/")+1:]
	n.passed[name], n.messages[name] = passed, messages
}

// anHour reports an error when an hour in a bubble is not one.
func anHour(t *practical.T) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
	defer cancel()
	<-ctx.Done()
	if passed := time.Since(began); passed != time.Hour {
		t.Errorf("%v passed", passed)
	}
}

func stuck() { make(chan int) <- 1 }

func many(t *practical.T) {
	for i := range 100 {
		t.Errorf("error %d", i)
	}
}

func divide(a, b int) int { return a / b }

func doze() { time.Sleep(20 * time.Millisecond) }

func leak() { go func() { <-make(chan int) }() }

// meets sees that calls wait at a lock, at a channel, and no longer.
func meets(t *practical.T) {
	var mu sync.Mutex
	gate := make(chan bool)
	mu.Lock()
	locked := t.Go(func() { mu.Lock(); defer mu.Unlock() })
	slow := t.Go(func() { time.Sleep(20 * time.Millisecond); <-gate })
	if !locked.Waits() || !slow.Waits() {
		t.Errorf("they do not wait")
	}
	sent := t.Go(func() { time.Sleep(300 * time.Millisecond); gate <- true }) // longer than being stuck takes
	if !slow.Returns() || !sent.Returns() || sent.Waits() {
		t.Errorf("they do not return")
	}
	mu.Unlock()
	if locked.Waits() && !locked.Returns() {
		t.Errorf("it is still locked")
	}
}

// polls sees that a call which asks again and again counts as one that waits.
func polls(t *practical.T) {
	var end atomic.Bool
	call := t.Go(func() {
		for !end.Load() {
			time.Sleep(100 * time.Microsecond)
		}
	})
	if !call.Waits() {
		t.Errorf("it does not wait")
	}
	end.Store(true)
	if !call.Returns() {
		t.Errorf("it does not return")
	}
}

func tidy() { go time.Sleep(20 * time.Millisecond) }

// TestCriteria runs the criteria in a program of their own, as half of them have
// to fail.
func TestCriteria(t *testing.T) {
	if os.Getenv("CRITERIA") == "" {
		cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCriteria$")
		cmd.Env = append(os.Environ(), "CRITERIA=1")
		out, err := cmd.CombinedOutput()
		if err == nil {
			t.Errorf("criteria that are not met let the test pass:\n%s", out)
		}
		if !strings.Contains(string(out), "criteria as they should be") {
			t.Errorf("%s", out)
		}
		return
	}
	// What a student may have written, by the name of the mistake; what is left
	// running comes last.
	work := []struct {
		name  string
		check func(t *practical.T)
	}{
		{"right", func(t *practical.T) {}},
		{"wrong", func(t *practical.T) {
			t.Errorf("%d is missing", 1)
			t.Errorf("%d is missing", 2)
			t.Errorf("%d is missing", 1)
		}},
		{"fatal", func(t *practical.T) { t.Fatalf("nothing is there"); t.Errorf("not reached") }},
		{"panics", func(t *practical.T) { t.Errorf("%d", divide(1, 0)) }},
		{"exits", func(t *practical.T) { runtime.Goexit() }},
		{"heeds", func(t *practical.T) { <-t.Context().Done(); t.Errorf("it took too long") }},
		{"many", func(t *practical.T) { many(t) }},
		{"serial", func(t *practical.T) { t.SpeedUp(1.5, doze, doze) }},
		{"faster", func(t *practical.T) { t.SpeedUp(1.5, func() { doze(); doze() }, doze) }},
		{"skipped", func(t *practical.T) { t.Errorf("it ran") }},
		{"hour", func(t *practical.T) { t.Bubble(func() { anHour(t) }) }},
		{"bubble panics", func(t *practical.T) { t.Bubble(func() { t.Errorf("%d", divide(1, 0)) }) }},
		{"bubble exits", func(t *practical.T) { t.Bubble(runtime.Goexit) }},
		{"tidy", func(t *practical.T) { tidy(); t.Leaks() }},
		{"bubble tidy", func(t *practical.T) { t.Bubble(func() { tidy(); t.Leaks() }) }},
		{"leaks", func(t *practical.T) { leak(); t.Leaks() }},
		{"bubble leaks", func(t *practical.T) { t.Bubble(func() { leak(); t.Leaks() }) }},
		{"bubble left", func(t *practical.T) { t.Bubble(leak) }},
		{"bubble fatal", func(t *practical.T) { t.Bubble(func() { leak(); t.Fatalf("gone") }); t.Errorf("not reached") }},
		{"meets", func(t *practical.T) { meets(t) }},
		{"polls", func(t *practical.T) { polls(t) }},
		{"call panics", func(t *practical.T) { t.Go(func() { t.Errorf("%d", divide(1, 0)) }).Returns() }},
		{"call stuck", func(t *practical.T) { t.Ends("stuck()", stuck) }},
		{"bubble stuck", func(t *practical.T) { t.Bubble(stuck); t.Errorf("not reached") }},
		{"hangs", func(t *practical.T) { <-make(chan int) }},
	}
	n := &notes{messages: map[string][]string{}, passed: map[string]bool{}, skip: "skipped"}
	practical.SetJudge(n)
	q := practical.Check(t)
	for _, w := range work {
		q.Criterion(w.name, 1, "it is "+w.name, w.check)
	}
	bad := false
	for name, want := range map[string]string{
		"right": "", "tidy": "", "faster": "", "hour": "", "meets": "", "polls": "", "bubble tidy": "", "bubble left": "",
		"bubble fatal":  "gone",
		"bubble panics": "panic: runtime error: integer divide by zero, in divide",
		"bubble exits":  "your code ended the goroutine that called it (runtime.Goexit)",
		"bubble leaks":  "1 of your goroutines still run after your function has returned\nchan receive in leak.func1",
		"bubble stuck":  "everything waits for what never comes\nchan send in stuck",
		"call panics":   "panic: runtime error: integer divide by zero, in divide",
		"call stuck":    "*stuck() does not return: it waits for what never comes",
		"wrong":         "1 is missing|2 is missing",
		"fatal":         "nothing is there",
		"panics":        "panic: runtime error: integer divide by zero, in divide",
		"exits":         "your code ended the goroutine that called it (runtime.Goexit)",
		"hangs":         "*not done after 2s: something waits for what never comes, or loops without end",
		"heeds":         "it took too long",
		"many":          "error 0|error 1|error 2|error 3|error 4",
		"leaks":         "1 of your goroutines still run after your function has returned\nchan receive in leak.func1",
		"serial":        "* times as fast as one after the other, where at least 1.5 times is possible",
	} {
		have := strings.Join(n.messages[name], "|")
		part, inside := strings.CutPrefix(want, "*")
		if have != want && !(inside && strings.Contains(have, part)) {
			fmt.Printf("%s: said %q, want %q\n", name, have, want)
			bad = true
		}
		if passed := n.passed[name]; passed != (want == "") {
			fmt.Printf("%s: passed is %v\n", name, passed)
			bad = true
		}
	}
	if _, ran := n.passed["skipped"]; ran {
		fmt.Println("a criterion ran that the judge did not want")
		bad = true
	}
	if !bad {
		fmt.Println("criteria as they should be")
	}
}

// TestInANotebook sees what is printed where there is no judge.
func TestInANotebook(t *testing.T) {
	if os.Getenv("NOTEBOOK") != "" {
		q := practical.Check(t)
		q.Criterion("all", 2, "all are there", func(*practical.T) {})
		q.Criterion("order", 3, "they are in order", func(t *practical.T) { t.Errorf("2 comes\nbefore 1") })
		q.Criterion("hangs", 1, "it ends", func(t *practical.T) { <-make(chan int) })
		q.Criterion("late", 1, "it is not tried", func(t *practical.T) { t.Errorf("it ran") })
		return
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestInANotebook$")
	cmd.Env = append(os.Environ(), "NOTEBOOK=1")
	out, err := cmd.CombinedOutput()
	if err == nil {
		t.Error("the cell does not fail")
	}
	for _, want := range []string{
		"✓ all are there (2)\n✗ they are in order (3)\n    2 comes\n    before 1\n",
		"✗ it ends (1)\n    not done after 1.5s",
		"✗ it is not tried (1)\n    not tried",
		"2 of 7 points here",
	} {
		if !strings.Contains(string(out), want) {
			t.Errorf("printed\n%s\nwant %q in it", out, want)
		}
	}
}
