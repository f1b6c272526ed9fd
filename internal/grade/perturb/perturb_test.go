package perturb

import (
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// TestBubble delays goroutines that hold a lock: a delay that were a sleep would
// wait there for the others, and they for the lock.
func TestBubble(t *testing.T) {
	Seed(1)
	defer Seed(0)
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				for site := range uint32(100) {
					mu.Lock()
					Point(site)
					mu.Unlock()
				}
			})
		}
		group.Wait()
		if passed := time.Since(began); passed != 0 {
			t.Errorf("in the bubble %v passed", passed)
		}
	})
}
