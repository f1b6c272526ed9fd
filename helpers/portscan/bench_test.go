//go:build linux

package portscan_test

import (
	"fmt"
	"math"
	"net/netip"
	"testing"
	"time"

	"manyhands/helpers/portscan"
	"manyhands/helpers/subnet"
)

// BenchmarkSSH scans 254 hosts, nearly all of them silent, and reports the
// time as a multiple (x-rounds) of as many time-outs as the limit makes
// necessary. It fails when each time was above 1.1.
func BenchmarkSSH(b *testing.B) {
	n, err := subnet.Plant(netip.MustParsePrefix("127.32.1.0/24"), map[byte]subnet.Host{
		22: subnet.Greets("SSH-2.0-OpenSSH_9.2\r\n"), 99: subnet.Mute, 200: nil,
	})
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	for _, limit := range []int{0, 127, 100, 50} {
		b.Run(fmt.Sprint("limit=", limit), func(b *testing.B) {
			scan := portscan.SSH
			scan.Port, scan.Limit = n.Port, limit
			rounds := 1.0
			if limit > 0 {
				rounds = math.Ceil(254 / float64(limit))
			}
			best := math.Inf(1)
			for b.Loop() {
				start := time.Now()
				for _, err := range scan.Hosts(b.Context(), n.Prefix) {
					if err != nil {
						b.Fatal(err)
					}
				}
				best = min(best, time.Since(start).Seconds())
			}
			ratio := best / (rounds * scan.Timeout.Seconds())
			b.ReportMetric(ratio, "x-rounds")
			if ratio > 1.1 {
				b.Errorf("%.2f times as long as %v rounds", ratio, rounds)
			}
		})
	}
}
