//go:build !(darwin || dragonfly || freebsd || linux || netbsd || openbsd || windows)

package filestore

import (
	"errors"
	"os"
)

// tryLock reports that this system has no lock that we know of.
func tryLock(*os.File) error { return errors.ErrUnsupported }

func private(*os.File) error { return nil }

func syncFolder(string) error { return nil }
