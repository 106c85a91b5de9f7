package sip

import (
	"net/netip"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// sourceOf is where a request came from, and the way back. It is the zero hop when the connection is gone.
func (a *Agent) sourceOf(req *gosip.Request) hop {
	if strings.EqualFold(req.Transport(), "UDP") {
		return hop{network: "udp", addr: wayBack(req.Via())}
	}
	c := a.streams.at(req.Source())
	if c == nil {
		return hop{}
	}
	h := c.hop()
	h.sips = wantsSIPS(req)
	return h
}

// wantsSIPS reports whether the Contact of our response must be a SIPS URI (RFC 3261 §12.1.1).
func wantsSIPS(req *gosip.Request) bool {
	if r := req.RecordRoute(); r != nil && r.Address.Scheme == "sips" || req.Recipient.Scheme == "sips" {
		return true
	}
	c := req.Contact()
	return req.RecordRoute() == nil && c != nil && c.Address.Scheme == "sips"
}

// noteSource sees each message before anybody else, on the goroutine that read it, and writes where a request came from into its topmost Via
// (RFC 3261 §18.2.1, RFC 3581 §4). What the peer claims there is overwritten.
func (a *Agent) noteSource(msg gosip.Message) {
	var from netip.AddrPort
	if msg.Transport() == "UDP" {
		from = a.packets.from
		msg.SetSource(packetsKey.String())
	} else if c := a.streams.at(msg.Source()); c != nil {
		from = c.peer.addr
	}
	if req, ok := msg.(*gosip.Request); ok && req.Via() != nil && from.IsValid() {
		completeVia(req.Via(), from)
	}
}

func completeVia(via *gosip.ViaHeader, from netip.AddrPort) {
	sentBy, _ := netip.ParseAddr(strings.Trim(via.Host, "[]"))
	wantsPort := removeParam(&via.Params, "rport")
	removeParam(&via.Params, "received")
	if wantsPort || sentBy.Unmap() != from.Addr() {
		via.Params.Add("received", from.Addr().String())
	}
	if wantsPort {
		via.Params.Add("rport", strconv.Itoa(int(from.Port())))
	}
}
