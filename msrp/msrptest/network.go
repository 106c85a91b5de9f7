package msrptest

import (
	"context"
	"net"
	"slices"
	"strconv"
	"sync"
	"syscall"

	"github.com/otrchat/otrchat/msrp"
)

var _ msrp.Dialer = (*Network)(nil)

// Network is a network in memory. Its zero value is ready to use; set its fields before. It is an msrp.Dialer.
type Network struct {
	// ToPassive is what goes wrong with what the dialling side of a connection sends. Default: nothing.
	ToPassive Faults
	// ToActive is what goes wrong with what the accepting side of a connection sends. Default: nothing.
	ToActive Faults
	// Record is how many bytes each Line keeps of what was written to it, from the first on; a negative one means none. Default 1 MiB.
	Record int

	mu        sync.Mutex
	listeners map[string]*listener
	wires     []*Wire
	peers     int
}

const (
	recorded = 1 << 20
	backlog  = 128 // connections that wait for Accept
)

// Listen listens on address, host:port, which needs no meaning outside of this Network. An Endpoint that serves the listener has the
// address in its session URIs. The error says that the address is in use.
func (n *Network) Listen(address string) (net.Listener, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.listeners[address] != nil {
		return nil, &net.OpError{Op: "listen", Net: memory, Addr: addr(address), Err: syscall.EADDRINUSE}
	}
	l := &listener{n: n, addr: addr(address), accept: make(chan net.Conn, backlog), done: make(chan struct{})}
	if n.listeners == nil {
		n.listeners = map[string]*listener{}
	}
	n.listeners[address] = l
	return l, nil
}

// DialContext connects to what listens on address. Like TCP it does not wait for Accept, as long as no more than 128 others do. Errors: connection
// refused (syscall.ECONNREFUSED) where nobody listens, or ctx's.
func (n *Network) DialContext(ctx context.Context, _, address string) (net.Conn, error) {
	failed := func(err error) (net.Conn, error) {
		return nil, &net.OpError{Op: "dial", Net: memory, Addr: addr(address), Err: err}
	}
	if ctx.Err() != nil {
		return failed(ctx.Err())
	}
	n.mu.Lock()
	l := n.listeners[address]
	if l == nil {
		n.mu.Unlock()
		return failed(syscall.ECONNREFUSED)
	}
	w := newWire(addr("dialer:"+strconv.Itoa(len(n.wires)+1)), l.addr, n.limit())
	w.ToPassive.faults, w.ToActive.faults = n.ToPassive, n.ToActive
	n.wires = append(n.wires, w)
	n.mu.Unlock()
	select {
	case l.accept <- w.passive():
	case <-l.done:
		return failed(syscall.ECONNREFUSED)
	case <-ctx.Done():
		return failed(ctx.Err())
	}
	if l.closed() { // perhaps behind the last look into the queue
		l.refuse()
	}
	return w.active(), nil
}

func (n *Network) limit() int {
	if n.Record == 0 {
		return recorded
	}
	return max(n.Record, 0)
}

// Wires returns the connections that were dialled so far, closed ones too, in the order of dialling.
func (n *Network) Wires() []*Wire {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.wires)
}

type listener struct {
	n      *Network
	addr   addr
	accept chan net.Conn
	once   sync.Once
	done   chan struct{}
}

// Accept returns the next connection, or an error wrapping net.ErrClosed.
func (l *listener) Accept() (net.Conn, error) {
	if !l.closed() {
		select {
		case c := <-l.accept:
			return c, nil
		case <-l.done:
		}
	}
	return nil, &net.OpError{Op: "accept", Net: memory, Addr: l.addr, Err: net.ErrClosed}
}

// Close frees the address and resets the connections that nobody has accepted.
func (l *listener) Close() error {
	l.once.Do(func() {
		l.n.mu.Lock()
		delete(l.n.listeners, string(l.addr))
		l.n.mu.Unlock()
		close(l.done)
	})
	l.refuse()
	return nil
}

func (l *listener) closed() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

func (l *listener) refuse() {
	for {
		select {
		case c := <-l.accept:
			c.(*conn).w.Reset()
		default:
			return
		}
	}
}

// Addr returns the address given to Listen.
func (l *listener) Addr() net.Addr { return l.addr }

const memory = "memory"

type addr string

// Network returns "memory".
func (addr) Network() string { return memory }

// String returns host:port.
func (a addr) String() string { return string(a) }
