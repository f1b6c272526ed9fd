//go:build unix && !linux

package gitstatus

import "syscall"

// attributes make a group of processes that is killed as one.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
