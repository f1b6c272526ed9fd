package kernel

import (
	"fmt"
	"os"

	"manyhands/internal/tempdir"
)

// home is the folder of one kernel: its connection file, its sockets, and the
// TMPDIR of the kernel and its cells. What they leave there goes with it.
type home struct {
	dir    string
	key    []byte // signs the messages
	folder *tempdir.Dir
}

// longestTemp is the longest temporary folder, in bytes, in which the paths of
// Unix sockets, GoNB's for gopls among them, stay below the 104 bytes that the
// strictest system allows.
const longestTemp = 60

func newHome() (*home, error) {
	parent := os.TempDir()
	if len(parent) > longestTemp {
		parent = "/tmp"
	}
	folder, err := tempdir.Make(parent, "kernel-")
	if err != nil {
		return nil, fmt.Errorf("make its temporary folder: %w", err)
	}
	return &home{dir: folder.Path, folder: folder}, nil
}

func (h *home) remove() error {
	if err := h.folder.Remove(); err != nil {
		return fmt.Errorf("remove the kernel's temporary folder: %w", err)
	}
	return nil
}
