package filestore

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/otrchat/otrchat/contacts"
)

// MaxFileBytes is how large the file may be. A change that would make it larger is
// [contacts.ErrFull].
const MaxFileBytes = 64 << 20

// FileError is a file that is there and cannot be used. It has been left as it is.
type FileError struct {
	Path   string // the file
	Backup string // the contacts before the last change; empty if there is no such file
	Err    error  // what is wrong
}

// Error names the file, what is wrong, and the backup.
func (e *FileError) Error() string {
	s := fmt.Sprintf("filestore: %s cannot be used and was left as it is: %v", e.Path, e.Err)
	if e.Backup != "" {
		s += "; the contacts before the last change are in " + e.Backup
	}
	return s
}

// Unwrap returns Err.
func (e *FileError) Unwrap() error { return e.Err }

func (s *Store) backup() string { return s.path + ".bak" }

func (s *Store) temporary() string { return s.path + ".tmp" }

// read returns what the file holds, or an empty book if there is no file. It needs no lock: the file
// is only ever replaced as a whole.
func (s *Store) read() (*book, error) {
	data, err := readFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return &book{contacts: make(map[string]contacts.Contact)}, nil
	}
	if err != nil {
		return nil, s.unusable(err)
	}
	b, err := decode(data)
	if err != nil {
		return nil, s.unusable(err)
	}
	return b, nil
}

func (s *Store) unusable(err error) error {
	e := &FileError{Path: s.path, Err: err}
	if _, err := os.Lstat(s.backup()); err == nil {
		e.Backup = s.backup()
	}
	return e
}

func readFile(path string) ([]byte, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	switch {
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	case info.Size() > MaxFileBytes:
		return nil, fmt.Errorf("it is larger than %d bytes", MaxFileBytes)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if err := private(f); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(f, MaxFileBytes)) // files are not written in place: it cannot grow
}

// write replaces the file. The caller holds the lock, so a temporary file that is there was left by
// a writer that died.
func (s *Store) write(b *book) error {
	data, err := b.encode()
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	if len(data) > MaxFileBytes {
		return contacts.ErrFull
	}
	if err := s.replace(data); err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	return nil
}

func (s *Store) replace(data []byte) error {
	if err := writeFile(s.temporary(), data); err != nil {
		return err
	}
	if err := s.keepBackup(); err != nil {
		return err
	}
	if err := os.Rename(s.temporary(), s.path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(s.path))
}

// keepBackup gives the file as it is now a second name. The file itself stays in place until the new
// one is renamed over it.
func (s *Store) keepBackup() error {
	if err := remove(s.backup()); err != nil {
		return err
	}
	err := os.Link(s.path, s.backup())
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// A file system without links, so copy.
	data, err := readFile(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return writeFile(s.backup(), data)
}

// writeFile makes a new file with mode 0600 that is on the disk when it returns.
func writeFile(path string, data []byte) error {
	if err := remove(path); err != nil {
		return err
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func remove(path string) error {
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
