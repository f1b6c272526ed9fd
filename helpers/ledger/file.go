package ledger

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Path returns the path of the ledger of this notebook, which need not exist
// yet. It fails where neither MANYHANDS_LEDGER nor a cache folder is known.
func Path() (string, error) {
	session, err := session()
	if err != nil {
		return "", err
	}
	return pathOf(session)
}

// pathOf is the path of the ledger of a notebook at path session.
func pathOf(session string) (string, error) {
	folder := os.Getenv("MANYHANDS_LEDGER")
	if folder == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("no folder for the figures: %w; set MANYHANDS_LEDGER to one", err)
		}
		folder = filepath.Join(cache, "manyhands", "ledger")
	}
	name := strings.TrimSuffix(filepath.Base(session), ".ipynb")
	name = name[:min(len(name), 200)] // file systems allow 255 bytes
	return filepath.Join(folder, fmt.Sprintf("%s-%08x.jsonl", name, crc32.ChecksumIEEE([]byte(session)))), nil
}

// session is the path that tells this notebook from others.
func session() (string, error) {
	for _, env := range []string{"JPY_SESSION_NAME", "GONB_TMP_DIR"} {
		if path := os.Getenv(env); path != "" {
			return path, nil
		}
	}
	// Not os.Getwd, which believes $PWD: Python does not, and would write to
	// another file where the path leads through a symbolic link.
	dir, err := syscall.Getwd()
	if err != nil {
		return "", fmt.Errorf("no working directory: %w", err)
	}
	return dir, nil
}

// appendLine writes line, which ends in a newline, to the end of the file at
// path as a whole or not at all.
func appendLine(path string, line []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_RDWR|os.O_APPEND|os.O_CREATE, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }() // which unlocks, too
	if err := lock(f, syscall.LOCK_EX); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if torn, err := endsTorn(f, info.Size()); err != nil {
		return err
	} else if torn {
		line = append([]byte{'\n'}, line...)
	}
	if n, err := f.Write(line); err != nil {
		if n > 0 { // the disk filled up in the middle
			err = errors.Join(err, f.Truncate(info.Size()))
		}
		return err
	}
	return nil
}

// endsTorn reports whether the last line lacks its end, because the process
// that wrote it was killed.
func endsTorn(f *os.File, size int64) (bool, error) {
	if size == 0 {
		return false, nil
	}
	var last [1]byte
	_, err := f.ReadAt(last[:], size-1)
	return last[0] != '\n', err
}

// read returns the content of the file at path, and nothing if there is none.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := lock(f, syscall.LOCK_SH); err != nil {
		return nil, err
	}
	return io.ReadAll(f)
}

// lock waits for a flock(2). It belongs to the open file, not to the process,
// so it keeps goroutines apart as well.
func lock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if err == nil {
			return nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return fmt.Errorf("cannot lock %s: %w", f.Name(), err)
		}
	}
}
