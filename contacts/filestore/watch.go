package filestore

import (
	"context"
	"io/fs"
	"iter"
	"os"
	"time"

	"github.com/otrchat/otrchat/contacts/internal/watch"
)

// Watch implements [contacts.Watcher]. It looks at the file every second, and reads it when it is another one. It ends with a [*FileError] when the file cannot
// be used.
func (s *Store) Watch(ctx context.Context) iter.Seq2[string, error] {
	return func(yield func(string, error) bool) {
		var last look
		snapshot := func(context.Context) (watch.Snapshot, error) {
			at := time.Now()
			b, info, err := s.readFile()
			if err != nil {
				return watch.Snapshot{}, err
			}
			last = look{at, info}
			return watch.Snapshot{Sequence: b.sequence, Revisions: b.revisions()}, nil
		}
		wait := func(ctx context.Context) error {
			for {
				if err := watch.Sleep(ctx, time.Second); err != nil || last.old(s.path) {
					return err
				}
			}
		}
		watch.Changes(ctx, snapshot, wait)(yield)
	}
}

// look is what was seen of the file at the time at.
type look struct {
	at   time.Time
	info fs.FileInfo // nil if there was none
}

// old tells whether the file may be another one by now. One whose time was two seconds old or less, the step of the coarsest file systems, could have been
// replaced without any difference to be seen.
func (l look) old(path string) bool {
	now, err := os.Lstat(path)
	if err != nil {
		return l.info != nil || !os.IsNotExist(err)
	}
	return l.info == nil || !os.SameFile(l.info, now) || l.info.Size() != now.Size() || !l.info.ModTime().Equal(now.ModTime()) ||
		now.ModTime().After(l.at.Add(-2*time.Second))
}
