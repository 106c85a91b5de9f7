package filestore

import "context"

// Hold takes the store's lock.
func Hold(s *Store) (unlock func(), err error) { return s.lock(context.Background()) }

// Before has f called before each step that changes the disk; an error of f is the step's.
func Before(s *Store, f func(step string) error) { s.before = f }

// Limit makes the store take n bytes instead of MaxFileBytes.
func Limit(s *Store, n int) { s.limit = n }

// Recode decodes a file and encodes it again.
func Recode(data []byte) ([]byte, error) {
	b, err := decode(data)
	if err != nil {
		return nil, err
	}
	return b.encode()
}
