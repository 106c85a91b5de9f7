package msrptest

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/otrchat/otrchat/msrp"
)

// Frame is a frame with its body. Unlike that of a Decoder it holds for good.
type Frame struct {
	msrp.Frame
	Body []byte
}

// Bytes returns what was written to the line, as its sender wrote it and whatever became of it, up to Network.Record bytes.
func (l *Line) Bytes() []byte {
	l.wire.mu.Lock()
	defer l.wire.mu.Unlock()
	return bytes.Clone(l.record)
}

// Frames returns the frames that were written to the line so far, within what Bytes has of them. A last frame that is not whole is left out. The error says
// after which frame there was something that is none.
func (l *Line) Frames() ([]Frame, error) {
	var all []Frame
	d := msrp.NewDecoder(bytes.NewReader(l.Bytes()), nil)
	for {
		f, err := next(d)
		switch {
		case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
			return all, nil
		case err != nil:
			return all, fmt.Errorf("msrptest: frame %d: %w", len(all)+1, err)
		}
		all = append(all, *f)
	}
}

// next reads a frame to its end.
func next(d *msrp.Decoder) (*Frame, error) {
	head, err := d.Next()
	if err != nil {
		return nil, err
	}
	var body []byte
	for {
		piece, err := d.Body()
		if err == io.EOF {
			return &Frame{Frame: *head.Clone(), Body: body}, nil
		}
		if err != nil {
			return nil, err
		}
		body = append(body, piece...)
	}
}
