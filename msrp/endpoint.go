package msrp

import (
	"context"
	"errors"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/otrchat/otrchat/msrp/internal/hop"
)

// Endpoint is an MSRP endpoint (RFC 4975 section 4): it opens sessions, dials for the active ones and accepts connections for the
// passive ones. It is safe for concurrent use.
type Endpoint struct {
	o    Options
	done chan struct{}
	wg   sync.WaitGroup // of every goroutine

	unbound atomic.Int32 // accepted connections without a session

	mu        sync.Mutex
	closed    bool
	host      string // of session URIs
	sessions  map[string]*Session
	conns     map[*conn]struct{}
	links     map[string]*link // by next hop
	listeners []net.Listener
}

// New checks o and returns an Endpoint. It does no I/O. The error names the field of o that is wrong.
func New(o *Options) (*Endpoint, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	return &Endpoint{
		o: opts, host: opts.Host, done: make(chan struct{}),
		sessions: map[string]*Session{}, conns: map[*conn]struct{}{}, links: map[string]*link{},
	}, nil
}

// Serve accepts connections from l for passive sessions, until Shutdown or Close. It returns at once, with ErrClosed if it is too late for that, and
// owns l in any case. Silent peers are left to TCP keep-alive, which net.Listen sets as net.Dialer does: see Options.Dialer. Session URIs carry the
// address of the first l unless Options.Host is set; a listener on all addresses needs Options.Host.
func (e *Endpoint) Serve(l net.Listener) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		l.Close()
		return ErrClosed
	}
	if e.host == "" {
		if a, ok := l.Addr().(*net.TCPAddr); !ok || !a.IP.IsUnspecified() {
			e.host = l.Addr().String()
		}
	}
	e.listeners = append(e.listeners, l)
	e.wg.Go(func() { hop.Accept(l, e.done, e.o.Logger, e.ServeConn) })
	return nil
}

// ServeConn takes over one accepted connection, for callers with an accept loop of their own. It returns at once.
// A connection that names no session of ours within 30 s, TLS handshake included, is closed, and so is the 257th such at a time.
func (e *Endpoint) ServeConn(nc net.Conn) {
	if e.unbound.Add(1) > maxUnbound {
		e.unbound.Add(-1)
		e.o.Logger.Warn("msrp: too many connections without a session", "limit", maxUnbound)
		nc.Close()
		return
	}
	if e.start(newConn(e, nc, true)) != nil {
		e.unbound.Add(-1)
		nc.Close()
	}
}

// start runs a connection.
func (e *Endpoint) start(c *conn) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return ErrClosed
	}
	e.conns[c] = struct{}{}
	e.wg.Add(1)
	c.wg.Add(1)
	go c.readLoop()
	return nil
}

// NewSession opens a session with a fresh, unguessable URI: LocalPath is for the SDP, Connect makes it usable. From now on a peer that knows the URI
// can connect to it. It needs Options.Host, a served listener or SessionOptions.Relay; a nil o means the defaults. The session stays with the
// Endpoint until it is closed. Errors: ErrClosed, ErrNoTLS, one that names an entry of o.AcceptTypes that is no media type, one that says that there
// is no host; with a Relay ErrInsecure, ErrRelayInUse, one that says that it is another Endpoint's, or what the Relay has ended with.
func (e *Endpoint) NewSession(o *SessionOptions) (*Session, error) {
	if o == nil {
		o = &SessionOptions{}
	}
	switch {
	case o.Relay != nil && o.Relay.e != e:
		return nil, errors.New("msrp: SessionOptions.Relay is of another Endpoint")
	case o.Relay != nil && o.Secure && !o.Relay.conn.secure:
		return nil, ErrInsecure
	case o.Relay == nil && o.Secure && e.o.TLS == nil:
		return nil, ErrNoTLS
	}
	if err := checkAcceptTypes(o.AcceptTypes); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return nil, ErrClosed
	}
	u, err := e.sessionURI(o)
	if err != nil {
		return nil, err
	}
	s := newSession(e, u, o)
	if s.relay != nil {
		if err := s.relay.admit(s); err != nil {
			return nil, err
		}
	}
	e.sessions[u.SessionID] = s
	return s, nil
}

// sessionURI, under mu, makes the URI of a session.
func (e *Endpoint) sessionURI(o *SessionOptions) (URI, error) {
	switch r := o.Relay; {
	case r == nil:
		return newURI(e.host, o.Secure)
	case r.shared:
		u := r.own
		u.SessionID = newSessionID()
		return u, nil
	default:
		return r.own, nil // AG Projects' relay takes no other than that of the AUTH
	}
}

// newURI makes a URI that nobody can guess.
func newURI(host string, secure bool) (URI, error) {
	u := URI{SessionID: newSessionID(), Transport: "tcp", Secure: secure}
	if host == "" {
		return u, errors.New("msrp: no host for the session URI: set Options.Host or Serve a listener with an address of its own")
	}
	err := u.parseHostPort(host)
	if u.Port == 0 {
		u.Port = DefaultPort // a session URI always tells one (RFC 4975 section 6)
	}
	return u, err
}

func (e *Endpoint) session(id string) *Session {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.sessions[id]
}

// Shutdown stops accepting, lets all sessions together finish what they have begun (see Session.Shutdown), and closes. The error is ctx's if
// it ended first; the Endpoint is closed in any case.
func (e *Endpoint) Shutdown(ctx context.Context) error {
	e.mu.Lock()
	for _, l := range e.listeners {
		l.Close()
	}
	sessions := slices.Collect(maps.Values(e.sessions))
	e.mu.Unlock()
	errs := make([]error, len(sessions))
	var wg sync.WaitGroup
	for i, s := range sessions {
		wg.Go(func() { errs[i] = s.Shutdown(ctx) })
	}
	wg.Wait()
	return errors.Join(errors.Join(errs...), e.Close())
}

// Close ends every session and connection at once. It is idempotent and safe from any goroutine; after it returns no goroutine of
// the Endpoint runs.
func (e *Endpoint) Close() error {
	e.mu.Lock()
	if !e.closed {
		e.closed = true
		close(e.done)
	}
	for _, l := range e.listeners {
		l.Close()
	}
	sessions := slices.Collect(maps.Values(e.sessions))
	conns := slices.Collect(maps.Keys(e.conns))
	e.mu.Unlock()
	for _, s := range sessions {
		s.end(ErrClosed)
	}
	for _, c := range conns {
		c.close(ErrClosed)
	}
	e.wg.Wait()
	return nil
}

// Done is closed when the Endpoint is.
func (e *Endpoint) Done() <-chan struct{} { return e.done }

// Err is nil until the Endpoint is closed, then ErrClosed.
func (e *Endpoint) Err() error {
	select {
	case <-e.done:
		return ErrClosed
	default:
		return nil
	}
}
