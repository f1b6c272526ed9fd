package bench

import (
	"context"
	"fmt"
	"testing"

	"manyhands/helpers/cluster"
	"manyhands/helpers/measure"
	"manyhands/internal/benchtest"
	"manyhands/internal/brokerd"
)

var squares = cluster.Register("squares", func(_ context.Context, n int) (int, error) { return n * n, nil })

// BenchmarkSmallJobs has two workers do small jobs by way of a broker: the course's
// cluster on NATS, Dask on its scheduler, RQ on Redis.
func BenchmarkSmallJobs(b *testing.B) {
	const n = 100
	python := benchtest.Twin(b, "clusters.py")
	broker, err := brokerd.Start("nats")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(broker.Stop)
	pool, err := squares.Start(b.Context(), cluster.Options{URL: broker.URL, Workers: 2})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	numbers, sum := make([]int, n), 0
	for i := range numbers {
		numbers[i] = i
		sum += i * i
	}
	cases, must := []measure.Alternative{measure.Case("helpers/cluster", func() error {
		results, err := pool.Map(b.Context(), numbers)
		got := 0
		for _, r := range results {
			got += r
		}
		if err != nil {
			return err
		}
		return same(sum, got)
	})}, map[string]float64{}
	var missing []string
	if python("True", "has", "distributed") == nil {
		cases = append(cases,
			measure.Case("Dask", func() error { return python(sum, "jobs_dask", n) }),
			measure.Case("Dask, one after the other", func() error { return python(sum, "jobs_dask_in_a_row", n) }))
		must["Dask"] = 1
	} else {
		missing = append(missing, "Dask is not installed: go run . bench --install")
	}
	if python("True", "has", "rq") == nil && python("True", "has_redis") == nil {
		cases = append(cases, measure.Case("RQ", func() error { return python(sum, "jobs_rq", n) }))
		must["RQ"] = 1
	} else {
		missing = append(missing, "RQ or Redis is not installed: go run . bench --install, and the package redis-server")
	}
	benchtest.Figure{Title: fmt.Sprintf("%d small jobs for two workers", n), Each: n, Must: must, Notes: func() []string { return missing }}.Compare(b, cases...)
}
