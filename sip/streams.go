package sip

import (
	"context"
	"errors"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	writeTimeout   = 10 * time.Second
	maxWriters     = 64 // messages that wait for one connection before we stop reading from it
	acceptPause    = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

// streams is the one TCP listener that sipgo serves. It hands over what our listeners accept and what we
// dial, so that every connection, whoever opened it, has our limits: a bound on their number, a timeout on
// writes, and no reading from a peer that does not read.
type streams struct {
	max    int
	queue  chan *stream
	closed chan struct{}
	taken  *stream // what Accept returned last; only Accept uses it

	mu        sync.Mutex
	open      map[string]*stream // by remote address
	listeners []net.Listener
	wg        sync.WaitGroup
}

func newStreams(max int) *streams {
	return &streams{
		max:    max,
		queue:  make(chan *stream),
		closed: make(chan struct{}),
		open:   make(map[string]*stream),
	}
}

// Accept implements net.Listener for sipgo, which registers a connection before it asks for the next; that is the
// moment from which requests find it.
func (s *streams) Accept() (net.Conn, error) {
	if s.taken != nil {
		close(s.taken.ready)
		s.taken = nil
	}
	select {
	case c := <-s.queue:
		s.taken = c
		return c, nil
	case <-s.closed:
		return nil, net.ErrClosed
	}
}

// Addr implements net.Listener. sipgo wants an address to parse and uses it for nothing.
func (s *streams) Addr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero} }

// listen serves l until it or s is closed.
func (s *streams) listen(l net.Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed() {
		return ErrClosed
	}
	s.listeners = append(s.listeners, l)
	s.wg.Go(func() { s.accept(l) })
	return nil
}

func (s *streams) accept(l net.Listener) {
	pause := acceptPause
	for {
		c, err := l.Accept()
		switch {
		case err == nil:
			pause = acceptPause
			_, _ = s.add(c, false) // fails only when s is closed, and c with it
		case errors.Is(err, net.ErrClosed) || s.isClosed():
			return
		default: // out of file descriptors, say: it may pass
			select {
			case <-time.After(pause):
				pause = min(2*pause, maxAcceptPause)
			case <-s.closed:
				return
			}
		}
	}
}

// dial returns an open connection to addr, a new one where there is none.
func (s *streams) dial(ctx context.Context, addr string) (*stream, error) {
	s.mu.Lock()
	c := s.open[addr]
	s.mu.Unlock()
	if c != nil {
		return c, c.wait(ctx)
	}
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	if c, err = s.add(conn, true); err != nil {
		return nil, err
	}
	return c, c.wait(ctx)
}

// at returns the connection behind an address, nil when it is gone.
func (s *streams) at(key string) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[key]
}

// add hands a connection to sipgo. The one that was silent longest makes room where there are too many. Of two that
// were dialled to the same address at the same time the first stays.
func (s *streams) add(conn net.Conn, dialled bool) (*stream, error) {
	c := &stream{Conn: conn, owner: s, ready: make(chan struct{}), gone: make(chan struct{})}
	c.room.L = &c.mu
	c.touch()
	key := conn.RemoteAddr().String()

	s.mu.Lock()
	old := s.open[key]
	if old != nil && dialled {
		s.mu.Unlock()
		_ = conn.Close() // never used
		return old, nil
	}
	if old == nil && len(s.open) >= s.max {
		old = s.idlest()
	}
	s.open[key] = c
	s.mu.Unlock()
	if old != nil {
		_ = old.Close() // nothing of it is needed any more
	}
	select {
	case s.queue <- c:
		return c, nil
	case <-s.closed:
		_ = c.Close()
		return nil, ErrClosed
	}
}

// idlest is called with s.mu held.
func (s *streams) idlest() *stream {
	var idlest *stream
	for _, c := range s.open {
		if idlest == nil || c.used.Load() < idlest.used.Load() {
			idlest = c
		}
	}
	return idlest
}

func (s *streams) remove(c *stream) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if key := c.RemoteAddr().String(); s.open[key] == c {
		delete(s.open, key)
	}
}

func (s *streams) isClosed() bool {
	select {
	case <-s.closed:
		return true
	default:
		return false
	}
}

// Close closes the listeners and all connections, and waits for the accepting goroutines.
func (s *streams) Close() error {
	s.mu.Lock()
	if s.isClosed() {
		s.mu.Unlock()
		return nil
	}
	close(s.closed)
	listeners := s.listeners
	open := make([]*stream, 0, len(s.open))
	for _, c := range s.open {
		open = append(open, c)
	}
	s.mu.Unlock()

	for _, l := range listeners {
		_ = l.Close() // no more than a second close of the caller's can fail here
	}
	for _, c := range open {
		_ = c.Close()
	}
	s.wg.Wait()
	return nil
}

// A stream is a TCP connection with limits.
type stream struct {
	net.Conn
	owner *streams
	ready chan struct{} // closed when sipgo has registered the connection
	gone  chan struct{} // closed by Close
	used  atomic.Int64  // when something was last read, in ns

	mu      sync.Mutex // guards writers and closed
	room    sync.Cond  // signalled when writers falls or the connection closes
	writers int
	closed  bool
	writing sync.Mutex // one message at a time, also on a caller's own net.Conn
}

func (c *stream) touch() { c.used.Store(time.Now().UnixNano()) }

// wait returns when requests can be sent on the connection.
func (c *stream) wait(ctx context.Context) error {
	select {
	case <-c.ready:
		return nil
	case <-c.gone:
		return net.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
}

// LocalAddr returns the remote address: sipgo files a connection under both addresses, and under the local
// one, which all accepted connections share, a request to our own address would go to the wrong peer.
func (c *stream) LocalAddr() net.Addr { return c.RemoteAddr() }

// Read waits while too many messages wait to be written: sipgo starts a goroutine for each message that it
// reads, and a peer that sends without reading would pile them up. It lets those that were started run first, because
// they count only from the moment that they write.
func (c *stream) Read(b []byte) (int, error) {
	runtime.Gosched()
	c.mu.Lock()
	for c.writers > maxWriters && !c.closed {
		c.room.Wait()
	}
	c.mu.Unlock()
	n, err := c.Conn.Read(b)
	c.touch()
	return n, err
}

// Write writes a whole message or closes the connection, because half a message cannot be taken back.
func (c *stream) Write(b []byte) (int, error) {
	c.count(1)
	defer c.count(-1)
	c.writing.Lock()
	defer c.writing.Unlock()
	n, err := 0, c.SetWriteDeadline(time.Now().Add(writeTimeout))
	if err == nil {
		n, err = c.Conn.Write(b)
	}
	if err != nil {
		_ = c.Close()
	}
	return n, err
}

func (c *stream) count(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writers += n
	if n < 0 {
		c.room.Signal()
	}
}

// Close closes the connection. It is idempotent.
func (c *stream) Close() error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	close(c.gone)
	c.room.Broadcast()
	c.mu.Unlock()
	c.owner.remove(c)
	return c.Conn.Close()
}
