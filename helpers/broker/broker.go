//go:build unix

// Package broker finds a broker for the lessons on many machines: the one that
// NATS_URL or REDIS_URL names, or else one that the course brings along.
//
// That one is the course's own command, manyhands broker, started on demand in a
// process of its own: linked into a cell, the server would cost each cell a second.
// All cells of a notebook have the same one, and it ends with the notebook's
// kernel. Outside of a notebook it ends with the program.
package broker

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"
)

// NATS returns the URL of a NATS server with JetStream: $NATS_URL, or that of a
// server that it starts. From then on NATS_URL is set, also for the programs that
// this one starts.
func NATS(ctx context.Context) (string, error) { return find(ctx, "nats", "NATS_URL") }

// Redis returns the URL of a server that speaks Redis's protocol, as [NATS] does
// by REDIS_URL.
func Redis(ctx context.Context) (string, error) { return find(ctx, "redis", "REDIS_URL") }

func find(ctx context.Context, kind, variable string) (string, error) {
	address := os.Getenv(variable)
	if address == "" {
		var err error
		if address, err = shared(ctx, kind); err != nil {
			return "", fmt.Errorf("broker: no %s on this machine: %w; or set %s to one that runs", kind, err, variable)
		}
		os.Setenv(variable, address)
	}
	return address, nil
}

// owner is the process that the broker ends with: the kernel that started this
// cell, or this program.
func owner() int {
	if os.Getenv("GONB_PIPE") != "" {
		return os.Getppid()
	}
	return os.Getpid()
}

// shared returns the URL of the owner's broker, which it starts if need be. A
// file tells the owner's other programs where it is.
func shared(ctx context.Context, kind string) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	folder := filepath.Join(cache, "manyhands", "brokers")
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return "", err
	}
	lock := flock.New(filepath.Join(folder, "lock"))
	if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return "", err
	}
	defer lock.Close()
	file := filepath.Join(folder, kind+"-"+strconv.Itoa(owner()))
	if text, err := os.ReadFile(file); err == nil && answers(ctx, string(text)) {
		return string(text), nil
	}
	forget(folder)
	address, err := start(ctx, kind)
	if err != nil {
		return "", err
	}
	return address, os.WriteFile(file, []byte(address), 0o600)
}

// answers reports whether somebody listens at an address.
func answers(ctx context.Context, address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", u.Host)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// forget removes the files of owners that have ended.
func forget(folder string) {
	files, _ := filepath.Glob(filepath.Join(folder, "*-*"))
	for _, file := range files {
		_, number, _ := strings.Cut(filepath.Base(file), "-")
		if pid, err := strconv.Atoi(number); err == nil && errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			os.Remove(file)
		}
	}
}

// start starts a broker and returns its URL.
func start(ctx context.Context, kind string) (string, error) {
	program, err := command(ctx)
	if err != nil {
		return "", err
	}
	cmd := exec.Command(program, "broker", kind, "--for", strconv.Itoa(owner()))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true} // what interrupts a cell is not meant for the broker
	return announced(ctx, cmd, kind)
}

// announced starts a broker's command and returns the URL that it prints.
func announced(ctx context.Context, cmd *exec.Cmd, kind string) (string, error) {
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return "", err
	}
	defer context.AfterFunc(ctx, func() { cmd.Process.Kill() })()
	text := bufio.NewReader(out)
	line, err := text.ReadString('\n')
	if err == nil && strings.HasPrefix(line, kind+"://") {
		go cmd.Wait() // in a program that outlives it
		return strings.TrimSpace(line), nil
	}
	rest, _ := io.ReadAll(text)
	cmd.Wait() // closes the pipe, so not before all is read
	return "", errors.Join(fmt.Errorf("%s: %s%s", cmd, line, rest), ctx.Err())
}

// command builds the course's own command, which takes a moment where that was
// done before.
func command(ctx context.Context) (string, error) {
	_, source, _, _ := runtime.Caller(0)
	root := filepath.Join(filepath.Dir(source), "..", "..")
	program := filepath.Join(root, ".tools", "manyhands")
	build := exec.CommandContext(ctx, "go", "build", "-o", program, ".")
	build.Dir, build.Env = root, append(os.Environ(), "GOWORK=off")
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building the course's command in %s: %w\n%s", root, err, out)
	}
	return program, nil
}
