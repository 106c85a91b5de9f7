package watch

import (
	"context"
	"iter"
	"maps"
	"slices"
	"time"
)

// Snapshot is a store at one moment.
type Snapshot struct {
	Sequence  uint64            // grows by one each time that a contact is saved or deleted
	Revisions map[string]uint64 // of each address
}

// Changes yields "" and then, each time that wait has returned, the addresses whose revision in the new snapshot is another one than in the last, or
// which stand in one of the two alone, in the order of bytes. It ends with the first error of wait, snapshot or ctx, which it yields.
//
// A contact that was stored and deleted between two snapshots stands in neither, but whoever listens may have loaded it in that time. The sequence
// shows that it may be so, and then "" is yielded in place of the addresses; and also when the sequence went back, as somebody put an older store back.
//
// Changes does not write to a snapshot. wait must return when the store may have changed since the last snapshot was begun: then no change can slip
// through between the two. Returning too often costs a snapshot and does no harm.
func Changes(ctx context.Context, snapshot func(context.Context) (Snapshot, error), wait func(context.Context) error) iter.Seq2[string, error] {
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
func look(ctx context.Context, snapshot func(context.Context) (Snapshot, error)) (Snapshot, error) {
	if err := ctx.Err(); err != nil {
		return Snapshot{}, err
	}
	return snapshot(ctx)
}

// changed lists the addresses that differ, or "" alone if others may have changed: to be stored and deleted takes two changes more
// than can be seen. A sequence that went back makes the difference a very large number.
func changed(before, after Snapshot) []string {
	differ := make(map[string]bool)
	for address, revision := range after.Revisions {
		if old, ok := before.Revisions[address]; !ok || old != revision {
			differ[address] = true
		}
	}
	for address := range before.Revisions {
		if _, ok := after.Revisions[address]; !ok {
			differ[address] = true
		}
	}
	if after.Sequence-before.Sequence >= uint64(len(differ))+2 {
		return []string{""}
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
