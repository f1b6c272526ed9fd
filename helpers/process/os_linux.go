package process

import (
	"os"
	"syscall"

	"golang.org/x/sys/unix"

	"manyhands/internal/memory"
)

const receiveFlags = unix.MSG_CMSG_CLOEXEC

// executable is this program, even after its file was replaced or removed.
func executable() (string, error) { return "/proc/self/exe", nil }

// attributes has the worker killed when the thread that starts it ends.
func attributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }

// anonymousFile makes a file in memory that ends with its last descriptor.
func anonymousFile() (*os.File, error) {
	fd, err := unix.MemfdCreate("manyhands", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("memfd_create", err)
	}
	return os.NewFile(uintptr(fd), "shared memory"), nil
}

// freeMemory bounds shared memory: Linux promises more than it has, and kills
// programs later.
func freeMemory() (bytes uint64, source string) { return memory.Free() }
