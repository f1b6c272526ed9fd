package grade

import (
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
)

// as makes the command run as the sandbox's user, and die with the grader.
func (s *sandbox) as(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if s.user != nil {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: s.user.uid, Gid: s.user.gid}
	}
}

// resident returns how many bytes of memory a process and each that descends from
// it occupy. It asks the kernel about each, as no limit that a process can be given
// works with the race detector, which reserves address space by the terabyte.
func resident(pid int) []int {
	var all []int
	if statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid)); err == nil {
		if fields := strings.Fields(string(statm)); len(fields) > 2 {
			pages, _ := strconv.Atoi(fields[1])
			all = append(all, pages*os.Getpagesize())
		}
	}
	threads, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, thread := range threads {
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, thread.Name()))
		for child := range strings.FieldsSeq(string(children)) {
			if id, err := strconv.Atoi(child); err == nil {
				all = append(all, resident(id)...)
			}
		}
	}
	return all
}
