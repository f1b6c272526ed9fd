package timeline_test

import (
	"bytes"
	"encoding/json"
	"runtime"
	"sync"
	"testing"
	"time"

	"manyhands/helpers/timeline"
)

// FuzzReadTrace feeds damaged traces: an error or a valid picture, no panic.
func FuzzReadTrace(f *testing.F) {
	f.Add([]byte("go 1.26 trace\x00\x00\x00"))
	f.Add(rawTrace(f, func() {
		var wg sync.WaitGroup
		for range 3 {
			wg.Go(func() { time.Sleep(time.Millisecond) })
		}
		wg.Wait()
		runtime.GC()
	}))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := timeline.ReadTrace(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, tl := range []*timeline.Timeline{s.Goroutines, s.Processors, s.Regions} {
			exercise(t, tl)
		}
	})
}

// FuzzJSON feeds timelines that another process may send.
func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"start":"2026-05-01T10:00:00Z","length":100,"lanes":[{"name":"w","spans":[{"start":1,"end":9,"state":"running"}]}]}`))
	f.Add([]byte(`{"length":-5,"lanes":[{"spans":[{"start":9,"end":1,"count":-3},{"start":-9223372036854775808,"end":9223372036854775807}]}]}`))
	f.Add([]byte(`{"length":9223372036854775807,"lanes":[{"spans":[{"end":9223372036854775807,"state":"a"},{"start":9223372036854775807,"state":"b"},{}]},{},{}]}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var tl timeline.Timeline
		if json.Unmarshal(data, &tl) != nil {
			return
		}
		exercise(t, &tl)
	})
}

// exercise checks what holds of every timeline, and of a valid one.
func exercise(t *testing.T, tl *timeline.Timeline) {
	t.Helper()
	if tl.String() == "" {
		t.Error("no text")
	}
	_, before := countSpans(tl)
	for _, limit := range []int{0, 3, 1000} {
		thin := tl.Thin(limit)
		shown, after := countSpans(thin)
		if shown > max(limit, 1) {
			t.Errorf("Thin(%d) left %d spans", limit, shown)
		}
		if tl.Validate() != nil {
			continue
		}
		if err := thin.Validate(); err != nil {
			t.Errorf("Thin(%d): %v", limit, err)
		}
		if left := thin.Omitted.Spans - tl.Omitted.Spans; after+left != before {
			t.Errorf("Thin(%d): %d spans and %d left out of %d", limit, after, left, before)
		}
	}
	most := tl.MaxConcurrent(timeline.Running)
	if most > tl.Count(timeline.Running) && tl.Validate() == nil {
		t.Errorf("%d at once of %d", most, tl.Count(timeline.Running))
	}
	if tl.Validate() != nil {
		return
	}
	merged, err := timeline.Merge(tl, tl)
	if err != nil {
		t.Fatalf("merge: %v", err)
	}
	if err := merged.Validate(); err != nil {
		t.Errorf("merge: %v", err)
	}
}
