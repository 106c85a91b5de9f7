package tap

import (
	"io"
	"slices"
	"sync"
)

// Options configure a [Recorder].
type Options struct {
	// Local and Remote name the two sides in the live view and in [Stream]. Default: the addresses.
	Local, Remote string
	// Limit is how many bytes are kept, all connections together. Default 16 MiB.
	Limit int
	// Live gets a readable copy of everything, each piece under a line that says who sends to whom. A slow writer slows
	// the connections down; after its first error it gets no more. Default none.
	Live io.Writer
}

// Recorder keeps what passed the connections that were wrapped for it.
type Recorder struct {
	o Options

	mu      sync.Mutex
	conns   int
	streams []*Stream
	kept    int
	lost    int
}

// Stream is one direction of one connection.
type Stream struct {
	Conn     int    // counts the connections, from 1
	From, To string // names or addresses
	Data     []byte
}

// New returns an empty Recorder.
func New(o *Options) *Recorder {
	r := &Recorder{}
	if o != nil {
		r.o = *o
	}
	if r.o.Limit <= 0 {
		r.o.Limit = 16 << 20
	}
	return r
}

// Streams returns a copy of what was recorded, in the order in which the streams began.
func (r *Recorder) Streams() []Stream {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Stream, len(r.streams))
	for i, s := range r.streams {
		all[i] = *s
		all[i].Data = slices.Clone(s.Data)
	}
	return all
}

// Bytes returns all streams one after the other, so that a text is found also when it crossed in several pieces.
func (r *Recorder) Bytes() []byte {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]byte, 0, r.kept)
	for _, s := range r.streams {
		all = append(all, s.Data...)
	}
	return all
}

// Lost returns how many bytes passed after the limit was reached and were not kept.
func (r *Recorder) Lost() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.lost
}

// newConn counts a connection.
func (r *Recorder) newConn() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.conns++
	return r.conns
}

// add appends b to the stream of d.
func (r *Recorder) add(d *direction, b []byte) {
	if len(b) == 0 {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if !d.begun {
		d.begun = true
		r.streams = append(r.streams, &d.Stream)
	}
	keep := min(len(b), r.o.Limit-r.kept)
	d.Data = append(d.Data, b[:keep]...)
	r.kept += keep
	r.lost += len(b) - keep
	if r.o.Live != nil {
		if _, err := r.o.Live.Write(appendLive(nil, d.From, d.To, b)); err != nil {
			r.o.Live = nil
		}
	}
}
