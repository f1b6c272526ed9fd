//go:build unix

package findfiles_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"manyhands/helpers/findfiles"
)

// TestUnreadable finds all but what it may not, and says what that was.
func TestUnreadable(t *testing.T) {
	if os.Geteuid() == 0 {
		asNobody(t)
		return
	}
	top := grow(t, "a/1.txt", "shut/2.txt", "z/3.txt")
	shut := filepath.Join(top, "shut")
	if err := os.Chmod(shut, 0); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Chmod(shut, 0o755) })
	for _, limit := range []int{0, 1} {
		got, errs := find(t, findfiles.Search{Pattern: "*.txt", Limit: limit}, top)
		if strings.Join(got, " ") != "a/1.txt z/3.txt" {
			t.Error(got)
		}
		if len(errs) != 1 || !errors.Is(errs[0], fs.ErrPermission) || !strings.Contains(errs[0].Error(), shut) {
			t.Errorf("errors: %v", errs)
		}
		got, errs = find(t, findfiles.Search{Pattern: "a*/**/*.txt", Limit: limit}, top)
		if strings.Join(got, " ") != "a/1.txt" || errs != nil {
			t.Errorf("searched where nothing can match: %v, %v", got, errs)
		}
	}
}

// asNobody runs the test again as a user who, unlike root, may not read
// everything.
func asNobody(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	cmd.Dir, cmd.Env = "/", []string{"TMPDIR=/tmp"}
	if out, err := cmd.CombinedOutput(); err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Errorf("as nobody: %v\n%s", err, out)
	}
}
