package msrptest

import (
	"context"
	"fmt"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/internal/hop"
)

// Peer is the other side of a session in the hands of a test. It says what the test tells it to and nothing of itself: no response, no report.
// A Peer that reads nothing is one that stopped reading; Wire has what else can go wrong.
type Peer struct {
	// Path is its own: what the session is connected to, and the From-Path of its frames. A test may change it before, to one with a relay before
	// it for example; an active session dials the host of its first URI, which must stay.
	Path msrp.Path
	// Remote is the session's path and the To-Path of its frames. Dial and Accept set it.
	Remote msrp.Path
	// Conn is its end of the connection, for bytes that are no frame or to be read by nobody. What is read from it is lost to Next. Dial and Accept set it.
	Conn net.Conn
	// Wire is the connection as a whole, nil for one that is not of a Network. Dial and Accept set it.
	Wire *Wire

	n   *Network
	l   *listener
	d   *msrp.Decoder
	ids atomic.Int64
}

// NewPeer returns a Peer that listens on n, at a host name of its own. It is closed at the end of the test.
func NewPeer(t testing.TB, n *Network) *Peer {
	t.Helper()
	n.mu.Lock()
	n.peers++
	u := msrp.URI{Host: fmt.Sprintf("peer%d.example.com", n.peers), Port: msrp.DefaultPort, SessionID: "peer", Transport: "tcp"}
	n.mu.Unlock()
	l, err := n.Listen(hostport(u))
	if err != nil {
		t.Fatal("msrptest: ", err)
	}
	p := &Peer{Path: msrp.Path{u}, n: n, l: l.(*listener)}
	t.Cleanup(func() { p.Close() })
	return p
}

// PeerOn returns a Peer on a connection of the caller's own, TLS or to a foreign program, whose Path and Remote are the caller's to set. Connect,
// Dial and Accept are not for it.
func PeerOn(nc net.Conn) *Peer {
	p := &Peer{}
	p.use(nc, nil)
	return p
}

func hostport(u msrp.URI) string { return hop.Address(u.Host, u.Port) }

// Connect connects the session to the Peer: it calls s.Connect with the role that s is to have, and Dial or Accept. An active session's endpoint must have
// the Peer's Network as its Dialer, a passive one's must serve a listener of it. The error is of what failed first.
func (p *Peer) Connect(ctx context.Context, s *msrp.Session, role msrp.Role) error {
	ctx, cancel := context.WithCancelCause(ctx)
	connected := make(chan struct{})
	go func() {
		defer close(connected)
		if err := s.Connect(ctx, p.Path, role, nil); err != nil {
			cancel(err)
		}
	}()
	var err error
	if role == msrp.Active {
		err = p.Accept(ctx)
	} else {
		err = p.Dial(ctx, s.LocalPath())
	}
	if err != nil {
		cancel(err)
	}
	<-connected
	defer cancel(nil)
	return context.Cause(ctx)
}

// Dial connects to a passive session by its path and binds to it with an empty SEND (RFC 4975 section 5.4). The session's side calls Connect with
// Path meanwhile, or has done so. The error is *msrp.StatusError if the session refuses.
func (p *Peer) Dial(ctx context.Context, session msrp.Path) error {
	nc, err := p.n.DialContext(ctx, "tcp", hostport(session[0]))
	if err != nil {
		return err
	}
	p.use(nc, session)
	if err := p.Send(&msrp.Frame{MessageID: []byte("bind"), ByteRange: msrp.ByteRange{Start: 1}}, nil); err != nil {
		return err
	}
	f, err := p.Next(ctx)
	if err != nil {
		return err
	}
	if f.Status != msrp.StatusOK {
		return &msrp.StatusError{Code: f.Status, Comment: string(f.Comment)}
	}
	return nil
}

// Accept waits for an active session to dial, and answers its binding request with 200 (RFC 4975 section 5.4). The session's side
// calls Connect with Path meanwhile.
func (p *Peer) Accept(ctx context.Context) error {
	select {
	case nc := <-p.l.accept:
		p.use(nc, nil)
	case <-p.l.done:
		return net.ErrClosed
	case <-ctx.Done():
		return ctx.Err()
	}
	f, err := p.Next(ctx)
	if err != nil {
		return err
	}
	if p.Remote, err = msrp.ParsePath(string(f.FromPath)); err != nil {
		return err
	}
	return p.Respond(f, msrp.StatusOK)
}

func (p *Peer) use(nc net.Conn, session msrp.Path) {
	p.Conn, p.Remote = nc, session
	if c, ok := nc.(*conn); ok {
		p.Wire = c.w
	}
	p.d = msrp.NewDecoder(nc, nil)
}

// Send sends one frame. Where f has no method and no status it is a SEND, where it has no transaction ID, paths or continuation flag it gets a fresh
// one, those of the Peer, and Complete; everything else goes as it stands, or is missing. Errors: those of msrp.AppendFrame, which writes only what
// is well formed (Conn takes anything), and those of the connection.
func (p *Peer) Send(f *msrp.Frame, body []byte) error {
	g := *f
	if len(g.Method) == 0 && g.Status == 0 {
		g.Method = []byte(msrp.MethodSend)
	}
	if len(g.TransactionID) == 0 {
		g.TransactionID = fmt.Appendf(nil, "peer%d", p.ids.Add(1))
	}
	if len(g.ToPath) == 0 {
		g.ToPath = p.Remote.Append(nil)
	}
	if len(g.FromPath) == 0 {
		g.FromPath = p.Path.Append(nil)
	}
	if g.Continuation == 0 {
		g.Continuation = msrp.Complete
	}
	wire, err := msrp.AppendFrame(nil, &g, body)
	if err != nil {
		return err
	}
	_, err = p.Conn.Write(wire)
	return err
}

// Respond answers a request of the session with a status code (RFC 4975 section 7.2).
func (p *Peer) Respond(f *Frame, code int) error {
	return p.Send(&msrp.Frame{TransactionID: f.TransactionID, Status: code, Comment: []byte(msrp.StatusText(code)), ToPath: p.Remote[:1].Append(nil), FromPath: p.Path[:1].Append(nil)}, nil)
}

// Next reads the next frame of the session, with its body. Errors: ctx's, after which Next may be called again as long as no frame had begun; io.EOF
// when the session has closed the connection; those of msrp.Decoder.
func (p *Peer) Next(ctx context.Context) (*Frame, error) {
	fired := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		p.Conn.SetReadDeadline(time.Unix(1, 0))
		close(fired)
	})
	f, err := next(p.d)
	if !stop() {
		<-fired
		p.Conn.SetReadDeadline(time.Time{})
	}
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	return f, err
}

// Close closes the connection, and the Peer listens no more. It is idempotent.
func (p *Peer) Close() error {
	if p.l != nil {
		p.l.Close()
	}
	if p.Conn != nil {
		p.Conn.Close()
	}
	return nil
}
