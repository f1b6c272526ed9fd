//go:build unix

package timeline_test

import "syscall"

func readByte(fd int) { syscall.Read(fd, make([]byte, 1)) }
