package sip

import (
	"context"

	gosip "github.com/emiago/sipgo/sip"
)

// exchange sends a request that is no INVITE to next, and returns the final response. network is for a URI that leaves
// the choice to us. It answers challenges with c, and goes on to the next server where one fails: build makes the request each time
// anew, with the next sequence number (RFC 3261 §22.2). RFC 3263 §4.3 would have it the same for the next server,
// which then could take it for one that it has seen already: a registrar and the end of a dialog count on higher numbers.
func (a *Agent) exchange(
	ctx context.Context, next gosip.Uri, network string, c *credentials, build func(hop) *gosip.Request,
) (res *gosip.Response, err error) {
	ctx, cancel := a.bound(ctx)
	defer func() {
		cancel()
		if err != nil && a.life.Err() != nil {
			err = ErrClosed
		}
	}()
	hops, err := a.locate(ctx, next, network)
	if err != nil {
		return nil, err
	}
	return a.exchangeAt(ctx, hops, c, build)
}

// exchangeAt is exchange where it is known where the request goes to. ctx ends with the agent.
func (a *Agent) exchangeAt(ctx context.Context, hops []hop, c *credentials, build func(hop) *gosip.Request) (*gosip.Response, error) {
	answered := make(round)
	for n := 1; ; n++ {
		res, err := a.failover(ctx, hops, func(h hop) (*gosip.Response, error) {
			req := build(h)
			c.sign(req, h.network)
			return a.transact(ctx, req, h)
		})
		if err != nil || n == maxAttempts || !c.learn(res, answered) {
			return res, err
		}
	}
}
