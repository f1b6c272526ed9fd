package lab

import (
	"bytes"
	"context"
	"crypto/rand"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/google/renameio/v2"

	"manyhands/internal/pyenv"
)

// jupyter is a JupyterLab or a Notebook that can be started.
type jupyter struct {
	argv  []string
	name  string // "JupyterLab 4.6.6"
	home  string // the path of its start page
	share string // where the kernelspec goes, below kernels/
}

// outside finds a JupyterLab or, failing that, a Notebook on PATH.
func (l *lab) outside(ctx context.Context) (*jupyter, error) {
	for _, j := range []struct {
		program, name, home string
		major, minor        int // the oldest that will do
	}{
		{"jupyter-lab", "JupyterLab", "lab", 3, 0},
		{"jupyter-notebook", "Jupyter Notebook", "tree", 6, 4},
	} {
		path, err := exec.LookPath(j.program)
		if err != nil {
			continue
		}
		out, err := pyenv.Command(ctx, path, "--version").Output()
		if err != nil {
			continue
		}
		version := strings.TrimSpace(string(out))
		var major, minor int
		if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
			continue
		}
		if major > j.major || major == j.major && minor >= j.minor {
			return &jupyter{argv: []string{path}, name: j.name + " " + version, home: j.home, share: l.state("data")}, nil
		}
	}
	return nil, errors.New("there is no JupyterLab and no Notebook (6.4 or later) on PATH either")
}

// ports returns the first and the last port to try.
func (l *lab) ports() (first, last int) {
	if l.Port != 0 {
		return l.Port, l.Port
	}
	return 8888, 8987
}

// freePort returns the first port of the host that is free.
func freePort(host string, first, last int) (int, error) {
	for port := first; port <= last; port++ {
		probe, err := net.Listen("tcp4", net.JoinHostPort(host, strconv.Itoa(port)))
		if err == nil {
			return port, probe.Close()
		}
		if first == last {
			return 0, cannotHave(port, err)
		}
	}
	return 0, fmt.Errorf("no port from %d to %d is free: choose another with --port", first, last)
}

func cannotHave(port int, err error) error {
	return fmt.Errorf("port %d cannot be had (%w): choose another with --port, or leave --port out", port, err)
}

// session is a running Jupyter, as the next `lab` finds it in session.json.
type session struct {
	Address string // with the token: what goes into the browser
	Server  string // http://127.0.0.1:8888/
	Token   string
	Temp    string // the temporary folder of Jupyter, its kernels and their cells
}

func (l *lab) sessionFile() string { return l.state("session.json") }

// remember writes the session down for the next lab.
func (l *lab) remember(s session) error {
	text, err := json.Marshal(s)
	if err != nil {
		return err
	}
	return renameio.WriteFile(l.sessionFile(), text, 0o600)
}

// clear removes all that a session leaves once its Jupyter is gone: kernels
// and what their cells started, temporary files, its entry.
func (l *lab) clear(s session) error {
	if err := sweep(s.Temp); err != nil {
		return err
	}
	return errors.Join(os.RemoveAll(s.Temp), os.RemoveAll(l.state("open.html")), os.RemoveAll(l.sessionFile()))
}

// running returns the session of this course that answers, if there is one.
func (l *lab) running(ctx context.Context) (session, bool) {
	var s session
	text, err := os.ReadFile(l.sessionFile())
	if err != nil || json.Unmarshal(text, &s) != nil || !isTemp(s.Temp) {
		return session{}, false
	}
	return s, s.answers(ctx)
}

func (s session) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.Server+"api/status", nil)
	if err != nil {
		return false
	}
	request.Header.Set("Authorization", "token "+s.Token)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return false
	}
	response.Body.Close()
	return response.StatusCode == http.StatusOK
}

// startLimit is how long Jupyter may take until it answers.
const startLimit = 2 * time.Minute

// serve runs Jupyter on dir until ctx ends. Where another program takes the port
// before Jupyter does, as a lab that starts at the same time may, it goes on to the
// next one.
func (l *lab) serve(ctx context.Context, j *jupyter, dir string) error {
	first, last := l.ports()
	for {
		port, err := freePort(l.Host, first, last)
		if err != nil {
			return err
		}
		err = l.serveOn(ctx, j, dir, port)
		if port == last || !errors.Is(err, syscall.EADDRINUSE) {
			return err
		}
		first = port + 1
	}
}

func (l *lab) serveOn(ctx context.Context, j *jupyter, dir string, port int) (err error) {
	host := l.Host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() { // all addresses, and so this one
		host = "127.0.0.1"
	}
	s := session{Server: "http://" + net.JoinHostPort(host, strconv.Itoa(port)) + "/", Token: rand.Text()}
	s.Address = s.Server + j.home + "?token=" + s.Token
	temp, err := newTemp()
	if err != nil {
		return err
	}
	defer temp.Remove()
	s.Temp = temp.Path
	defer func() { err = errors.Join(err, l.clear(s)) }()
	if err := errors.Join(l.writeConfig(), l.arrange(dir)); err != nil {
		return fmt.Errorf("write Jupyter's settings: %w", err)
	}
	// Before Jupyter starts: whatever happens to us, the next lab knows what to clear.
	if err := l.remember(s); err != nil {
		return err
	}
	log, err := os.Create(l.state("jupyter.log"))
	if err != nil {
		return err
	}
	defer log.Close()

	cmd := exec.Command(j.argv[0], append(j.argv[1:], "--no-browser", "--ip="+l.Host,
		fmt.Sprintf("--port=%d", port), "--port-retries=0", "--notebook-dir="+dir)...)
	if os.Geteuid() == 0 {
		cmd.Args = append(cmd.Args, "--allow-root") // in a container; Jupyter would refuse
	}
	cmd.Dir = dir
	cmd.Stdout, cmd.Stderr = log, log
	cmd.Env = append(os.Environ(), l.environ(j, s)...)
	server, err := start(cmd)
	if err != nil {
		return fmt.Errorf("start %s: %w", j.name, err)
	}
	defer server.stop()

	for deadline := time.Now().Add(startLimit); !s.answers(ctx); {
		select {
		case <-ctx.Done():
			return nil
		case <-server.dead:
			if err := taken(l.Host, port, log.Name()); err != nil {
				return err
			}
			return fmt.Errorf("%s did not start (%w): see %s", j.name, server.end(), log.Name())
		case <-time.After(50 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%s did not answer within %v: see %s", j.name, startLimit, log.Name())
		}
	}
	l.say("%s is running on %s:\n\n    %s\n\nYour work is saved every ten seconds. Ctrl-C stops it with all its kernels.",
		j.name, dir, s.Address)
	l.browse(s)
	select {
	case <-ctx.Done():
		l.say("Stopping %s and its kernels …", j.name)
		return nil
	case <-server.dead:
		if err := server.end(); err != nil {
			return fmt.Errorf("%s ended by itself (%w): see %s", j.name, err, log.Name())
		}
		return nil // File > Shut Down
	}
}

// taken returns why a Jupyter that did not start could not have its port, if that was
// it. Its log tells where the port is free again by now, as one that another lab only
// looked at is; and the port itself where the log is in another language.
func taken(host string, port int, log string) error {
	said, err := os.ReadFile(log)
	if err != nil {
		return err
	}
	if bytes.Contains(said, fmt.Appendf(nil, "port %d is already in use", port)) {
		return cannotHave(port, syscall.EADDRINUSE)
	}
	_, err = freePort(host, port, port)
	return err
}

//go:embed config
var config embed.FS

// writeConfig lays out Jupyter's settings: those of the course, made anew at
// each start, beside those that the student makes in JupyterLab.
//
// The page takes what answers a kernel_info_request, too, for the kernel's state,
// as GoNB says nothing of its state in answer to the other requests of a page
// that opens. The server must not: to it a kernel so asked would be busy, and for a
// busy kernel it does not wait until a new page hears of the state at all.
func (l *lab) writeConfig() error {
	return fs.WalkDir(config, "config", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return os.MkdirAll(l.state(path), 0o777)
		}
		text, err := config.ReadFile(path)
		if err != nil {
			return err
		}
		return renameio.WriteFile(l.state(path), text, 0o666)
	})
}

// workspace is how JupyterLab opens for the first time: the lessons on the
// left, the first of them open.
//
//go:embed workspace.json
var workspace string

// workspaceFile is the name that JupyterLab gives to the workspace "default".
const workspaceFile = "default-37a8.jupyterlab-workspace"

// arrange lays out the first workspace. From then on JupyterLab remembers how
// the student left it.
func (l *lab) arrange(dir string) error {
	path := l.state("lab", "workspaces", workspaceFile)
	notebooks, err := fs.Glob(os.DirFS(dir), "*.ipynb")
	if err != nil || len(notebooks) == 0 {
		return err
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	name, err := json.Marshal(notebooks[0])
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	text := strings.ReplaceAll(workspace, "FIRST", strings.Trim(string(name), `"`))
	return renameio.WriteFile(path, []byte(text), 0o666)
}

// environ points Jupyter at folders of the course's, so that it neither reads
// nor writes what the user has at home, and no other kernel named gonb is
// found before ours.
func (l *lab) environ(j *jupyter, s session) []string {
	return []string{
		"JUPYTER_CONFIG_DIR=" + l.state("config"),
		"JUPYTER_CONFIG_PATH=",
		"JUPYTER_DATA_DIR=" + l.state("data"),
		"JUPYTER_RUNTIME_DIR=" + filepath.Join(s.Temp, "runtime"),
		"JUPYTER_PATH=" + j.share,
		"JUPYTERLAB_SETTINGS_DIR=" + l.state("lab", "user-settings"),
		"JUPYTERLAB_WORKSPACES_DIR=" + l.state("lab", "workspaces"),
		"IPYTHONDIR=" + l.state("ipython"),
		"JUPYTER_TOKEN=" + s.Token, // not an argument: those are everybody's to read
		"TMPDIR=" + s.Temp,
	}
}

// browse opens the browser. It is sent to a file that only this user can
// read, and from there to the address: what stands on a command line, a token
// too, is everybody's to read.
func (l *lab) browse(s session) {
	if !l.Browser {
		return
	}
	page := l.state("open.html")
	text := fmt.Sprintf(`<!doctype html><meta charset="utf-8"><title>Many Hands</title><meta http-equiv="refresh" content="0; url=%s">`,
		html.EscapeString(s.Address))
	if err := renameio.WriteFile(page, []byte(text), 0o600); err != nil {
		l.say("! open the address yourself: %v", err)
		return
	}
	program := "xdg-open"
	if runtime.GOOS == "darwin" {
		program = "open"
	}
	cmd := exec.Command(program, (&url.URL{Scheme: "file", Path: page}).String())
	if err := cmd.Start(); err != nil {
		l.say("No browser was found to open: open the address above in one.")
		return
	}
	go cmd.Wait()
}
