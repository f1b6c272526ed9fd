//go:build unix

package media

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// run runs a program as a process group of its own, and returns what it wrote to
// stdout and what it took. If ctx ends, or the program fails, the whole group is
// killed: the program and what it has started.
func run(ctx context.Context, name string, args ...string) ([]byte, Usage, error) {
	// Linux takes the end of the thread that started a process for its parent's
	// death, so that thread has to stay.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.SysProcAttr = attributes()
	cmd.Cancel = func() error { return killGroup(cmd.Process) }
	cmd.WaitDelay = time.Second // for one that has left the group, and keeps stderr open
	err := cmd.Run()
	if cmd.Process == nil {
		return nil, Usage{}, missing(ctx, err)
	}
	usage := used(cmd.ProcessState)
	if err == nil {
		return stdout.Bytes(), usage, nil
	}
	killGroup(cmd.Process) // its members may outlive a leader that failed
	if ctx.Err() != nil {
		return nil, usage, context.Cause(ctx)
	}
	return nil, usage, complaint(stderr.String(), err)
}

// missing says why a program was not started.
func missing(ctx context.Context, err error) error {
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.Is(err, exec.ErrNotFound):
		return ErrMissing
	}
	return err
}

// killGroup kills all processes of the group that p leads or has just led: its
// number goes to nobody else as long as one of them is there, and not so soon
// after the last.
func killGroup(p *os.Process) error {
	err := syscall.Kill(-p.Pid, syscall.SIGKILL)
	if err == syscall.ESRCH {
		return os.ErrProcessDone
	}
	return err
}

// complaint makes an error of the first thing that ffmpeg complained about, which
// caused the others, or of how it ended if it said nothing.
func complaint(stderr string, err error) error {
	for line := range strings.Lines(stderr) {
		if strings.HasPrefix(line, "[") { // which part of ffmpeg speaks: [flac @ 0x56553eb34980]
			_, line, _ = strings.Cut(line, "] ")
		}
		line = strings.TrimSpace(line)
		if path, reason, ok := strings.Cut(line, ": "); ok && strings.HasPrefix(path, "file:") {
			line = reason // the caller names the file
		}
		if line != "" {
			return errors.New(line)
		}
	}
	return err
}

// used returns what an ended process has taken.
func used(state *os.ProcessState) Usage {
	if state == nil {
		return Usage{}
	}
	usage := Usage{CPU: state.UserTime() + state.SystemTime()}
	if r, ok := state.SysUsage().(*syscall.Rusage); ok {
		usage.Memory, usage.Preempted = int64(r.Maxrss), int64(r.Nivcsw)
		if runtime.GOOS != "darwin" {
			usage.Memory *= 1024 // getrusage(2): in kilobytes, but in bytes on macOS
		}
	}
	return usage
}
