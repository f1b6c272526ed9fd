package lab

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"

	"manyhands/internal/tempdir"
)

// server is a Jupyter under way.
type server struct {
	cmd  *exec.Cmd
	dead chan struct{} // closed when it has ended
}

// start starts Jupyter out of reach of the terminal's Ctrl-C, at which it
// would ask whether it is meant.
func start(cmd *exec.Cmd) (*server, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	s := &server{cmd: cmd, dead: make(chan struct{})}
	go func() {
		cmd.Wait()
		close(s.dead)
	}()
	return s, nil
}

// stopLimit is how long Jupyter may take to stop its kernels and itself.
const stopLimit = 15 * time.Second

// stop asks Jupyter to end, which it does after its kernels, and kills it if
// it does not.
func (s *server) stop() {
	s.cmd.Process.Signal(syscall.SIGTERM)
	select {
	case <-s.dead:
	case <-time.After(stopLimit):
		s.cmd.Process.Kill()
		<-s.dead
	}
}

// end says how the server ended; nil if in good order.
func (s *server) end() error {
	if s.cmd.ProcessState.Success() {
		return nil
	}
	return errors.New(s.cmd.ProcessState.String())
}

// longestTemp is the longest temporary folder, in bytes, in which the paths of
// GoNB's Unix sockets stay below the 104 bytes that the strictest system allows.
const longestTemp = 60

// newTemp makes the folder that is TMPDIR to one Jupyter, its kernels and
// their cells. It takes with it what they leave there, and tells them from
// all other processes.
func newTemp() (*tempdir.Dir, error) {
	parent := os.TempDir()
	if len(parent) > longestTemp {
		parent = "/tmp"
	}
	dir, err := tempdir.Make(parent, tempPrefix)
	if err != nil {
		return nil, fmt.Errorf("make a temporary folder for Jupyter: %w", err)
	}
	return dir, nil
}

const tempPrefix = "manyhands-"

// isTemp guards [sweep], which would take "" or "/" for everybody's.
func isTemp(dir string) bool {
	number, ok := strings.CutPrefix(filepath.Base(dir), tempPrefix)
	return ok && number != "" && filepath.IsAbs(dir)
}

// sweep kills every process that belongs to the temporary folder temp.
func sweep(temp string) error {
	for end := time.Now().Add(stopLimit); ; time.Sleep(10 * time.Millisecond) {
		left, err := members(temp)
		if len(left) == 0 || err != nil {
			return err
		}
		if time.Now().After(end) {
			return fmt.Errorf("processes %v of Jupyter cannot be stopped: kill them by hand", left)
		}
		for _, pid := range left {
			syscall.Kill(int(pid), syscall.SIGKILL)
		}
	}
}

// members lists the living processes that have temp in their environment or,
// where the system does not tell that, in their arguments as kernels have.
func members(temp string) ([]int32, error) {
	pids, err := ps.Pids()
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	return slices.DeleteFunc(pids, func(pid int32) bool {
		p := &ps.Process{Pid: pid}
		args, _ := p.CmdlineSlice()
		env, _ := p.Environ() // fails for other people's processes
		in := func(s string) bool { return strings.Contains(s, temp) }
		if !slices.ContainsFunc(args, in) && !slices.ContainsFunc(env, in) {
			return true
		}
		status, err := p.Status()
		return err != nil || slices.Contains(status, ps.Zombie)
	}), nil
}
