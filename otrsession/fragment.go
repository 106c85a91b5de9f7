package otrsession

import (
	"bytes"
	"fmt"
	"strconv"
	"time"
)

// fragments puts one message together (version 3 specification,
// "Fragmentation"). What it holds is bounded by Options.MaxMessage bytes, the
// 65,535 fragments of the format, and Options.FragmentTimeout.
type fragments struct {
	text   []byte
	k, n   uint64 // the last fragment that came, and how many there are
	sender uint32
	last   time.Time
}

// fragment is one parsed fragment.
type fragment struct {
	k, n             uint64
	sender, receiver uint32 // 0 in version 2
	version          int
	piece            []byte
}

// parseFragment reads "?OTR|sender|receiver,k,n,piece," of version 3 and
// "?OTR,k,n,piece," of version 2.
func parseFragment(message []byte) (fragment, error) {
	f := fragment{version: 2}
	rest, ended := bytes.CutSuffix(bytes.TrimRight(message, " \t\r\n"), []byte(","))
	rest, isV2 := bytes.CutPrefix(rest, []byte(fragmentV2))
	fields := bytes.SplitN(rest, []byte(","), 4)
	var errs [4]error
	if !isV2 {
		f.version = 3
		tags := bytes.Split(fields[0], []byte("|"))
		if len(tags) != 3 {
			return f, ErrMalformed
		}
		f.sender, errs[0] = parseTag(tags[1])
		f.receiver, errs[1] = parseTag(tags[2])
		fields = fields[1:]
	}
	if !ended || len(fields) != 3 {
		return f, ErrMalformed
	}
	f.k, errs[2] = strconv.ParseUint(string(fields[0]), 10, 16)
	f.n, errs[3] = strconv.ParseUint(string(fields[1]), 10, 16)
	f.piece = fields[2]
	for _, err := range errs {
		if err != nil {
			return f, ErrMalformed
		}
	}
	badReceiver := f.receiver != 0 && f.receiver < minTag
	if f.k == 0 || f.k > f.n || f.version == 3 && (f.sender < minTag || badReceiver) {
		return f, ErrMalformed
	}
	return f, nil
}

func parseTag(b []byte) (uint32, error) {
	tag, err := strconv.ParseUint(string(b), 16, 32)
	return uint32(tag), err
}

// collect adds a fragment, and returns the message when it is complete.
func (s *Session) collect(step *Step, message []byte) (whole []byte, complete bool, err error) {
	f, err := parseFragment(message)
	switch {
	case err != nil:
		step.fail(EventUnreadable, err)
		return nil, false, nil
	case f.version == 2 && !s.opts.AllowV2:
		step.fail(EventUnreadable, ErrNoCommonVersion)
		return nil, false, nil
	case f.version == 3 && !s.forUs(f.sender, f.receiver):
		step.event(EventOtherInstance)
		return nil, false, nil
	}
	now := s.opts.Now()
	if !s.fragments.add(f, now, s.opts.FragmentTimeout) {
		s.fragments = fragments{}
		return nil, false, nil
	}
	if len(s.fragments.text) > s.opts.MaxMessage {
		s.fragments = fragments{}
		return nil, false, ErrTooLarge
	}
	if s.fragments.k < s.fragments.n {
		return nil, false, nil
	}
	whole = s.fragments.text
	s.fragments = fragments{}
	if Classify(whole) == KindFragment {
		step.fail(EventUnreadable, ErrMalformed)
		return nil, false, nil
	}
	return whole, true, nil
}

// add takes the first fragment of a message, or the next one. It is false for
// one that is out of order, with which all before it is lost.
func (c *fragments) add(f fragment, now time.Time, timeout time.Duration) bool {
	next := c.n == f.n && c.k+1 == f.k && c.sender == f.sender && now.Sub(c.last) <= timeout
	switch {
	case f.k == 1:
		*c = fragments{text: bytes.Clone(f.piece), k: 1, n: f.n, sender: f.sender, last: now}
	case next:
		c.text, c.k, c.last = append(c.text, f.piece...), f.k, now
	default:
		return false
	}
	return true
}

// split makes fragments of a message that is over Options.FragmentSize. Errors
// and queries are short and stay whole.
func (s *Session) split(message []byte) ([][]byte, error) {
	size := s.opts.FragmentSize
	if size == 0 || len(message) <= size {
		return [][]byte{message}, nil
	}
	m, err := parseEncoded(message)
	if err != nil {
		return [][]byte{message}, nil
	}
	const numbers, end = "65535,65535,", ","
	prefix := fragmentV2
	if m.version == 3 {
		prefix = fmt.Sprintf("?OTR|%08x|%08x,", m.sender, m.receiver)
	}
	pieces := chunks(message, size-len(prefix)-len(numbers)-len(end))
	if len(pieces) > 65535 {
		return nil, ErrTooLarge
	}
	out := make([][]byte, len(pieces))
	for i, piece := range pieces {
		out[i] = fmt.Appendf(nil, "%s%05d,%05d,%s,", prefix, i+1, len(pieces), piece)
	}
	return out, nil
}

// chunks cuts b into pieces of size bytes, the last one of what is left.
func chunks(b []byte, size int) [][]byte {
	var pieces [][]byte
	for len(b) > size {
		pieces = append(pieces, b[:size])
		b = b[size:]
	}
	return append(pieces, b)
}
