//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package filestore

import (
	"errors"
	"io/fs"
	"os"
)

func open(path string, flag int) (*os.File, error) { return os.OpenFile(path, flag, 0o600) }

// tryLock reports that this system has no lock that we know of.
func tryLock(*os.File) error { return errors.ErrUnsupported }

func private(fs.FileInfo) error { return nil }

func rename(from, to string) error { return os.Rename(from, to) }

func syncFolder(string) error { return nil }
