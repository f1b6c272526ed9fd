//go:build unix

package timeline_test

import (
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"manyhands/helpers/timeline"
)

func TestSystemCall(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	fd := int(r.Fd()) // blocking from now on: the read stays in the kernel
	reading := make(chan struct{})
	s := traced(t, func() {
		var wg sync.WaitGroup
		wg.Go(func() {
			timeline.Name("reader")
			close(reading)
			syscall.Read(fd, make([]byte, 1))
		})
		<-reading
		time.Sleep(200 * ms)
		w.Write([]byte{1})
		wg.Wait()
	})
	l, _ := s.Goroutines.Lane("reader")
	i := slices.IndexFunc(l.Spans, func(sp timeline.Span) bool {
		return sp.State == timeline.Syscall && sp.Duration() > 20*ms
	})
	if i < 0 || !strings.EqualFold(l.Spans[i].Label, "read") {
		t.Errorf("no long read in %+v", l.Spans)
	}
}
