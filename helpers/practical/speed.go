package practical

import (
	"math"
	"runtime"
	"sync"
	"time"
)

// Busy is the only message of a criterion that could not be measured, as other
// programs had the cores.
const Busy = "the machine is too busy with other things to measure this now"

// SpeedUp reports an error when parallel does not take less than 1/atLeast of
// the time of serial, where both mostly wait. It measures both in turn, three
// times and then for up to 0.8 s, and compares the best time of each: other
// programs can only make a run slower, and a short one (10 ms) finds a moment in
// which none is in its way.
func (t *T) SpeedUp(atLeast float64, serial, parallel func()) {
	t.faster(atLeast, func() bool { return true }, serial, parallel)
}

// SpeedUpOnCores is [T.SpeedUp] for what computes. Where Go uses one core it
// reports nothing, as nothing can be gained. Beside serial and parallel it
// measures what two goroutines of its own gain over one, and reports [Busy] when
// those are too slow as well.
func (t *T) SpeedUpOnCores(atLeast float64, serial, parallel func()) {
	if runtime.GOMAXPROCS(0) < 2 {
		return
	}
	var one, two best
	possible := func() bool {
		one.measure(func() { spin(2) })
		two.measure(func() {
			var group sync.WaitGroup
			group.Go(func() { spin(1) })
			group.Go(func() { spin(1) })
			group.Wait()
		})
		return one.over(two) >= atLeast
	}
	t.faster(atLeast, possible, serial, parallel)
}

// faster does the work of SpeedUp. Possible measures, in each round, whether the
// machine lets anything be as fast as it should.
func (t *T) faster(atLeast float64, possible func() bool, serial, parallel func()) {
	var s, p best
	fair := false
	began := time.Now()
	for round := 1; round <= 3 || time.Since(began) < 800*time.Millisecond; round++ {
		s.measure(serial)
		p.measure(parallel)
		if round >= 3 && s.over(p) >= atLeast {
			return
		}
		fair = possible()
	}
	if !fair {
		t.Errorf(Busy)
		return
	}
	t.Errorf("%.1f times as fast as one after the other (%v, %v), where at least %.1f times is possible",
		s.over(p), s.time.Round(10*time.Microsecond), p.time.Round(10*time.Microsecond), atLeast)
}

// best is the best of several times.
type best struct{ time time.Duration }

func (b *best) measure(f func()) {
	if b.time == 0 {
		b.time = math.MaxInt64
	}
	start := time.Now()
	f()
	b.time = min(b.time, time.Since(start))
}

// over returns how many times as long as other b is.
func (b best) over(other best) float64 { return b.time.Seconds() / other.time.Seconds() }

// spin keeps a core busy for some milliseconds times n.
func spin(n int) uint32 {
	x := uint32(1)
	for range n * 4_000_000 { // xorshift: each step needs the one before
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
	}
	return x
}
