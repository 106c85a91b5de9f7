package sip

import (
	"bytes"
	"strconv"
)

const maxLengthLine = 256 // of a line that may be Content-Length

// A framing follows a stream of SIP messages closely enough to know what is between them. sipgo answers pings too, but takes one only if it comes
// in a read of its own.
type framing struct {
	state  framingState
	line   []byte // of the head, what there is of it
	length int    // Content-Length
	inside bool   // the line before was Content-Length, for one that is folded
	blank  int    // CRLFs since the last message
	first  bool   // in the first line of the head
	params int    // that may be in it
	cr     bool   // the last byte was CR
}

type framingState int

const (
	between framingState = iota
	inHead
	inBody
)

// strip takes out of b, in place, what is between messages. It counts the CRLFs there, and the pings, which are two in a row.
func (f *framing) strip(b []byte) (kept []byte, crlfs, pings int) {
	kept = b[:0]
	for len(b) > 0 {
		n := 1
		switch {
		case f.state == between && b[0] == '\n':
			crlfs++
			if f.blank++; f.blank == 2 {
				f.blank = 0
				pings++
			}
			b = b[1:]
			continue
		case f.state == between && b[0] == '\r':
			b = b[1:]
			continue
		case f.state == between:
			*f = framing{state: inHead, line: f.line[:0], first: true}
			n = f.head(b)
		case f.state == inHead:
			n = f.head(b)
		default:
			n = min(f.length, len(b))
			if f.length -= n; f.length == 0 {
				f.state = between
			}
		}
		kept = append(kept, b[:n]...)
		b = b[n:]
	}
	return kept, crlfs, pings
}

// head takes a part of b that belongs to one line of the head. Lines end with CRLF only, as for sipgo.
func (f *framing) head(b []byte) int {
	n := bytes.IndexByte(b, '\n') + 1
	whole := n > 1 && b[n-2] == '\r' || n == 1 && f.cr
	if n == 0 {
		n = len(b)
	}
	f.cr = b[n-1] == '\r'
	if f.first {
		f.params += countParams(b[:n])
	}
	if room := maxLengthLine - len(f.line); room > 0 {
		f.line = append(f.line, b[:min(n, room)]...)
	}
	if whole {
		f.endLine()
	}
	return n
}

func (f *framing) endLine() {
	line := bytes.TrimRight(f.line, "\r\n")
	f.line, f.first = f.line[:0], false
	if len(line) == 0 {
		f.state = between
		if f.length > 0 {
			f.state = inBody
		}
		return
	}
	name, value, _ := bytes.Cut(line, []byte(":"))
	if folded := line[0] == ' ' || line[0] == '\t'; folded && f.inside {
		value = line
	} else if f.inside = !folded && isContentLength(string(name)); !f.inside {
		return
	}
	if n, err := strconv.Atoi(string(bytes.TrimSpace(value))); err == nil && n >= 0 {
		f.length = n
	}
}
