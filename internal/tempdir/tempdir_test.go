//go:build unix

package tempdir_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"manyhands/internal/tempdir"
)

// TestMain is also a program that starts a process which has a temporary folder, and
// waits to be killed.
func TestMain(m *testing.M) {
	if parent := os.Getenv("TEMPDIR_TEST"); parent != "" {
		d, err := tempdir.Make(parent, "a folder; with a name ")
		if err != nil {
			panic(err)
		}
		child := exec.Command("sleep", "1000")
		child.Env = append(os.Environ(), "TMPDIR="+d.Path)
		child.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
		if err := errors.Join(os.Mkdir(filepath.Join(d.Path, "below"), 0o700), child.Start()); err != nil {
			panic(err)
		}
		fmt.Println(child.Process.Pid)
		child.Wait()
	}
	goleak.VerifyTestMain(m)
}

// TestKilled kills a process together with its group, as an impatient user may.
func TestKilled(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux tells the environment of a process")
	}
	parent := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "TEMPDIR_TEST="+parent)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	var child int
	if _, err := fmt.Fscan(out, &child); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		left, err := os.ReadDir(parent)
		if err == nil && len(left) == 0 && !alive(child) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("left are %v, %v; process %d is alive: %v", left, err, child, alive(child))
		}
	}
}

// alive tells whether a process runs; one that has ended, and whose new parent has
// not looked yet, does not.
func alive(pid int) bool {
	state, err := exec.Command("ps", "-o", "state=", "-p", fmt.Sprint(pid)).Output()
	return err == nil && state[0] != 'Z'
}

func TestRemove(t *testing.T) {
	d, err := tempdir.Make("", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(d.Path, "file"), nil, 0o600); err != nil {
		t.Error(err)
	}
	if err := d.Remove(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(d.Path); !errors.Is(err, fs.ErrNotExist) {
		t.Error("the folder is left:", err)
	}
}
