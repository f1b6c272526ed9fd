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
	if left, ok := container(root); ok && left < bytes {
		bytes, source = left, "memory that the container has left"
	}
	return bytes, source
}

// container returns what is left of the tightest memory limit above this process, if there is one: its own control
// group's or that of a group around it, as a limit may be set on any of them (cgroups(7)). File pages that nobody has
// used lately count as left, as they do in MemAvailable and for Kubernetes: the kernel drops them first.
func container(root string) (left uint64, limited bool) {
	groups, _ := os.ReadFile(filepath.Join(root, "proc/self/cgroup"))
	own := map[string]string{} // controller, "" for cgroup v2, to the group's path
	for line := range strings.Lines(string(groups)) {
		if f := strings.SplitN(strings.TrimSpace(line), ":", 3); len(f) == 3 {
			for name := range strings.SplitSeq(f[1], ",") {
				own[name] = f[2]
			}
		}
	}
	for _, v := range []struct{ controller, dir, limit, usage, inactive string }{
		{"", "", "memory.max", "memory.current", "inactive_file"},
		{"memory", "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"},
	} {
		for group := filepath.Join("/", own[v.controller]); ; group = filepath.Dir(group) {
			dir := filepath.Join(root, "sys/fs/cgroup", v.dir, group)
			limit, err := readNumber(filepath.Join(dir, v.limit)) // "max" is an error
			used, err2 := readNumber(filepath.Join(dir, v.usage))
			if err == nil && err2 == nil {
				used -= min(field(filepath.Join(dir, "memory.stat"), v.inactive), used)
				if rest := limit - min(used, limit); !limited || rest < left {
					left, limited = rest, true
				}
			}
			if group == "/" {
				break
			}
		}
	}
	return left, limited
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
