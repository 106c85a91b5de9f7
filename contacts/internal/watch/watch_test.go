package watch_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/contacts/internal/watch"
)

var errEnd = errors.New("the end")

// script returns functions for Changes that go through snapshots and fail when there are no more. The sequence of a snapshot stands under "".
func script(snapshots ...map[string]uint64) (snapshot func(context.Context) (watch.Snapshot, error), wait func(context.Context) error) {
	next := 0
	return func(context.Context) (watch.Snapshot, error) {
			revisions := maps.Clone(snapshots[next])
			sequence := revisions[""]
			delete(revisions, "")
			next++
			return watch.Snapshot{Sequence: sequence, Revisions: revisions}, nil
		}, func(context.Context) error {
			if next == len(snapshots) {
				return errEnd
			}
			return nil
		}
}

func TestChanges(t *testing.T) {
	for name, c := range map[string]struct {
		snapshots []map[string]uint64
		want      []string
	}{
		"nothing":                   {[]map[string]uint64{{}, {}}, nil},
		"what is there":             {[]map[string]uint64{{"a": 1}, {"a": 1}}, nil},
		"saved":                     {[]map[string]uint64{{}, {"a": 1}}, []string{"a"}},
		"saved again":               {[]map[string]uint64{{"a": 1}, {"a": 2}}, []string{"a"}},
		"put back":                  {[]map[string]uint64{{"a": 2}, {"a": 1}}, []string{"a"}},
		"deleted":                   {[]map[string]uint64{{"a": 1}, {}}, []string{"a"}},
		"revision 0":                {[]map[string]uint64{{"a": 0}, {"b": 0}}, []string{"a", "b"}},
		"in the order of addresses": {[]map[string]uint64{{"d": 1, "e": 1}, {"c": 2, "a": 3, "e": 1, "b": 1}}, []string{"a", "b", "c", "d"}},
		"saved twice":               {[]map[string]uint64{{"": 1, "a": 1}, {"": 3, "a": 3}}, []string{"a"}},
		"deleted and saved":         {[]map[string]uint64{{"": 2, "a": 1}, {"": 4, "a": 4}}, []string{"a"}},
		"gone again":                {[]map[string]uint64{{"": 1, "a": 1}, {"": 3, "a": 1}}, []string{""}},
		"gone again beside another": {[]map[string]uint64{{"": 1, "a": 1}, {"": 4, "a": 2}, {"": 4, "a": 2}}, []string{""}},
		"an older store":            {[]map[string]uint64{{"": 5, "a": 5}, {"": 4, "a": 4}}, []string{""}},
		"step by step":              {[]map[string]uint64{{}, {"a": 1}, {"a": 1}, {"a": 1}, {"a": 2}, nil}, []string{"a", "a", "a"}},
	} {
		t.Run(name, func(t *testing.T) {
			snapshot, wait := script(c.snapshots...)
			var got []string
			var last error
			for address, err := range watch.Changes(t.Context(), snapshot, wait) {
				require.NoError(t, last, "an error is the last thing")
				got, last = append(got, address), err
			}
			require.Equal(t, errEnd, last)
			assert.Equal(t, append(append([]string{""}, c.want...), ""), got, `"" comes first`)
		})
	}
}

func TestChangesFails(t *testing.T) {
	broken := func(context.Context) (watch.Snapshot, error) { return watch.Snapshot{}, errEnd }
	never := func(context.Context) error { panic("must not be called") }
	times := 0
	for address, err := range watch.Changes(t.Context(), broken, never) {
		assert.Empty(t, address)
		assert.Equal(t, errEnd, err)
		times++
	}
	assert.Equal(t, 1, times)

	snapshot, wait := script(nil, map[string]uint64{"a": 1, "b": 1})
	for address := range watch.Changes(t.Context(), snapshot, wait) {
		if address == "a" {
			break // whoever has seen enough may leave
		}
	}
}

func TestChangesEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	snapshot, _ := script(nil)
	var last error
	for _, err := range watch.Changes(ctx, snapshot, func(context.Context) error { return nil }) {
		cancel()
		last = err
	}
	assert.Equal(t, context.Canceled, last)
}

func TestSleep(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		require.NoError(t, watch.Sleep(t.Context(), time.Minute))
		assert.Equal(t, time.Minute, time.Since(start))
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		require.Equal(t, context.DeadlineExceeded, watch.Sleep(ctx, time.Minute))
		assert.Equal(t, time.Minute+time.Second, time.Since(start))
	})
}

func Example() {
	moments := []watch.Snapshot{
		{Sequence: 2, Revisions: map[string]uint64{"alice": 1, "bob": 2}},
		{Sequence: 5, Revisions: map[string]uint64{"alice": 3, "carol": 5}},
	}
	snapshot := func(context.Context) (watch.Snapshot, error) {
		now := moments[0]
		moments = moments[1:]
		return now, nil
	}
	wait := func(context.Context) error {
		if len(moments) == 0 {
			return errors.New("the store was closed")
		}
		return nil
	}
	for address, err := range watch.Changes(context.Background(), snapshot, wait) {
		fmt.Printf("%q %v\n", address, err)
	}
	// Output:
	// "" <nil>
	// "alice" <nil>
	// "bob" <nil>
	// "carol" <nil>
	// "" the store was closed
}
