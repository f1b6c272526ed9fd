// Package edition says where and when figures were measured. A notebook holds
// it in its metadata, the records of bench hold it, and pages show it.
package edition

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/mem"
)

// Edition is a machine, its software and a day. What is not known is empty.
type Edition struct {
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores"`            // that Go uses: a container may have less than the machine
	Memory int    `json:"memory,omitempty"` // GiB
	Go     string `json:"go"`
	GoNB   string `json:"gonb,omitempty"`
	OS     string `json:"os"`
	Date   string `json:"date"` // RFC 3339, or its date alone
}

// Here is the edition of this machine, of today, without a kernel.
func Here(ctx context.Context) Edition {
	e := Edition{
		Cores: runtime.GOMAXPROCS(0),
		OS:    runtime.GOOS + "/" + runtime.GOARCH,
		Go:    runtime.Version(),
		Date:  time.Now().UTC().Format(time.DateOnly),
	}
	if infos, err := cpu.InfoWithContext(ctx); err == nil && len(infos) > 0 {
		e.CPU = infos[0].ModelName
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		e.Memory = int(m.Total >> 30)
	}
	return e
}

// String says all but the kernel, "AMD EPYC 9354P, 2 cores, 23 GiB, linux/amd64, Go 1.26.8, 28 November 2026".
func (e Edition) String() string {
	cores := fmt.Sprintf("%d cores", e.Cores)
	if e.Cores == 1 {
		cores = "1 core"
	}
	memory := ""
	if e.Memory > 0 {
		memory = fmt.Sprintf("%d GiB", e.Memory)
	}
	known := slices.DeleteFunc([]string{e.CPU, cores, memory, e.OS, e.GoVersion(), e.Day()}, func(s string) bool { return s == "" })
	return strings.Join(known, ", ")
}

// Day is the date as readers say it, "21 November 2026".
func (e Edition) Day() string {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, e.Date); err == nil {
			return t.Format("2 January 2006")
		}
	}
	return e.Date
}

// GoVersion is "Go 1.26.8" for what the go command calls go1.26.8.
func (e Edition) GoVersion() string {
	version := strings.TrimPrefix(strings.TrimPrefix(e.Go, "go"), " ")
	if version == "" {
		return ""
	}
	return "Go " + version
}

// Busy returns a warning when other programs keep the machine busy, because
// then the figures are not what the machine can do; "" when it is idle or the
// system does not say. It looks for half a second.
func Busy(ctx context.Context) string {
	use, err := cpu.PercentWithContext(ctx, 500*time.Millisecond, false)
	if err != nil || len(use) == 0 || use[0] < 20 {
		return ""
	}
	return fmt.Sprintf("warning: other programs use %.0f %% of this machine: figures measured now are not an edition to publish", use[0])
}
