// Package helpers_test holds what is true of all helpers together: what they
// make a cell link.
package helpers_test

import (
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// allowed lists, for each helper, what it may link beyond the packages of a
// cell that prints one line. Linking is most of the time a cell takes, so an
// import here is a wait everywhere: find another way before adding to a list.
// BenchmarkCell tells what it costs.
//
// "x/..." allows x and all below it, "=x" allows x and all that it links. What
// comes by way of another helper is on that helper's list. Only helpers whose
// job it is link net/http; none but chart draws.
var allowed = map[string]string{
	"measure": `context math/rand math/rand/v2 sort strings
		golang.org/x/perf/benchmath github.com/aclements/go-moremath/...`,
	"ledger": `bytes encoding encoding/base64 encoding/json hash hash/crc32 path/filepath strings unicode/utf16`,
	"workload": `bufio bytes image image/color image/draw math/big math/rand math/rand/v2 path/filepath strings
		manyhands/internal/memory`,
	"timeline": `bufio bytes context encoding encoding/base64 encoding/binary encoding/json hash hash/maphash maps
		net/netip net/url os/exec path/filepath regexp regexp/syntax runtime/trace sort strings unicode/utf16 unique weak
		golang.org/x/exp/trace/... golang.org/x/sys/unix github.com/shirou/gopsutil/v4/cpu
		github.com/shirou/gopsutil/v4/common github.com/shirou/gopsutil/v4/internal/common github.com/tklauser/...`,
	"display": `bufio bytes encoding encoding/binary encoding/gob maps sort strings
		golang.org/x/sys/unix github.com/janpfeifer/gonb/gonbui/protocol`,
	"server": `image/jpeg golang.org/x/sync/semaphore golang.org/x/time/rate =net/http
		manyhands/helpers/timeline manyhands/helpers/workload`,
	"process": `bufio bytes context encoding encoding/binary encoding/gob maps os/exec os/signal path/filepath sort strings
		golang.org/x/sys/unix manyhands/internal/memory`,
	"broker": `bufio bytes context encoding/binary net net/netip net/url os/exec path/filepath sort strings unique weak
		github.com/gofrs/flock golang.org/x/sys/unix`,
	"cluster": `regexp regexp/syntax runtime/debug =github.com/nats-io/nats.go/jetstream
		manyhands/helpers/broker manyhands/helpers/process`,
	"vector": ``,
	"scaling": `bytes encoding/binary math/cmplx math/rand/v2 sort strings
		gonum.org/v1/gonum/... golang.org/x/tools/container/intsets`,
	"media": `bytes context encoding encoding/base64 encoding/json hash hash/crc32 math/rand/v2 os/exec os/signal
		path/filepath strings unicode/utf16 golang.org/x/sync/errgroup`,
	"stream":   `context golang.org/x/sync/errgroup`,
	"subnet":   `context net net/netip unique weak`,
	"portscan": `bufio bytes net net/netip strings unique weak manyhands/helpers/stream`,
	"findfiles": `context path/filepath strings
		github.com/bmatcuk/doublestar/v4 golang.org/x/sync/errgroup`,
	"gitstatus": `bytes os/exec path/filepath strings manyhands/helpers/stream`,
	"practical": `bufio bytes context encoding flag math/rand path/filepath runtime/debug runtime/trace strings testing testing/synctest`,
	"chart": `html text/tabwriter manyhands/helpers/display manyhands/helpers/ledger manyhands/helpers/measure
		manyhands/helpers/timeline`,
}

// TestImports fails when a helper links a package that is not on its list, or
// has a list that names more than it links.
func TestImports(t *testing.T) {
	readSources(t)
	line := deps(t, "fmt")["fmt"]
	helpers := deps(t, "./...")
	for helper, imports := range helpers {
		name := path.Base(helper)
		list, ok := allowed[name]
		if !ok {
			t.Errorf("helpers/%s has no list of what it may link: give it one here", name)
			continue
		}
		budget := strings.Fields(list)
		used := make(map[string]bool)
		for _, p := range imports {
			if p == "fmt" || slices.Contains(line, p) {
				continue
			}
			if viaHelper(helpers, imports, p) {
				continue
			}
			i := slices.IndexFunc(budget, func(entry string) bool { return covers(t, entry, p) })
			if i < 0 {
				t.Errorf("helpers/%s now links %s: avoid it, or add it to the list with the cost in mind", name, p)
				continue
			}
			used[budget[i]] = true
		}
		for _, entry := range budget {
			if !used[entry] {
				t.Errorf("helpers/%s no longer links %s: take it off the list", name, entry)
			}
		}
	}
	for name := range allowed {
		if _, ok := helpers["manyhands/helpers/"+name]; !ok {
			t.Errorf("there is no helpers/%s: take its list out", name)
		}
	}
}

// readSources opens the files that go list reads, so that go test does not take
// an earlier result from its cache after they changed.
func readSources(t *testing.T) {
	sources, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range sources {
		if _, err := os.ReadFile(path); err != nil {
			t.Fatal(err)
		}
	}
}

// covers reports whether an entry of a list allows pkg.
func covers(t *testing.T, entry, pkg string) bool {
	if root, ok := strings.CutPrefix(entry, "="); ok {
		return pkg == root || slices.Contains(deps(t, root)[root], pkg)
	}
	if tree, ok := strings.CutSuffix(entry, "/..."); ok {
		return pkg == tree || strings.HasPrefix(pkg, tree+"/")
	}
	return pkg == entry
}

// viaHelper reports whether a helper among imports, whose own list answers for
// it, links pkg.
func viaHelper(helpers map[string][]string, imports []string, pkg string) bool {
	return slices.ContainsFunc(imports, func(p string) bool { return slices.Contains(helpers[p], pkg) })
}

// deps maps the packages that match the pattern, seen from this folder, to all
// they link, leaving out the standard library's internals.
func deps(t *testing.T, pattern string) map[string][]string {
	t.Helper()
	if packages, ok := listed[pattern]; ok {
		return packages
	}
	cmd := exec.CommandContext(t.Context(), "go", "list", "-f", `{{if .GoFiles}}{{.ImportPath}} {{join .Deps " "}}{{end}}`, pattern)
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=amd64", "CGO_ENABLED=0") // one list for readers of every system
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("go list %s: %v\n%s", pattern, err, out)
	}
	packages := make(map[string][]string)
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		packages[fields[0]] = slices.DeleteFunc(fields[1:], internal)
	}
	listed[pattern] = packages
	return packages
}

// listed keeps what deps has found.
var listed = make(map[string]map[string][]string)

// internal reports whether pkg is a part of the standard library that only the
// standard library can import.
func internal(pkg string) bool {
	first, _, _ := strings.Cut(pkg, "/")
	return !strings.Contains(first, ".") && first != "manyhands" && (first == "vendor" || slices.Contains(strings.Split(pkg, "/"), "internal"))
}
