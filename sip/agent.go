package sip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

const (
	closeGrace = time.Second           // what Close gives to goodbyes
	servePause = 10 * time.Millisecond // between two runs of sipgo's UDP loop
)

// An Agent places and takes calls for one address of record. Make one with New; all methods are safe for concurrent use.
type Agent struct {
	opts    Options
	self    gosip.Uri
	log     *slog.Logger
	tagKey  [32]byte
	nowhere string // a host name of ours that exists nowhere (RFC 7118 §5)

	transport    *gosip.TransportLayer
	transactions *gosip.TransactionLayer
	streams      *streams
	outages      outages
	serving      atomic.Int64 // server transactions that are alive
	servingBytes atomic.Int64 // of their requests
	refusals     sync.Map     // ACKs to refused INVITEs, by branch

	closing chan struct{}   // closed first: no new calls
	life    context.Context // ends when Close has given the goodbyes their time
	kill    context.CancelFunc
	done    chan struct{} // closed last
	tasks   sync.WaitGroup

	mu           sync.Mutex
	draining     bool // closing is closed
	ended        bool // no new tasks
	listening    map[string]netip.AddrPort
	streaming    bool // sipgo serves streams
	packets      *packets
	calls        map[dialogID]*Call
	registration *Registration
	outgoing     map[outgoingID]*outgoing
	invitations  map[invitationID]*Invitation
	queue        []*Invitation
	arrived      chan struct{} // holds a value while queue may have one
	messages     chan *Message // for ReceiveMessage
}

// New checks the options and makes an agent. It does no I/O and starts nothing; call Listen or Register next, or Invite.
func New(o *Options) (*Agent, error) {
	opts, self, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &Agent{
		opts: opts, self: self, log: opts.Logger,
		nowhere:     strings.ToLower(newID()) + ".invalid",
		streams:     newStreams(&opts),
		closing:     make(chan struct{}),
		done:        make(chan struct{}),
		listening:   make(map[string]netip.AddrPort),
		calls:       make(map[dialogID]*Call),
		outgoing:    make(map[outgoingID]*outgoing),
		invitations: make(map[invitationID]*Invitation),
		arrived:     make(chan struct{}, 1),
		messages:    make(chan *Message, maxMessages),
	}
	_, _ = rand.Read(a.tagKey[:]) // never fails
	a.life, a.kill = context.WithCancel(context.Background())
	quiet := slog.New(transportLog{a.log.Handler()})
	a.transport = gosip.NewTransportLayer(noResolver, gosip.NewParser(gosip.WithHeadersParsers(headerParsers())), nil,
		gosip.WithTransportLayerLogger(quiet), gosip.WithTransportLayerTransports(gosip.TransportsConfig{
			TCP: &gosip.TransportTCP{DialerCreate: dialNobody},
		}))
	a.transport.OnMessage(a.noteSource)
	a.transport.OnMessage(a.addTag) // before the transaction layer, which adds its own handler
	a.transport.OnMessage(a.order)
	a.transactions = gosip.NewTransactionLayer(a.transport,
		gosip.WithTransactionLayerLogger(quiet),
		gosip.WithTransactionLayerTerminateOnConnClose(),
		gosip.WithTransactionLayerUnhandledResponseHandler(a.strayResponse))
	a.transactions.OnRequest(a.serve)
	return a, nil
}

// dialNobody keeps sipgo from opening connections where it has none for a message. All that it may use are those of streams.
func dialNobody(net.Addr) net.Dialer { return net.Dialer{Deadline: time.Unix(1, 0)} }

// noResolver is sipgo's: where to send a request is found here, and the host that a peer wrote into Via is not looked up.
// A response goes back to where its request came from, or nowhere (RFC 3263 §5 has names for proxies that fail meanwhile).
var noResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
	return nil, errNotAsked
}}

var errNotAsked = errors.New("sip: not looked up")

// Listen opens a socket and serves it: network is "udp", "tcp", "tls", "ws" or "wss", address as for net.Listen, port 0 chooses one. It returns
// the address that the socket got, which also stands in our Contact and Via (the wildcard address is
// replaced there by the one that faces the peer). It may be called once for "udp" and more often for the others; the
// first address of a network is the one in Contact. ctx bounds the call, not the listening.
//
// An agent that listens on no TCP address still calls over TCP, and takes what its peers send back over the connections that it opened.
func (a *Agent) Listen(ctx context.Context, network, address string) (net.Addr, error) {
	if network == "udp" {
		c, err := new(net.ListenConfig).ListenPacket(ctx, network, address)
		if err != nil {
			return nil, fmt.Errorf("sip: listen: %w", err)
		}
		return c.LocalAddr(), a.ListenPacketOn(c)
	}
	if err := a.canServe(network); err != nil {
		return nil, err
	}
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("sip: listen: %w", err)
	}
	return l.Addr(), a.ListenOn(network, l)
}

// ListenOn serves a listener of the caller's, for example one that records the traffic: network is "tcp", "tls", "ws" or "wss", and l yields bare
// connections, without TLS. It returns at once and owns l from then on, also when it returns an error: ErrClosed after Close, or
// that the address of l is no IP address with a port. Accept of l must return once l is closed, as Close waits for it.
func (a *Agent) ListenOn(network string, l net.Listener) error {
	err := a.canServe(network)
	if err == nil {
		err = a.startListening(network, l.Addr(), func() error {
			if err := a.streams.listen(network, l); err != nil {
				return err
			}
			a.startStreams()
			return nil
		})
	}
	if err != nil {
		_ = l.Close() // the first error says more
	}
	return err
}

// ListenPacketOn serves a UDP socket of the caller's, the agent's only one. It returns at once and owns c from then on, also when it returns an
// error: ErrClosed after Close, or that the address of c is no IP address with a port.
func (a *Agent) ListenPacketOn(c net.PacketConn) error {
	err := a.startListening("udp", c.LocalAddr(), func() error {
		if a.packets != nil {
			return errors.New("sip: listen: there is a UDP socket already")
		}
		a.packets = &packets{PacketConn: c}
		a.transport.Pool("udp").Add(packetsKey.String(), a.packets)
		a.tasks.Go(func() { a.servePackets(a.packets) })
		return nil
	})
	if err != nil {
		_ = c.Close() // the first error says more
	}
	return err
}

// serveStreams lets sipgo serve the connections that we open.
func (a *Agent) serveStreams() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return ErrClosed
	}
	a.startStreams()
	return nil
}

// startStreams is called with a.mu held.
func (a *Agent) startStreams() {
	if !a.streaming {
		a.streaming = true
		a.tasks.Go(func() { _ = a.transport.ServeTCP(a.streams) }) // ends when streams is closed
	}
}

// startListening runs start, with a.mu held, unless the agent is closing, and notes the address.
func (a *Agent) startListening(network string, addr net.Addr, start func() error) error {
	ap, err := netip.ParseAddrPort(addr.String())
	if err != nil {
		return fmt.Errorf("sip: listen: %w", err)
	}
	if ap.Addr().Zone() != "" { // no header field can name it
		return fmt.Errorf("sip: listen: %v is an address of this machine alone", ap)
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.draining {
		return ErrClosed
	}
	if err := start(); err != nil {
		return err
	}
	if _, again := a.listening[network]; !again {
		a.listening[network] = ap
	}
	return nil
}

// servePackets runs sipgo's UDP loop again whenever it ends, until the agent is closed.
func (a *Agent) servePackets(p *packets) {
	for {
		a.servePacketsOnce(p)
		select {
		case <-a.life.Done():
			return
		case <-time.After(servePause):
		}
	}
}

// servePacketsOnce keeps a datagram that makes sipgo's parser panic from ending the process.
func (a *Agent) servePacketsOnce(p *packets) {
	defer a.recover("udp")
	if err := a.transport.ServeUDP(p); err != nil {
		a.log.Warn("UDP stopped", "error", err)
	}
}

// task runs f in a goroutine that Close waits for, unless the agent is closed.
func (a *Agent) task(f func()) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return false
	}
	a.tasks.Go(f)
	return true
}

// enter makes Close wait until leave is called, unless the agent is closed.
func (a *Agent) enter() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return false
	}
	a.tasks.Add(1)
	return true
}

func (a *Agent) leave() { a.tasks.Done() }

// bound ends a context with the agent's life.
func (a *Agent) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	stop := context.AfterFunc(a.life, cancel)
	return ctx, func() { stop(); cancel() }
}

// Shutdown refuses new calls, unregisters, hangs up the calls that are up, waits for the answers, 32 seconds where a peer is
// silent, and closes the agent. When ctx ends before that, the agent is closed without waiting further and ctx's error returned.
func (a *Agent) Shutdown(ctx context.Context) error {
	a.drain()
	var wg sync.WaitGroup
	wg.Go(func() { a.unregister(ctx) })
	for _, c := range a.allCalls() {
		wg.Go(func() { _ = c.Bye(ctx) }) // the call is over whatever the peer says
	}
	wg.Wait()
	err := ctx.Err()
	_ = a.Close() // always nil
	return err
}

// Close refuses new calls, hangs up, cancels and rejects what is pending, gives the messages about that at most a second, and
// closes all sockets. No goroutine of the agent runs when it returns. It is idempotent and always returns nil.
func (a *Agent) Close() error {
	a.drain()
	for _, c := range a.allCalls() {
		_ = c.Close() // always nil
	}
	a.rest(closeGrace)

	a.mu.Lock()
	first := !a.ended
	a.ended = true
	packets := a.packets
	a.mu.Unlock()
	if !first {
		<-a.done
		return nil
	}
	a.kill()
	_ = a.streams.Close() // always nil
	if packets != nil {
		_ = packets.Close() // our own socket, nothing is left to lose
	}
	// The connections go before the transactions: a transaction that is being written to cannot be terminated. sipgo's transport stays: without
	// the closed socket in its pool it would open one of its own for a late message.
	a.transactions.Close()
	a.tasks.Wait()
	close(a.done)
	return nil
}

// drain tells everybody that the agent is closing.
func (a *Agent) drain() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if !a.draining {
		a.draining = true
		close(a.closing)
	}
}

// rest waits until no call, invitation or outgoing INVITE is left, at most for d.
func (a *Agent) rest(d time.Duration) {
	deadline := time.NewTimer(d)
	defer deadline.Stop()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !a.idle() {
		select {
		case <-tick.C:
		case <-deadline.C:
			return
		case <-a.life.Done():
			return
		}
	}
}

func (a *Agent) idle() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, o := range a.outgoing {
		if !o.isOver() {
			return false
		}
	}
	return len(a.calls) == 0 && len(a.invitations) == 0
}

func (a *Agent) allCalls() []*Call {
	a.mu.Lock()
	defer a.mu.Unlock()
	calls := make([]*Call, 0, len(a.calls))
	for _, c := range a.calls {
		calls = append(calls, c)
	}
	return calls
}

// Done is closed when the agent is closed and nothing of it runs any more.
func (a *Agent) Done() <-chan struct{} { return a.done }

// Err is nil before Done is closed and ErrClosed after.
func (a *Agent) Err() error {
	select {
	case <-a.done:
		return ErrClosed
	default:
		return nil
	}
}
