package measure_test

import (
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"manyhands/helpers/measure"
)

// TestKeep sees whether the compiler leaves work out by what no optimiser can
// hide: the first read of a page of memory is a page fault, and the kernel
// counts those.
func TestKeep(t *testing.T) {
	const pages = 1 << 12
	faults := func(read func(memory []byte)) int64 {
		memory, err := unix.Mmap(-1, 0, pages*os.Getpagesize(), unix.PROT_READ, unix.MAP_PRIVATE|unix.MAP_ANON)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Munmap(memory)
		_ = unix.Madvise(memory, unix.MADV_NOHUGEPAGE) // fails where there are no huge pages
		before := minorFaults(t)
		read(memory)
		return minorFaults(t) - before
	}

	kept := faults(func(memory []byte) {
		for i := 0; i < len(memory); i += os.Getpagesize() {
			measure.Keep(memory[i] * 2)
		}
	})
	if kept < pages {
		t.Errorf("%d page faults for %d reads: the compiler leaves out what is kept", kept, pages)
	}

	dropped := faults(func(memory []byte) {
		for i := 0; i < len(memory); i += os.Getpagesize() {
			_ = memory[i] * 2
		}
	})
	if dropped >= pages {
		t.Logf("%d page faults without Keep: this compiler leaves nothing out, so this test proves nothing", dropped)
	}
}

func minorFaults(t *testing.T) int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return u.Minflt
}

// TestKeepIsFree: Keep neither allocates nor moves its argument to the heap.
func TestKeepIsFree(t *testing.T) {
	if n := testing.AllocsPerRun(100, func() {
		var buffer [64]int
		measure.Keep(&buffer)
		measure.Keep(buffer)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
