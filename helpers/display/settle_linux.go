package display

import (
	"bytes"
	"fmt"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// settle waits until GoNB has passed on what this process printed: its two pipes are empty, and GoNB, the parent
// process, has no thread at work. An empty pipe alone does not do: the thread that took the text out of it may have
// lost its core before it passed the text on, and on a busy machine it often has.
func settle() {
	quiet := 0
	for start := time.Now(); quiet < 2 && time.Since(start) < patience; {
		if unread(syscall.Stdout) || unread(syscall.Stderr) || atWork(os.Getppid()) {
			quiet = 0
			time.Sleep(50 * time.Microsecond)
			continue
		}
		quiet++ // twice in a row, as threads hand work to each other while they are looked at
	}
}

// unread reports whether there is something in the pipe whose writing end is fd.
func unread(fd int) bool {
	n, err := unix.IoctlGetInt(fd, unix.TIOCINQ)
	return err == nil && n > 0
}

// atWork reports whether any thread of a process runs or waits for a core (proc_pid_stat(5)).
func atWork(pid int) bool {
	tasks := fmt.Sprintf("/proc/%d/task/", pid)
	threads, _ := os.ReadDir(tasks)
	for _, thread := range threads {
		stat, err := os.ReadFile(tasks + thread.Name() + "/stat")
		if err != nil {
			continue // ended
		}
		// The name before the state stands in brackets, and may hold some.
		if i := bytes.LastIndexByte(stat, ')'); i >= 0 && bytes.HasPrefix(stat[i:], []byte(") R")) {
			return true
		}
	}
	return false
}
