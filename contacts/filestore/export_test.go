package filestore

import "context"

// Hold takes the store's lock.
func Hold(s *Store) (unlock func(), err error) { return s.lock(context.Background()) }
