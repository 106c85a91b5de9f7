package sip

import (
	"errors"
	"log/slog"
	"math/rand/v2"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"

	gosip "github.com/emiago/sipgo/sip"
)

// maxServing bounds the server transactions that are kept after their response, for 32 seconds on UDP. Beyond it new
// calls are refused, and other requests are answered and forgotten at once, so that one that comes again is served again.
// The same holds for the bytes of their requests.
const (
	maxServing      = 4096
	maxServingBytes = 16 << 20
)

const typeSDP = "application/sdp"

// retryAfter asks for up to ten seconds of patience, at random, so that two who are in each other's way do not meet again (RFC 3261 §14.2).
func retryAfter() gosip.Header { return header("Retry-After", strconv.Itoa(1+rand.IntN(10))) }

// serve takes each request that starts a server transaction, in a goroutine of sipgo's.
func (a *Agent) serve(req *gosip.Request, tx *gosip.ServerTx) {
	if !a.enter() {
		tx.Terminate()
		return
	}
	defer a.leave()
	defer a.recoverRequest(req, tx)
	switch {
	case !isClean(req) || req.From() == nil || req.To() == nil || req.CallID() == nil:
		tx.Terminate() // an answer would repeat the control characters, or could not be matched
	case req.IsAck(): // order took it
		tx.Terminate()
	case a.admit(req, tx):
		a.dispatch(req, tx)
	case req.IsInvite() || req.Method == gosip.MESSAGE:
		a.respond(req, tx, gosip.StatusServiceUnavailable, "Service Unavailable", retryAfter())
		tx.Terminate()
	default:
		a.dispatch(req, tx)
		tx.Terminate()
	}
}

// admit counts server transactions and their bytes, and reports false when there are too many. Calls that are up have as much again for their INVITEs.
func (a *Agent) admit(req *gosip.Request, tx *gosip.ServerTx) bool {
	size := sizeOf(req)
	n, bytes := a.serving.Add(1), a.servingBytes.Add(size)
	forget := func(string, error) {
		a.serving.Add(-1)
		a.servingBytes.Add(-size)
	}
	if !tx.OnTerminate(forget) {
		forget("", nil)
	}
	room := int64(1)
	if req.IsInvite() && a.callOf(req) != nil {
		room = 2
	}
	return n <= room*maxServing && bytes <= room*maxServingBytes
}

// sizeOf is about what a request takes in memory.
func sizeOf(req *gosip.Request) int64 {
	return int64(scanned(req).size + len(req.Body()))
}

func (a *Agent) dispatch(req *gosip.Request, tx *gosip.ServerTx) {
	c, served, inOrder := a.turn(req)
	defer served()
	strange := a.unsupported(req)
	switch {
	case req.SipVersion != "SIP/2.0":
		a.respond(req, tx, gosip.StatusVersionNotSupported, "Version Not Supported")
	case isMalformed(req):
		a.respond(req, tx, gosip.StatusBadRequest, "Bad Request")
	case !isSIP(req.Recipient): // RFC 3261 §8.2.2.1
		a.respond(req, tx, 416, "Unsupported URI Scheme")
	case req.IsCancel(): // one that matches an INVITE is answered by sipgo
		a.refuseUnknown(req, tx)
	case strange != "": // RFC 3261 §8.2.2.3
		a.respond(req, tx, gosip.StatusBadExtension, "Bad Extension", header("Unsupported", strange))
	case !a.startsDialog(req):
		a.serveDialog(req, tx, c, inOrder)
	case req.IsInvite():
		a.invited(req, tx)
	case req.Method == gosip.OPTIONS:
		a.options(req, tx)
	case req.Method == gosip.MESSAGE && a.takesMessages():
		a.message(req, tx, c)
	case slices.Contains([]gosip.RequestMethod{gosip.BYE, gosip.INFO, gosip.NOTIFY, gosip.PRACK}, req.Method):
		a.refuseUnknown(req, tx) // without a dialog they mean nothing (RFC 3261 §15.1.2, RFC 6665 §4.1.3)
	default:
		a.refuseMethod(req, tx)
	}
}

func (a *Agent) refuseMethod(req *gosip.Request, tx *gosip.ServerTx) {
	if known[req.Method] {
		a.respond(req, tx, gosip.StatusMethodNotAllowed, "Method Not Allowed", header("Allow", a.allow()))
		return
	}
	a.respond(req, tx, gosip.StatusNotImplemented, "Not Implemented", header("Allow", a.allow()))
}

// options tells what we can do (RFC 3261 §11.2).
func (a *Agent) options(req *gosip.Request, tx *gosip.ServerTx) {
	hs := append(a.capabilities(), header("Accept", strings.Join(append([]string{typeSDP}, a.opts.MessageTypes...), ", ")))
	if c, err := a.contact(a.sourceOf(req)); err == nil {
		hs = append(hs, c)
	}
	a.respond(req, tx, gosip.StatusOK, "OK", hs...)
}

// serveDialog takes a request within a dialog (RFC 3261 §12.2.2).
func (a *Agent) serveDialog(req *gosip.Request, tx *gosip.ServerTx, c *Call, inOrder bool) {
	switch {
	case c == nil:
		a.serveEarly(req, tx)
	case c.isOver() && req.Method != gosip.BYE:
		a.refuseUnknown(req, tx)
	case !inOrder:
		a.respond(req, tx, gosip.StatusInternalServerError, "Server Internal Error")
	case req.IsInvite() || req.Method == gosip.UPDATE:
		c.reinvited(req, tx)
	case req.Method == gosip.BYE:
		c.end(because(ErrEnded, req)) // first, so that whoever sees the answer sees the call over
		a.respond(req, tx, gosip.StatusOK, "OK")
	case req.Method == gosip.INFO:
		a.info(req, tx)
	case req.Method == gosip.OPTIONS:
		a.options(req, tx)
	case req.Method == gosip.PRACK:
		a.pracked(req, tx, c.ringing)
	case req.Method == gosip.NOTIFY: // without a subscription (RFC 6665 §4.1.3)
		a.refuseUnknown(req, tx)
	case req.Method == gosip.MESSAGE && a.takesMessages():
		a.message(req, tx, c)
	default:
		a.refuseMethod(req, tx)
	}
}

// serveEarly takes a request within a dialog that is no call yet, or of none that we know.
func (a *Agent) serveEarly(req *gosip.Request, tx *gosip.ServerTx) {
	a.mu.Lock()
	o := a.outgoing[outgoingID{callID(req), toTag(req)}]
	i := a.invitations[invitationID{callID(req), fromTag(req)}]
	a.mu.Unlock()
	if i != nil && toTag(i.request) != toTag(req) {
		i = nil
	}
	calling := o != nil && !o.isOver()
	switch {
	case !calling && a.callOf(req) != nil: // it was made since the request's turn
		c, served, inOrder := a.turn(req)
		defer served()
		a.serveDialog(req, tx, c, inOrder)
	case calling && (req.IsInvite() || req.Method == gosip.UPDATE && len(req.Body()) > 0): // RFC 3261 §14.2, RFC 3311 §5.2
		a.respond(req, tx, gosip.StatusRequestPending, "Request Pending")
	case i != nil && req.Method == gosip.BYE && i.hungUp(req): // RFC 3261 §15
		a.respond(req, tx, gosip.StatusOK, "OK")
	case calling && req.Method == gosip.BYE && o.hungUp(req):
		if c := a.callOf(req); c != nil { // it was made meanwhile
			c.end(because(ErrEnded, req))
		}
		a.respond(req, tx, gosip.StatusOK, "OK")
	case i != nil && req.Method == gosip.PRACK:
		a.pracked(req, tx, i.provisional())
	case calling, i != nil:
		a.respond(req, tx, gosip.StatusInternalServerError, "Server Internal Error", retryAfter())
	default:
		a.refuseUnknown(req, tx)
	}
}

func (a *Agent) refuseUnknown(req *gosip.Request, tx *gosip.ServerTx) {
	a.respond(req, tx, gosip.StatusCallTransactionDoesNotExists, "Call/Transaction Does Not Exist")
}

// info answers INFO. We want no Info Package (RFC 6086 §4.2.2), and no body of the older kind.
func (a *Agent) info(req *gosip.Request, tx *gosip.ServerTx) {
	switch {
	case count(req, "Info-Package") > 0:
		a.respond(req, tx, 469, "Bad Info Package", header("Recv-Info", ""))
	case len(req.Body()) > 0:
		a.refuse(req, tx, unsupportedMedia(""))
	default:
		a.respond(req, tx, gosip.StatusOK, "OK")
	}
}

// unsupportedMedia refuses a body, and says which types and encodings would do (RFC 3261 §8.2.3).
func unsupportedMedia(accept string) *refusal {
	return &refusal{gosip.StatusUnsupportedMediaType, "Unsupported Media Type",
		[]gosip.Header{header("Accept", accept), header("Accept-Encoding", "identity")}}
}

func (a *Agent) refuse(req *gosip.Request, tx *gosip.ServerTx, r *refusal) {
	a.respond(req, tx, r.code, r.reason, r.headers...)
}

// respond sends a response. An error means that the peer is gone, which its transaction will tell as well.
func (a *Agent) respond(req *gosip.Request, tx *gosip.ServerTx, code int, reason string, hs ...gosip.Header) {
	res := a.response(req, code, reason, hs...)
	if err := tx.Respond(res); err != nil {
		a.log.Debug("response not sent", "method", req.Method.String(), "code", code)
	}
	if res.IsCancel() {
		tx.Terminate() // sipgo knows no end of this transaction
	}
}

func (a *Agent) response(req *gosip.Request, code int, reason string, hs ...gosip.Header) *gosip.Response {
	res := gosip.NewResponseFromRequest(req, code, reason, nil)
	res.SipVersion = "SIP/2.0" // sipgo takes that of the request
	for _, h := range hs {
		res.AppendHeader(h)
	}
	res.AppendHeader(gosip.NewHeader("Server", a.opts.UserAgent))
	return res
}

// recoverRequest keeps a bug of ours, met by a request, from ending the process.
func (a *Agent) recoverRequest(req *gosip.Request, tx *gosip.ServerTx) {
	if r := recover(); r != nil {
		a.logPanic("request", r)
		_ = tx.Respond(a.response(req, gosip.StatusInternalServerError, "Server Internal Error")) // nothing better to do
		tx.Terminate()
	}
}

func (a *Agent) recover(where string) {
	if r := recover(); r != nil {
		a.logPanic(where, r)
	}
}

// logPanic logs the stack, not the value, which may hold what a peer wrote.
func (a *Agent) logPanic(where string, value any) {
	kind := "other"
	if err, ok := value.(error); ok {
		var runtimeError interface{ RuntimeError() }
		if errors.As(err, &runtimeError) {
			kind = "runtime error"
		}
	}
	a.log.Error("panic", "where", where, "kind", kind, slog.String("stack", string(debug.Stack())))
}
