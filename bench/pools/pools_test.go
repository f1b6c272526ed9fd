package pools

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/alitto/pond/v2"
	"github.com/panjf2000/ants/v2"
	"github.com/sourcegraph/conc/pool"
	"golang.org/x/sync/errgroup"

	"manyhands/helpers/measure"
	"manyhands/internal/benchtest"
)

// course is the pool of lesson 04: workers that take jobs from one channel.
func course(workers int, jobs []int, work func(int)) {
	queue := make(chan int)
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for job := range queue {
				work(job)
			}
		})
	}
	for _, job := range jobs {
		queue <- job
	}
	close(queue)
	group.Wait()
}

// BenchmarkTask is what a pool costs for each of many tasks: tasks that do
// nothing, and such as take a microsecond or so.
func BenchmarkTask(b *testing.B) {
	const tasks = 100_000
	jobs := make([]int, tasks)
	for i := range jobs {
		jobs[i] = i
	}
	for _, test := range []struct {
		name string
		spin int
	}{{"nothing", 0}, {"1000 additions", 1000}} {
		b.Run(test.name, func(b *testing.B) {
			var done atomic.Int64
			work := func(job int) {
				for i := range test.spin {
					job += i
				}
				measure.Keep(job)
				done.Add(1)
			}
			all := func(run func(workers int)) func() error {
				return func() error {
					done.Store(0)
					run(runtime.GOMAXPROCS(0))
					if n := done.Load(); n != tasks {
						return fmt.Errorf("%d of %d tasks done", n, tasks)
					}
					return nil
				}
			}
			benchtest.Figure{Title: fmt.Sprintf("%d tasks of %s, a worker for each core", tasks, test.name), Each: tasks,
				Must: map[string]float64{"errgroup": 0.9, "conc": 0.9, "ants": 0.9, "pond": 0.9}}.Compare(b,
				measure.Case("lesson 04's pool", all(func(n int) { course(n, jobs, work) })),
				measure.Case("errgroup", all(func(n int) {
					var group errgroup.Group
					group.SetLimit(n)
					for _, job := range jobs {
						group.Go(func() error { work(job); return nil })
					}
					group.Wait()
				})),
				measure.Case("conc", all(func(n int) {
					p := pool.New().WithMaxGoroutines(n)
					for _, job := range jobs {
						p.Go(func() { work(job) })
					}
					p.Wait()
				})),
				measure.Case("ants", all(func(n int) {
					var group sync.WaitGroup
					p, err := ants.NewPool(n)
					if err != nil {
						return // the count will tell
					}
					defer p.Release()
					for _, job := range jobs {
						group.Add(1)
						p.Submit(func() { defer group.Done(); work(job) })
					}
					group.Wait()
				})),
				measure.Case("pond", all(func(n int) {
					p := pond.NewPool(n)
					for _, job := range jobs {
						p.Submit(func() { work(job) })
					}
					p.StopAndWait()
				})))
		})
	}
}
