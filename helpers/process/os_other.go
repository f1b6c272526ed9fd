//go:build unix && !linux

package process

import (
	"math"
	"os"
	"syscall"
)

const receiveFlags = 0

// executable is this program.
func executable() (string, error) { return os.Executable() }

// attributes are none: a worker notices the end of the program by the end of its
// socket.
func attributes() *syscall.SysProcAttr { return nil }

// anonymousFile makes a temporary file that ends with its last descriptor.
func anonymousFile() (*os.File, error) {
	f, err := os.CreateTemp("", "manyhands-shared-")
	if err != nil {
		return nil, err
	}
	return f, os.Remove(f.Name())
}

// freeMemory leaves it to the disk of temporary files to bound shared memory.
func freeMemory() (bytes uint64, source string) { return math.MaxUint64, "memory" }
