package sip

import (
	"context"
	"errors"

	gosip "github.com/emiago/sipgo/sip"
)

// failover tries the hops one after the other until one takes the request (RFC 3263 §4.3): try sends it there, with a
// branch of its own and otherwise the same, and returns the final response. The next hop's turn comes after an error,
// ErrTimeout too, and after 503 (RFC 3261 §21.5.4). When all have failed it returns a 503 if there was one.
func (a *Agent) failover(ctx context.Context, hops []hop, try func(hop) (*gosip.Response, error)) (*gosip.Response, error) {
	var (
		refused *gosip.Response
		errs    []error
	)
	for _, h := range hops {
		res, err := try(h)
		switch {
		case ctx.Err() != nil, errors.Is(err, ErrClosed), err == nil && !isUnavailable(res):
			return res, err
		case err == nil:
			refused = res
		default:
			errs = append(errs, err)
		}
	}
	if refused != nil {
		return refused, nil
	}
	if len(errs) == 1 {
		return nil, errs[0]
	}
	return nil, errors.Join(errs...)
}

func isUnavailable(res *gosip.Response) bool {
	return res != nil && res.StatusCode == gosip.StatusServiceUnavailable
}
