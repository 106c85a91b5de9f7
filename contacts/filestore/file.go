package filestore

import (
	"context"
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

// FileError is a file, or the folder that it is in, that is there and cannot be used. It has been left as it is.
type FileError struct {
	Path   string // the file, its lock file, or the folder
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

func (s *Store) folder() string { return filepath.Dir(s.path) }

func (s *Store) backup() string { return s.path + ".bak" }

func (s *Store) temporary() string { return s.path + ".tmp" }

// read returns what the file holds, or an empty book if there is no file. It needs no lock: the file
// is only ever replaced as a whole.
func (s *Store) read(ctx context.Context) (*book, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, _, err := s.readFile()
	return b, err
}

// readFile is read, and returns what tells this version of the file from others, nil if there is none.
func (s *Store) readFile() (*book, fs.FileInfo, error) {
	if err := s.checkFolder(); err != nil {
		return nil, nil, err
	}
	data, info, err := readFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return &book{contacts: make(map[string]contacts.Contact)}, nil, nil
	}
	if err != nil {
		return nil, nil, s.unusable(err)
	}
	b, err := decode(data)
	if err != nil {
		return nil, nil, s.unusable(err)
	}
	return b, info, nil
}

// checkFolder refuses a folder in which others could remove the file or put another in its place. A folder that is missing is no error.
func (s *Store) checkFolder() error {
	info, err := os.Stat(s.folder())
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil {
		err = private(info)
	}
	if err != nil {
		return &FileError{Path: s.folder(), Err: err}
	}
	return nil
}

func (s *Store) unusable(err error) error {
	e := &FileError{Path: s.path, Err: err}
	if _, err := os.Lstat(s.backup()); err == nil {
		e.Backup = s.backup()
	}
	return e
}

func readFile(path string) ([]byte, fs.FileInfo, error) {
	f, info, err := openOurs(path, os.O_RDONLY)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info.Size() > MaxFileBytes {
		return nil, nil, fmt.Errorf("it is larger than %d bytes", MaxFileBytes)
	}
	data, err := io.ReadAll(io.LimitReader(f, MaxFileBytes)) // files are not written in place: it cannot grow
	return data, info, err
}

// openOurs opens a regular file that nobody else may write. It looks at the file that is open, so nobody can exchange it in between, and neither follows
// a symbolic link nor waits for whatever else stands there.
func openOurs(path string, flag int) (*os.File, fs.FileInfo, error) {
	f, err := open(path, flag)
	if err != nil {
		return nil, nil, err
	}
	info, err := f.Stat()
	switch {
	case err != nil:
	case !info.Mode().IsRegular():
		err = errors.New("it is not a regular file")
	default:
		err = private(info)
	}
	if err != nil {
		f.Close()
		return nil, nil, err
	}
	return f, info, nil
}
