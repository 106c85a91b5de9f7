package sqlstore

import (
	"context"
	"database/sql"
	"iter"
	"time"

	"github.com/otrchat/otrchat/contacts/internal/watch"
)

// How often Watch looks for changes, by itself and where it is told of them.
const (
	interval        = time.Second
	listeningSafety = 30 * time.Second
)

// Watch implements [contacts.Watcher]. It looks every second whether the owner's sequence has changed, and if so at the revisions of all contacts. With
// Options.Listen it looks as soon as another Store with that option has changed something, and every 30 seconds besides; if the connection that it
// listens on breaks, it takes another. It ends with an error when the database cannot be read.
func (s *Store) Watch(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		w := &watcher{store: s}
		defer w.stopListening()
		for address, err := range watch.Changes(ctx, w.snapshot, w.wait) {
			if !yield(address, err) {
				return
			}
		}
	}
}

// watcher is one loop over Watch.
type watcher struct {
	store     *Store
	last      watch.Snapshot // without revisions until one was taken
	listening *sql.Conn      // nil while it is not
}

// snapshot reads the revisions only if the sequence has changed since the last time.
func (w *watcher) snapshot(ctx context.Context) (watch.Snapshot, error) {
	err := try(ctx, func() error {
		if w.last.Revisions != nil {
			sequence, err := w.store.sequence(ctx)
			if err != nil || sequence == w.last.Sequence {
				return err
			}
		}
		now, err := w.store.revisions(ctx)
		if err == nil {
			w.last = now
		}
		return err
	})
	return w.last, err
}

// sequence is how many changes there were of the owner's contacts.
func (s *Store) sequence(ctx context.Context) (uint64, error) {
	var version, sequence sql.NullInt64
	err := s.each(ctx, func(rows *sql.Rows) error {
		if err := rows.Scan(&version, &sequence); err != nil {
			return err
		}
		return checkVersion(int(version.Int64))
	}, getSequence, s.owner)
	return uint64(sequence.Int64), err
}

func (s *Store) revisions(ctx context.Context) (watch.Snapshot, error) {
	now := watch.Snapshot{Revisions: make(map[string]uint64)}
	err := s.each(ctx, func(rows *sql.Rows) error {
		var version, sequence, revision sql.NullInt64
		var address sql.NullString
		if err := rows.Scan(&version, &sequence, &address, &revision); err != nil {
			return &RowError{address.String, errType}
		}
		now.Sequence = uint64(sequence.Int64)
		if address.Valid {
			now.Revisions[address.String] = uint64(revision.Int64)
		}
		return checkVersion(int(version.Int64))
	}, getRevisions, s.owner)
	return now, err
}

// wait returns when it is time to look for changes.
func (w *watcher) wait(ctx context.Context) error {
	if w.store.listen == nil {
		return watch.Sleep(ctx, interval)
	}
	return w.waitNotified(ctx)
}
