package lab_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	ps "github.com/shirou/gopsutil/v4/process"
	"go.uber.org/goleak"
	"golang.org/x/net/websocket"

	"manyhands/internal/course"
	"manyhands/internal/gonb"
	"manyhands/internal/lab"
	"manyhands/internal/progress"
	"manyhands/internal/pyenv"
	"manyhands/internal/testparts"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m)
}

// newCourse is a course in a folder with an awkward name: a copy of this one's
// Go code, with one notebook.
func newCourse(t testing.TB) *course.Course {
	t.Helper()
	repo, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	c := &course.Course{Root: filepath.Join(t.TempDir(), "Ann's course & 1")}
	for _, dir := range []string{"helpers", "internal", "lessons"} {
		if _, err := os.Stat(repo.Path(dir)); err != nil {
			continue
		}
		if err := os.CopyFS(c.Path(dir), os.DirFS(repo.Path(dir))); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range []string{"*.go", "go.*", "tools/*.*"} { // of tools not the folders, in which npm may have installed
		files, err := filepath.Glob(repo.Path(pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			write(t, c.Path(filepath.Dir(pattern), filepath.Base(path)), read(t, path))
		}
	}
	write(t, c.Path("notebooks", "00-welcome.ipynb"), emptyNotebook)
	return c
}

const emptyNotebook = `{"cells":[],"metadata":{"kernelspec":{"name":"gonb","display_name":"Go (gonb)"}},"nbformat":4,"nbformat_minor":5}`

func write(t testing.TB, path, text string) {
	t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o777), os.WriteFile(path, []byte(text), 0o666)); err != nil {
		t.Fatal(err)
	}
}

func read(t testing.TB, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// borrow gives c what this repository has set up already, made if need be:
// links to the tools and to what is in .venv, all but the kernelspecs, which
// name the course's folder.
func borrow(t testing.TB, c *course.Course) {
	t.Helper()
	repo, err := course.Find()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := pyenv.Find(t.Context()); err != nil {
		testparts.Missing(t, err)
	}
	p := progress.New(t.Output())
	defer p.Wait()
	env, err := pyenv.Ensure(t.Context(), repo, p)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gonb.Install(t.Context(), repo, t.Output()); err != nil {
		t.Fatal(err)
	}
	link := func(from, to string, but string) {
		t.Helper()
		entries, err := os.ReadDir(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(to, 0o777); err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Name() == but {
				continue
			}
			if err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
				t.Fatal(err)
			}
		}
	}
	link(env.Dir, c.Path(".venv"), "share")
	link(filepath.Join(env.Dir, "share"), c.Path(".venv", "share"), "jupyter")
	link(filepath.Join(env.Dir, "share", "jupyter"), c.Path(".venv", "share", "jupyter"), "kernels")
	link(repo.Path(".tools"), c.Path(".tools"), "lock")
}

// running is a lab under way.
type running struct {
	t      *testing.T
	cancel context.CancelFunc
	done   chan error
	out    *output
}

// output is what a lab said, safe to read while it goes on.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(data []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(data)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

func start(t *testing.T, c *course.Course, opt lab.Options) *running {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	r := &running{t: t, cancel: cancel, done: make(chan error, 1), out: &output{}}
	opt.Out = r.out
	go func() { r.done <- lab.Run(ctx, c, opt) }()
	t.Cleanup(func() {
		cancel()
		if t.Failed() {
			log, _ := os.ReadFile(c.Path(".cache", "jupyter", "jupyter.log"))
			t.Logf("the lab said:\n%s\nJupyter's log:\n%s", r.out, log)
		}
	})
	return r
}

var address = regexp.MustCompile(`(http://127\.0\.0\.\d:\d+/)(?:lab|tree)\?token=(\S+)`)

// address waits until the lab has printed where it is.
func (r *running) address() (server, token string) {
	r.t.Helper()
	for end := time.Now().Add(4 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if m := address.FindStringSubmatch(r.out.String()); m != nil {
			return m[1], m[2]
		}
		select {
		case err := <-r.done:
			r.t.Fatalf("the lab ended: %v\n%s", err, r.out)
		default:
		}
	}
	r.t.Fatalf("no address was printed:\n%s", r.out)
	return
}

// stop is Ctrl-C.
func (r *running) stop() {
	r.t.Helper()
	r.cancel()
	if err := <-r.done; err != nil {
		r.t.Errorf("the lab ended with %v", err)
	}
}

// call talks to the server's REST interface.
func call(t *testing.T, method, address, token string, answer any) int {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), method, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		request.Header.Set("Authorization", "token "+token)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if answer != nil {
		if err := json.Unmarshal(body, answer); err != nil {
			t.Fatalf("%s %s: %v in %s", method, address, err, body)
		}
	}
	return response.StatusCode
}

// leftovers lists the processes that have anything to do with the folder or
// are children of this process.
func leftovers(t *testing.T, folder string) (left []string) {
	t.Helper()
	all, err := ps.Processes()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range all {
		args, err := p.Cmdline()
		if err != nil || int(p.Pid) == os.Getpid() {
			continue
		}
		env, _ := p.Environ()
		parent, _ := p.Ppid()
		if int(parent) == os.Getpid() || strings.Contains(args+strings.Join(env, "\n"), folder) {
			left = append(left, fmt.Sprintf("%d %s", p.Pid, args))
		}
	}
	return left
}

func TestLab(t *testing.T) {
	c := newCourse(t)
	borrow(t, c)
	homeless(t)
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)

	began := time.Now()
	r := start(t, c, lab.Options{})
	server, token := r.address()
	t.Logf("the page answered after %v", time.Since(began).Round(time.Millisecond))

	if status := call(t, "GET", server+"api/contents", "", nil); status != http.StatusForbidden {
		t.Errorf("without the token the server says %d, want %d", status, http.StatusForbidden)
	}
	var specs struct {
		Kernelspecs map[string]any
	}
	call(t, "GET", server+"api/kernelspecs", token, &specs)
	if _, ok := specs.Kernelspecs["gonb"]; !ok {
		t.Errorf("the kernelspecs are %v, want gonb among them", specs.Kernelspecs)
	}
	for _, asset := range []string{"echarts.min.js", "manyhands.js", "logo-svg.svg"} {
		if status := call(t, "GET", server+"kernelspecs/gonb/"+asset, token, nil); status != http.StatusOK {
			t.Errorf("kernelspecs/gonb/%s: status %d", asset, status)
		}
	}
	var folder struct {
		Content []struct{ Name string }
	}
	call(t, "GET", server+"api/contents", token, &folder)
	if len(folder.Content) != 1 || folder.Content[0].Name != "00-welcome.ipynb" {
		t.Errorf("JupyterLab opens on %v, want the one notebook", folder.Content)
	}
	var settings struct {
		Schema struct {
			Properties map[string]struct{ Default any }
		}
	}
	call(t, "GET", server+"lab/api/settings/@jupyterlab/apputils-extension:notification", token, &settings)
	if news := settings.Schema.Properties["fetchNews"].Default; news != "false" {
		t.Errorf("JupyterLab's setting for news from the network is %v, want false", news)
	}

	if out := runCell(t, server, token, `import "fmt"
func main() { fmt.Println(6*7) }`); out != "42\n" {
		t.Errorf("the cell printed %q", out)
	}

	second := start(t, c, lab.Options{})
	if at, _ := second.address(); at != server {
		t.Errorf("the second lab names %s, the first is %s", at, server)
	}
	second.stop()
	if !strings.Contains(second.out.String(), "already running") {
		t.Errorf("the second lab says %q", second.out)
	}

	r.stop()
	if left := leftovers(t, c.Root); len(left) > 0 {
		t.Errorf("processes left: %s", strings.Join(left, "\n"))
	}
	if left, _ := filepath.Glob(filepath.Join(temp, "*")); len(left) > 0 {
		t.Errorf("temporary files left: %v", left)
	}
}

// TestLabsAtOnce starts the labs of several courses at the same time: they all look
// for a port, and find one each.
func TestLabsAtOnce(t *testing.T) {
	var labs []*running
	for range 3 {
		c := newCourse(t)
		borrow(t, c)
		labs = append(labs, start(t, c, lab.Options{}))
	}
	servers := map[string]bool{}
	for _, r := range labs {
		server, token := r.address()
		if status := call(t, "GET", server+"api/status", token, nil); status != http.StatusOK {
			t.Errorf("%s answers %d", server, status)
		}
		servers[server] = true
	}
	if len(servers) != len(labs) {
		t.Errorf("%d labs at %v", len(labs), servers)
	}
	for _, r := range labs {
		r.stop()
	}
}

// TestPortTakenForAMoment takes the lab's port away before Jupyter has it, and gives
// it back as soon as Jupyter has noticed: nobody has it when the lab looks why.
func TestPortTakenForAMoment(t *testing.T) {
	c := newCourse(t)
	borrow(t, c)
	r := start(t, c, lab.Options{})
	var thief net.Listener
	var port string
	for end := time.Now().Add(4 * time.Minute); thief == nil; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no port to take:\n%s", r.out)
		}
		var session struct{ Server string }
		text, _ := os.ReadFile(c.Path(".cache", "jupyter", "session.json"))
		if json.Unmarshal(text, &session) != nil {
			continue
		}
		host := strings.Trim(session.Server, "htp:/")
		_, port, _ = net.SplitHostPort(host)
		thief, _ = net.Listen("tcp4", host) // or somebody else was first, and the lab goes on to another
	}
	defer thief.Close()
	noticed := "port " + port + " is already in use"
	for end := time.Now().Add(4 * time.Minute); ; time.Sleep(time.Millisecond) {
		if text, _ := os.ReadFile(c.Path(".cache", "jupyter", "jupyter.log")); strings.Contains(string(text), noticed) {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("Jupyter does not miss its port:\n%s", r.out)
		}
	}
	thief.Close()
	if server, _ := r.address(); strings.Contains(server, ":"+port+"/") {
		t.Errorf("the lab is at %s, which Jupyter did not get", server)
	}
	r.stop()
}

// TestHost has the lab listen on another of this machine's addresses.
func TestHost(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("only Linux has more than one address for itself everywhere")
	}
	c := newCourse(t)
	borrow(t, c)
	r := start(t, c, lab.Options{Host: "127.0.0.2"})
	if server, _ := r.address(); !strings.HasPrefix(server, "http://127.0.0.2:") {
		t.Errorf("the lab that listens on 127.0.0.2 is at %s", server)
	}
	r.stop()
}

// homeless takes the user's home away, all but what Go needs: nothing may be
// read there nor written.
func homeless(t *testing.T) {
	t.Helper()
	for _, name := range []string{"GOCACHE", "GOMODCACHE", "GOENV"} {
		out, err := exec.Command("go", "env", name).Output()
		if err != nil {
			t.Fatal(err)
		}
		t.Setenv(name, strings.TrimSpace(string(out)))
	}
	t.Setenv("HOME", "/dev/null/home") // which nobody can make
}

// runCell starts a kernel through the server, executes the source on it and
// returns what it printed. The kernel is left running.
func runCell(t *testing.T, server, token, source string) (printed string) {
	t.Helper()
	var kernel struct{ ID string }
	call(t, "POST", server+"api/kernels", token, &kernel) // no name: the default has to be gonb
	config, err := websocket.NewConfig("ws"+strings.TrimPrefix(server, "http")+"api/kernels/"+kernel.ID+"/channels", server)
	if err != nil {
		t.Fatal(err)
	}
	config.Header.Set("Authorization", "token "+token)
	ws, err := websocket.DialConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	defer ws.Close()
	ws.SetDeadline(time.Now().Add(3 * time.Minute))
	type object = map[string]any
	err = websocket.JSON.Send(ws, object{
		"channel":       "shell",
		"header":        object{"msg_id": "one", "msg_type": "execute_request", "username": "", "session": "test", "version": "5.3"},
		"parent_header": object{}, "metadata": object{},
		"content": object{"code": source, "silent": false, "store_history": true, "allow_stdin": false, "user_expressions": object{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	// The reply and the outputs come on two channels, in no order: the cell is
	// done when it is answered and the kernel has said that it is idle again.
	for answered, idle := false, false; !answered || !idle; {
		var m struct {
			Header  struct{ Msg_type string }
			Parent  struct{ Msg_id string } `json:"parent_header"`
			Content struct {
				Text            string
				EValue          string
				Execution_state string
			}
		}
		if err := websocket.JSON.Receive(ws, &m); err != nil {
			t.Fatalf("after %q: %v", printed, err)
		}
		if m.Parent.Msg_id != "one" {
			continue
		}
		switch m.Header.Msg_type {
		case "stream":
			printed += m.Content.Text
		case "error":
			t.Errorf("the cell failed: %s", m.Content.EValue)
		case "execute_reply":
			answered = true
		case "status":
			idle = m.Content.Execution_state == "idle"
		}
	}
	return printed
}

func TestTakenPort(t *testing.T) {
	taken, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	port := taken.Addr().(*net.TCPAddr).Port
	err = lab.Run(t.Context(), newCourse(t), lab.Options{Port: port, Out: t.Output()})
	if want := fmt.Sprintf("port %d cannot be had", port); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the lab says %v, want %q", err, want)
	}
}

func lookPath(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
