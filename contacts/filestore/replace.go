package filestore

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/otrchat/otrchat/contacts"
)

// write replaces the file. The caller holds the lock, so a temporary file that is there was left by
// a writer that died.
func (s *Store) write(b *book) error {
	data, err := b.encode()
	if err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	if len(data) > s.limit {
		return contacts.ErrFull
	}
	if err := s.replace(data); err != nil {
		return fmt.Errorf("filestore: %w", err)
	}
	return nil
}

// replace goes step by step, so that whatever step is the last one that comes to the disk, the file there is the old one or the new one. What is renamed is on
// the disk, and what is not in the folder yet is of no use to anybody.
func (s *Store) replace(data []byte) error {
	if err := s.writeFile(s.temporary(), data); err != nil {
		return err
	}
	if err := s.keepBackup(); err != nil {
		return err
	}
	if err := s.step("rename", s.path, func() error { return rename(s.temporary(), s.path) }); err != nil {
		return err
	}
	return s.step("sync", s.folder(), func() error { return syncFolder(s.folder()) })
}

// step does one thing that changes the disk. A test sees it before.
func (s *Store) step(what, path string, do func() error) error {
	if s.before != nil {
		if err := s.before(what + " " + filepath.Base(path)); err != nil {
			return err
		}
	}
	return do()
}

// keepBackup gives the file as it is now a second name. The file itself stays in place until the new
// one is renamed over it.
func (s *Store) keepBackup() error {
	if err := s.remove(s.backup()); err != nil {
		return err
	}
	err := s.step("link", s.backup(), func() error { return os.Link(s.path, s.backup()) })
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	// A file system without links, so copy.
	data, _, err := readFile(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return err
	}
	return s.writeFile(s.backup(), data)
}

// writeFile makes a new file with mode 0600 that is on the disk when it returns. What it could not write in full it removes again.
func (s *Store) writeFile(path string, data []byte) error {
	if err := s.remove(path); err != nil {
		return err
	}
	var f *os.File
	err := s.step("create", path, func() (err error) {
		f, err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		return err
	})
	if err != nil {
		return err
	}
	err = s.step("write", path, func() error {
		_, err := f.Write(data)
		return err
	})
	if err == nil {
		err = s.step("sync", path, f.Sync)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return errors.Join(err, s.remove(path))
	}
	return nil
}

func (s *Store) remove(path string) error {
	err := s.step("remove", path, func() error { return os.Remove(path) })
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// makeFolder makes the folder, and those above it that are missing, and brings each name to the disk.
func (s *Store) makeFolder(path string) error {
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	above := filepath.Dir(path)
	if above != path {
		if err := s.makeFolder(above); err != nil {
			return err
		}
	}
	err := s.step("make", path, func() error { return os.Mkdir(path, 0o700) })
	if err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return s.step("sync", above, func() error { return syncFolder(above) })
}
