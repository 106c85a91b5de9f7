package filestore

import "context"

// Hold takes the store's lock.
func Hold(s *Store) (unlock func(), err error) { return s.lock(context.Background()) }

// Before has f called before each step that changes the disk; an error of f is the step's.
func Before(s *Store, f func(step string) error) { s.before = f }

// Recode decodes a file and encodes it again.
func Recode(data []byte) ([]byte, error) {
	b, err := decode(data)
	if err != nil {
		return nil, err
	}
	return b.encode()
}
