package display

import (
	"time"

	"golang.org/x/sys/unix"
)

// drain waits until the reader of the pipe fd has taken all that was written to it, but no longer than a second: a
// reader may have stopped.
func drain(fd int) {
	for start := time.Now(); time.Since(start) < time.Second; time.Sleep(20 * time.Microsecond) {
		if unread, err := unix.IoctlGetInt(fd, unix.TIOCINQ); err != nil || unread == 0 {
			return // empty, or no pipe
		}
	}
}
