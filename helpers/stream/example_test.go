package stream_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"manyhands/helpers/stream"
)

func ExampleMap() {
	slow := func(_ context.Context, tenths int) (string, error) {
		time.Sleep(time.Duration(tenths) * 100 * time.Millisecond)
		return fmt.Sprint(tenths, " tenths"), nil
	}
	for text := range stream.Map(context.Background(), 0, slices.Values([]int{3, 1}), slow) {
		fmt.Println(text)
	}
	// Output:
	// 1 tenths
	// 3 tenths
}
