package process_test

import (
	"os"

	"golang.org/x/sys/unix"
)

// deathSignal says whether Linux kills this process with its parent. It is
// initialised in the main thread, which is the one that has the signal.
var deathSignal = func() string {
	setting := os.Getenv("PROCESS_TEST_SIGNAL")
	if setting == "off" {
		if err := unix.Prctl(unix.PR_SET_PDEATHSIG, 0, 0, 0, 0); err != nil {
			panic(err)
		}
	}
	return setting
}()
