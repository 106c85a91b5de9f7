package sip

import (
	"context"
	"errors"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	gosip "github.com/emiago/sipgo/sip"
)

const (
	maxConcessions = 3   // answers of one registrar in a row that change our request
	maxHeld        = 4   // Contacts of ours that a registrar may hold and that we take away again
	flowFailed     = 430 // Flow Failed (RFC 5626 §11.5)
	lacksOutbound  = 439 // First Hop Lacks Outbound Support (RFC 5626 §11.6)
)

// A registering is one REGISTER as it was sent, and its final response.
type registering struct {
	request  *gosip.Request
	hop      hop
	response *gosip.Response
}

// contact is the Contact header field that the request carried.
func (s *registering) contact() *gosip.ContactHeader { return s.request.Contact() }

// register asks the registrar for a binding, again where its answer is that we should ask for something else. It returns the binding, or the
// error with the response that it stands for, if any.
func (r *Registration) register(ctx context.Context) (*binding, *gosip.Response, error) {
	registrar := r.dialog.target
	for concessions := 0; ; concessions++ {
		s, err := r.send(ctx, registrar, r.asks, &gosip.ContactHeader{Params: r.contactParams()})
		switch {
		case err != nil:
			r.mayHold(s)
			return nil, nil, err
		case s.response.IsSuccess():
			return r.accept(s)
		case concessions == maxConcessions || !r.concede(s, &registrar):
			return nil, s.response, statusError(s.response)
		}
	}
}

// concede changes what we ask for as the registrar wants it, where that makes sense.
func (r *Registration) concede(s *registering, registrar *gosip.Uri) bool {
	switch res := s.response; res.StatusCode {
	case gosip.StatusIntervalToBrief: // RFC 3261 §10.2.8
		least, ok := seconds(headerValue(res, "Min-Expires"))
		if !ok || least <= r.asks || least > maxExpires {
			return false
		}
		r.asks = least
		return true
	case lacksOutbound: // RFC 5626 §4.2.1
		r.outbound = false
		return s.contact().Params.Has("reg-id")
	case gosip.StatusMovedPermanently, gosip.StatusMovedTemporarily: // RFC 3261 §8.1.3.4
		to, _, ok := contact(res)
		if !ok || !isClean(res) || !isBranchOf(to, r.dialog.target) || sameHost(to.Host, registrar.Host) && to.Port == registrar.Port {
			return false
		}
		registrar.Host, registrar.Port = to.Host, to.Port // and no maddr or the like
		return true
	}
	return false
}

// isBranchOf reports whether to is a server of the same domain as registrar, and as secure: our credentials go to no other.
func isBranchOf(to, registrar gosip.Uri) bool {
	host, domain := strings.ToLower(to.Host), strings.ToLower(registrar.Host)
	return (host == domain || strings.HasSuffix(host, "."+domain)) && net.ParseIP(strings.Trim(domain, "[]")) == nil && to.Scheme == registrar.Scheme &&
		strings.EqualFold(param(to.UriParams, "transport"), param(registrar.UriParams, "transport"))
}

// send sends a REGISTER (RFC 3261 §10.2). A Contact without an address gets ours.
func (r *Registration) send(ctx context.Context, registrar gosip.Uri, expires time.Duration, contacts ...*gosip.ContactHeader) (*registering, error) {
	a, s := r.agent, new(registering)
	d := r.dialog
	d.target, d.routes = registrar, a.proxy()
	build := func(h hop) *gosip.Request {
		r.dialog.localSeq++
		req := d.request(gosip.REGISTER, r.dialog.localSeq)
		for _, c := range contacts {
			req.AppendHeader(c.Clone())
		}
		req.AppendHeader(header("Expires", strconv.Itoa(int(expires/time.Second))))
		req.AppendHeader(header("Supported", r.supported()))
		if h.network == "udp" { // there is no connection that could be a flow
			req.Contact().Params.Remove("reg-id")
		}
		s.request, s.hop = req, h
		return req
	}
	hops, err := a.locate(ctx, d.nextHop(), "")
	if err != nil {
		return s, err
	}
	s.response, err = a.exchangeAt(ctx, r.lastFirst(hops), r.credentials, build)
	return s, err
}

// lastFirst puts the hop of the latest binding in front: a refresh goes over the same flow (RFC 5626 §4.2.1).
func (r *Registration) lastFirst(hops []hop) []hop {
	i := slices.Index(hops, r.last)
	if i < 0 {
		return hops
	}
	return append([]hop{r.last}, slices.Delete(hops, i, i+1)...)
}

// contactParams are the parameters of our Contact (RFC 3261 §10.2.1, RFC 5626 §4.2.1).
func (r *Registration) contactParams() gosip.HeaderParams {
	ps := gosip.HeaderParams{{K: "expires", V: strconv.Itoa(int(r.asks / time.Second))}}
	if r.q != "" {
		ps.Add("q", r.q)
	}
	if r.instance != "" {
		ps.Add("+sip.instance", `"<`+r.instance+`>"`)
		if r.outbound {
			ps.Add("reg-id", "1")
		}
	}
	return ps
}

// supported lists what the registrar may do for us (RFC 3327 §5.1, RFC 5626 §4.2.1, RFC 5627 §4.1).
func (r *Registration) supported() string {
	switch {
	case r.instance == "":
		return "path"
	case !r.outbound:
		return "path, gruu"
	}
	return "path, outbound, gruu"
}

// accept reads the 200 to a REGISTER.
func (r *Registration) accept(s *registering) (*binding, *gosip.Response, error) {
	r.last = s.hop
	b, err := s.binding(r.asks, r.instance)
	if err != nil {
		r.mayHold(s)
		return nil, s.response, err
	}
	b.gone = r.watch(s, b)
	b.old = slices.DeleteFunc(r.held, func(c *gosip.ContactHeader) bool {
		return sameURI(c.Address, b.contact.Address) || !lists(s.response, c.Address)
	})
	r.held = []*gosip.ContactHeader{b.contact}
	return b, nil, nil
}

// watch sees to it that the connection of a binding is kept alive, and returns the channel that is closed with it; nil for UDP.
func (r *Registration) watch(s *registering, b *binding) <-chan struct{} {
	c := r.agent.streams.at(s.request.Destination())
	switch {
	case c != nil:
		c.keepAlive(b.pings(r.agent.opts.KeepAlive))
		return c.gone
	case s.hop.network == "udp":
		return nil
	}
	gone := make(chan struct{}) // it did not outlive the response
	close(gone)
	return gone
}

// tidy takes away what we had registered before where it is still there.
func (r *Registration) tidy(b *binding) {
	if len(b.old) == 0 {
		return
	}
	if _, err := r.remove(r.staying, b.old); err != nil {
		r.agent.log.Debug("old contact stays registered", "error", err)
	}
}

// mayHold remembers what a REGISTER without a response may have registered.
func (r *Registration) mayHold(s *registering) {
	if s.request == nil || s.contact().Address.Host == "" {
		return // it was not sent
	}
	if slices.ContainsFunc(r.held, func(c *gosip.ContactHeader) bool { return sameURI(c.Address, s.contact().Address) }) {
		return
	}
	if len(r.held) == maxHeld {
		r.held = slices.Delete(r.held, 0, 1)
	}
	r.held = append(r.held, s.contact())
}

// unregister takes away what the registrar may hold of us (RFC 3261 §10.2.2).
func (r *Registration) unregister(ctx context.Context) error {
	if len(r.held) == 0 {
		return nil
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(r.life, cancel)()
	res, err := r.remove(ctx, r.held)
	switch {
	case r.life.Err() != nil:
		return ErrClosed
	case err != nil:
		return err
	case !res.IsSuccess():
		return statusError(res)
	}
	return nil
}

// remove takes bindings of ours away, never all: they may be other agents'.
func (r *Registration) remove(ctx context.Context, held []*gosip.ContactHeader) (*gosip.Response, error) {
	var gone []*gosip.ContactHeader
	for _, c := range held {
		c = c.Clone()
		c.Params.Add("expires", "0")
		gone = append(gone, c)
	}
	s, err := r.send(ctx, r.dialog.target, 0, gone...)
	return s.response, err
}

// isFinal reports whether a failure of a REGISTER will not pass by itself. refusal is the response, nil for other failures.
func isFinal(refusal *gosip.Response, err error) bool {
	var status *StatusError
	switch {
	case !errors.As(err, &status):
		return errors.Is(err, ErrNotListening) || errors.Is(err, ErrClosed)
	case status.Code == gosip.StatusRequestTimeout, status.Code == gosip.StatusTemporarilyUnavailable, status.Code == flowFailed,
		status.Code == gosip.StatusRequestPending, status.Code/100 == 5:
		return false
	}
	return !isStale(refusal)
}
