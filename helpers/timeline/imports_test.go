package timeline_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestImports keeps cells fast to link: each package here is paid for by every
// cell that draws a timeline.
func TestImports(t *testing.T) {
	allowed := []string{
		"golang.org/x/exp/trace", // and its internal packages
		"github.com/shirou/gopsutil/v4/cpu",
		"github.com/shirou/gopsutil/v4/common",
		"github.com/shirou/gopsutil/v4/internal/common",
		"github.com/tklauser/numcpus",
		"github.com/tklauser/go-sysconf",
		"github.com/ebitengine/purego", // on macOS
		"golang.org/x/sys/unix",
		"golang.org/x/sys/windows",
		"github.com/yusufpapurcu/wmi", // on Windows
		"github.com/go-ole/go-ole",
	}
	heavy := []string{"net", "net/http", "html/template", "text/template", "testing", "go/ast", "crypto/tls"}
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	deps := strings.Fields(string(out))
	if !slices.Contains(deps, "golang.org/x/exp/trace") {
		t.Fatalf("go list -deps printed %q", out)
	}
	for _, dep := range deps {
		external := strings.Contains(strings.Split(dep, "/")[0], ".")
		ok := slices.ContainsFunc(allowed, func(a string) bool { return dep == a || strings.HasPrefix(dep, a+"/") })
		if external && !ok || slices.Contains(heavy, dep) {
			t.Errorf("links %s", dep)
		}
	}
}
