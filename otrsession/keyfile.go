package otrsession

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
)

// LoadKey reads a private key from a file that SaveKey or libotr wrote (see
// ParseKey). The file has to be a regular one; on Unix one that its
// owner alone can read and write, otherwise the error is ErrKeyPermissions. A
// file that is not there gives an error that wraps fs.ErrNotExist.
func LoadKey(path string) (*Key, error) {
	f, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxKeyFile+1))
	if err != nil {
		return nil, fmt.Errorf("otrsession: load key: %w", err)
	}
	defer clear(text)
	k, err := ParseKey(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %s", err, path)
	}
	return k, nil
}

// openRegular opens a key file, and checks what it is before and its mode after.
func openRegular(path string) (*os.File, error) {
	// The check before keeps the open of a named pipe from waiting for ever.
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("otrsession: load key: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w: %s is not a regular file", ErrKeyFormat, path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("otrsession: load key: %w", err)
	}
	info, err = f.Stat()
	if err == nil && runtime.GOOS != "windows" && info.Mode().Perm()&0o077 != 0 {
		err = fmt.Errorf("%w: %s", ErrKeyPermissions, path)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// SaveKey writes a private key, in clear, to a new file with mode 0600. The
// file appears whole or not at all, and has reached the disk when SaveKey
// returns. A file that is there already is never replaced: the error is
// ErrKeyExists, since a lost key cannot be had back.
func SaveKey(path string, k *Key) error {
	text, err := k.Export()
	if err != nil {
		return err
	}
	defer clear(text)
	temp, err := writeTemp(filepath.Dir(path), text)
	if err != nil {
		return fmt.Errorf("otrsession: save key: %w", err)
	}
	defer os.Remove(temp)
	if err := moveNew(temp, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

// writeTemp writes text to a new file, of mode 0600, down to the disk.
func writeTemp(dir string, text []byte) (string, error) {
	f, err := os.CreateTemp(dir, ".otrkey-*")
	if err != nil {
		return "", err
	}
	_, err = f.Write(text)
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// moveNew gives the file temp the name path unless that name is taken. A hard
// link does both in one step; where the file system has none, look and rename.
func moveNew(temp, path string) error {
	err := os.Link(temp, path)
	if err == nil {
		return nil
	}
	if _, statErr := os.Lstat(path); statErr == nil || errors.Is(err, fs.ErrExist) {
		return ErrKeyExists
	}
	if err := os.Rename(temp, path); err != nil {
		return fmt.Errorf("otrsession: save key: %w", err)
	}
	return nil
}

// syncDir makes a new name in a directory last.
func syncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil // a directory cannot be synced there
	}
	d, err := os.Open(dir)
	if err != nil {
		return fmt.Errorf("otrsession: save key: %w", err)
	}
	if err := errors.Join(d.Sync(), d.Close()); err != nil {
		return fmt.Errorf("otrsession: save key: %w", err)
	}
	return nil
}
