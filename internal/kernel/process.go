package kernel

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"
	"golang.org/x/sys/unix"
)

// process is the kernel's process with everything that it or its cells start:
// one session, of which nothing survives the kernel.
type process struct {
	cmd    *exec.Cmd
	tmp    string        // the TMPDIR=… of its environment
	output *tail         // the end of what it wrote to stdout and stderr
	dead   chan struct{} // closed when the kernel has ended and its session is empty
	err    error         // why the session is not empty; valid once dead
}

// leftoverLimit is how long killed processes may take to go.
const leftoverLimit = 10 * time.Second

// startProcess starts the kernel in dir.
func startProcess(spec Spec, dir string, h *home) (*process, error) {
	file, err := h.writeConnection()
	if err != nil {
		return nil, err
	}
	args := make([]string, len(spec.Argv))
	for i, arg := range spec.Argv {
		args[i] = strings.ReplaceAll(arg, "{connection_file}", file)
	}
	p := &process{tmp: "TMPDIR=" + h.dir, output: &tail{}, dead: make(chan struct{})}
	p.cmd = exec.Command(args[0], args[1:]...)
	p.cmd.Dir = dir
	p.cmd.Env = append(append(os.Environ(), spec.Env...), p.tmp)
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of the terminal's Ctrl-C

	// A pipe of our own, not one of os/exec's: Wait must not wait for what the
	// kernel leaves behind, which is killed only afterwards.
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p.cmd.Stdout, p.cmd.Stderr = w, w
	err = p.cmd.Start()
	w.Close()
	if err != nil {
		r.Close()
		return nil, err
	}
	go p.watch(r)
	return p, nil
}

// watch stays until the last of the kernel's processes is gone.
func (p *process) watch(output *os.File) {
	defer output.Close()
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		io.Copy(p.output, output)
	}()
	p.cmd.Wait()
	p.err = p.sweep()
	output.SetReadDeadline(time.Now().Add(time.Second)) // in case a survivor holds the other end
	<-copied
	close(p.dead)
}

// sweep kills what the kernel left behind. It runs as soon as the kernel is
// gone: later its session's number could belong to somebody else.
func (p *process) sweep() error {
	for end := time.Now().Add(leftoverLimit); ; time.Sleep(2 * time.Millisecond) {
		left, err := p.leftovers()
		if len(left) == 0 || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("processes of the kernel survived it: %v", left)
		}
		for _, pid := range left {
			unix.Kill(int(pid), unix.SIGKILL)
		}
	}
}

// leftovers lists the living processes of the kernel's session, and those that
// left the session but, as far as the system tells, still have its TMPDIR.
func (p *process) leftovers() ([]int32, error) {
	pids, err := ps.Pids()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	return slices.DeleteFunc(pids, func(pid int32) bool {
		other := &ps.Process{Pid: pid}
		session, err := unix.Getsid(int(pid))
		if err != nil || session != p.cmd.Process.Pid {
			env, err := other.Environ()
			if err != nil || !slices.Contains(env, p.tmp) {
				return true
			}
		}
		status, err := other.Status()
		return err != nil || slices.Contains(status, ps.Zombie)
	}), nil
}

// kill ends the kernel and its session at once.
func (p *process) kill() error {
	if err := p.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill the kernel: %w", err)
	}
	<-p.dead
	return p.err
}

// interrupt sends SIGINT to the kernel's process group, as Jupyter does: the
// compiler and the running cell get it too.
func (p *process) interrupt() error {
	select {
	case <-p.dead:
		return os.ErrProcessDone
	default:
		return unix.Kill(-p.cmd.Process.Pid, unix.SIGINT)
	}
}

// wait waits for the kernel to end by itself.
func (p *process) wait(limit time.Duration) {
	select {
	case <-p.dead:
	case <-time.After(limit):
	}
}

// death explains the end of the process.
func (p *process) death() error {
	return &DeathError{State: p.cmd.ProcessState.String(), Output: p.output.String()}
}

// DeathError says that the kernel's process ended by itself or was killed.
type DeathError struct {
	State  string // how it ended, such as "exit status 1" or "signal: killed"
	Output string // the end of what it wrote to stdout and stderr
}

func (e *DeathError) Error() string {
	if e.Output == "" {
		return fmt.Sprintf("the kernel died (%s)", e.State)
	}
	return fmt.Sprintf("the kernel died (%s); its last words:\n%s", e.State, e.Output)
}

// tailSize is how many bytes of the kernel's own output are kept.
const tailSize = 8 << 10

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

func (t *tail) Write(data []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, data...)
	if over := len(t.buf) - tailSize; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(data), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(strings.ToValidUTF8(string(t.buf), "\ufffd"))
}
