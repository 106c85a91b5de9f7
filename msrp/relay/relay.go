package relay

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

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/internal/hop"
)

// ErrClosed is what a Relay that was closed returns. It wraps net.ErrClosed.
var ErrClosed = fmt.Errorf("relay: closed: %w", net.ErrClosed)

// Relay is an MSRP relay (RFC 4976 section 6). It is safe for concurrent use.
type Relay struct {
	o      Options
	gate   *gate
	host   msrp.URI // of Options.Host; its Host is empty if that is
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // of every goroutine
	queued atomic.Int64   // bytes that wait, on all connections
	counts counts
	start  time.Time // what clock counts from; in the past, so that zero stands for never

	mu        sync.Mutex
	closed    bool
	draining  bool
	empty     chan struct{} // closed when draining and the last binding is gone
	emptied   sync.Once
	listeners []net.Listener
	conns     map[*conn]struct{}
	strangers strangers
	hops      map[nextHop]*conn
	bindings  map[string]*binding // by session-id
	users     map[string]*user    // who have bindings
	names     map[string]struct{} // host:port of every URI given out, in lower case
	lastID    uint64              // of a connection
}

// New checks o and returns a Relay. It does no I/O. The error names the field of o that is wrong.
func New(o *Options) (*Relay, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	g, err := newGate(&opts)
	if err != nil {
		return nil, err
	}
	r := &Relay{
		o: opts, gate: g, start: time.Now().Add(-time.Second), conns: map[*conn]struct{}{}, hops: map[nextHop]*conn{},
		bindings: map[string]*binding{}, users: map[string]*user{}, names: map[string]struct{}{},
		empty: make(chan struct{}),
	}
	if opts.Host != "" {
		r.host, _ = parseHost(opts.Host)
	}
	if r.host.Port != 0 {
		r.names[hostport(r.host)] = struct{}{}
	}
	r.ctx, r.cancel = context.WithCancel(context.Background())
	return r, nil
}

// clock is the time since the relay began.
func (r *Relay) clock() time.Duration { return time.Since(r.start) }

// Serve accepts connections from l until Shutdown or Close. It returns at once, with ErrClosed if it is too late for that, and owns l in any case. For TLS give
// it a listener of tls.NewListener, with DynamicRecordSizingDisabled in its configuration.
func (r *Relay) Serve(l net.Listener) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.closed || r.draining {
		l.Close()
		return ErrClosed
	}
	r.listen(l)
	r.wg.Go(func() { hop.Accept(l, r.ctx.Done(), r.o.Logger, r.ServeConn) })
	return nil
}

// ServeConn takes over one accepted connection, for callers with an accept loop of their own. It returns at once.
func (r *Relay) ServeConn(nc net.Conn) {
	c := newStranger(r, nc)
	victim, err := r.admit(c)
	if err != nil {
		r.counts.refusedConnections.Add(1)
		r.o.Logger.Debug("relay: connection refused", "remote", nc.RemoteAddr(), "error", err)
		nc.Close()
		return
	}
	if victim != nil {
		r.counts.evicted.Add(1)
		victim.spawn(func() { victim.close(errEvicted) }) // a TLS connection may take 100 ms
	}
	go c.begin()
}

// Shutdown takes no new connections and gives out no new URIs, while clients that have one go on, and prolong it. When the last URI is gone or ctx
// ends it gives what is on its way another second, and closes. The error is ctx's if it ended first; the Relay is closed in any case.
func (r *Relay) Shutdown(ctx context.Context) error {
	r.mu.Lock()
	r.draining = true
	for _, l := range r.listeners {
		l.Close()
	}
	r.leave()
	r.mu.Unlock()
	var err error
	select {
	case <-r.empty:
	case <-r.ctx.Done():
	case <-ctx.Done():
		err = ctx.Err()
	}
	linger, cancel := context.WithTimeout(r.ctx, lingerTimeout)
	defer cancel()
	for range 2 { // an answer that the first round has waited for may have made a report to one who was looked at before
		for _, c := range r.all() {
			c.drained(linger)
		}
	}
	return errors.Join(err, r.Close())
}

// leave ends, under r.mu, Shutdown's waiting for clients when there are none.
func (r *Relay) leave() {
	if r.draining && len(r.bindings) == 0 {
		r.emptied.Do(func() { close(r.empty) })
	}
}

func (r *Relay) all() []*conn {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Collect(maps.Keys(r.conns))
}

// Close ends every connection at once. It is idempotent and safe from any goroutine; after it returns no goroutine of the Relay runs,
// but calls of an Authenticator that does not heed its ctx.
func (r *Relay) Close() error {
	r.mu.Lock()
	r.closed = true
	for _, l := range r.listeners {
		l.Close()
	}
	for _, u := range r.users {
		if u.leaving != nil {
			u.leaving.Stop()
		}
	}
	r.mu.Unlock()
	r.cancel()
	for _, c := range r.all() {
		c.close(ErrClosed)
	}
	r.wg.Wait()
	return nil
}

// Done is closed when the Relay is.
func (r *Relay) Done() <-chan struct{} { return r.ctx.Done() }

// Err is nil until the Relay is closed, then ErrClosed.
func (r *Relay) Err() error {
	if r.ctx.Err() != nil {
		return ErrClosed
	}
	return nil
}
