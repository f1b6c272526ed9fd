package practical

import (
	"testing"
	"testing/synctest"
)

// TestLeft looks for a goroutine that has just begun, and may be helping the
// garbage collector.
func TestLeft(t *testing.T) {
	for i := range 200 {
		synctest.Test(t, func(t *testing.T) {
			quit := make(chan bool)
			go lasting(quit)
			c := &T{test: t, pkg: "manyhands/helpers/practical."}
			if n := len(c.left()); n != 1 {
				t.Errorf("bubble %d: of one goroutine %d are left", i, n)
			}
			close(quit)
		})
	}
}

func lasting(quit chan bool) {
	select {
	case <-quit:
	case <-make(chan bool):
	}
}
