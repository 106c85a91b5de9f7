package msrp

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// transfer is a message on its way that does not go in one frame (RFC 4975 section 5.1). Towards a relay each piece of it is a chunk, a frame of its
// own. Without a relay a chunk goes on, piece after piece, until another request wants to pass or the message ends.
type transfer struct {
	s       *Session
	c       *conn
	m       *Message
	d       *Delivery
	from    int64 // body bytes handed to the writer
	frame   *pieces
	buf     []byte // for m.Reader
	ahead   []byte // read, and kept for the next piece
	silence *time.Timer
}

func (s *Session) transfer(ctx context.Context, c *conn, m *Message, d *Delivery) (err error) {
	t := &transfer{s: s, c: c, m: m, d: d}
	err = errReader // if it panics
	defer func() {
		if err != nil {
			t.abort(err)
		}
	}()
	for {
		piece, last, err := t.next(ctx)
		if err == nil {
			err = t.send(ctx, piece, last)
		}
		if err != nil {
			return err
		}
		if t.from += int64(len(piece)); last {
			return nil
		}
	}
}

func (t *transfer) size() int {
	if t.s.direct {
		return pieceBytes
	}
	return chunkBytes
}

var errReader = errors.New("msrp: Message.Reader broke its contract")

// next takes a piece off the body. Of a body of unknown length a byte stays back, so that the last chunk is not empty: an empty one cannot
// tell where it belongs (RFC 4975 section 7.1.1).
func (t *transfer) next(ctx context.Context) (piece []byte, last bool, err error) {
	if t.m.Reader == nil {
		rest := t.m.Body[t.from:]
		n := min(len(rest), t.size())
		return rest[:n], n == len(rest), nil
	}
	if t.buf == nil {
		t.buf = make([]byte, t.size()+1)
	}
	b, known := t.buf, t.m.Size > 0
	if known {
		b = b[:min(t.m.Size-t.from, int64(t.size()))]
	}
	n, err := t.read(ctx, b)
	last = known && t.from+int64(n) == t.m.Size
	switch {
	case last || err == io.EOF && !known:
		return b[:n], true, nil
	case err == io.EOF:
		return nil, false, io.ErrUnexpectedEOF
	case known || err != nil:
		return b[:n], false, err
	}
	t.ahead = b[n-1 : n]
	return b[:n-1], false, nil
}

// read reads at least what a chunk should have, if there is so much. If that takes long, the chunk in progress ends early.
func (t *transfer) read(ctx context.Context, b []byte) (n int, err error) {
	if t.frame != nil {
		t.awaitReader()
		defer t.silence.Stop()
	}
	n = copy(b, t.ahead)
	least := min(len(b), interruptible)
	if t.m.Size == 0 {
		least++ // that one stays back
	}
	for idle := 0; n < least; {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		got, err := t.m.Reader.Read(b[n:])
		if got < 0 || got > len(b)-n {
			return n, errReader
		}
		if n += got; err != nil {
			return n, err
		}
		if idle++; got > 0 {
			idle = 0
		} else if idle == 100 {
			return n, io.ErrNoProgress
		}
	}
	return n, nil
}

// awaitReader ends a chunk early to which nothing is added for readerTimeout: the peer takes silence within a chunk for a broken connection.
func (t *transfer) awaitReader() {
	if t.silence != nil {
		t.silence.Reset(readerTimeout)
		return
	}
	t.silence = time.AfterFunc(readerTimeout, func() { t.c.w.cut(t.d, More) })
}

func (t *transfer) send(ctx context.Context, piece []byte, last bool) error {
	if !t.s.direct {
		return t.s.chunk(ctx, t.c, t.m, t.d, t.from, piece, last)
	}
	if err := t.c.w.wait(ctx, t.s.done, transferQueue); err != nil {
		return t.s.reason(err)
	}
	flag := Continuation(0)
	if last {
		flag = Complete
	}
	err := t.s.enqueue(t.d, last, t.from+int64(len(piece)), func() error {
		if !t.c.w.extend(t.frame, piece, flag) {
			return errNewFrame
		}
		t.s.lastSent = time.Now()
		return nil
	})
	switch {
	case err == errNewFrame && last:
		return t.s.chunk(ctx, t.c, t.m, t.d, t.from, piece, true)
	case err == errNewFrame:
		return t.begin(ctx, piece)
	}
	return t.s.reason(err)
}

var errNewFrame = errors.New("msrp: the piece needs a new frame")

// begin sends a piece in a new frame, which goes on.
func (t *transfer) begin(ctx context.Context, piece []byte) error {
	room, err := t.s.admit(ctx, t.c, t.m, t.d, chunkBytes, transferQueue)
	if err != nil {
		return t.s.giveBack(room, err)
	}
	id, text := newTransactionID(piece)
	p := &pieces{id: text, d: t.d, patient: t.m.Reader == nil}
	p.endLineIn(piece)
	b := t.s.appendHead(buffer.New(len(piece)+headBytes), text[:], t.m, t.d.id, t.from, Unknown, false)
	b = append(b, piece...)
	err = t.s.enqueue(t.d, false, t.from+int64(len(piece)), func() error {
		if err := t.c.w.begin(p, b); err != nil {
			return err
		}
		t.s.inFlight(request{id, room, t.d}, t.m.FailureReport)
		return nil
	})
	t.frame = p
	return t.s.giveBack(room, err)
}

// abort tells the peer that the rest of the message will not come (RFC 4975 section 7.1). After a refusal with 413 it hears no more of the
// message than the end of the chunk that it is in (section 10.5).
func (t *transfer) abort(err error) {
	t.s.mu.Lock()
	defer t.s.mu.Unlock()
	var refused *StatusError
	stop := errors.As(t.d.err, &refused) && refused.Code == StatusStopSending
	t.d.end(err)
	again := t.s.reports[t.d.id] != nil // the caller has another message with this ID
	if t.from == 0 || t.d.aborted || stop || again {
		return
	}
	_, text := newTransactionID(nil)
	b := t.s.appendHead(buffer.New(buffer.Tiny), text[:], t.m, t.d.id, 0, 0, false)
	t.c.w.push(append(appendEnd(b, text[:]), byte(Aborted), '\r', '\n'))
}
