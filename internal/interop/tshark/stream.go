package tshark

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"
)

// segment is the payload of one captured TCP packet, or one frame cut out of a stream, with the number of the packet
// that completed it.
type segment struct {
	number  int    // of the packet in the capture
	stream  string // one direction of one connection
	src     endpoint
	dst     endpoint
	seq     uint32 // relative to the beginning of the stream, from 1
	payload []byte
}

// cut joins the segments of every stream and cuts the streams into MSRP frames, in the order in which they were
// complete. The error says what is not a frame.
func cut(segments []segment) ([]segment, error) {
	byStream := make(map[string][]segment)
	for _, s := range segments {
		byStream[s.stream] = append(byStream[s.stream], s)
	}
	var frames []segment
	var errs []error
	for _, parts := range byStream {
		found, err := cutStream(parts)
		frames = append(frames, found...)
		errs = append(errs, err)
	}
	slices.SortStableFunc(frames, func(a, b segment) int { return cmp.Compare(a.number, b.number) })
	return frames, errors.Join(errs...)
}

func cutStream(parts []segment) (frames []segment, err error) {
	slices.SortStableFunc(parts, func(a, b segment) int { return cmp.Compare(a.seq, b.seq) })
	var pending []byte
	next := uint32(1)
	for _, s := range parts {
		if s.seq > next {
			return frames, fmt.Errorf("packet %d: bytes %d to %d of the stream are missing", s.number, next, s.seq-1)
		}
		known := min(int(next-s.seq), len(s.payload)) // a retransmission
		pending = append(pending, s.payload[known:]...)
		next += uint32(len(s.payload) - known)
		for {
			n, err := frameLen(pending)
			if err != nil {
				return frames, fmt.Errorf("packet %d: %w", s.number, err)
			}
			if n == 0 {
				break
			}
			frame := s
			frame.payload = bytes.Clone(pending[:n])
			frames = append(frames, frame)
			pending = pending[n:]
		}
	}
	if len(pending) > 0 {
		return frames, fmt.Errorf("packet %d: the stream ends inside a frame: %.60q", parts[len(parts)-1].number, pending)
	}
	return frames, nil
}

// frameLen is the length of the MSRP frame at the beginning of b, or 0 when its end has not come yet (RFC 4975 §7.1).
// It is written apart from package msrp on purpose: the two must agree.
func frameLen(b []byte) (int, error) {
	const start = "MSRP "
	if n := min(len(b), len(start)); string(b[:n]) != start[:n] {
		return 0, fmt.Errorf("not the beginning of an MSRP frame: %.60q", b)
	}
	line, _, found := bytes.Cut(b, []byte("\r\n"))
	if !found {
		return 0, nil
	}
	id, _, _ := bytes.Cut(line[len(start):], []byte(" "))
	end := []byte("\r\n-------" + string(id))
	for at := len(line); ; at += len(end) {
		i := bytes.Index(b[at:], end)
		if i < 0 {
			return 0, nil
		}
		at += i
		rest := b[at+len(end):]
		if len(rest) < 3 {
			return 0, nil
		}
		if bytes.IndexByte([]byte("$+#"), rest[0]) >= 0 && rest[1] == '\r' && rest[2] == '\n' {
			return at + len(end) + 3, nil
		}
	}
}
