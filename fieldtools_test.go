//go:build linux

package main_test

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"manyhands/helpers/findfiles"
	"manyhands/helpers/gitstatus"
	"manyhands/helpers/portscan"
	"manyhands/helpers/subnet"
	"manyhands/internal/testparts"
)

// TestFieldTools uses the field tools as people do: as a program, from a folder
// that is not the course's.
func TestFieldTools(t *testing.T) {
	tool := program{filepath.Join(t.TempDir(), "manyhands"), t.TempDir()}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", tool.path, ".").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	t.Run("find-ssh", func(t *testing.T) { testFindSSH(t, tool) })
	t.Run("find-files", func(t *testing.T) { testFindFiles(t, tool) })
	t.Run("git-status", func(t *testing.T) { testGitStatus(t, tool) })
	t.Run("terminal", func(t *testing.T) { testTerminal(t, tool) })
	t.Run("interrupt", func(t *testing.T) { testInterrupt(t, tool) })
}

// A program is the course's command and the folder it is used in.
type program struct{ path, dir string }

func (p program) command(t *testing.T, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(t.Context(), p.path, args...)
	cmd.Dir = p.dir
	return cmd
}

// run runs the program and checks its exit status and what it has to say on
// standard error. It returns its standard output.
func (p program) run(t *testing.T, status int, says string, args ...string) string {
	t.Helper()
	cmd := p.command(t, args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, _ := cmd.Output()
	if cmd.ProcessState.ExitCode() != status {
		t.Errorf("%v: %v instead of exit status %d", args, cmd.ProcessState, status)
	}
	if !strings.Contains(stderr.String(), says) || says == "" && stderr.Len() > 0 {
		t.Errorf("%v: %q on standard error, without %q", args, stderr.String(), says)
	}
	return string(out)
}

// decode decodes lines of JSON.
func decode[T any](t *testing.T, lines string) (values []T) {
	t.Helper()
	for d := json.NewDecoder(strings.NewReader(lines)); ; {
		var v T
		if err := d.Decode(&v); err == io.EOF {
			return values
		} else if err != nil {
			t.Fatalf("%v in %q", err, lines)
		}
		values = append(values, v)
	}
}

// plant plants two SSH servers, the second of which has something to hide, and
// one that refuses.
func plant(t *testing.T) *subnet.Network {
	t.Helper()
	n, err := subnet.Plant(netip.MustParsePrefix("127.31.1.0/24"), map[byte]subnet.Host{
		1: subnet.Greets("SSH-2.0-OpenSSH_9.2\r\n"), 2: subnet.Greets("SSH-2.0-\x1b[2Jevil\r\n"), 3: nil,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

func testFindSSH(t *testing.T, tool program) {
	n := plant(t)
	port, few := fmt.Sprint("--port=", n.Port), netip.PrefixFrom(n.Prefix.Addr(), 29).String()
	out := tool.run(t, 0, "", "find-ssh", port, few, "--all")
	for _, want := range []string{"ADDRESS", n.Address(1).String() + " ", "found", "SSH-2.0-OpenSSH_9.2\n", n.Address(3).String(), "refused", "SSH-2.0-\uFFFD[2Jevil\n"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in\n%s", want, out)
		}
	}
	if strings.Contains(out, "\x1b") || strings.Count(out, "\n") != 4 {
		t.Errorf("%q", out)
	}
	found := decode[portscan.Host](t, tool.run(t, 0, "", "find-ssh", port, few, "--json", "--limit=0"))
	if len(found) != 2 || found[0].Answer != portscan.Found || found[0].Address.Port() != n.Port || found[0].Took <= 0 {
		t.Errorf("%+v", found)
	}
	tool.run(t, 1, "nothing found", "find-ssh", port, n.Address(3).Addr().String()+"/32")
	tool.run(t, 0, "", "find-ssh", port, n.Address(1).Addr().String()+"/32", "--greeting=", "--limit=1")
	for _, wrong := range [][]string{{}, {"127.0.0.1"}, {"10.0.0.0/8"}, {"::/0"}, {few, "--limit=-1"}, {few, "--timeout=0"}, {few, "--port=70000"}} {
		tool.run(t, 2, "manyhands: error:", append([]string{"find-ssh"}, wrong...)...)
	}
	// 16 files are too few for so many sockets, and that must not look like
	// silence.
	limited := exec.CommandContext(t.Context(), "sh", "-c", "ulimit -n 16; exec '"+tool.path+"' find-ssh --limit=0 --timeout=2s "+port+" "+n.Prefix.String())
	if out, err := limited.CombinedOutput(); err == nil || !strings.Contains(string(out), "too many open files") || !strings.Contains(string(out), "incomplete: ") {
		t.Errorf("%v: %s", err, out)
	}
}

func testFindFiles(t *testing.T, tool program) {
	for _, name := range []string{"a.txt", "sub/b\n.txt", "sub/c.md"} {
		path := filepath.Join(tool.dir, "tree", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("hello"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	out := tool.run(t, 0, "", "find-files", "*.txt")
	if strings.Count(out, "\n") != 3 || !strings.Contains(out, " tree/a.txt\n") || !strings.Contains(out, "tree/sub/b\uFFFD.txt\n") || !strings.Contains(out, "           5  20") {
		t.Errorf("%q", out)
	}
	files := decode[findfiles.File](t, tool.run(t, 0, "", "find-files", "sub/*.txt", "tree", "--json"))
	if len(files) != 1 || files[0].Path != "tree/sub/b\n.txt" || files[0].Size != 5 || files[0].Modified.IsZero() {
		t.Errorf("%+v", files)
	}
	tool.run(t, 1, "nothing found", "find-files", "*.go", "tree")
	if out := tool.run(t, 1, "nowhere: no such file", "find-files", "*.md", "nowhere", "tree"); !strings.Contains(out, "c.md") {
		t.Errorf("%q", out)
	}
	tool.run(t, 1, `pattern "[": syntax error in pattern`, "find-files", "[")
	tool.run(t, 2, "manyhands: error:", "find-files")
	tool.run(t, 2, "manyhands: error:", "find-files", "*", "--limit=-1")
}

// git runs git in a folder, as nobody in particular.
func git(t *testing.T, dir string, args ...string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), testparts.Program(t, "get it from your system's packages", "git"),
		append([]string{"-C", dir, "-c", "user.name=Ada", "-c", "user.email=ada@example.org"}, args...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("git %v: %v\n%s", args, err, out)
	}
}

func testGitStatus(t *testing.T, tool program) {
	top := filepath.Join(tool.dir, "src")
	for _, name := range []string{"clean", "changed"} {
		git(t, tool.dir, "init", "-q", "-b", "main", filepath.Join(top, name))
	}
	if out := tool.run(t, 0, "", "git-status", "src"); out != "" {
		t.Errorf("%q", out)
	}
	if err := os.WriteFile(filepath.Join(top, "changed", "new"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	out := tool.run(t, 1, "1 of 2 repositories are not clean", "git-status")
	if strings.Count(out, "\n") != 2 || !strings.Contains(out, "      ·          1          ·        ·         ·      ·       ·  main                  src/changed\n") {
		t.Errorf("%q", out)
	}
	statuses := decode[gitstatus.Status](t, tool.run(t, 1, "not clean", "git-status", "--all", "--json", "--limit=1", "src"))
	if len(statuses) != 2 || statuses[0].Untracked != 1 || statuses[1].Path != "src/clean" || statuses[1].Branch != "main" {
		t.Errorf("%+v", statuses)
	}
	tool.run(t, 1, "nothing found", "git-status", filepath.Join("src", "clean", ".git", "refs"))
	tool.run(t, 2, "manyhands: error:", "git-status", "--limit=-1")
}

// testTerminal runs the tools on a terminal, as made by script(1): there are
// colours then, and progress.
func testTerminal(t *testing.T, tool program) {
	script := testparts.Program(t, "it comes with bsdutils or util-linux", "script")
	n := plant(t)
	run := func(line string) string {
		cmd := exec.CommandContext(t.Context(), script, "-qec", "stty cols 120 rows 30; "+line, "/dev/null")
		cmd.Dir, cmd.Env = tool.dir, append(os.Environ(), "TERM=xterm")
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v", line, err)
		}
		return string(out)
	}
	scan := fmt.Sprintf("%s find-ssh --port=%d %v", tool.path, n.Port, n.Prefix)
	out := run(scan)
	for _, want := range []string{"\x1b[32mfound", "/254", "✓ hosts", "SSH-2.0-OpenSSH"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %q", want, out)
		}
	}
	if out := run(scan + " 2>/dev/null"); !strings.Contains(out, "\x1b[32mfound") || strings.Contains(out, "✓ hosts") {
		t.Errorf("%q", out)
	}
	if out := run(scan + " >rows"); !strings.Contains(out, "✓ hosts") || strings.Contains(out, "found ") {
		t.Errorf("%q", out)
	}
	if rows, err := os.ReadFile(filepath.Join(tool.dir, "rows")); err != nil || bytes.Contains(rows, []byte("\x1b")) || bytes.Count(rows, []byte("\n")) != 3 {
		t.Errorf("%q, %v", rows, err)
	}
}

// testInterrupt sends each tool what Ctrl-C sends, in the middle of its work,
// and sees that it ends soon, says so, and leaves no child process behind.
func testInterrupt(t *testing.T, tool program) {
	n := plant(t)
	root, err := exec.CommandContext(t.Context(), "go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	slow := filepath.Join(t.TempDir(), "slow")
	pipe := blockingRepository(t, slow)
	var alive *os.File
	defer func() { alive.Close() }()
	filtering := func(*bufio.Reader) (err error) {
		if alive, err = os.Open(pipe); err != nil { // waits for the filter
			return err
		}
		return firstLine(bufio.NewReader(alive))
	}
	tests := []struct {
		args   []string
		middle func(stdout *bufio.Reader) error // returns in the middle of the work
	}{
		{[]string{"find-ssh", fmt.Sprint("--port=", n.Port), "--limit=0", "--timeout=1h", n.Prefix.String()}, firstLine},
		{[]string{"find-files", "*", strings.TrimSpace(string(root))}, firstLine}, // more than a pipe holds
		{[]string{"git-status", slow}, filtering},
	}
	for _, test := range tests {
		cmd := tool.command(t, test.args...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		stdout := bufio.NewReader(pipe)
		if err := test.middle(stdout); err != nil {
			t.Error(err)
		}
		if err := cmd.Process.Signal(os.Interrupt); err != nil {
			t.Error(err)
		}
		io.Copy(io.Discard, stdout)
		cmd.Wait()
		if cmd.ProcessState.ExitCode() != 1 || !strings.Contains(stderr.String(), "interrupted: ") {
			t.Errorf("%v: %v: %s", test.args, cmd.ProcessState, stderr.String())
		}
	}
	if _, err := io.Copy(io.Discard, alive); err != nil { // ends when all who hold the pipe are gone
		t.Error(err)
	}
}

func firstLine(r *bufio.Reader) error {
	_, err := r.ReadString('\n')
	return err
}

// blockingRepository makes a repository over which git does not end, as it
// waits for a filter of the repository's own. The filter writes a line to the
// pipe when it begins, and holds it as long as it lives.
func blockingRepository(t *testing.T, dir string) (pipe string) {
	t.Helper()
	pipe = filepath.Join(t.TempDir(), "alive")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	git(t, ".", "init", "-q", dir)
	file := filepath.Join(dir, "a.txt")
	if err := os.WriteFile(file, []byte("a"), 0o644); err != nil {
		t.Fatal(err)
	}
	git(t, dir, "add", ".")
	git(t, dir, "commit", "-q", "-m", "a")
	git(t, dir, "config", "filter.slow.clean", "exec 3> '"+pipe+"'; echo begun >&3; sleep 3600")
	for path, text := range map[string]string{filepath.Join(dir, ".gitattributes"): "*.txt filter=slow\n", file: "b"} {
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return pipe
}
