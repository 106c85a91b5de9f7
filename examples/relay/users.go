package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"unicode"
	"unicode/utf8"

	"github.com/otrchat/otrchat/msrp/relay"
)

// users are the users of a file, one a line: name:realm:HA1 with MD5:HA1 with SHA-256. HA1 is what digest knows instead of the password (RFC 7616 section
// 3.4.2), in hexadecimal; who has it can log in, so the file is as secret as passwords are. Empty lines and lines that begin with # are passed over.
// It is the relay's Authenticator.
type users struct {
	path string
	all  atomic.Pointer[map[user]hashes]
}

type user struct{ name, realm string }

type hashes struct{ md5, sha256 string }

// HA1 looks in what was read last.
func (u *users) HA1(_ context.Context, name, realm string, a relay.Algorithm) (string, error) {
	h, ok := (*u.all.Load())[user{name, realm}]
	switch {
	case ok && a == relay.SHA256:
		return h.sha256, nil
	case ok && a == relay.MD5:
		return h.md5, nil
	}
	return "", relay.ErrUnknownUser
}

// load reads the file. After an error the users are those that they were.
func (u *users) load() error {
	text, err := readPrivate(u.path)
	if err != nil {
		return err
	}
	all, err := parseUsers(text)
	if err != nil {
		return fmt.Errorf("%s: %w", u.path, err)
	}
	u.all.Store(&all)
	return nil
}

// readPrivate reads a file that only its owner may write, and only its owner and group may read.
func readPrivate(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if runtime.GOOS != "windows" && info.Mode().Perm()&0o027 != 0 {
		return nil, fmt.Errorf("%s: others can read or write it: chmod 640 or less", path)
	}
	var text bytes.Buffer
	_, err = text.ReadFrom(f)
	return text.Bytes(), err
}

// parseUsers reads the lines of a users file. Its errors name the line and hold nothing of it.
func parseUsers(text []byte) (map[user]hashes, error) {
	all := make(map[user]hashes)
	lines := bufio.NewScanner(bytes.NewReader(text))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || line[0] == '#' {
			continue
		}
		who, h, err := parseUser(line)
		if _, known := all[who]; err == nil && known {
			err = errors.New("the same name and realm stand in a line before")
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", n, err)
		}
		all[who] = h
	}
	return all, lines.Err()
}

func parseUser(line string) (user, hashes, error) {
	fields := strings.Split(line, ":")
	if len(fields) != 4 {
		return user{}, hashes{}, errors.New("not of the form name:realm:md5:sha256")
	}
	who := user{fields[0], fields[1]}
	for i, size := range []int{16, 32} {
		fields[2+i] = strings.ToLower(fields[2+i])
		if b, err := hex.DecodeString(fields[2+i]); err != nil || len(b) != size {
			return user{}, hashes{}, fmt.Errorf("HA1 number %d does not have %d hexadecimal digits", i+1, 2*size)
		}
	}
	return who, hashes{fields[2], fields[3]}, who.check()
}

// check refuses what would break the file's form, or stand for another user in HA1.
func (u user) check() error {
	for _, s := range []string{u.name, u.realm} {
		if s == "" || !utf8.ValidString(s) || s != strings.TrimSpace(s) || strings.ContainsFunc(s, func(r rune) bool { return r == ':' || unicode.IsControl(r) }) {
			return errors.New("name and realm must be text without colons, control characters and blanks around it")
		}
	}
	if u.name[0] == '#' {
		return errors.New("a name cannot begin with #")
	}
	return nil
}

// line is the user's line of the file, with its end.
func (u user) line(password string) string {
	return fmt.Sprintf("%s:%s:%s:%s\n", u.name, u.realm, relay.HA1(relay.MD5, u.name, u.realm, password), relay.HA1(relay.SHA256, u.name, u.realm, password))
}
