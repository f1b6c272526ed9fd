//go:build unix

// Package tempdir makes temporary folders that go with the process that makes them,
// even when it is killed, and with them what works in them.
//
// It exists because a process that is killed clears nothing away: what it has
// started lives on, and what that has started. A cell's endless loop would run for
// ever.
package tempdir

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

// A Dir is a temporary folder.
type Dir struct {
	Path   string
	keeper *exec.Cmd
}

// keeping waits until there is nobody left to write to it. What is being killed may
// start a process or write a file before it is gone, so it looks again.
const keeping = `
read -r _
for round in 1 2 3 4 5 6 7 8 9 10; do
	left=$({ grep -lszxF -e "TMPDIR=$1" /proc/[0-9]*/environ; grep -lszF -e "TMPDIR=$1/" /proc/[0-9]*/environ; } | cut -d / -f 3)
	[ -n "$left" ] || break
	kill -KILL $left
done
rm -rf -- "$1" || { sleep 1; rm -rf -- "$1"; }`

// Make makes a folder as [os.MkdirTemp] does. When this process ends without
// [Dir.Remove], a small process that has waited for that removes the folder, and
// before that, where the system tells which they are, as Linux does, kills all
// processes whose TMPDIR it is, or is in it.
func Make(parent, pattern string) (*Dir, error) {
	path, err := os.MkdirTemp(parent, pattern)
	if err != nil {
		return nil, err
	}
	keeper := exec.Command("/bin/sh", "-c", keeping, "sh", path)
	keeper.Dir = "/"
	keeper.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // out of reach of what ends this process
	if _, err = keeper.StdinPipe(); err == nil {            // closed when this process has ended
		err = keeper.Start()
	}
	if err != nil {
		os.RemoveAll(path)
		return nil, fmt.Errorf("watch over a temporary folder: %w", err)
	}
	return &Dir{path, keeper}, nil
}

// Remove removes the folder, and kills nobody.
func (d *Dir) Remove() error {
	err := os.RemoveAll(d.Path)
	d.keeper.Process.Kill()
	d.keeper.Wait()
	return err
}
