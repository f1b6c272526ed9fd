//go:build linux

package main_test

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"manyhands/helpers/findfiles"
	"manyhands/helpers/gitstatus"
	"manyhands/helpers/measure"
	"manyhands/helpers/portscan"
	"manyhands/helpers/subnet"
	"manyhands/internal/testparts"
)

// BenchmarkFindSSH scans 254 hosts, nearly all of them silent, and reports the
// time as a multiple (x-rounds) of as many time-outs as the limit makes
// necessary. It fails when each time was above 1.1.
func BenchmarkFindSSH(b *testing.B) {
	n, err := subnet.Plant(netip.MustParsePrefix("127.32.1.0/24"), map[byte]subnet.Host{
		22: subnet.Greets("SSH-2.0-OpenSSH_9.2\r\n"), 99: subnet.Mute, 200: nil,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	for _, limit := range []int{0, 127, 100, 50} {
		b.Run(fmt.Sprint("limit=", limit), func(b *testing.B) {
			scan := portscan.SSH
			scan.Port, scan.Limit = n.Port, limit
			rounds := 1.0
			if limit > 0 {
				rounds = math.Ceil(254 / float64(limit))
			}
			best := math.Inf(1)
			for b.Loop() {
				start := time.Now()
				for _, err := range scan.Hosts(b.Context(), n.Prefix) {
					if err != nil {
						b.Fatal(err)
					}
				}
				best = min(best, time.Since(start).Seconds())
			}
			ratio := best / (rounds * scan.Timeout.Seconds())
			b.ReportMetric(ratio, "x-rounds")
			if ratio > 1.1 {
				b.Errorf("%.2f times as long as %v rounds", ratio, rounds)
			}
		})
	}
}

// BenchmarkFindFiles compares the search of 100 000 files with a limit to one
// folder at a time, and both to Python.
func BenchmarkFindFiles(b *testing.B) {
	top := b.TempDir()
	var group errgroup.Group
	group.SetLimit(8)
	for i := range 1000 {
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
			if n != 10_000 {
				return fmt.Errorf("%d files found", n)
			}
			return nil
		}
	}
	compare(b,
		measure.Case("as many folders as cores", find(runtime.GOMAXPROCS(0))),
		measure.Case("one folder at a time", find(1)),
		measure.Case("Python", twin(b, "walk", top, 10_000)),
		measure.Case("Python, threads", twin(b, "walk_threads", top, 10_000)))
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
			if n != 50 {
				return fmt.Errorf("%d repositories asked", n)
			}
			return nil
		}
	}
	compare(b,
		measure.Case("as many gits as cores", ask(runtime.GOMAXPROCS(0))),
		measure.Case("git by git", ask(1)),
		measure.Case("Python", twin(b, "status", top, 50)),
		measure.Case("Python, asyncio", twin(b, "status_asyncio", top, 50)))
}

// twin starts a twin in Python and returns what has it do its work once, after
// which it must have found so many.
func twin(b *testing.B, name, folder string, want int) func() error {
	cmd := exec.CommandContext(b.Context(), testparts.Python(b), filepath.Join("testdata", "twins.py"), name, folder)
	cmd.Stderr = os.Stderr
	stdin, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		stdin.Close()
		cmd.Wait()
	})
	answers := bufio.NewReader(stdout)
	return func() error {
		io.WriteString(stdin, "again\n")
		if answer, err := answers.ReadString('\n'); err != nil || answer != fmt.Sprintln(want) {
			return fmt.Errorf("%s found %q instead of %d: %v", name, answer, want, err)
		}
		return nil
	}
}

// compare measures the cases in one run, and reports how many times as long as
// the first each of the others takes (x-2, x-3, …). Run it with -v to see the
// table.
func compare(b *testing.B, cases ...measure.Alternative) {
	for b.Loop() {
		c, err := measure.Plan{Repeats: 15, Budget: time.Minute}.Run(b.Context(), cases...)
		if err != nil {
			b.Fatal(err)
		}
		b.Log("\n", c)
		for i, r := range c.Results[1:] {
			b.ReportMetric(c.Results[0].SpeedUp(r).Value, fmt.Sprint("x-", i+2))
		}
	}
}
