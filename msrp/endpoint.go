package msrp

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"time"
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
// owns l in any case. Silent peers are left to TCP keep-alive, which net.Listen sets as net.Dialer does: see Options.Dialer. Session URIs carry the address of the first l unless Options.Host is set; a listener on all addresses needs Options.Host.
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
	e.wg.Add(1)
	go e.accept(l)
	return nil
}

func (e *Endpoint) accept(l net.Listener) {
	defer e.wg.Done()
	for {
		nc, err := l.Accept()
		if err == nil {
			e.ServeConn(nc)
			continue
		}
		if errors.Is(err, net.ErrClosed) {
			return
		}
		e.o.Logger.Warn("msrp: accept", "error", err)
		select { // out of file descriptors, for example
		case <-e.done:
			return
		case <-time.After(50 * time.Millisecond):
		}
	}
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
	if _, err := e.start(nc, true); err != nil {
		nc.Close()
	}
}

// start runs a connection.
func (e *Endpoint) start(nc net.Conn, accepted bool) (*conn, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		if accepted {
			e.unbound.Add(-1)
		}
		return nil, ErrClosed
	}
	c := newConn(e, nc, accepted)
	e.conns[c] = struct{}{}
	e.wg.Add(1)
	c.wg.Add(1)
	go c.readLoop()
	return c, nil
}

// NewSession opens a session with a fresh, unguessable URI: LocalPath is for the SDP, Connect makes it usable.
// From now on a peer that knows the URI can connect to it. It needs Options.Host or a served listener; a nil o means the defaults.
// The session stays with the Endpoint until it is closed. Errors: ErrClosed, ErrNoTLS, one that names an entry of o.AcceptTypes that is no
// media type, or one that says that there is no host.
func (e *Endpoint) NewSession(o *SessionOptions) (*Session, error) {
	if o == nil {
		o = &SessionOptions{}
	}
	if o.Secure && e.o.TLS == nil {
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
	if e.host == "" {
		return nil, fmt.Errorf("msrp: no host for the session URI: set Options.Host or Serve a listener with an address of its own")
	}
	u := URI{SessionID: newSessionID(), Transport: "tcp", Secure: o.Secure}
	if err := u.parseHostPort(e.host); err != nil {
		return nil, err
	}
	if u.Port == 0 {
		u.Port = DefaultPort // a session URI always tells one (RFC 4975 section 6)
	}
	s := newSession(e, u, o)
	e.sessions[u.SessionID] = s
	return s, nil
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
