package brokerd

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Await waits until a process, which need not be a child of this one, or the
// context ends.
func Await(ctx context.Context, pid int) error {
	fd, err := unix.PidfdOpen(pid, 0)
	if errors.Is(err, unix.ESRCH) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("watching process %d: %w", pid, err)
	}
	defer unix.Close(fd)
	for ctx.Err() == nil {
		// The descriptor is readable when the process has ended. A wait of a second
		// is for the context.
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000)
		if n > 0 {
			return nil
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			return fmt.Errorf("watching process %d: %w", pid, err)
		}
	}
	return nil
}
