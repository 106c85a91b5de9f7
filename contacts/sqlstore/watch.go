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
		defer w.hangUp()
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
	sequence  int64             // the owner's when revisions was read, or older
	revisions map[string]uint64 // nil until they were read
	listening *sql.Conn         // nil while it is not
}

// snapshot reads the sequence before the revisions: a change in between is found the next time.
func (w *watcher) snapshot(ctx context.Context) (map[string]uint64, error) {
	err := try(ctx, func() error {
		sequence, err := w.store.sequence(ctx)
		if err != nil || sequence == w.sequence && w.revisions != nil {
			return err
		}
		revisions, err := w.store.revisions(ctx)
		if err != nil {
			return err
		}
		w.sequence, w.revisions = sequence, revisions
		return nil
	})
	return w.revisions, err
}

// sequence is the last revision that was given to a contact of the owner's, 0 if none was.
func (s *Store) sequence(ctx context.Context) (int64, error) {
	var version, sequence sql.NullInt64
	err := s.each(ctx, func(rows *sql.Rows) error {
		if err := rows.Scan(&version, &sequence); err != nil {
			return err
		}
		return checkVersion(int(version.Int64))
	}, getSequence, s.owner)
	return sequence.Int64, err
}

func (s *Store) revisions(ctx context.Context) (map[string]uint64, error) {
	all := make(map[string]uint64)
	err := s.each(ctx, func(rows *sql.Rows) error {
		var address string
		var revision int64
		if err := rows.Scan(&address, &revision); err != nil {
			return &RowError{address, errType}
		}
		all[address] = uint64(revision)
		return nil
	}, getRevisions, s.owner)
	return all, err
}

// wait returns when it is time to look for changes.
func (w *watcher) wait(ctx context.Context) error {
	if w.store.listen == nil {
		return watch.Sleep(ctx, interval)
	}
	return w.hear(ctx)
}
