//go:build unix

package cluster_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"manyhands/helpers/cluster"
	"manyhands/helpers/measure"
	"manyhands/helpers/process"
)

// BenchmarkEmpty is a job that does nothing, called and waited for, and a thousand
// at once; beside the floor, which is a request that a worker process answers by
// way of the same server with nothing stored, and beside one message stored. The
// server is in the same process as the program, the workers are in others.
func BenchmarkEmpty(b *testing.B) {
	one := open(b, nothing, cluster.Options{Workers: 1})
	two := open(b, nothing, cluster.Options{Workers: 2})
	report(b,
		work{"bare request", 200, inARow(200, request(b))},
		work{"one message stored", 200, inARow(200, store(b))},
		work{"call", 200, inARow(200, func() error {
			_, err := one.Call(b.Context(), struct{}{})
			return err
		})},
		work{"map", 1000, func() error {
			_, err := two.Map(b.Context(), make([]struct{}, 1000))
			return err
		}})
}

// work is something to measure, which does a number of jobs.
type work struct {
	name string
	jobs int
	do   func() error
}

// inARow does something n times.
func inARow(n int, do func() error) func() error {
	return func() error {
		for range n {
			if err := do(); err != nil {
				return err
			}
		}
		return nil
	}
}

// report does all works in turn, and reports what a job takes in each, in
// microseconds and as a multiple of the first. With -v it prints the table.
func report(b *testing.B, works ...work) {
	var cases []measure.Alternative
	for _, w := range works {
		cases = append(cases, measure.Case(w.name, w.do))
	}
	var c measure.Comparison
	for b.Loop() {
		var err error
		if c, err = (measure.Plan{Repeats: 20}).Run(b.Context(), cases...); err != nil {
			b.Fatal(err)
		}
	}
	for i, r := range c.Results {
		name, jobs := strings.ReplaceAll(r.Name, " ", "-"), float64(works[i].jobs)
		b.ReportMetric(r.Median().Value/jobs*1e6, "µs-"+name)
		b.ReportMetric(r.Median().Value/jobs/c.Results[0].Median().Value*float64(works[0].jobs), "x-"+name)
	}
	b.ReportMetric(0, "ns/op")
	b.Log("\n" + c.String())
}

// answers is a worker that sends back what it is asked, without JetStream.
var answers = process.Register("answers", func(ctx context.Context, url string) (struct{}, error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return struct{}{}, err
	}
	defer nc.Close()
	_, err = nc.Subscribe("bare", func(msg *nats.Msg) { msg.Respond(msg.Data) })
	<-ctx.Done()
	return struct{}{}, err
})

// request returns a function that asks a worker process by way of the server.
func request(b *testing.B) func() error {
	pool, err := answers.Start(process.Options{Workers: 1})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(pool.Close)
	pool.Submit(b.Context(), where)
	nc := connect(b)
	ask := func() error {
		_, err := nc.Request("bare", make([]byte, 100), 10*time.Second)
		return err
	}
	for errors.Is(ask(), nats.ErrNoResponders) {
		time.Sleep(10 * time.Millisecond) // the worker is not there yet
	}
	return ask
}

// store returns a function that has JetStream store a message in memory.
func store(b *testing.B) func() error {
	js, err := jetstream.New(connect(b))
	if err == nil {
		_, err = js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "bare", Subjects: []string{"stored"},
			Storage: jetstream.MemoryStorage, MaxMsgs: 1000})
	}
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { js.DeleteStream(context.Background(), "bare") })
	return func() error {
		_, err := js.Publish(b.Context(), "stored", make([]byte, 100))
		return err
	}
}

func connect(b *testing.B) *nats.Conn {
	nc, err := nats.Connect(where)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(nc.Close)
	return nc
}

// BenchmarkMaximum finds the largest of 20 million numbers in shared memory, in
// eight chunks, by four workers of a pool of processes and of one of this package.
func BenchmarkMaximum(b *testing.B) {
	array, err := process.NewShared[float64](20_000_000)
	if err != nil {
		b.Fatal(err)
	}
	defer array.Close()
	chunks := make([]chunk, 8)
	for i := range chunks {
		chunks[i] = chunk{array, i * 2_500_000, (i + 1) * 2_500_000}
	}
	find := func(find func(context.Context, []chunk) ([]float64, error)) func() error {
		return func() error {
			_, err := find(b.Context(), chunks)
			return err
		}
	}
	pool, err := largestThere.Start(process.Options{Workers: 4})
	if err != nil {
		b.Fatal(err)
	}
	defer pool.Close()
	report(b,
		work{"processes", 1, find(pool.Map)},
		work{"cluster", 1, find(open(b, largest, cluster.Options{Workers: 4}).Map)})
}

var largestThere = process.Register("largest", most)
