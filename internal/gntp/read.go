package gntp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// ErrTooLong is a message that is longer than the reader takes.
var ErrTooLong = errors.New("gntp: message too long")

// errMore is a message that goes on.
var errMore = errors.New("gntp: more to come")

// ReadRequest reads a request of at most limit bytes, and no further than its end, as far as r gives no more at a time. With a password the
// request must prove to know it, or the error is [ErrPassword]; without one it must prove nothing. The Key is for the response. Errors are
// those of r, io.ErrUnexpectedEOF where it ends too early, ErrTooLong, and what wraps [ErrMalformed].
func ReadRequest(r io.Reader, limit int, password string) (m *Message, k *Key, err error) {
	err = read(r, limit, func(b []byte) (err error) {
		words, rest, err := firstLine(b)
		if err != nil {
			return err
		}
		if k, err = parseKey(words[2:], password); err != nil {
			return err
		}
		m, err = parse(words[1], rest, k)
		return err
	})
	return m, k, err
}

// ReadResponse reads a response of at most limit bytes to a request that was made with k, with the same errors as ReadRequest. A response
// in the clear to an encrypted request is taken: servers send no other.
func ReadResponse(r io.Reader, limit int, k *Key) (m *Message, err error) {
	err = read(r, limit, func(b []byte) error {
		words, rest, err := firstLine(b)
		if err != nil {
			return err
		}
		with, err := k.forResponse(words)
		if err != nil {
			return err
		}
		m, err = parse(words[1], rest, with)
		return err
	})
	return m, err
}

// forResponse returns the Key of a response with this first line. The line of an error is not looked at: it is never encrypted, and
// growl-for-linux has its description there.
func (k *Key) forResponse(words []string) (*Key, error) {
	if words[1] == Error || words[2] == None {
		return nil, nil
	}
	name, iv, _ := strings.Cut(words[2], ":")
	if !k.encrypts() || name != k.cipher {
		return nil, fmt.Errorf("%w: response with another cipher", ErrMalformed)
	}
	return k.withIV(iv)
}

// read reads until parse is content, or finds a fault. Every message ends with a blank line, so parse looks at the bytes when there is a new one, and now and then for
// faults: to look after each byte would cost the square of the length.
func read(r io.Reader, limit int, parse func([]byte) error) error {
	var b []byte
	for next := 0; ; {
		seen := max(len(b)-len(blank)+1, 0)
		b = slices.Grow(b, min(4<<10, limit-len(b)))
		n, err := r.Read(b[len(b):min(cap(b), limit)])
		b = b[:len(b)+n]
		if len(b) >= next || err != nil || bytes.Contains(b[seen:], []byte(blank)) {
			next = 2 * len(b)
			if fault := parse(b); fault != errMore {
				return fault
			}
		}
		switch {
		case err == io.EOF:
			return io.ErrUnexpectedEOF
		case err != nil:
			return err
		case len(b) == limit:
			return ErrTooLong
		}
	}
}

// firstLine returns the words of the first line, at least three, and what follows it.
func firstLine(b []byte) (words []string, rest []byte, err error) {
	if n := min(len(b), len(version)); string(b[:n]) != version[:n] {
		return nil, nil, fmt.Errorf("%w: not %s", ErrMalformed, version)
	}
	line, rest, found := bytes.Cut(b, []byte(crlf))
	if !found {
		return nil, nil, errMore
	}
	words = strings.Fields(string(line))
	if len(words) < 3 || words[0] != version {
		return nil, nil, fmt.Errorf("%w: first line", ErrMalformed)
	}
	return words, rest, nil
}

// parse reads what follows the first line.
func parse(kind string, b []byte, k *Key) (*Message, error) {
	text, b, err := plaintext(b, k)
	if err != nil {
		return nil, err
	}
	m := &Message{Type: kind}
	if m.Sections, text, err = sections(kind, text, k.encrypts()); err != nil {
		return nil, err
	}
	if !k.encrypts() {
		b = text
	}
	for _, id := range m.resourceIDs() {
		var data []byte
		if data, b, err = resource(id, b, k); err != nil {
			return nil, err
		}
		m.Resources = append(m.Resources, Resource{id, data})
	}
	return m, nil
}

// plaintext returns the headers in the clear and what follows them. Without a cipher nothing marks where headers end, and all is returned as text.
// Encrypted headers end with a blank line at the end of a block. That their bytes hold one there by chance is not to be expected: the odds are one in 2
// to the power of 32 for each block.
func plaintext(b []byte, k *Key) (text, rest []byte, err error) {
	if !k.encrypts() {
		return b, nil, nil
	}
	for at := 0; ; at++ {
		n := bytes.Index(b[at:], []byte(blank))
		if n < 0 {
			return nil, nil, errMore
		}
		at += n
		if at%k.block.BlockSize() != 0 {
			continue
		}
		text, err = k.decrypt(b[:at])
		return text, b[at+len(blank):], err
	}
}

// sections reads the headers. Those that were encrypted end with the text, the others with a blank line.
func sections(kind string, text []byte, whole bool) (all []Section, rest []byte, err error) {
	for want := 1; len(all) < want; {
		var s Section
		if s, text, err = section(text, whole); err != nil {
			return nil, nil, err
		}
		if len(all) == 0 && kind == Register {
			n, err := strconv.Atoi(s.Value("Notifications-Count"))
			if err != nil || n < 0 || n > maxKinds {
				return nil, nil, fmt.Errorf("%w: Notifications-Count", ErrMalformed)
			}
			want += n
		}
		all = append(all, s)
	}
	return all, text, nil
}

func section(text []byte, whole bool) (s Section, rest []byte, err error) {
	for {
		line, after, found := bytes.Cut(text, []byte(crlf))
		switch {
		case found && len(line) == 0:
			return s, after, nil
		case !found && whole && len(line) == 0 && len(s) > 0:
			return s, nil, nil
		case !found && whole:
			return nil, nil, fmt.Errorf("%w: headers end too early", ErrMalformed)
		case !found:
			return nil, nil, errMore
		}
		name, value, _ := strings.Cut(string(line), ":")
		if !isToken(name) || len(name) == len(line) {
			return nil, nil, fmt.Errorf("%w: header", ErrMalformed)
		}
		s, text = append(s, Header{name, strings.Trim(value, " \t")}), after
	}
}

// resourceIDs lists the resources that headers refer to, in the order in which they must follow.
func (m *Message) resourceIDs() (ids []string) {
	for _, s := range m.Sections {
		for _, h := range s {
			if id, is := strings.CutPrefix(h.Value, ResourceScheme); is && !slices.Contains(ids, id) {
				ids = append(ids, id)
			}
		}
	}
	return ids
}

// resource reads the resource with the ID.
func resource(id string, b []byte, k *Key) (data, rest []byte, err error) {
	s, b, err := section(b, false)
	if err != nil {
		return nil, nil, err
	}
	n, err := strconv.Atoi(s.Value("Length"))
	if err != nil || n < 0 || s.Value("Identifier") != id {
		return nil, nil, fmt.Errorf("%w: resource", ErrMalformed)
	}
	if n > len(b)-len(blank) {
		return nil, nil, errMore
	}
	if !bytes.HasPrefix(b[n:], []byte(blank)) {
		return nil, nil, fmt.Errorf("%w: length of a resource", ErrMalformed)
	}
	data, err = k.decrypt(b[:n])
	return bytes.Clone(data), b[n+len(blank):], err
}
