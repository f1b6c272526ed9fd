//go:build unix

package cluster_test

import (
	"fmt"
	"net"
	"net/url"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"manyhands/helpers/cluster"
)

// startCluster starts three servers that are one cluster.
func startCluster(t *testing.T) []*server.Server {
	t.Helper()
	var routes []*url.URL
	var holders []net.Listener
	for range 3 { // each has to know the others' ports before it starts
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		holders = append(holders, l)
		routes = append(routes, &url.URL{Scheme: "nats", Host: l.Addr().String()})
	}
	nodes := make([]*server.Server, 3)
	for i, l := range holders {
		port := l.Addr().(*net.TCPAddr).Port
		l.Close()
		nodes[i] = startNode(t, &server.Options{
			ServerName: fmt.Sprint("node", i), JetStream: true, StoreDir: t.TempDir(), Routes: routes,
			Cluster: server.ClusterOpts{Name: "three", Host: "127.0.0.1", Port: port},
		})
	}
	return nodes
}

// await waits until the cluster has a leader that knows all nodes.
func await(t *testing.T, nodes []*server.Server) {
	t.Helper()
	limit := time.Now().Add(30 * time.Second)
	for time.Now().Before(limit) {
		for _, node := range nodes {
			if node.JetStreamIsLeader() && len(node.JetStreamClusterPeers()) == len(nodes) {
				return
			}
		}
		time.Sleep(20 * time.Millisecond) // the vote makes no event here
	}
	t.Fatal("the servers do not become a cluster")
}

// TestNodeAndWorkersDie takes a node of a cluster of three away, the one that
// leads the queue, and kills workers, while jobs are on their way: every job is
// done, and counted once.
func TestNodeAndWorkersDie(t *testing.T) {
	nodes := startCluster(t)
	await(t, nodes)
	var urls []string
	for _, node := range nodes {
		urls = append(urls, node.ClientURL())
	}
	var mu sync.Mutex
	begun, killed := 0, 0
	pool := open(t, square, cluster.Options{
		URL: strings.Join(urls, ","), Name: "fault", Workers: 3, Tries: 10, Silence: time.Second,
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
			leader := nodes[0]
			for _, node := range nodes {
				if node.JetStreamIsStreamLeader("$G", "manyhands_fault_square") {
					leader = node
				}
			}
			leader.Shutdown()
			leader.WaitForShutdown()
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
	t.Logf("%d workers killed", killed)
}
