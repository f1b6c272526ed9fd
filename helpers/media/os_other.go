//go:build unix && !linux

package media

import "syscall"

// attributes starts a process group.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
