package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

const (
	branchMagic = gosip.RFC3261BranchMagicCookie
	udpPoll     = time.Millisecond
	maxRoutes   = 32 // Record-Route header fields of a message
)

// A hop is where a request is sent to, and how.
type hop struct {
	network string // "tcp" or "udp"
	addr    netip.AddrPort
	name    string // the host of the URI, for TLS and WebSocket
}

func (a *Agent) listensOn(network string) (netip.AddrPort, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ap, ok := a.listening[network]
	return ap, ok
}

// face is our own address as the peer at h can reach it. Where we listen on the wildcard address it is the one that the
// system would send from.
func (a *Agent) face(h hop) (netip.AddrPort, error) {
	ap, ok := a.listensOn(h.network)
	if !ok {
		return ap, fmt.Errorf("%w: %s", ErrNotListening, h.network)
	}
	if !ap.Addr().IsUnspecified() {
		return ap, nil
	}
	c, err := net.Dial("udp", h.addr.String()) // sends nothing
	if err != nil {
		return ap, fmt.Errorf("sip: no route to the peer: %w", err)
	}
	defer c.Close()
	from, err := netip.ParseAddrPort(c.LocalAddr().String())
	return netip.AddrPortFrom(from.Addr().Unmap(), ap.Port()), err
}

// location is the URI under which the peer at h reaches us.
func (a *Agent) location(h hop) (gosip.Uri, error) {
	face, err := a.face(h)
	return gosip.Uri{
		Scheme: "sip", User: a.self.User, Host: face.Addr().String(), Port: int(face.Port()),
		UriParams: gosip.HeaderParams{{K: "transport", V: h.network}},
	}, err
}

// contact makes our Contact header field for the peer at h.
func (a *Agent) contact(h hop) (gosip.Header, error) {
	u, err := a.location(h)
	if err != nil {
		return nil, err
	}
	c := &gosip.ContactHeader{Address: a.binding().inCalls(u, h)}
	if a.opts.Focus {
		c.Params = gosip.HeaderParams{{K: "isfocus"}}
	}
	return c, nil
}

// refreshesTarget reports whether req tells the peer where we are (RFC 3261 §12.2, RFC 3311 §5.1).
func refreshesTarget(req *gosip.Request) bool { return req.IsInvite() || req.Method == gosip.UPDATE }

// addContact adds our Contact to a request that needs one, and our address to the Contact of a REGISTER that has none.
func (a *Agent) addContact(req *gosip.Request, h hop) error {
	switch c := req.Contact(); {
	case refreshesTarget(req) && c == nil:
		c, err := a.contact(h)
		if err != nil {
			return err
		}
		req.AppendHeader(c)
	case c != nil && c.Address.Host == "":
		u, err := a.location(h)
		if err != nil {
			return err
		}
		c.Address = u
	}
	return nil
}

// prepare makes a request ready to be sent to h: Via, Contact for those that need one, and an open connection. A request
// that is too large for a datagram goes by TCP (RFC 3261 §18.1.1).
func (a *Agent) prepare(ctx context.Context, req *gosip.Request, h hop) (hop, error) {
	if req.ContentLength() == nil {
		req.SetBody(nil)
	}
	req.AppendHeader(gosip.NewHeader("User-Agent", a.opts.UserAgent))
	if err := a.addContact(req, h); err != nil {
		return h, err
	}
	if err := a.addVia(req, h); err != nil {
		return h, err
	}
	if h.network == "udp" && len(req.String()) > gosip.UDPMTUSize-200 {
		return a.prepareTCP(ctx, req, h)
	}
	return h, a.connect(ctx, req, h)
}

func (a *Agent) prepareTCP(ctx context.Context, req *gosip.Request, h hop) (hop, error) {
	h.network = "tcp"
	if _, ok := a.listensOn("tcp"); !ok {
		return h, fmt.Errorf("%w: tcp, and the request is too large for udp", ErrNotListening)
	}
	req.RemoveHeader("Via")
	if err := a.addVia(req, h); err != nil {
		return h, err
	}
	if refreshesTarget(req) {
		req.RemoveHeader("Contact")
	} else if c := req.Contact(); c != nil {
		c.Address = gosip.Uri{}
	}
	if err := a.addContact(req, h); err != nil {
		return h, err
	}
	return h, a.connect(ctx, req, h)
}

func (a *Agent) addVia(req *gosip.Request, h hop) error {
	face, err := a.face(h)
	if err != nil {
		return err
	}
	req.PrependHeader(&gosip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: strings.ToUpper(h.network),
		Host: face.Addr().String(), Port: int(face.Port()),
		Params: gosip.HeaderParams{{K: "branch", V: branchMagic + newID()}, {K: "rport"}},
	})
	return nil
}

// connect sets where sipgo sends req, and makes sure that it finds a connection of ours there.
func (a *Agent) connect(ctx context.Context, req *gosip.Request, h hop) error {
	req.SetTransport(strings.ToUpper(h.network))
	req.SetDestination(h.addr.String())
	if h.network == "tcp" {
		if _, err := a.streams.dial(ctx, h.addr.String()); err != nil {
			return fmt.Errorf("sip: connect: %w", err)
		}
		return nil
	}
	local, _ := a.listensOn("udp")
	req.Laddr = gosip.Addr{IP: local.Addr().AsSlice(), Port: int(local.Port())}
	return a.waitUDP(ctx, local.String())
}

// waitUDP waits until sipgo has registered our socket; before that it would try to open one of its own.
func (a *Agent) waitUDP(ctx context.Context, local string) error {
	for {
		if c, err := a.transport.GetConnection("udp", local); err == nil {
			_, _ = c.TryClose() // gives back the reference, does not close a listening socket
			return nil
		}
		select {
		case <-time.After(udpPoll):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// write sends a request that has no transaction, an ACK to a 2xx, and returns it as it was sent, and where it went.
func (a *Agent) write(req *gosip.Request, d *dialog) (*gosip.Request, hop, error) {
	ctx, cancel := context.WithTimeout(a.life, 64*gosip.T1)
	defer cancel()
	hops, err := a.locate(ctx, d.nextHop(), d.network)
	if err != nil {
		return nil, hop{}, err
	}
	var (
		sent *gosip.Request
		to   hop
	)
	_, err = a.failover(ctx, hops, func(h hop) (_ *gosip.Response, err error) {
		sent = req.Clone()
		if to, err = a.prepare(ctx, sent, h); err != nil {
			return nil, err
		}
		return nil, a.transport.WriteMsg(sent)
	})
	return sent, to, err
}

// transact sends a request that is no INVITE and waits for the final response.
func (a *Agent) transact(ctx context.Context, req *gosip.Request, h hop) (*gosip.Response, error) {
	if _, err := a.prepare(ctx, req, h); err != nil {
		return nil, err
	}
	return a.await(ctx, req)
}

// await is transact for a request that is ready to be sent.
func (a *Agent) await(ctx context.Context, req *gosip.Request) (*gosip.Response, error) {
	tx, err := a.transactions.Request(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("sip: send: %w", err)
	}
	defer tx.Terminate()
	served := false
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
			served = true
		case <-tx.Done():
			err := transactionError(tx)
			if served {
				err = noFailover(err)
			}
			return nil, err
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// transactionError says why sipgo gave up on a transaction.
func transactionError(tx *gosip.ClientTx) error {
	err := tx.Err()
	if errors.Is(err, gosip.ErrTransactionTimeout) {
		return ErrTimeout
	}
	return fmt.Errorf("sip: send: %w", err)
}

// isClean reports whether no header field holds a control character and there are not too many routes. sipgo splits
// lines at CRLF only, and what we take over into our own requests must not smuggle a line to the next one.
func isClean(m message) bool {
	for _, h := range m.Headers() {
		if strings.ContainsFunc(h.Value(), func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			return false
		}
	}
	return len(m.GetHeaders("Record-Route")) <= maxRoutes
}

// message is what requests and responses have in common beyond gosip.Message.
type message interface {
	gosip.Message
	Headers() []gosip.Header
	ContentType() *gosip.ContentTypeHeader
}
