package memory

import (
	"os"
	"path/filepath"
	"testing"
)

// TestFree reads system files as they look on several machines.
func TestFree(t *testing.T) {
	const meminfo = "MemTotal:       24683136 kB\nMemFree:        100 kB\nMemAvailable:   8388608 kB\n"
	for _, test := range []struct {
		name   string
		files  map[string]string
		bytes  uint64
		source string
	}{
		{"macOS", nil, 4 << 30, "memory that is assumed to be free"},
		{"no container", map[string]string{"proc/meminfo": meminfo}, 8 << 30, "free memory"},
		{"no limit", map[string]string{
			"proc/meminfo":                 meminfo,
			"sys/fs/cgroup/memory.max":     "max\n",
			"sys/fs/cgroup/memory.current": "1000\n",
		}, 8 << 30, "free memory"},
		{"cgroup v2", map[string]string{
			"proc/meminfo":                 meminfo,
			"sys/fs/cgroup/memory.max":     "2000000000\n",
			"sys/fs/cgroup/memory.current": "1900000000\n",
			"sys/fs/cgroup/memory.stat":    "anon 5\nfile 7\ninactive_file 1000000000\n",
		}, 1_100_000_000, "memory that the container has left"},
		{"cgroup v1", map[string]string{
			"proc/meminfo": meminfo,
			"sys/fs/cgroup/memory/memory.limit_in_bytes": "2000000000\n",
			"sys/fs/cgroup/memory/memory.usage_in_bytes": "500000000\n",
			"sys/fs/cgroup/memory/memory.stat":           "inactive_file 9\ntotal_inactive_file 100000000\n",
		}, 1_600_000_000, "memory that the container has left"},
		{"a group of its own", map[string]string{ // as systemd, Slurm and JupyterHub give a user
			"proc/meminfo":                                        meminfo,
			"proc/self/cgroup":                                    "0::/user.slice/ada.service\n",
			"sys/fs/cgroup/user.slice/memory.max":                 "3000000000\n",
			"sys/fs/cgroup/user.slice/memory.current":             "1000000000\n",
			"sys/fs/cgroup/user.slice/ada.service/memory.max":     "1000000000\n",
			"sys/fs/cgroup/user.slice/ada.service/memory.current": "100000000\n",
		}, 900_000_000, "memory that the container has left"},
		{"a group in a tighter one, v1", map[string]string{
			"proc/meminfo":     meminfo,
			"proc/self/cgroup": "5:cpu,memory:/job/7\n0::/\n",
			"sys/fs/cgroup/memory/job/memory.limit_in_bytes":   "700000000\n",
			"sys/fs/cgroup/memory/job/memory.usage_in_bytes":   "100000000\n",
			"sys/fs/cgroup/memory/job/7/memory.limit_in_bytes": "900000000\n",
			"sys/fs/cgroup/memory/job/7/memory.usage_in_bytes": "100000000\n",
		}, 600_000_000, "memory that the container has left"},
		{"limit above the machine", map[string]string{
			"proc/meminfo":                 meminfo,
			"sys/fs/cgroup/memory.max":     "99999999999999\n",
			"sys/fs/cgroup/memory.current": "0\n",
		}, 8 << 30, "free memory"},
		{"over the limit", map[string]string{
			"proc/meminfo":                 meminfo,
			"sys/fs/cgroup/memory.max":     "1000\n",
			"sys/fs/cgroup/memory.current": "2000\n",
		}, 0, "memory that the container has left"},
	} {
		t.Run(test.name, func(t *testing.T) {
			root := t.TempDir()
			for name, content := range test.files {
				path := filepath.Join(root, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if bytes, source := freeUnder(root); bytes != test.bytes || source != test.source {
				t.Errorf("%d bytes of %s, want %d of %s", bytes, source, test.bytes, test.source)
			}
		})
	}
}
