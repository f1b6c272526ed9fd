package media

import "syscall"

// attributes starts a process group, and has its leader killed when this program
// is, however that happens.
func attributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
