package build

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
	"github.com/shirou/gopsutil/v4/mem"

	"manyhands/internal/gonb"
)

// edition says where and when figures were measured; it goes into every
// notebook's metadata, and from there onto its page. Memory is in GiB.
func edition(ctx context.Context) map[string]any {
	e := map[string]any{
		"cores": runtime.NumCPU(),
		"os":    runtime.GOOS + "/" + runtime.GOARCH,
		"go":    runtime.Version(),
		"gonb":  gonb.Version,
		"date":  time.Now().UTC().Format(time.DateOnly),
	}
	if infos, err := cpu.InfoWithContext(ctx); err == nil && len(infos) > 0 {
		e["cpu"] = infos[0].ModelName
	}
	if m, err := mem.VirtualMemoryWithContext(ctx); err == nil {
		e["memory"] = m.Total >> 30
	}
	return e
}

// busy returns a warning when other programs keep the machine busy, because
// then the figures are not what the machine can do; "" when it is idle or the
// system does not say. It looks for half a second.
func busy(ctx context.Context) string {
	use, err := cpu.PercentWithContext(ctx, 500*time.Millisecond, false)
	if err != nil || len(use) == 0 || use[0] < 20 {
		return ""
	}
	return fmt.Sprintf("warning: other programs use %.0f %% of this machine: figures measured now are not an edition to publish", use[0])
}
