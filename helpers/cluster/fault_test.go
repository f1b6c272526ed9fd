//go:build unix

package cluster_test

import (
	"cmp"
	"context"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"manyhands/helpers/cluster"
	"manyhands/internal/brokerd"
)

// nodeVariable makes the test program a node of a NATS cluster.
const nodeVariable = "CLUSTER_TEST_NODE"

// startNodes starts three servers, each a process, that are one cluster.
func startNodes(t *testing.T) *brokerd.Nodes {
	t.Helper()
	nodes, err := brokerd.StartNodes(t.Context(), 3, func(text string) *exec.Cmd {
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), nodeVariable+"="+text)
		return cmd
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nodes.Stop)
	return nodes
}

// killLeader kills the node that leads a stream.
func killLeader(t *testing.T, nodes *brokerd.Nodes, stream string) {
	t.Helper()
	js := jetStream(t, nodes.URL)
	i := -1
	for limit := time.Now().Add(time.Minute); i < 0; time.Sleep(50 * time.Millisecond) {
		// While the nodes vote nobody leads, and nobody answers within the five seconds that a question has.
		s, err := js.Stream(t.Context(), stream)
		if err == nil {
			i = slices.Index([]string{"node1", "node2", "node3"}, s.CachedInfo().Cluster.Leader)
		}
		if time.Now().After(limit) {
			t.Fatal("nobody leads:", err)
		}
	}
	if err := nodes.Processes[i].Kill(); err != nil {
		t.Fatal(err)
	}
}

// TestNodeAndWorkersDie kills a node of a cluster of three, the one that leads the
// queue, and workers, while jobs are on their way: every job is done, and counted
// once.
func TestNodeAndWorkersDie(t *testing.T) {
	t.Parallel() // it mostly waits
	nodes := startNodes(t)
	var mu sync.Mutex
	begun, killed := 0, 0
	pool := open(t, square, cluster.Options{URL: nodes.URL, Name: "fault", Workers: 3, Tries: 10,
		OnEvent: func(e cluster.Event) {
			mu.Lock()
			defer mu.Unlock()
			if e.What != cluster.Begun {
				return
			}
			if begun++; begun%400 == 0 {
				killed++
				syscall.Kill(e.PID, syscall.SIGKILL)
			}
		}})
	ins := make([]int, 2000)
	for i := range ins {
		ins[i] = i
	}
	counted := make([]int, len(ins))
	done := 0
	for i, r := range pool.Completed(t.Context(), ins) {
		if r.Err != nil || r.Value != i*i {
			t.Fatal(i, r)
		}
		counted[i]++
		if done++; done == 600 {
			killLeader(t, nodes, "manyhands_fault_square")
		}
	}
	for i, times := range counted {
		if times != 1 {
			t.Errorf("job %d was counted %d times", i, times)
		}
	}
	mu.Lock()
	defer mu.Unlock()
	if killed == 0 {
		t.Error("no worker was killed")
	}
	t.Logf("%d workers killed, and a node", killed)
}

// signed squares, and says in which process.
var signed = cluster.Register("signed", func(_ context.Context, n int) (signature, error) {
	return signature{n * n, os.Getpid()}, nil
})

type signature struct{ Square, PID int }

// TestNoneLost does many jobs, a few thousand at a time, while a worker is killed
// every other moment: none is lost, none is counted twice, and they leave no
// memory behind, in the program or in the broker within it. The number of jobs is
// MANYHANDS_LONG, or a few thousand; if it is given, the moments are two seconds.
func TestNoneLost(t *testing.T) {
	n, err := strconv.Atoi(cmp.Or(os.Getenv("MANYHANDS_LONG"), "4000"))
	if err != nil || n < 10 {
		t.Fatal("MANYHANDS_LONG is the number of jobs:", err)
	}
	moment := 2 * time.Second
	if os.Getenv("MANYHANDS_LONG") == "" {
		moment = 200 * time.Millisecond
	}
	pool := open(t, signed, cluster.Options{Workers: 3, Tries: 100, Silence: moment / 2})
	var latest, killed atomic.Int64 // latest is the worker of the latest result
	kill := func() {
		if pid := latest.Swap(0); pid != 0 && syscall.Kill(int(pid), syscall.SIGKILL) == nil {
			killed.Add(1)
		}
	}
	defer every(moment, kill)()
	counted, batch := make([]byte, n), max(n/20, 10)
	var early, late uint64
	begun := time.Now()
	for from := 0; from < n; from += batch {
		ins := make([]int, min(batch, n-from))
		for i := range ins {
			ins[i] = from + i
		}
		for i, r := range pool.Completed(t.Context(), ins) {
			if r.Err != nil || r.Value.Square != ins[i]*ins[i] {
				t.Fatal(ins[i], r)
			}
			counted[ins[i]]++
			latest.Store(int64(r.Value.PID))
		}
		if from == n/2 {
			kill() // on a fast machine all may be done in a moment
		}
		if late = heap(); early == 0 {
			early = late
		}
	}
	took := time.Since(begun)
	if i := slices.IndexFunc(counted, func(times byte) bool { return times != 1 }); i >= 0 {
		t.Errorf("job %d was counted %d times", i, counted[i])
	}
	if killed.Load() == 0 {
		t.Error("no worker was killed")
	}
	if late > early+32<<20 {
		t.Errorf("memory grew from %d to %d KB", early>>10, late>>10)
	}
	t.Logf("%d jobs in %v, %d workers killed, memory %d KB after the first %d jobs and %d KB after all",
		n, took.Round(time.Millisecond), killed.Load(), early>>10, batch, late>>10)
}

// every does something again and again, until the function that it returns is
// called.
func every(interval time.Duration, do func()) (stop func()) {
	tick, end, over := time.NewTicker(interval), make(chan struct{}), make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-tick.C:
				do()
			case <-end:
				return
			}
		}
	}()
	return func() {
		tick.Stop()
		close(end)
		<-over
	}
}

// heap is the size of all that is in use.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
