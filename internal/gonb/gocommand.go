package gonb

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"time"
)

// noNetwork matches what the go command says when it cannot download.
var noNetwork = regexp.MustCompile(`dial tcp|lookup .*: |module lookup disabled|i/o timeout|proxyconnect|TLS handshake`)

// noCache matches what the go command says when it cannot write to its caches.
var noCache = regexp.MustCompile(`could not create module cache|failed to initialize build cache|build cache is (required|disabled)`)

// goOutput runs the go command in dir and returns its output.
func goOutput(ctx context.Context, dir string, env []string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) } // go then stops its compilers itself
	cmd.WaitDelay = 5 * time.Second
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case noNetwork.Match(said.Bytes()):
		return nil, fmt.Errorf("go %s: %w\n%s\nthe first start downloads modules: connect to the network, "+
			"or set GOPROXY to a proxy that you can reach, and try again", args[0], err, bytes.TrimSpace(said.Bytes()))
	case noCache.Match(said.Bytes()):
		return nil, fmt.Errorf("go %s: %w\n%s\nGo keeps its caches in the home folder: where that cannot be written, "+
			"set GOCACHE and GOMODCACHE to folders that can, and try again", args[0], err, bytes.TrimSpace(said.Bytes()))
	default:
		return nil, fmt.Errorf("go %s: %w\n%s", args[0], err, bytes.TrimSpace(said.Bytes()))
	}
}
