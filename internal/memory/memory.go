// Package memory tells how much memory is to be had, so that a big array is cut
// down or refused before the system kills the program for it.
package memory

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// assumed is taken for free memory where the system does not tell: on macOS,
// whose notion of it takes more than the standard library to ask for.
const assumed = 4 << 30

// Free returns how many bytes can be had without swapping, and what sets this
// bound: what the kernel says is available (proc(5), MemAvailable), or what is
// left of the container's limit (cgroup v2, memory.max, or v1) if that is less.
func Free() (bytes uint64, source string) { return freeUnder("/") }

// freeUnder reads /proc and /sys under root.
func freeUnder(root string) (bytes uint64, source string) {
	bytes, source = assumed, "memory that is assumed to be free"
	if kib := field(filepath.Join(root, "proc/meminfo"), "MemAvailable:"); kib > 0 {
		bytes, source = kib<<10, "free memory"
	}
	if left, ok := container(filepath.Join(root, "sys/fs/cgroup")); ok && left < bytes {
		bytes, source = left, "memory that the container has left"
	}
	return bytes, source
}

// container returns what is left of the memory limit of a container, if
// it has one. File pages that nobody has used lately count as left, as they do
// in MemAvailable and for Kubernetes: the kernel drops them first.
func container(cgroup string) (left uint64, limited bool) {
	for _, file := range []struct{ limit, usage, stat, inactive string }{
		{"memory.max", "memory.current", "memory.stat", "inactive_file"},
		{"memory/memory.limit_in_bytes", "memory/memory.usage_in_bytes", "memory/memory.stat", "total_inactive_file"},
	} {
		limit, err := readNumber(filepath.Join(cgroup, file.limit)) // "max" is an error
		if err != nil {
			continue
		}
		used, err := readNumber(filepath.Join(cgroup, file.usage))
		if err != nil {
			continue
		}
		inactive := field(filepath.Join(cgroup, file.stat), file.inactive)
		used -= min(inactive, used)
		return limit - min(used, limit), true
	}
	return 0, false
}

func readNumber(path string) (uint64, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
}

// field returns the number that follows name on its line of a file, 0 if there
// is none.
func field(path, name string) uint64 {
	text, _ := os.ReadFile(path)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) >= 2 && f[0] == name {
			n, _ := strconv.ParseUint(f[1], 10, 64)
			return n
		}
	}
	return 0
}
