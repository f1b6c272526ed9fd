// Package perturb delays goroutines at random, by a seed: the grader weaves a
// call of [Point] in before whatever may depend on order, so that mistakes come
// out which need an unlucky schedule.
package perturb

import (
	"runtime"
	"time"
)

var (
	seed  uint64
	turns [1 << 12]uint32 // how often each point was passed
)

// Seed chooses the delays from here on; 0 means none. They do not depend on what
// ran before.
func Seed(s uint64) {
	seed = s
	clear(turns[:])
}

// Point may delay the calling goroutine. Site is the number of the call in the
// source.
//
// The counters are deliberately neither locked nor atomic, nor seen by the race
// detector: to it, synchronisation here would order what the student's code
// leaves unordered, and hide the very races that are looked for. A lost count
// only changes a delay.
//
//go:norace
func Point(site uint32) {
	if seed == 0 {
		return
	}
	n := &turns[site%uint32(len(turns))]
	*n++
	turn := *n
	switch {
	case turn > 4096: // a hot loop: no more delays
		return
	case turn > 64 && turn%64 != 0:
		return
	}
	x := mix(seed<<32 ^ uint64(site)<<16 ^ uint64(turn))
	switch x % 8 {
	case 0, 1, 2:
		runtime.Gosched()
	case 3:
		delay(int(x >> 32 % 1000))
	}
}

// delay sleeps for so many microseconds. In a bubble of testing/synctest it lets
// the others run as often instead: there a sleep ends when all others wait, and
// those that wait for a lock that the sleeper holds never count as waiting.
func delay(n int) {
	if !time.Now().Before(bubbled) {
		time.Sleep(time.Duration(n) * time.Microsecond)
		return
	}
	for range n {
		runtime.Gosched()
	}
}

// bubbled is after all times that bubbles know, which begin in the year 2000.
var bubbled = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// mix is the finalizer of SplitMix64 (Steele, Lea, Flood, "Fast Splittable
// Pseudorandom Number Generators", OOPSLA 2014).
//
//go:norace
func mix(x uint64) uint64 {
	x *= 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
