package siptest

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

const (
	patience = time.Minute
	inbox    = 1024 // messages that wait to be taken
)

// A Peer is the other end of an agent's calls in the hands of a test. It says what the test tells it to and nothing of itself: it answers nothing,
// repeats nothing, and acknowledges nothing.
//
// Next, Request, Response, Final and None end the test where a message is missing, so they are for the goroutine of the test. Everything else is safe for
// concurrent use.
type Peer struct {
	// In has the messages that arrive, for a goroutine that answers on its own: for m := range p.In. It is closed with the Peer. Whoever takes a
	// message from it keeps it from Next.
	In <-chan *Message
	// Patience is how long a message may take that the test waits for. Default: one minute, of the bubble's time inside a synctest bubble.
	Patience time.Duration

	t       testing.TB
	host    *Host
	tag     string
	in      chan *Message
	done    chan struct{}
	readers sync.WaitGroup

	mu     sync.Mutex
	closed bool
	close  []io.Closer
	socket net.PacketConn
	send   func(string) // to where requests go
	via    string
	seq    int
}

// NewPeer returns a peer that takes datagrams and streams on port 5060 of the host. It is closed at the end of the test.
func NewPeer(t testing.TB, h *Host) *Peer {
	t.Helper()
	in := make(chan *Message, inbox)
	p := &Peer{In: in, Patience: patience, t: t, host: h, tag: newID(), in: in, done: make(chan struct{})}
	t.Cleanup(p.Close)
	l, c := h.listenBoth(t)
	p.socket = c
	p.close = []io.Closer{l, c}
	p.readers.Go(func() { p.readPackets(c) })
	p.readers.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			p.serve(c, "TCP")
		}
	})
	return p
}

// Close closes everything that the peer has open. It is idempotent.
func (p *Peer) Close() {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	if !first {
		return
	}
	close(p.done)
	for _, c := range p.close {
		_ = c.Close() // it may have ended before
	}
	p.readers.Wait()
	close(p.in)
}

// Address is host:port of the peer.
func (p *Peer) Address() string { return netip.AddrPortFrom(p.host.addr, sipPort).String() }

// URI is a SIP URI that reaches the peer over network, "udp" or "tcp".
func (p *Peer) URI(network string) string {
	return "sip:peer@" + p.Address() + ";transport=" + network
}

// Dial says where Send sends from now on: over "udp" to an address, or over "tcp", on a new connection to it. What fails ends the test.
func (p *Peer) Dial(network, address string) {
	p.t.Helper()
	if network == "udp" {
		to, err := netip.ParseAddrPort(address)
		if err != nil {
			p.t.Fatal("siptest: ", err)
		}
		p.sendTo("UDP", p.packetTo(net.UDPAddrFromAddrPort(to)))
		return
	}
	c, err := p.host.DialContext(p.t.Context(), network, address)
	if err != nil {
		p.t.Fatal("siptest: ", err)
	}
	p.Use(c, "TCP")
}

// Use says that Send sends on a connection of the caller's own from now on, TLS for example, and reads messages from it. via is the transport that
// stands in Via, such as "TLS".
func (p *Peer) Use(c net.Conn, via string) {
	p.sendTo(via, p.serve(c, via))
}

func (p *Peer) sendTo(via string, send func(string)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.via, p.send = via, send
}

// serve reads messages from a stream, and returns what writes to it.
func (p *Peer) serve(c net.Conn, via string) (send func(string)) {
	send = func(text string) { _, _ = io.WriteString(c, text) } // lost where the stream is gone
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		_ = c.Close() // it was never used
		return send
	}
	p.close = append(p.close, c)
	p.readers.Go(func() {
		for r := bufio.NewReader(c); ; {
			m, err := readMessage(r, false)
			if err != nil {
				return
			}
			p.arrived(m, via, send)
		}
	})
	return send
}

func (p *Peer) readPackets(c net.PacketConn) {
	b := make([]byte, maxDatagram)
	for {
		n, from, err := c.ReadFrom(b)
		if err != nil {
			return
		}
		if m, err := readMessage(bufio.NewReader(bytes.NewReader(b[:n])), true); err == nil {
			p.arrived(m, "UDP", p.packetTo(from))
		}
	}
}

func (p *Peer) packetTo(to net.Addr) (send func(string)) {
	return func(text string) { _, _ = p.socket.WriteTo([]byte(text), to) } // lost where the peer is closed
}

func (p *Peer) arrived(m *Message, via string, reply func(string)) {
	m.via, m.reply = via, reply
	select {
	case p.in <- m:
	case <-p.done:
	}
}

// Next returns the next message, whatever it is.
func (p *Peer) Next() *Message {
	p.t.Helper()
	return p.wait("message", func(*Message) bool { return true })
}

// Request returns the next request with a method, and drops what comes before it.
func (p *Peer) Request(method string) *Message {
	p.t.Helper()
	return p.wait(method, func(m *Message) bool { return m.Method == method })
}

// Response returns the next response with a status code, and drops what comes before it.
func (p *Peer) Response(status int) *Message {
	p.t.Helper()
	return p.wait(fmt.Sprint(status), func(m *Message) bool { return m.Status == status })
}

// Final returns the next final response to a method, and drops what comes before it.
func (p *Peer) Final(method string) *Message {
	p.t.Helper()
	return p.wait("final response to "+method, func(m *Message) bool { return m.Status >= 200 && m.CSeqMethod() == method })
}

func (p *Peer) wait(what string, wanted func(*Message) bool) *Message {
	p.t.Helper()
	late := time.NewTimer(p.Patience)
	defer late.Stop()
	for {
		select {
		case m, ok := <-p.in:
			if ok && wanted(m) {
				return m
			}
			if !ok {
				p.t.Fatalf("siptest: no %s: the peer is closed", what)
			}
		case <-late.C:
			p.t.Fatalf("siptest: no %s came within %v", what, p.Patience)
		}
	}
}

// None ends the test when a message arrives within d, or has arrived and was not taken.
func (p *Peer) None(d time.Duration) {
	p.t.Helper()
	over := time.NewTimer(d)
	defer over.Stop()
	select {
	case m, ok := <-p.in:
		if ok {
			p.t.Fatalf("siptest: unexpected %s", m)
		}
	case <-over.C:
	}
}
