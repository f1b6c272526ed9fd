//go:build unix && !linux

package kernel

import "syscall"

// attributes gives the kernel a session of its own, out of reach of the
// terminal's Ctrl-C.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true}
}
