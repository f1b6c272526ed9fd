package edition_test

import (
	"runtime"
	"testing"

	"manyhands/internal/edition"
)

// The cells of a lesson compute on the cores that Go uses, be they fewer than the machine has.
func TestCores(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, cores := range []int{1, 2 * runtime.NumCPU()} {
		runtime.GOMAXPROCS(cores)
		if e := edition.Here(t.Context()); e.Cores != cores {
			t.Errorf("where Go uses %d cores, the edition is %v", cores, e)
		}
	}
}
