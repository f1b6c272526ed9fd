//go:build unix

package gitstatus_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"manyhands/helpers/gitstatus"
)

// TestCancelKillsChildren has git start a program that does not end, a filter
// of the repository's, and sees that it ends with the context. A pipe that only
// the filter holds tells when it has begun and when it is gone.
func TestCancelKillsChildren(t *testing.T) {
	top := t.TempDir()
	r := initialise(t, filepath.Join(top, "slow"))
	r.commit("a.txt", "a")
	alive := filepath.Join(top, "alive")
	if err := syscall.Mkfifo(alive, 0o600); err != nil {
		t.Fatal(err)
	}
	r.write(".gitattributes", "*.txt filter=slow\n")
	r.write("a.txt", "b") // as long as before, so git has to look into it
	r.git("config", "filter.slow.clean", "exec 3> '"+alive+"'; echo begun >&3; sleep 3600")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	gone := make(chan error)
	go func() {
		defer close(gone)
		pipe, err := os.Open(alive)
		if err != nil {
			gone <- err
			return
		}
		defer pipe.Close()
		if line, err := bufio.NewReader(pipe).ReadString('\n'); line != "begun\n" {
			gone <- err
		}
		cancel()
		_, err = io.Copy(io.Discard, pipe) // until nobody holds the other end
		gone <- err
	}()
	var last error
	for _, err := range gitstatus.Under(ctx, 0, top) {
		last = err
	}
	if !errors.Is(last, context.Canceled) {
		t.Error(last)
	}
	for err := range gone {
		if err != nil {
			t.Error(err)
		}
	}
}
