//go:build darwin || dragonfly || freebsd || linux || netbsd || openbsd

package filestore

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// open opens the file itself, not what a symbolic link points to, and does not wait for the other end of a pipe.
func open(path string, flag int) (*os.File, error) {
	return os.OpenFile(path, flag|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0o600)
}

// tryLock locks the open file, or returns errLocked.
func tryLock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		switch err {
		case syscall.EWOULDBLOCK:
			return errLocked
		case syscall.EINTR:
			continue
		}
		return err
	}
}

// private refuses a file that others than its user and root may write, and a folder in which others may exchange what is the user's.
func private(info fs.FileInfo) error {
	sticky := info.IsDir() && info.Mode()&fs.ModeSticky != 0 // what is in it can be removed by whom it belongs to alone
	if info.Mode().Perm()&0o022 != 0 && !sticky {
		return errors.New("others may write it: chmod go-w")
	}
	if stat, ok := info.Sys().(*syscall.Stat_t); ok && stat.Uid != 0 && int64(stat.Uid) != int64(os.Geteuid()) {
		return errors.New("it belongs to another user")
	}
	return nil
}

func rename(from, to string) error { return os.Rename(from, to) }

// syncFolder brings a rename to the disk. File systems that have no such call say so.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	if err = d.Sync(); errors.Is(err, syscall.EINVAL) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
