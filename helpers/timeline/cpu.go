package timeline

import (
	"errors"
	"fmt"
	"time"

	"github.com/shirou/gopsutil/v4/cpu"
)

// Usage is how busy each core of the machine was over time, all programs
// together.
type Usage struct {
	Start time.Time       `json:"start"` // wall clock at offset 0
	At    []time.Duration `json:"at"`    // end of each interval since Start, in ns
	Cores [][]float64     `json:"cores"` // per core, per interval: 0 to 100 %
}

// tick is how finely Linux counts CPU time (USER_HZ, proc_stat(5)): a shorter
// interval would read 0 or 100 % by chance.
const tick = 10 * time.Millisecond

// CPU runs f and samples meanwhile how busy each core is, at intervals of every
// (100 ms if 0, at least 20 ms). The kernel counts in steps of 10 ms, so that an
// interval of 100 ms is good to 10 %. The sampler has stopped when CPU returns,
// even if f panics.
func CPU(every time.Duration, f func()) (*Usage, error) {
	if f == nil {
		return nil, errors.New("timeline: CPU needs a function to run, not nil")
	}
	if every == 0 {
		every = 100 * time.Millisecond
	}
	every = max(every, 2*tick)
	var s sampler
	if err := s.sample(); err != nil {
		return nil, err
	}
	stop, stopped := make(chan struct{}), make(chan error, 1)
	go func() { stopped <- s.run(every, stop) }()
	var err error
	func() {
		defer func() {
			close(stop)
			err = <-stopped
		}()
		f()
	}()
	if err != nil {
		return nil, err
	}
	return &s.usage, nil
}

// A sampler turns counters of CPU time into shares of each interval.
type sampler struct {
	usage Usage
	begun time.Time // with the monotonic reading that usage.Start lacks
	last  []cpu.TimesStat
}

func (s *sampler) run(every time.Duration, stop <-chan struct{}) error {
	t := time.NewTicker(every)
	defer t.Stop()
	for {
		select {
		case <-t.C:
			if err := s.sample(); err != nil {
				return err
			}
		case <-stop:
			// The rest counts too, unless it is too short to tell; but the only
			// sample of a short run is better than none.
			if n := len(s.usage.At); n > 0 && time.Since(s.begun)-s.usage.At[n-1] < 2*tick {
				return nil
			}
			return s.sample()
		}
	}
}

func (s *sampler) sample() error {
	now := time.Now()
	times, err := cpu.Times(true)
	if err != nil {
		return fmt.Errorf("timeline: CPU use per core cannot be read on this system: %w", err)
	}
	if s.last == nil {
		s.begun = now
		s.usage.Start = now.Round(0)
		s.usage.Cores = make([][]float64, len(times))
	} else {
		s.usage.At = append(s.usage.At, now.Sub(s.begun))
		for i := range s.usage.Cores {
			s.usage.Cores[i] = append(s.usage.Cores[i], busy(s.last, times, i))
		}
	}
	s.last = times
	return nil
}

// busy is the use of core i between two readings, in %; 0 for a core that was
// taken offline in between. Time stolen by other virtual machines is not use.
func busy(before, after []cpu.TimesStat, i int) float64 {
	if i >= len(before) || i >= len(after) {
		return 0
	}
	work := func(t cpu.TimesStat) float64 { return t.User + t.Nice + t.System + t.Irq + t.Softirq }
	worked := work(after[i]) - work(before[i])
	rest := func(t cpu.TimesStat) float64 { return t.Idle + t.Iowait + t.Steal }
	rested := max(0, rest(after[i])-rest(before[i])) // iowait may decrease, proc_stat(5)
	if worked <= 0 {
		return 0
	}
	return 100 * worked / (worked + rested)
}
