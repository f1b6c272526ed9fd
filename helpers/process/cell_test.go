//go:build unix

package process_test

import (
	"strings"
	"testing"

	"manyhands/internal/course"
	"manyhands/internal/gonb"
	"manyhands/internal/kernel"
	"manyhands/internal/notebook"
)

const cell = `
import (
	"context"
	"fmt"
	"os"

	"manyhands/helpers/process"
)

var base = 100

func add(_ context.Context, n int) (int, error) {
	if n == 3 {
		os.Exit(5)
	}
	fmt.Printf("worker %d\n", n)
	return base + n, nil
}

var added = process.Register("add", add)

func init_late() { fmt.Println("init") }

func main() {
	fmt.Println("main")
	pool, err := added.Start(process.Options{Workers: 2})
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	fmt.Println(pool.Map(context.Background(), []int{1, 2, 3, 4}))
}
`

// TestCell runs a pool in a cell of the real GoNB, twice, as the second time
// GoNB remembers the declarations.
func TestCell(t *testing.T) {
	c, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	tools, err := gonb.Install(t.Context(), c, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	k, err := kernel.Start(t.Context(), tools.Spec(c), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Error(err)
		}
	})
	for range 2 {
		outputs, err := k.Execute(t.Context(), cell, kernel.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		for _, o := range outputs {
			if o.Type != notebook.Stream {
				t.Errorf("output %+v", o)
			}
			text.WriteString(o.Text)
		}
		got := text.String()
		for line, times := range map[string]int{"init\n": 1, "main\n": 1, "worker 1\n": 1, "worker 2\n": 1, "worker 3\n": 0, "worker 4\n": 1,
			"[101 102 0 104] task 2: process: add: the worker crashed: exit status 5 (EOF)\n": 1} {
			if n := strings.Count(got, line); n != times {
				t.Errorf("%q came %d times instead of %d in:\n%s", line, n, times, got)
			}
		}
	}
}
