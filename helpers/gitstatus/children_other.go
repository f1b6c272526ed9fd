//go:build !unix

package gitstatus

import "os/exec"

// withChildren has the end of the context kill the command, as it does anyway.
func withChildren(*exec.Cmd) {}
