package filestore

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
	"time"
	"unsafe"
)

var lockFileEx = syscall.NewLazyDLL("kernel32.dll").NewProc("LockFileEx")

const (
	failImmediately  = 1
	exclusive        = 2
	sharingViolation = syscall.Errno(32)
	lockViolation    = syscall.Errno(33)
)

// open does not open what a symbolic link points to.
func open(path string, flag int) (f *os.File, err error) {
	if info, err := os.Lstat(path); err == nil && !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	err = retry(func() error {
		f, err = os.OpenFile(path, flag, 0o600)
		return err
	})
	return f, err
}

// rename replaces a file. A program that reads the old one keeps it from being replaced as long as that takes.
func rename(from, to string) error {
	return retry(func() error { return os.Rename(from, to) })
}

// retry tries for a second what Windows refuses while another program has the file open.
func retry(f func() error) error {
	for try := 0; ; try++ {
		err := f()
		if try == 50 || !errors.Is(err, sharingViolation) && !errors.Is(err, syscall.ERROR_ACCESS_DENIED) {
			return err
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// tryLock locks the open file, or returns errLocked.
func tryLock(f *os.File) error {
	var at syscall.Overlapped
	ok, _, err := lockFileEx.Call(f.Fd(), exclusive|failImmediately, 0, 1, 0, uintptr(unsafe.Pointer(&at)))
	switch {
	case ok != 0:
		return nil
	case err == lockViolation || err == syscall.ERROR_IO_PENDING:
		return errLocked
	}
	return err
}

// private has nothing to ask: on Windows the folder decides who may write.
func private(fs.FileInfo) error { return nil }

// syncFolder has nothing to do: Windows has no such call.
func syncFolder(string) error { return nil }
