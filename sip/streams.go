package sip

import (
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"
	"time"
)

const (
	dialTimeout    = 10 * time.Second // one hop, handshakes included
	acceptPause    = 5 * time.Millisecond
	maxAcceptPause = time.Second
)

var (
	errPeerAddress = errors.New("sip: the peer has no IP address and port of its own")
	errNoRoom      = errors.New("sip: too many connections")
)

// A Dialer opens the connections of an Agent, also those that carry TLS and WebSocket. *net.Dialer is one, and so are the dialers
// of golang.org/x/net/proxy. DialContext gets the network "tcp" and an IP address with a port, and must be safe for concurrent use.
type Dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// streams is the one listener that sipgo serves. It hands over what our listeners accept and what we dial, so that every connection, whoever opened
// it and whatever carries it, is plain SIP over "TCP" to sipgo and has our limits: a bound on their number, a timeout on writes, and no reading
// from a peer that does not read.
//
// sipgo files connections by their address. Several connections may lead to one address (by TLS with different names, say), and an address may come
// again with another peer behind it. So each connection gets a made-up address, its key, that never comes again: what sipgo sends to
// a key goes over that connection or nowhere.
type streams struct {
	max       int
	dialer    Dialer
	tls       *tls.Config
	keepAlive time.Duration
	queue     chan *stream
	closed    chan struct{}
	taken     *stream // what Accept returned last; only Accept uses it

	mu        sync.Mutex
	open      map[string]*stream     // by key
	peers     map[endpoint][]*stream // the newest first
	count     uint64                 // keys given out
	shaking   []net.Conn             // accepted and not open yet, the oldest first
	listeners []net.Listener
	wg        sync.WaitGroup
}

// An endpoint is where connections lead.
type endpoint struct {
	network string
	addr    netip.AddrPort
}

func newStreams(o *Options) *streams {
	return &streams{
		max:       o.MaxConnections,
		dialer:    o.Dialer,
		tls:       o.TLS,
		keepAlive: o.KeepAlive,
		queue:     make(chan *stream),
		closed:    make(chan struct{}),
		open:      make(map[string]*stream),
		peers:     make(map[endpoint][]*stream),
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
func (s *streams) listen(network string, l net.Listener) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.isClosed() {
		return ErrClosed
	}
	s.listeners = append(s.listeners, l)
	s.wg.Go(func() { s.accept(network, l) })
	return nil
}

func (s *streams) accept(network string, l net.Listener) {
	pause := acceptPause
	for {
		conn, err := l.Accept()
		switch {
		case err == nil:
			pause = acceptPause
			s.accepted(network, conn)
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

func (s *streams) accepted(network string, conn net.Conn) {
	addr, err := addrOf(conn.RemoteAddr())
	if err != nil {
		_ = conn.Close() // a stranger without an address to answer to
		return
	}
	c := &stream{peer: endpoint{network, addr}}
	if network != "tcp" {
		s.welcome(c, conn)
		return
	}
	c.Conn = conn
	_, _ = s.add(c) // if it fails c is closed
}

// addrOf reads an address of the network. One with a zone means something on this machine alone, and no header field can name it.
func addrOf(a net.Addr) (netip.AddrPort, error) {
	ap, err := netip.ParseAddrPort(a.String())
	if err != nil || ap.Addr().Zone() != "" {
		return ap, errPeerAddress
	}
	return netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port()), nil
}

// dial returns an open connection to h, a new one where there is none.
func (s *streams) dial(ctx context.Context, h hop) (*stream, error) {
	s.mu.Lock()
	c := s.find(h)
	s.mu.Unlock()
	if c != nil {
		return c, c.wait(ctx)
	}
	if !h.addr.IsValid() {
		return nil, errGone // a name that exists nowhere
	}
	c, err := s.connect(ctx, h)
	if err == nil {
		c, err = s.add(c)
	}
	if err != nil {
		return nil, err
	}
	return c, c.wait(ctx)
}

// connect opens a connection, handshakes included.
func (s *streams) connect(ctx context.Context, h hop) (*stream, error) {
	limited, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	c := &stream{peer: endpoint{h.network, h.addr}, name: s.nameOf(h), dialled: true, keeper: newKeeper()}
	conn, err := s.dialer.DialContext(limited, "tcp", h.addr.String())
	if err == nil {
		err = s.shake(limited, c, conn)
	}
	if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil { // our time is up, not the caller's
		err = fmt.Errorf("%w: %v cannot be connected to", ErrTimeout, h.addr)
	}
	return c, err
}

// secureForm holds what is meant, too, by the transport of a URI that has no word of its own for TLS (RFC 7118 §5.2).
var secureForm = map[string]string{"ws": "wss"}

// find is called with s.mu held.
func (s *streams) find(h hop) *stream {
	for _, network := range []string{h.network, secureForm[h.network]} {
		h.network = network
		for _, c := range s.peers[endpoint{network, h.addr}] {
			if s.serves(c, h) {
				return c
			}
		}
	}
	return nil
}

// at returns the connection behind a key, nil when it is gone.
func (s *streams) at(key string) *stream {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[key]
}

// add hands a connection to sipgo. The one that was silent longest makes room where there are too many. Of two that
// were dialled to the same hop at the same time the first stays.
func (s *streams) add(c *stream) (*stream, error) {
	c.owner, c.ready, c.gone = s, make(chan struct{}), make(chan struct{})
	c.asking, c.writing = make(chan struct{}, 1), make(chan struct{}, 1)
	c.room.L = &c.mu
	c.touch()

	s.mu.Lock()
	if s.isClosed() {
		s.mu.Unlock()
		_ = c.Conn.Close() // never used
		return nil, ErrClosed
	}
	if c.dialled {
		if old := s.find(hop{network: c.peer.network, addr: c.peer.addr, name: c.name}); old != nil {
			s.mu.Unlock()
			_ = c.Conn.Close() // never used
			return old, nil
		}
	}
	var idlest *stream
	if len(s.open) >= s.max {
		idlest = s.idlest()
	}
	if idlest != nil && idlest.dialled && !c.dialled {
		s.mu.Unlock()
		_ = c.Conn.Close() // a stranger's, for which none of ours goes
		return nil, errNoRoom
	}
	s.file(c)
	if c.dialled {
		s.wg.Go(func() { c.keep(s.keepAlive) })
	}
	s.mu.Unlock()
	if idlest != nil {
		_ = idlest.Close() // nothing of it is needed any more
	}
	select {
	case s.queue <- c:
		return c, nil
	case <-s.closed:
		_ = c.Close()
		return nil, ErrClosed
	}
}

// file is called with s.mu held. The keys are addresses that lead nowhere (RFC 6666).
func (s *streams) file(c *stream) {
	s.count++
	ip := [16]byte{0: 0x01}
	binary.BigEndian.PutUint64(ip[8:], s.count)
	c.key = streamKey(netip.AddrPortFrom(netip.AddrFrom16(ip), 1).String())
	s.open[string(c.key)] = c
	s.peers[c.peer] = slices.Insert(s.peers[c.peer], 0, c)
}

// idlest is called with s.mu held. What strangers opened goes before what we opened, the way to our registrar for example.
func (s *streams) idlest() *stream {
	var idlest *stream
	for _, c := range s.open {
		if idlest == nil || idlest.dialled && !c.dialled || idlest.dialled == c.dialled && c.used.Load() < idlest.used.Load() {
			idlest = c
		}
	}
	return idlest
}

// dismiss forgets a connection and closes it, in the background where that takes its time.
func (s *streams) dismiss(c *stream) {
	s.mu.Lock()
	s.remove(c)
	close(c.gone) // whoever waits for it finds no more of the connection
	if c.raw != nil && !s.isClosed() {
		s.wg.Go(c.goodbye)
		s.mu.Unlock()
		return
	}
	s.mu.Unlock()
	c.goodbye()
}

// remove is called with s.mu held.
func (s *streams) remove(c *stream) {
	delete(s.open, string(c.key))
	others := slices.DeleteFunc(s.peers[c.peer], func(o *stream) bool { return o == c })
	if len(others) == 0 {
		delete(s.peers, c.peer)
		return
	}
	s.peers[c.peer] = others
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
	open := slices.Collect(maps.Values(s.open))
	shaking := slices.Clone(s.shaking) // a handshake that ends is deleted there
	s.mu.Unlock()

	for _, l := range listeners {
		_ = l.Close() // no more than a second close of the caller's can fail here
	}
	for _, c := range shaking {
		_ = c.Close() // its handshake fails
	}
	for _, c := range open {
		s.wg.Go(func() { _ = c.Close() })
	}
	s.wg.Wait()
	return nil
}
