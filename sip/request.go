package sip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

const (
	branchMagic = gosip.RFC3261BranchMagicCookie
	maxDatagram = 1300 // bytes of a request over UDP (RFC 3261 §18.1.1)
)

// errGone says that there is no way back to a peer.
var errGone = errors.New("sip: the connection to the peer is gone")

// A hop is where a request is sent to, and how.
type hop struct {
	network string // "udp", "tcp", "tls", "ws" or "wss"
	addr    netip.AddrPort
	name    string  // the host of the URI, for TLS and WebSocket
	sips    bool    // our Contact there must be a SIPS URI
	stream  *stream // the connection, nil for UDP and before there is one
}

func (a *Agent) listensOn(network string) (netip.AddrPort, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	ap, ok := a.listening[network]
	return ap, ok
}

// face is our own address as the peer at h can reach it: where we listen, otherwise our end of the connection. The wildcard address is
// replaced by the one that the system sends from. The zero value says that there is none.
func (a *Agent) face(h hop) (netip.AddrPort, error) {
	ap, listens := a.listensOn(h.network)
	switch {
	case listens && !ap.Addr().IsUnspecified():
		return ap, nil
	case h.network == "udp" && !listens:
		return ap, fmt.Errorf("%w: udp", ErrNotListening)
	case h.network == "udp":
		ip, err := sendsFrom(h.addr)
		return netip.AddrPortFrom(ip, ap.Port()), err
	case h.stream == nil:
		return ap, errGone
	case listens:
		return netip.AddrPortFrom(h.stream.local().Addr(), ap.Port()), nil
	case usesWS(h.network): // a server of WebSockets does not connect back
		return netip.AddrPort{}, nil
	}
	return h.stream.local(), nil
}

// sendsFrom is the address that the system sends from to addr.
func sendsFrom(addr netip.AddrPort) (netip.Addr, error) {
	c, err := net.Dial("udp", addr.String()) // sends nothing
	if err != nil {
		return netip.Addr{}, fmt.Errorf("sip: no route to the peer: %w", err)
	}
	defer c.Close()
	from, err := netip.ParseAddrPort(c.LocalAddr().String())
	return from.Addr().Unmap(), err
}

// location is the URI under which the peer at h reaches us.
func (a *Agent) location(h hop) (gosip.Uri, error) {
	host, port, err := a.sentBy(h)
	u := gosip.Uri{Scheme: "sip", User: a.self.User, Host: host, Port: port}
	transport := h.network
	if h.network == "wss" && !isNowhere(host) {
		h.sips = true // there is no other way to say it (RFC 7118 §5.2)
	}
	if h.sips {
		u.Scheme, transport = "sips", "tcp" // what is under TLS (RFC 3261 §26.2.2)
	}
	if usesWS(h.network) {
		transport = "ws"
	}
	u.UriParams = gosip.HeaderParams{{K: "transport", V: transport}}
	return u, err
}

// sentBy is our own address as the peer at h can reach it, a host that exists nowhere if we have none (RFC 7118 §5).
func (a *Agent) sentBy(h hop) (host string, port int, err error) {
	face, err := a.face(h)
	if !face.Addr().IsValid() {
		return a.nowhere, 0, err
	}
	return face.Addr().String(), int(face.Port()), err
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

// prepare makes a request ready to be sent to h: an open connection, Via, and Contact for the methods that need one. A Contact header field
// that has no host yet, as in a REGISTER, gets ours. A request that is too large for a datagram goes by TCP, or all the same if the peer does
// not take TCP (RFC 3261 §18.1.1).
func (a *Agent) prepare(ctx context.Context, req *gosip.Request, h hop) (hop, error) {
	if req.ContentLength() == nil {
		req.SetBody(nil)
	}
	req.AppendHeader(gosip.NewHeader("User-Agent", a.opts.UserAgent))
	blank := req.Contact()
	if blank != nil && blank.Address.Host != "" {
		blank = nil
	}
	sent, err := a.direct(ctx, req, blank, h)
	if err != nil || h.network != "udp" || fitsDatagram(req) {
		return sent, err
	}
	h.network = "tcp"
	if overTCP, err := a.direct(ctx, req, blank, h); err == nil || ctx.Err() != nil {
		return overTCP, err
	}
	h.network = "udp"
	return a.direct(ctx, req, blank, h)
}

func fitsDatagram(req *gosip.Request) bool {
	var m scan
	req.StringWrite(&m)
	return m.size <= maxDatagram
}

// direct connects to h and writes our address as it is seen there into Via and Contact.
func (a *Agent) direct(ctx context.Context, req *gosip.Request, blank *gosip.ContactHeader, h hop) (hop, error) {
	h.sips = needsTLS(req)
	h, err := a.connect(ctx, req, h)
	if err != nil {
		return h, err
	}
	host, port, err := a.sentBy(h)
	if err != nil {
		return h, err
	}
	req.RemoveHeader("Via") // of an attempt before
	req.PrependHeader(&gosip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: strings.ToUpper(h.network), Host: host, Port: port,
		Params: gosip.HeaderParams{{K: "branch", V: branchMagic + newID()}, {K: "rport"}},
	})
	switch {
	case blank != nil:
		blank.Address, err = a.location(h)
	case refreshesTarget(req):
		var c gosip.Header
		if c, err = a.contact(h); err == nil {
			req.RemoveHeader("Contact")
			req.AppendHeader(c)
		}
	}
	return h, err
}

// connect sets where sipgo sends req, and makes sure that it finds a connection of ours there. It returns h with that connection.
func (a *Agent) connect(ctx context.Context, req *gosip.Request, h hop) (hop, error) {
	if needsTLS(req) && !usesTLS(h.network) {
		return h, errNotSecure
	}
	if h.network == "udp" {
		if _, ok := a.listensOn("udp"); !ok {
			return h, fmt.Errorf("%w: udp", ErrNotListening)
		}
		req.SetTransport("UDP")
		req.SetDestination(h.addr.String())
		req.Laddr = packetsKey
		req.Laddr.Hostname = h.addr.String() // packets.WriteMsg sends it there, and the ACK that sipgo makes
		return h, nil
	}
	if err := a.serveStreams(); err != nil {
		return h, err
	}
	c := a.flow(req, h)
	if c == nil {
		var err error
		if c, err = a.streams.dial(ctx, h); err != nil {
			return h, fmt.Errorf("sip: connect: %w", err)
		}
	}
	h.network, h.stream = c.peer.network, c
	req.SetTransport("TCP") // as sipgo sees it
	req.SetDestination(string(c.key))
	req.Laddr = gosip.Addr{}
	return h, nil
}

// needsTLS reports whether a request of ours is for a SIPS URI, or a server on the way to it is (RFC 3261 §8.1.1.8, §26.2.2).
func needsTLS(req *gosip.Request) bool {
	route := req.Route()
	return req.Recipient.Scheme == "sips" || route != nil && route.Address.Scheme == "sips"
}

// isNowhere reports whether a host is one of those that stand for an end of a connection (RFC 7118 §5, RFC 2606 §2). Only the requests of a dialog
// get there, over that connection.
func isNowhere(host string) bool {
	return strings.HasSuffix(strings.ToLower(strings.TrimSuffix(host, ".")), ".invalid")
}

// flow is the connection, accepted by us, that the peer's side of the dialog of req came over, if it leads to h. The requests of the dialog may go
// back over it, where no others may.
func (a *Agent) flow(req *gosip.Request, h hop) *stream {
	a.mu.Lock()
	call := a.calls[dialogID{callID(req), fromTag(req), toTag(req)}]
	a.mu.Unlock()
	if call == nil {
		return nil
	}
	call.mu.Lock()
	c := call.dialog.flow
	call.mu.Unlock()
	if c == nil || c.dialled || c.isGone() || c.peer.network != h.network && c.peer.network != secureForm[h.network] || h.addr.IsValid() && h.addr != c.peer.addr {
		return nil
	}
	return c
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
		if usesTLS(d.network) && !usesTLS(to.network) { // see credentials.sign
			sent.RemoveHeader("Authorization")
			sent.RemoveHeader("Proxy-Authorization")
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
