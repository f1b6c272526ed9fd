package stream_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"manyhands/helpers/stream"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// wait takes as many seconds as it is told, unless ctx ends.
func wait(ctx context.Context, seconds int) (int, error) {
	select {
	case <-time.After(time.Duration(seconds) * time.Second):
		return seconds, nil
	case <-ctx.Done():
		return -seconds, ctx.Err()
	}
}

func TestMapLimits(t *testing.T) {
	tests := []struct {
		limit int
		order []int
		takes time.Duration
	}{
		{0, []int{1, 2, 3, 4}, 4 * time.Second},
		{1, []int{4, 3, 2, 1}, 10 * time.Second},
		{2, []int{3, 4, 2, 1}, 5 * time.Second}, // 3 makes room for 2, and 4 for 1
	}
	for _, test := range tests {
		t.Run(fmt.Sprint("limit ", test.limit), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				var order []int
				for n, err := range stream.Map(t.Context(), test.limit, slices.Values([]int{4, 3, 2, 1}), wait) {
					if err != nil {
						t.Error(err)
					}
					order = append(order, n)
				}
				if took := time.Since(start); took != test.takes {
					t.Errorf("took %v instead of %v", took, test.takes)
				}
				if test.limit == 2 { // 2 and 1 end at the fifth second
					slices.Sort(order[2:])
					slices.Reverse(order[2:])
				}
				if !slices.Equal(order, test.order) {
					t.Errorf("order %v instead of %v", order, test.order)
				}
			})
		})
	}
}

// TestMapErrors sees that an error is a result like others.
func TestMapErrors(t *testing.T) {
	odd := errors.New("odd")
	var errs []error
	for _, err := range stream.Map(t.Context(), 1, slices.Values([]int{1, 2, 3}), func(_ context.Context, n int) (int, error) {
		if n%2 == 1 {
			return n, odd
		}
		return n, nil
	}) {
		errs = append(errs, err)
	}
	if !slices.Equal(errs, []error{odd, nil, odd}) {
		t.Error(errs)
	}
}

// TestMapBreak sees that leaving the loop calls off what is under way, waits
// for it, and begins nothing more.
func TestMapBreak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var begun, ended atomic.Int32
		endless := func(yield func(int) bool) {
			for n := 1; yield(n); n++ {
			}
		}
		start := time.Now()
		for range stream.Map(t.Context(), 5, endless, func(ctx context.Context, n int) (int, error) {
			begun.Add(1)
			defer ended.Add(1)
			return wait(ctx, n)
		}) {
			break
		}
		if took := time.Since(start); took != time.Second {
			t.Errorf("took %v", took)
		}
		if begun.Load() > 6 || ended.Load() != begun.Load() {
			t.Errorf("%d begun, %d ended", begun.Load(), ended.Load())
		}
	})
}

// TestMapBackPressure sees that a slow loop holds up the work.
func TestMapBackPressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var done atomic.Int32
		for range stream.Map(t.Context(), 3, slices.Values(make([]int, 100)), func(context.Context, int) (int, error) {
			done.Add(1)
			return 0, nil
		}) {
			synctest.Wait()
			if n := done.Load(); n != 4 { // the one in the loop, and three with their results in hand
				t.Errorf("%d done while the first is in the loop", n)
			}
			break
		}
	})
}

func TestMapCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		enough := errors.New("enough")
		ctx, cancel := context.WithTimeoutCause(t.Context(), 90*time.Second, enough)
		defer cancel()
		var last error
		n := 0
		for _, err := range stream.Map(ctx, 0, slices.Values([]int{60, 120, 180}), wait) {
			last = err
			n++
		}
		if n != 2 || last != enough {
			t.Errorf("%d results, the last error %v", n, last)
		}
	})
}
