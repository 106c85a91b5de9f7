package msrp

import (
	"bytes"
	"context"
	"errors"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
)

// transaction is an AUTH that waits for its response.
type transaction struct {
	id    [16]byte
	to    Path
	reply chan *reply // holds one
}

// reply is a response to an AUTH.
type reply struct {
	*Frame
	whole bool // it comes from the last relay of To-Path, else from one before
}

// ask sends an AUTH to the last relay of a path and waits for the response, 30 s at most. It belongs to the connection and to no session.
func (r *Relay) ask(ctx context.Context, to Path, header []Header) (*reply, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, responseTimeout, ErrTimeout)
	defer cancel()
	_, id := newTransactionID(nil)
	b, err := AppendFrame(buffer.New(buffer.Middle), &Frame{
		TransactionID: id[:], Method: []byte(MethodAuth), ToPath: to.Append(nil), FromPath: r.own.Append(nil), Header: header, Continuation: Complete,
	}, nil)
	if err != nil {
		return nil, err
	}
	t := &transaction{id: id, to: to, reply: make(chan *reply, 1)}
	r.pending.Store(t)
	defer r.pending.Store(nil)
	if err := r.conn.w.push(b); errors.Is(err, ErrClosed) {
		return nil, r.lost()
	} else if err != nil {
		return nil, err
	}
	select {
	case a := <-t.reply:
		return a, nil
	case <-r.ended.Done():
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	select {
	case a := <-t.reply: // and then the relay hung up
		return a, nil
	default:
		return nil, r.Err()
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
	select {
	case t.reply <- &reply{f.Clone(), len(from) == len(t.to)}:
	default: // there was one
	}
	return true
}
