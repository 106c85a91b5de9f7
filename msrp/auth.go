package msrp

import (
	"bytes"
	"context"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// transaction is an AUTH that waits for its response.
type transaction struct {
	id    [16]byte
	to    Path
	reply chan *reply // holds one
}

// reply is what of a response to an AUTH outlives the Decoder's buffer.
type reply struct {
	Frame
	whole bool // it comes from the last relay of To-Path, else from one before
}

// ask sends an AUTH to the last relay of a path and waits for the response, 30 s at most. It belongs to the connection and to no session. whole tells that the response comes from
// that relay and not from one before it.
func (r *Relay) ask(ctx context.Context, to Path, header []Header) (f *Frame, whole bool, err error) {
	ctx, cancel := context.WithTimeoutCause(ctx, responseTimeout, ErrTimeout)
	defer cancel()
	_, id := newTransactionID(nil)
	b, err := AppendFrame(buffer.New(buffer.Middle), &Frame{
		TransactionID: id[:], Method: []byte(MethodAuth), ToPath: to.Append(nil), FromPath: r.own.Append(nil), Header: header, Continuation: Complete,
	}, nil)
	if err != nil {
		return nil, false, err
	}
	t := &transaction{id: id, to: to, reply: make(chan *reply, 1)}
	r.pending.Store(t)
	defer r.pending.Store(nil)
	if err := r.conn.w.push(b); err != nil {
		return nil, false, err
	}
	select {
	case a := <-t.reply:
		return &a.Frame, a.whole, nil
	case <-r.ended.Done():
		return nil, false, r.Err()
	case <-ctx.Done():
		return nil, false, context.Cause(ctx)
	}
}

// answered takes the response to an AUTH, on the read loop; false if it is none. One whose paths are not those of the request is ignored.
func (r *Relay) answered(f *Frame) bool {
	t := r.pending.Load()
	if t == nil || !bytes.Equal(f.TransactionID, t.id[:]) {
		return false
	}
	to, err := ParseURI(string(f.ToPath))
	if err != nil || !to.Equal(r.own) {
		return true
	}
	from, err := ParsePath(string(f.FromPath))
	if err != nil || len(from) > len(t.to) || !from.Equal(t.to[:len(from)]) {
		return true
	}
	a := &reply{whole: len(from) == len(t.to), Frame: Frame{Status: f.Status, Comment: bytes.Clone(f.Comment), Header: cloneHeader(f.Header)}}
	select {
	case t.reply <- a:
	default: // there was one
	}
	return true
}
