//go:build unix

package helpers_test

import (
	"strings"
	"testing"

	"manyhands/internal/kerneltest"
)

const poolCell = `
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

// TestPoolInCell runs a pool in a cell of the real GoNB, twice, as the second
// time GoNB remembers the declarations. The test is here and not beside the
// pool's others so that the workers of those start without all that it links.
func TestPoolInCell(t *testing.T) {
	k := kerneltest.Start(t)
	for range 2 {
		got := kerneltest.Run(t, k, poolCell)
		for line, times := range map[string]int{"init\n": 1, "main\n": 1, "worker 1\n": 1, "worker 2\n": 1, "worker 3\n": 0, "worker 4\n": 1, "<": 0,
			"[101 102 0 104] task 2: process: add: the worker crashed: exit status 5 (EOF)\n": 1} {
			if n := strings.Count(got, line); n != times {
				t.Errorf("%q came %d times instead of %d in:\n%s", line, n, times, got)
			}
		}
	}
}
