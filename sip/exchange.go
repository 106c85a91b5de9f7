package sip

import (
	"context"

	gosip "github.com/emiago/sipgo/sip"
)

// exchange sends a request that is no INVITE to next, and returns the final response. network is for a URI that leaves
// the choice to us. It goes on to the next server where one fails (failover), and answers challenges with c: build makes the
// request anew for each answer, with the next sequence number (RFC 3261 §22.2).
func (a *Agent) exchange(
	ctx context.Context, next gosip.Uri, network string, c *credentials, build func() *gosip.Request,
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
	answered := make(round)
	for n := 1; ; n++ {
		req := build()
		res, err = a.failover(ctx, hops, func(h hop) (*gosip.Response, error) {
			again := req.Clone()
			c.sign(again)
			return a.transact(ctx, again, h)
		})
		if err != nil || n == maxAttempts || !c.learn(res, answered) {
			return res, err
		}
	}
}
