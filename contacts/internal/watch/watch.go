package watch

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"
)

// Changes yields "" and then, each time that wait has returned, the addresses whose revision in the new snapshot is another one than in the last, or
// which stand in one of the two alone, in the order of bytes. It ends with the first error of wait, snapshot or ctx, which it yields.
//
// A snapshot is the revision of each address; it belongs to Changes, which does not write to it. wait must return when the store may have changed since
// the last snapshot was begun: then no change can slip through between the two. Returning too often costs a snapshot and does no harm.
func Changes(ctx context.Context, snapshot func(context.Context) (map[string]uint64, error), wait func(context.Context) error) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		before, err := look(ctx, snapshot)
		if err != nil {
			yield("", err)
			return
		}
		if !yield("", nil) {
			return
		}
		for {
			if err := wait(ctx); err != nil {
				yield("", err)
				return
			}
			after, err := look(ctx, snapshot)
			if err != nil {
				yield("", err)
				return
			}
			for _, address := range changed(before, after) {
				if !yield(address, nil) {
					return
				}
			}
			before = after
		}
	}
}

// look takes a snapshot, which need not look at ctx itself.
func look(ctx context.Context, snapshot func(context.Context) (map[string]uint64, error)) (map[string]uint64, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return snapshot(ctx)
}

// changed lists the addresses that differ.
func changed(before, after map[string]uint64) []string {
	differ := make(map[string]bool)
	for address, revision := range after {
		if old, ok := before[address]; !ok || old != revision {
			differ[address] = true
		}
	}
	for address := range before {
		if _, ok := after[address]; !ok {
			differ[address] = true
		}
	}
	return slices.Sorted(maps.Keys(differ))
}

// Sleep waits for d, or until ctx ends, whose error it then returns.
func Sleep(ctx context.Context, d time.Duration) error {
	over, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-over.Done()
	return ctx.Err()
}
