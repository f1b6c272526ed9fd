//go:build !linux

package brokerd

import (
	"context"
	"os"
	"syscall"
	"time"
)

// Await waits until a process, which need not be a child of this one, or the
// context ends. Without Linux's process descriptors it has to ask every second.
func Await(ctx context.Context, pid int) error {
	p, err := os.FindProcess(pid)
	if err != nil {
		return nil
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for p.Signal(syscall.Signal(0)) == nil {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
	return nil
}
