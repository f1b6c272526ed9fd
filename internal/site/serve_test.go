package site_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"manyhands/internal/notebook"
	"manyhands/internal/site"
)

func TestMain(m *testing.M) {
	// The clock of chroma's regular expressions stops by itself, a second late.
	goleak.VerifyTestMain(m, goleak.IgnoreAnyFunction("github.com/dlclark/regexp2/v2.runClock"))
}

// serve serves dir until the test ends and returns the address.
func serve(t testing.TB, dir string, opt site.ServeOptions) string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	ready, done := make(chan string, 1), make(chan error, 1)
	opt.Ready = func(url string) { ready <- url }
	go func() { done <- site.Serve(ctx, dir, "127.0.0.1:0", opt) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
		http.DefaultClient.CloseIdleConnections()
	})
	select {
	case url := <-ready:
		return url
	case err := <-done:
		done <- err
		t.Fatal(err)
	}
	return ""
}

func get(t testing.TB, url string) (int, string) {
	t.Helper()
	r, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	body, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return r.StatusCode, string(body)
}

func TestServe(t *testing.T) {
	dir := render(t, sampleCourse(t), site.Options{})
	url := serve(t, dir, site.ServeOptions{})
	for path, want := range map[string]int{
		"": 200, "index.html": 200, "02-threads.html": 200, "assets/site.css": 200, "notebooks/02-threads.ipynb": 200,
		"03-nothing.html": 404, ".manyhands-site": 404, "assets/../../go.mod": 404, "%2e%2e/%2e%2e/go.mod": 404,
	} {
		status, body := get(t, url+path)
		if status != want {
			t.Errorf("GET /%s: %d instead of %d", path, status, want)
		}
		if page := path == "" || strings.HasSuffix(path, ".html"); status == 200 && page != strings.Contains(body, ".reload.js") {
			t.Errorf("/%s: the reload script is in the wrong place", path)
		}
	}
	if strings.Contains(readFile(t, dir, "index.html"), ".reload.js") {
		t.Error("the reload script is in the site itself")
	}
}

func TestServeReloadsWhatChanged(t *testing.T) {
	c := sampleCourse(t)
	dir := render(t, c, site.Options{})
	url := serve(t, dir, site.ServeOptions{
		Watch: []string{c.Path("notebooks")},
		Changed: func(ctx context.Context) {
			if err := site.Render(ctx, c, dir, site.Options{}); err != nil {
				t.Errorf("render again: %v", err)
			}
		},
	})
	r, err := http.Get(url + ".news")
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	news := bufio.NewScanner(r.Body)
	if !news.Scan() || news.Text() != ": listening" {
		t.Fatalf("the first line is %q", news.Text())
	}
	if err := notebookOf("# Changed").Write(c.Path("notebooks", "04-pools.ipynb")); err != nil {
		t.Fatal(err)
	}
	for news.Scan() && news.Text() != "event: rendered" {
	}
	if err := news.Err(); err != nil {
		t.Fatal(err)
	}
	if _, page := get(t, url+"04-pools.html"); !strings.Contains(page, "<h1>Changed</h1>") {
		t.Error("the news came before the page")
	}
}

func TestServeRefuses(t *testing.T) {
	dir := render(t, newCourse(t, map[string]*notebook.Notebook{"01-a": notebookOf("# A")}), site.Options{})
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	for name, test := range map[string]struct{ dir, address, says string }{
		"no site":        {filepath.Join(dir, "assets"), "127.0.0.1:0", "go run . site"},
		"a taken port":   {dir, taken.Addr().String(), "another port"},
		"the whole lan":  {dir, "0.0.0.0:0", "127.0.0.1"},
		"no port at all": {dir, "127.0.0.1", "port"},
	} {
		t.Run(name, func(t *testing.T) {
			wantError(t, site.Serve(t.Context(), test.dir, test.address, site.ServeOptions{}), test.says)
		})
	}
}
