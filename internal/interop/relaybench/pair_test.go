package relaybench

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

const (
	window  = 32         // messages of a pair on their way
	variety = 2 * window // different frames of a pair, so that no two with the same transaction ID are on their way
	buffer  = 64 << 10
)

// pair is a client that sends as fast as its window allows and one that answers.
type pair struct {
	from, to       net.Conn
	ways           [2]string // To-Path and From-Path of what is sent
	sent, received atomic.Int64
	refused        atomic.Int64 // answers that were not 200
	closing        atomic.Bool

	mu      sync.Mutex
	changed *sync.Cond
	free    int // room in the window
	stopped bool
	done    sync.WaitGroup
}

// start begins to send messages with bodies of this size.
func (p *pair) start(t *testing.T, size int) {
	t.Helper()
	frames := p.frames(t, size)
	p.changed, p.free = sync.NewCond(&p.mu), window
	for _, f := range []func() error{func() error { return p.send(frames) }, p.responses, p.answer} {
		p.done.Go(func() {
			if err := f(); err != nil && !p.closing.Load() {
				t.Error(err)
				p.stop()
			}
		})
	}
}

func (p *pair) frames(t *testing.T, size int) [][]byte {
	t.Helper()
	frames := make([][]byte, variety)
	for i := range frames {
		var err error
		frames[i], err = msrp.AppendFrame(nil, &msrp.Frame{
			TransactionID: fmt.Appendf(nil, "load%04d", i), Method: []byte(msrp.MethodSend), ToPath: []byte(p.ways[0]), FromPath: []byte(p.ways[1]),
			MessageID: fmt.Appendf(nil, "message%04d", i), ByteRange: msrp.ByteRange{Start: 1, End: int64(size), Total: int64(size)},
			ContentType: []byte("text/plain"), Continuation: msrp.Complete,
		}, []byte(strings.Repeat("x", size)))
		require.NoError(t, err)
	}
	return frames
}

func (p *pair) send(frames [][]byte) error {
	w := bufio.NewWriterSize(p.from, buffer)
	for i := 0; ; {
		n := p.room()
		if n == 0 {
			return nil
		}
		for range n {
			if _, err := w.Write(frames[i%len(frames)]); err != nil {
				return err
			}
			i++
		}
		if err := w.Flush(); err != nil {
			return err
		}
		p.sent.Add(int64(n))
	}
}

// room waits for room in the window, takes all of it and returns how much it is: nothing once the pair is stopped.
func (p *pair) room() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.free == 0 && !p.stopped {
		p.changed.Wait()
	}
	if p.stopped {
		return 0
	}
	n, p.free = p.free, 0
	return n
}

func (p *pair) arrived(n int) {
	p.received.Add(int64(n))
	p.mu.Lock()
	p.free += n
	p.mu.Unlock()
	p.changed.Signal()
}

// stop ends the sending. What is on its way still arrives.
func (p *pair) stop() {
	p.mu.Lock()
	p.stopped = true
	p.mu.Unlock()
	p.changed.Signal()
}

// close ends the connections and what runs on them.
func (p *pair) close() {
	p.closing.Store(true)
	p.from.Close()
	p.to.Close()
	p.done.Wait()
}

// responses takes what the sender is told.
func (p *pair) responses() error {
	d := msrp.NewDecoder(p.from, nil)
	for {
		f, err := d.Next()
		if err != nil {
			return err
		}
		if f.Status != msrp.StatusOK {
			p.refused.Add(1)
		}
	}
}

// answer is the receiver. It writes its answers when it has taken everything that was there.
func (p *pair) answer() error {
	w := bufio.NewWriterSize(p.to, buffer)
	var response []byte
	n := 0
	d := msrp.NewDecoder(readerFunc(func(b []byte) (int, error) {
		if err := w.Flush(); err != nil {
			return 0, err
		}
		if n > 0 {
			p.arrived(n)
			n = 0
		}
		return p.to.Read(b)
	}), nil)
	for {
		f, err := d.Next()
		if err != nil {
			return err
		}
		response = append(append(response[:0], "MSRP "...), f.TransactionID...)
		response = append(append(response, " 200 OK\r\nTo-Path: "...), first(f.FromPath)...)
		response = append(append(response, "\r\nFrom-Path: "...), f.ToPath...)
		response = append(append(response, "\r\n-------"...), f.TransactionID...)
		for err == nil {
			_, err = d.Body()
		}
		if err != io.EOF {
			return err
		}
		if _, err := w.Write(append(response, "$\r\n"...)); err != nil {
			return err
		}
		n++
	}
}

func first(path []byte) []byte {
	for i, c := range path {
		if c == ' ' {
			return path[:i]
		}
	}
	return path
}

type readerFunc func(b []byte) (int, error)

func (f readerFunc) Read(b []byte) (int, error) { return f(b) }
