package filestore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/otrchat/otrchat/contacts/internal/watch"
)

// errLocked is what tryLock returns while another process, or another Store of this one, has the
// lock.
var errLocked = errors.New("locked")

// lock waits for the lock file and returns what gives it back. The system gives it back when a
// process dies. Systems have no wait that a context could end, so lock asks again, after 1 ms at
// first and at most every 5 ms.
func (s *Store) lock(ctx context.Context) (unlock func(), err error) {
	if err := s.makeFolder(s.folder()); err != nil {
		return nil, fmt.Errorf("filestore: %w", err)
	}
	if err := s.checkFolder(); err != nil {
		return nil, err
	}
	for wait := time.Millisecond; ; wait = min(2*wait, 5*time.Millisecond) {
		f, err := s.tryLock()
		if err == nil {
			return func() { f.Close() }, nil
		}
		if !errors.Is(err, errLocked) {
			return nil, &FileError{Path: s.path + ".lock", Err: err}
		}
		if err := watch.Sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// tryLock opens the lock file each time anew, so whoever waits for one that somebody has removed waits for the next.
func (s *Store) tryLock() (*os.File, error) {
	f, _, err := openOurs(s.path+".lock", os.O_RDWR|os.O_CREATE)
	if err != nil {
		return nil, err
	}
	if err := tryLock(f); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
