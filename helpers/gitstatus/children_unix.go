//go:build unix

package gitstatus

import (
	"os/exec"
	"syscall"
)

// withChildren has the end of the context kill the command and all that it
// started, such as the filters that a repository has for its files.
func withChildren(cmd *exec.Cmd) {
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
