//go:build linux

package bench

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"golang.org/x/sync/errgroup"

	"manyhands/helpers/findfiles"
	"manyhands/helpers/gitstatus"
	"manyhands/helpers/measure"
	"manyhands/helpers/portscan"
	"manyhands/helpers/subnet"
	"manyhands/helpers/workload"
	"manyhands/internal/benchtest"
	"manyhands/internal/testparts"
)

const fieldTools = "fieldtools.py"

// BenchmarkFindSSH scans 254 hosts, of which one speaks SSH and nearly all are
// silent: coroutines took 0.52 s, a hundred threads 1.39 s.
func BenchmarkFindSSH(b *testing.B) {
	n, err := subnet.Plant(netip.MustParsePrefix("127.32.1.0/24"), map[byte]subnet.Host{
		22: subnet.Greets("SSH-2.0-OpenSSH_9.2\r\n"), 99: subnet.Mute, 200: nil,
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(n.Close)
	scan := func(limit int) func() error {
		s := portscan.SSH
		s.Port, s.Limit = n.Port, limit
		return func() error {
			found := 0
			for host, err := range s.Hosts(b.Context(), n.Prefix) {
				if err != nil {
					return err
				}
				if host.Answer == portscan.Found {
					found++
				}
			}
			return same(1, found)
		}
	}
	python := benchtest.Twin(b, fieldTools)
	benchtest.Figure{Title: "the SSH servers among 254 hosts, half a second for each",
		Must: map[string]float64{"Python, coroutines": 0.95, "Python, a hundred threads": 2.5}}.Compare(b,
		measure.Case("Go, all at once", scan(0)),
		measure.Case("Go, a hundred at once", scan(100)),
		measure.Case("Python, coroutines", func() error { return python(1, "ssh_coroutines", "127.32.1", n.Port) }),
		measure.Case("Python, a hundred threads", func() error { return python(1, "ssh_threads", "127.32.1", n.Port) }))
}

// BenchmarkFindFiles compares the search of 100 000 files with a limit to one
// folder at a time, and both to Python.
func BenchmarkFindFiles(b *testing.B) {
	top, folders := b.TempDir(), workload.Scaled(1000)
	var group errgroup.Group
	group.SetLimit(8)
	for i := range folders {
		group.Go(func() error {
			folder := filepath.Join(top, fmt.Sprint(i/50), fmt.Sprint(i%50))
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
			for j := range 100 {
				name := fmt.Sprintf("note%02d.txt", j)
				if j%10 == 0 {
					name = fmt.Sprintf("picture%02d.jpg", j)
				}
				if err := os.WriteFile(filepath.Join(folder, name), nil, 0o644); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		b.Fatal(err)
	}
	find := func(limit int) func() error {
		return func() error {
			n := 0
			for _, err := range (findfiles.Search{Pattern: "**/*.jpg", Limit: limit}).Files(b.Context(), top) {
				if err != nil {
					return err
				}
				n++
			}
			return same(10*folders, n)
		}
	}
	python := benchtest.Twin(b, fieldTools)
	benchtest.Figure{Title: fmt.Sprintf("%d pictures found among %d files", 10*folders, 100*folders),
		Must: map[string]float64{"Python": 1, "Python, threads": 1}}.Compare(b,
		measure.Case("Go, as many folders as cores", find(runtime.GOMAXPROCS(0))),
		measure.Case("Go, one folder at a time", find(1)),
		measure.Case("Python", func() error { return python(10*folders, "walk", top) }),
		measure.Case("Python, threads", func() error { return python(10*folders, "walk_threads", top) }))
}

// BenchmarkGitStatus compares asking 50 repositories with a limit to one after
// the other, and both to Python.
func BenchmarkGitStatus(b *testing.B) {
	git := testparts.Program(b, "get it from your system's packages", "git")
	dir := b.TempDir()
	top, shared := filepath.Join(dir, "src"), filepath.Join(dir, "shared")
	commands := [][]string{
		{"init", "-q", shared},
		{"-C", shared, "-c", "user.name=Ada", "-c", "user.email=ada@example.org", "commit", "-q", "--allow-empty", "-m", "first"},
	}
	for i := range 50 {
		commands = append(commands, []string{"clone", "-q", shared, filepath.Join(top, fmt.Sprint(i))})
	}
	for _, args := range commands {
		if out, err := exec.CommandContext(b.Context(), git, args...).CombinedOutput(); err != nil {
			b.Fatalf("git %v: %v\n%s", args, err, out)
		}
	}
	ask := func(limit int) func() error {
		return func() error {
			n := 0
			for _, err := range gitstatus.Under(b.Context(), limit, top) {
				if err != nil {
					return err
				}
				n++
			}
			return same(50, n)
		}
	}
	python := benchtest.Twin(b, fieldTools)
	benchtest.Figure{Title: "the status of 50 git repositories", Must: map[string]float64{"Python, asyncio": 1}}.Compare(b,
		measure.Case("Go, as many gits as cores", ask(runtime.GOMAXPROCS(0))),
		measure.Case("Go, git by git", ask(1)),
		measure.Case("Python, asyncio", func() error { return python(50, "status_asyncio", top) }),
		measure.Case("Python, git by git", func() error { return python(50, "status", top) }))
}
