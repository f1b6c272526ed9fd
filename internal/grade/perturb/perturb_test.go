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

// TestSeedStartsAnew sees that a hot loop in one criterion takes no delays from
// the next.
func TestSeedStartsAnew(t *testing.T) {
	Seed(1)
	defer Seed(0)
	for range 5000 {
		Point(7)
	}
	Seed(1)
	if turns[7] != 0 {
		t.Errorf("the first pass of a point counts as number %d", turns[7]+1)
	}
}
