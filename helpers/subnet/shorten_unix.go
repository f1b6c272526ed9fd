//go:build unix

package subnet

import "syscall"

// shorten makes the queue of a listening socket as short as the system allows.
func shorten(fd uintptr) error { return syscall.Listen(int(fd), 0) }
