package kernel

import "syscall"

// attributes gives the kernel a session of its own, out of reach of the
// terminal's Ctrl-C, and lets it end in good order if this process is killed.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setsid: true, Pdeathsig: syscall.SIGTERM}
}
