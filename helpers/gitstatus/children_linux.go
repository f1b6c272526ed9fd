package gitstatus

import "syscall"

// attributes make a group of processes that is killed as one; and should this
// program be killed, so is the command.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
