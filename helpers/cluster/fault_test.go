//go:build unix

package cluster_test

import (
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

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
	nc, err := nats.Connect(nodes.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	s, err := js.Stream(t.Context(), stream)
	if err != nil {
		t.Fatal(err)
	}
	leader := s.CachedInfo().Cluster.Leader
	i := slices.Index([]string{"node1", "node2", "node3"}, leader)
	if i < 0 {
		t.Fatalf("%q leads", leader)
	}
	if err := nodes.Processes[i].Kill(); err != nil {
		t.Fatal(err)
	}
}

// TestNodeAndWorkersDie kills a node of a cluster of three, the one that leads the
// queue, and workers, while jobs are on their way: every job is done, and counted
// once.
func TestNodeAndWorkersDie(t *testing.T) {
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
