package sip

import (
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"slices"

	gosip "github.com/emiago/sipgo/sip"
)

// A dialogID names a dialog as seen from our side (RFC 3261 §12).
type dialogID struct{ callID, local, remote string }

// A party is one end of a dialog as From and To describe it.
type party struct {
	name string // display name as it stands between the quotes
	uri  gosip.Uri
}

// A dialog is the state of RFC 3261 §12 that its requests are made from. It has no lock of its own.
type dialog struct {
	id            dialogID
	local, remote party
	target        gosip.Uri   // remote target: where the peer is
	routes        []gosip.Uri // proxies on the way, the first one first
	secure        bool        // the INVITE went to a sips URI: nothing of the dialog goes over plain connections (RFC 3261 §12.1.1)
	taken         bool        // the peer began it: the Call-ID is the peer's
	network       string      // what the dialog came up on, for a target that names none
	flow          *stream     // that the peer's last word about its target came over, nil for UDP and where we dialled
	localSeq      uint32
	remoteSeq     int64 // -1 before the first request of the peer
}

// newID returns text that cannot be guessed, for tags, branches and Call-IDs (RFC 3261 §8.1.1, §19.3).
func newID() string { return rand.Text() }

// tag is our To tag for a request that starts a dialog. It is computed from the request, so that the 487 and the
// answer to CANCEL, which sipgo makes by itself, carry the same tag as our own responses (RFC 3261 §8.2.6.2).
func (a *Agent) tag(req *gosip.Request) string {
	mac := hmac.New(sha256.New, a.tagKey[:])
	for _, s := range []string{callID(req), fromTag(req), branch(req)} {
		mac.Write([]byte(s))
		mac.Write([]byte{0})
	}
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// addTag sees each message before sipgo's transactions do, in the order of the wire.
func (a *Agent) addTag(msg gosip.Message) {
	tidy(msg)
	req, ok := msg.(*gosip.Request)
	if !ok || req.IsAck() {
		return
	}
	if to := req.To(); to != nil && toTag(req) == "" {
		to.Params.Remove("tag")
		to.Params.Add("tag", a.tag(req))
	}
}

// startsDialog reports whether req came without a To tag, that is outside of a dialog.
func (a *Agent) startsDialog(req *gosip.Request) bool { return toTag(req) == a.tag(req) }

// requestURI takes from a URI what may not stand in a Request-URI (RFC 3261 §19.1.1).
func requestURI(u gosip.Uri) gosip.Uri {
	u = *u.Clone()
	u.Headers = nil
	u.UriParams.Remove("method")
	return u
}

// serverDialog makes the dialog of an INVITE that we are about to answer (RFC 3261 §12.1.1).
func (a *Agent) serverDialog(req *gosip.Request) dialog {
	target, _, _ := contact(req)
	source := a.sourceOf(req)
	return dialog{
		id:        dialogID{callID(req), toTag(req), fromTag(req)},
		local:     party{req.To().DisplayName, req.To().Address},
		remote:    party{req.From().DisplayName, req.From().Address},
		target:    target,
		routes:    recordRoutes(req),
		taken:     true,
		secure:    req.Recipient.Scheme == "sips",
		network:   source.network,
		flow:      source.stream,
		remoteSeq: int64(req.CSeq().SeqNo),
	}
}

// confirm makes the dialog of an INVITE of ours from its 2xx (RFC 3261 §12.1.2).
func (d dialog) confirm(res *gosip.Response) dialog {
	d.id.remote = toTag(res)
	d.routes = recordRoutes(res)
	slices.Reverse(d.routes)
	d.secure = d.secure || d.target.Scheme == "sips"
	if target, _, ok := contact(res); ok {
		d.refresh(target)
	}
	return d
}

// refresh takes a new remote target (RFC 3261 §12.2). A secure dialog stays with sips.
func (d *dialog) refresh(target gosip.Uri) {
	if !d.secure || target.Scheme == "sips" {
		d.target = target
	}
}

// request makes a request of the dialog (RFC 3261 §12.2.1.1) with the given sequence number.
func (d *dialog) request(method gosip.RequestMethod, seq uint32) *gosip.Request {
	target, routes := d.target, d.routes
	if len(routes) > 0 && !routes[0].UriParams.Has("lr") { // a strict router
		target, routes = requestURI(routes[0]), append(slices.Clone(routes[1:]), d.target)
	}
	req := gosip.NewRequest(method, target)
	for _, r := range routes {
		req.AppendHeader(&gosip.RouteHeader{Address: *r.Clone()})
	}
	req.AppendHeader(&gosip.FromHeader{
		DisplayName: d.local.name, Address: *d.local.uri.Clone(), Params: tagParam(d.id.local),
	})
	req.AppendHeader(&gosip.ToHeader{
		DisplayName: d.remote.name, Address: *d.remote.uri.Clone(), Params: tagParam(d.id.remote),
	})
	id := gosip.CallIDHeader(d.id.callID)
	forwards := gosip.MaxForwardsHeader(70)
	req.AppendHeader(&id)
	req.AppendHeader(&gosip.CSeqHeader{SeqNo: seq, MethodName: method})
	req.AppendHeader(&forwards)
	return req
}

func tagParam(tag string) gosip.HeaderParams {
	if tag == "" {
		return nil
	}
	return gosip.HeaderParams{{K: "tag", V: tag}}
}

// nextHop is the URI that requests of the dialog are sent to. A request for a sips URI goes by TLS to every server (RFC 3261
// §26.2.2), whatever its route says.
func (d *dialog) nextHop() gosip.Uri {
	next := d.target
	if len(d.routes) > 0 {
		next = d.routes[0]
	}
	if d.secure || d.target.Scheme == "sips" {
		next.Scheme = "sips"
	}
	return next
}
