package grade

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"manyhands/internal/grade/judge"
)

// Limits of one run of a student's program.
const (
	memoryLimit  = 1 << 30  // bytes, of all its processes; the race detector takes several times what the program does
	diskLimit    = 16 << 20 // bytes, in a file system in memory
	outputLimit  = 16 << 20 // bytes printed
	processLimit = 256      // processes and threads
)

// A sandbox runs students' programs where they can do no harm: they see their own
// program, the C library, and an empty /tmp, and have neither a network but for a
// loopback of their own nor rights; and when the run ends nothing of it is left.
type sandbox struct {
	bwrap string // path of bubblewrap; "" runs programs unprotected
	user  *userID
}

// A userID is the user and group that run the sandbox.
type userID struct{ uid, gid uint32 }

// ErrNoSandbox is why [New] fails where no sandbox can be made.
var ErrNoSandbox = errors.New("students' code has no sandbox here")

// newSandbox finds out how a sandbox can be made here, by making one.
func newSandbox(ctx context.Context, unsandboxed bool) (*sandbox, error) {
	if unsandboxed {
		return &sandbox{}, nil
	}
	wayOut := "; install it (apt-get install bubblewrap), or pass --unsandboxed if you trust every submission as you would your own code"
	bwrap, err := exec.LookPath("bwrap")
	if err != nil {
		return nil, fmt.Errorf("%w: there is no bubblewrap (bwrap)%s", ErrNoSandbox, wayOut)
	}
	// Root has no limit of processes, so where that is possible nobody runs it.
	var said []byte
	for _, user := range users() {
		s := &sandbox{bwrap: bwrap, user: user}
		cmd := exec.CommandContext(ctx, bwrap, append(s.walls(), "--ro-bind", "/usr", "/usr", "/usr/bin/true")...)
		s.as(cmd)
		if said, err = cmd.CombinedOutput(); err == nil {
			return s, nil
		}
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return nil, fmt.Errorf("%w: bubblewrap cannot make one: %s (%w)%s", ErrNoSandbox, bytes.TrimSpace(said), err, wayOut)
}

// users returns whom to try to run the sandbox as; nil is the current user.
func users() []*userID {
	if os.Getuid() != 0 {
		return []*userID{nil}
	}
	return []*userID{{65534, 65534}, nil}
}

// walls are bubblewrap's arguments but for what is inside.
func (s *sandbox) walls() []string {
	args := []string{
		"--unshare-all", "--die-with-parent", "--new-session", "--cap-drop", "ALL", "--uid", "65534", "--gid", "65534",
		"--clearenv", "--proc", "/proc", "--dev", "/dev", "--size", fmt.Sprint(diskLimit), "--tmpfs", "/tmp", "--chdir", "/tmp",
	}
	for _, dir := range []string{"/lib", "/lib64", "/usr/lib", "/usr/lib64"} {
		args = append(args, "--ro-bind-try", dir, dir)
	}
	return args
}

// programFD is the descriptor from which bubblewrap copies the program: its user
// need not be one who may enter the folder where that lies.
const programFD = judge.ReportFD + 1

// command returns the command that runs a program with an environment of
// KEY=value pairs, and report as descriptor [judge.ReportFD].
func (s *sandbox) command(ctx context.Context, program, report *os.File, env [][2]string) *exec.Cmd {
	var cmd *exec.Cmd
	if s.bwrap == "" {
		cmd = exec.CommandContext(ctx, program.Name())
		cmd.ExtraFiles = []*os.File{report}
		cmd.Dir = filepath.Dir(program.Name()) // which goes, with what is left there
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "TMPDIR=" + cmd.Dir}
		for _, pair := range env {
			cmd.Env = append(cmd.Env, pair[0]+"="+pair[1])
		}
	} else {
		args := append(s.walls(), "--perms", "0555", "--ro-bind-data", strconv.Itoa(programFD), "/check")
		for _, pair := range env {
			args = append(args, "--setenv", pair[0], pair[1])
		}
		cmd = exec.CommandContext(ctx, s.bwrap, append(args, "/check")...)
		cmd.ExtraFiles = []*os.File{report, program}
		s.as(cmd)
	}
	cmd.WaitDelay = time.Second
	return cmd
}

// A tail keeps the end of what is written to it, and calls over, once, when it is
// too much. One goroutine writes.
type tail struct {
	data    []byte
	written int
	over    func()
}

// kept is how much of a program's output is kept, in bytes, give or take as much
// again.
const kept = 64 << 10

func (t *tail) Write(b []byte) (int, error) {
	if t.written <= outputLimit && t.written+len(b) > outputLimit {
		t.over()
	}
	t.written += len(b)
	t.data = append(t.data, b[max(0, len(b)-kept):]...)
	if len(t.data) > 2*kept {
		t.data = append(t.data[:0], t.data[len(t.data)-kept:]...)
	}
	return len(b), nil
}
