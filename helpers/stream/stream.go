// Package stream does the same for each of many items, several at once, and
// streams the results as they come.
//
// It is lesson 04's completed, grown up: the items need not be known
// beforehand, doing one may fail, and a context calls it all off.
package stream

import (
	"cmp"
	"context"
	"iter"

	"golang.org/x/sync/errgroup"
)

// Map calls do for each of the items, for at most limit of them at once (1: one
// after another; 0: no limit), and yields what it returns, in the order in
// which the calls end.
//
// An item is taken from items when there is room to do it, and none is done
// ahead of a loop that is slower than do: at most limit results wait for it.
// When the loop ends early the context of the calls under way is cancelled, and
// the loop is left when the last of them has returned and items has yielded once
// more or ended: items that may keep Map waiting should heed ctx themselves. So it
// is when ctx ends; then all that is still yielded is an error, its cause.
//
// Items are taken and done in goroutines other than the loop's.
func Map[In, Out any](ctx context.Context, limit int, items iter.Seq[In],
	do func(context.Context, In) (Out, error)) iter.Seq2[Out, error] {
	type result struct {
		out Out
		err error
	}
	return func(yield func(Out, error) bool) {
		inner, cancel := context.WithCancel(ctx)
		results := make(chan result)
		defer func() {
			cancel()
			for range results { // nobody wants them, but until the last is there a call is under way
			}
		}()
		go func() {
			defer close(results)
			var group errgroup.Group
			group.SetLimit(cmp.Or(limit, -1))
			for item := range items {
				group.Go(func() error {
					if inner.Err() == nil {
						out, err := do(inner, item)
						results <- result{out, err}
					}
					return nil
				})
				if inner.Err() != nil {
					break
				}
			}
			group.Wait()
		}()
		for r := range results {
			if ctx.Err() != nil {
				break
			}
			if !yield(r.out, r.err) {
				return
			}
		}
		if ctx.Err() != nil {
			var none Out
			yield(none, context.Cause(ctx))
		}
	}
}
