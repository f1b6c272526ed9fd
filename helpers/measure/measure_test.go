package measure_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/exec"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"manyhands/helpers/measure"
)

func TestMain(m *testing.M) {
	if os.Getenv("MEASURE_TEST_BURN") != "" { // the child of TestCPUTime
		burn()
		return
	}
	goleak.VerifyTestMain(m)
}

// sleep is a case of exact duration within a synctest bubble.
func sleep(d time.Duration) func() { return func() { time.Sleep(d) } }

// seconds returns n times value.
func seconds(n int, value float64) []float64 { return slices.Repeat([]float64{value}, n) }

func TestTable(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, err := measure.Plan{Budget: time.Hour}.Run(t.Context(),
			measure.Case("in a\nrow", sleep(5*time.Second)),
			measure.Case("at once", sleep(time.Second)),
			measure.Case("again", sleep(5*time.Second)),
			measure.Samples("Python, 3×", 2, 2, 2),
		)
		if err != nil {
			t.Fatal(err)
		}
		for i := range c.Results { // which no fake clock rules
			if c.Results[i].CPU != nil {
				c.Results[i].CPU = seconds(10, 2.5)
			}
		}
		const want = `
            median      ±  CPU time  cores busy  speed-up
in a row    5.00 s  0.0 %    2.50 s        0.50
at once     1.00 s  0.0 %    2.50 s        2.50  5.00× (5.00× to 5.00×)
again       5.00 s  0.0 %    2.50 s        0.50  1.00× (cannot be told apart)
Python, 3×  2.00 s      ?         ?           ?  2.50× (2.50× to 2.50×)
Medians of 10 rounds; ± and “to” bound 95 % intervals, for which ± needs 6 rounds.
`
		if got := "\n" + c.String(); got != want {
			t.Errorf("got%s\nwant%s", got, want)
		}
	})
}

func TestUnits(t *testing.T) {
	for _, test := range []struct {
		a, b float64
		want []string
	}{
		{1.5, 0.2, []string{"1500 ms", "200 ms"}},
		{90, 600, []string{"90.0 s", "600 s"}},
		{2e-6, 1.25e-3, []string{"2.00 µs", "1250 µs"}},
		{3.1e-10, 4e-9, []string{"0.310 ns", "4.00 ns"}},
		{3e-9, 1.5, []string{"3.00 ns", "1.50 s"}},
	} {
		table := measure.Compare(measure.Samples("a", test.a), measure.Samples("b", test.b)).String()
		for _, want := range test.want {
			if !strings.Contains(table, "  "+want) {
				t.Errorf("%v and %v: no %q in\n%s", test.a, test.b, want, table)
			}
		}
	}
	if s := (measure.Comparison{}).String(); s != "Nothing was measured.\n" {
		t.Errorf("the zero Comparison is %q", s)
	}
}

// TestRounds checks that after the warm-up every round runs every case once,
// in an order that is not always the same.
func TestRounds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, cold := range []bool{false, true} {
			const rounds = 30
			var ran strings.Builder
			note := func(name string) measure.Alternative {
				return measure.Case(name, func() { ran.WriteString(name); time.Sleep(time.Second) })
			}
			c, err := measure.Plan{Repeats: rounds, Budget: time.Hour, Cold: cold}.Run(t.Context(), note("A"), note("B"), note("C"))
			if err != nil || c.Rounds != rounds {
				t.Fatal(c.Rounds, err)
			}
			order := ran.String()
			if !cold {
				order = strings.TrimPrefix(order, "ABC")
			}
			if len(order) != 3*rounds {
				t.Fatalf("cold %v: ran %s", cold, ran.String())
			}
			different := map[string]bool{}
			for round := range slices.Chunk([]byte(order), 3) {
				different[string(round)] = true
				slices.Sort(round)
				if string(round) != "ABC" {
					t.Errorf("a round of %s in %s", round, order)
				}
			}
			if len(different) < 2 { // once in 6²⁹ times by chance
				t.Errorf("always the same order: %s", order)
			}
		}
	})
}

func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, test := range []struct {
			plan   measure.Plan
			rounds int
		}{
			{measure.Plan{}, 5},                              // a warm-up and 5 rounds of 3 s in 20 s
			{measure.Plan{Cold: true}, 6},                    // 6 rounds of 3 s
			{measure.Plan{Budget: time.Hour}, 10},            // all
			{measure.Plan{Repeats: 1}, 1},                    // no more than wanted
			{measure.Plan{Budget: time.Nanosecond}, 1},       // one at least
			{measure.Plan{Budget: 9 * time.Second}, 2},       // exactly
			{measure.Plan{Budget: 9*time.Second - 1}, 1},     // not quite
			{measure.Plan{Repeats: 7, Budget: time.Hour}, 7}, // all
		} {
			start := time.Now()
			c, err := test.plan.Run(t.Context(), measure.Case("a", sleep(time.Second)), measure.Case("b", sleep(2*time.Second)))
			if err != nil || c.Rounds != test.rounds || len(c.Results[0].Wall) != test.rounds || len(c.Results[1].CPU) != test.rounds {
				t.Errorf("%+v: %d rounds, want %d; %v", test.plan, c.Rounds, test.rounds, err)
			}
			if took := time.Since(start); took > test.plan.Budget && test.rounds > 1 && test.plan.Budget > 0 {
				t.Errorf("%+v: took %v", test.plan, took)
			}
			if c.Rounds < c.Wanted && !strings.Contains(c.String(), fmt.Sprintf("of the %d wanted", c.Wanted)) {
				t.Errorf("%+v: the table does not say so:\n%s", test.plan, c)
			}
		}
	})
}

func TestBadInput(t *testing.T) {
	nothing := measure.Case("ok", func() {})
	nan := math.NaN()
	for _, test := range []struct {
		plan  measure.Plan
		cases []measure.Alternative
		want  string
	}{
		{measure.Plan{}, nil, "nothing to compare"},
		{measure.Plan{Repeats: -1}, []measure.Alternative{nothing}, "negative"},
		{measure.Plan{Budget: -1}, []measure.Alternative{nothing}, "negative"},
		{measure.Plan{Limit: -1}, []measure.Alternative{nothing}, "negative"},
		{measure.Plan{}, []measure.Alternative{nothing, {}}, "case 2 has no name"},
		{measure.Plan{}, []measure.Alternative{nothing, nothing}, `two cases are named "ok"`},
		{measure.Plan{}, []measure.Alternative{measure.Case("bad", (func())(nil))}, `"bad": the function is nil`},
		{measure.Plan{}, []measure.Alternative{measure.Case("bad", (func() error)(nil))}, `"bad": the function is nil`},
		{measure.Plan{}, []measure.Alternative{measure.Case("bad", (func(context.Context) error)(nil))}, `"bad": the function is nil`},
		{measure.Plan{}, []measure.Alternative{measure.Samples("bad")}, `"bad": 0 samples`},
		{measure.Plan{}, []measure.Alternative{measure.Samples("bad", seconds(2001, 1)...)}, `"bad": 2001 samples`},
		{measure.Plan{}, []measure.Alternative{measure.Samples("bad", 1, nan)}, `"bad": sample 2 is NaN`},
		{measure.Plan{}, []measure.Alternative{measure.Samples("bad", -1, 1)}, `"bad": sample 1 is -1`},
		{measure.Plan{}, []measure.Alternative{measure.Samples("bad", 0)}, `"bad": sample 1 is 0`},
		{measure.Plan{}, []measure.Alternative{measure.Samples("bad", math.Inf(1))}, `"bad": sample 1 is +Inf`},
	} {
		_, err := test.plan.Run(t.Context(), test.cases...)
		if err == nil || !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "measure: ") {
			t.Errorf("got %v, want %q", err, test.want)
		}
	}
}

func TestFailingCase(t *testing.T) {
	_, thisFile, _, _ := runtime.Caller(0)
	broken := errors.New("broken pipe")
	for _, test := range []struct {
		name string
		bad  measure.Alternative
		want string
	}{
		{"panic", measure.Case("bad", func() { panic("boom") }), "measure: case \"bad\": panic: boom\n\t" + thisFile + ":"},
		{"runtime error", measure.Case("bad", func() { measure.Keep(os.Args[len(os.Args)]) }), "index out of range"},
		{"nil panic", measure.Case("bad", func() { panic(nil) }), "panic called with nil argument"},
		{"Goexit", measure.Case("bad", func() { runtime.Goexit() }), "runtime.Goexit"},
		{"error", measure.Case("bad", func() error { return broken }), "broken pipe"},
	} {
		t.Run(test.name, func(t *testing.T) {
			c, err := measure.Plan{}.Run(t.Context(), measure.Case("good", func() {}), test.bad)
			if err == nil || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), `case "bad"`) {
				t.Errorf("got %v, want %q", err, test.want)
			}
			if errors.Is(err, broken) != (test.name == "error") {
				t.Errorf("%v does not wrap the case's own error", err)
			}
			if c.Rounds != 0 {
				t.Errorf("%d rounds", c.Rounds)
			}
		})
	}
	t.Run("Compare panics", func(t *testing.T) {
		defer func() {
			if err, _ := recover().(error); !errors.Is(err, broken) {
				t.Errorf("recovered %v", err)
			}
		}()
		measure.Compare(measure.Case("bad", func() error { return broken }))
	})
}

// TestEndlessCase checks both ways out: the limit for a case that never
// returns, and the context for one that heeds it.
func TestEndlessCase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		defer close(release)
		start := time.Now()
		_, err := measure.Plan{Limit: 3 * time.Second}.Run(t.Context(), measure.Case("endless", func() { <-release }))
		if err == nil || !strings.Contains(err.Error(), `case "endless": still running after the limit of 3s`) {
			t.Error(err)
		}
		if took := time.Since(start); took != 3*time.Second {
			t.Errorf("took %v", took)
		}
		_, err = measure.Plan{Limit: 3 * time.Second}.Run(t.Context(), measure.Case("heeds", func(ctx context.Context) error {
			<-ctx.Done()
			return context.Cause(ctx)
		}))
		if err == nil || !strings.Contains(err.Error(), "limit of 3s") {
			t.Error(err)
		}
	})
}

func TestCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		interrupted := errors.New("interrupted")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(3500*time.Millisecond, func() { cancel(interrupted) })
		c, err := measure.Plan{}.Run(ctx, measure.Case("a", sleep(time.Second)))
		if !errors.Is(err, interrupted) {
			t.Error(err)
		}
		if c.Rounds != 2 || len(c.Results[0].Wall) != 2 {
			t.Errorf("%d rounds kept, want the 2 whole ones after the warm-up: %+v", c.Rounds, c)
		}
		time.Sleep(time.Second) // the case, which does not heed its context, ends
	})
}

// burn keeps one core busy for 30 ms of CPU time.
func burn() {
	cpu := func() int64 {
		var u syscall.Rusage
		if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
			panic(err)
		}
		return u.Utime.Nano() + u.Stime.Nano()
	}
	for start := cpu(); cpu()-start < 30e6; {
	}
}

func TestCPUTime(t *testing.T) {
	c, err := measure.Plan{Repeats: 3}.Run(t.Context(),
		measure.Case("burn", burn),
		measure.Case("burn in a child process", func(ctx context.Context) error {
			child := exec.CommandContext(ctx, os.Args[0])
			child.Env = append(os.Environ(), "MEASURE_TEST_BURN=1", "GORACE=atexit_sleep_ms=0")
			return child.Run()
		}),
		measure.Case("wait", sleep(50*time.Millisecond)))
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range c.Results[:2] {
		if cpu := r.MedianCPU().Value; cpu < 0.030 {
			t.Errorf("%s: CPU time %v s, want 0.030 at least", r.Name, cpu)
		}
	}
	if wait := c.Results[2]; wait.Busy().Value > 0.5 {
		t.Errorf("waiting keeps %v cores busy", wait.Busy().Value)
	}
}

func TestFastCase(t *testing.T) {
	calls := 0
	c, err := measure.Plan{Repeats: 6}.Run(t.Context(), measure.Case("count", func() { calls++ }))
	if err != nil {
		t.Fatal(err)
	}
	r := c.Results[0]
	if r.Calls < 1000 || calls < 6*r.Calls {
		t.Errorf("%d calls a repeat, %d in all", r.Calls, calls)
	}
	if m := r.Median(); !m.Known || m.Lo <= 0 || m.Value > 1e-5 {
		t.Errorf("an increment takes %+v s", m)
	}
}

// TestSlowFirstCall warms up what has to be set up first: only what comes after counts.
func TestSlowFirstCall(t *testing.T) {
	var once sync.Once
	r := measure.Plan{Repeats: 6}.Compare(measure.Case("quick", func() {
		once.Do(func() { time.Sleep(15 * time.Millisecond) })
	})).Results[0]
	if r.Calls < 100 || r.Median().Value > 1e-6 {
		t.Errorf("%d calls a repeat, %v s each", r.Calls, r.Median().Value)
	}
}

func TestJSON(t *testing.T) {
	c := measure.Plan{Repeats: 2}.Compare(measure.Case("a", func() {}), measure.Samples("b", 1, 2))
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	var back measure.Comparison
	if err := json.Unmarshal(text, &back); err != nil || !reflect.DeepEqual(c, back) {
		t.Errorf("%s became %+v, was %+v; %v", text, back, c, err)
	}
}

func TestRecord(t *testing.T) {
	c := measure.Compare(measure.Samples("a", 1, 2), measure.Samples("b", 3))
	var got []string
	full := errors.New("disk full")
	err := c.Record(func(name, unit string, values ...float64) error {
		got = append(got, fmt.Sprint(name, unit, values))
		return full
	})
	if !errors.Is(err, full) || !slices.Equal(got, []string{"as[1 2]"}) {
		t.Errorf("%v after %q", err, got)
	}
}

func ExampleCompare() {
	// Samples stand here for measured cases, whose times would differ each time.
	fmt.Print(measure.Compare(
		measure.Samples("in a row", 5.02, 5.01, 5.01, 5.03, 5.01, 5.02),
		measure.Samples("five at once", 1.00, 1.01, 1.00, 1.01, 1.02, 1.01),
	))
	// Output:
	//               median      ±  CPU time  cores busy  speed-up
	// in a row      5.01 s  0.3 %         ?           ?
	// five at once  1.01 s  1.0 %         ?           ?  4.97× (4.93× to 5.02×)
	// Medians of times taken elsewhere; ± and “to” bound 95 % intervals.
}

func ExampleResult_SpeedUp() {
	serial := measure.Result{Wall: []float64{8.1, 8.0, 8.2, 8.0, 8.1, 8.3}}
	four := measure.Result{Wall: []float64{2.5, 2.6, 2.5, 2.4, 2.5, 2.6}}
	s, e := four.SpeedUp(serial), four.Efficiency(serial, 4)
	fmt.Printf("%.2f times faster (%.2f to %.2f)\n", s.Value, s.Lo, s.Hi)
	fmt.Printf("%.0f %% of what four workers could do\n", 100*e.Value)
	fmt.Println("more than chance:", four.Distinguishable(serial))
	// Output:
	// 3.22 times faster (3.12 to 3.33)
	// 80 % of what four workers could do
	// more than chance: true
}
