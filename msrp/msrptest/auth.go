package msrptest

import (
	"context"

	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/msrp"
)

// Auth asks the relay behind the connection for a way through (RFC 4976 section 5.1): it sends an AUTH to the last URI of relays, through those
// before it, answers the challenge of a 401, and returns the last word of the relay, a 200 with Use-Path or a refusal. The headers stand in every
// request. A challenge that cannot be answered is returned. The next frame that comes is taken for the answer, so nothing else may be under way.
func (p *Peer) Auth(ctx context.Context, relays msrp.Path, username, password string, headers ...msrp.Header) (*Frame, error) {
	f, err := p.ask(ctx, relays, headers)
	if err != nil || f.Status != msrp.StatusUnauthorized {
		return f, err
	}
	challenge, err := digest.ParseChallenge(string(f.Value("WWW-Authenticate")))
	if err != nil {
		return f, nil
	}
	credentials := digest.NewClient(challenge, username, password).Authorization(msrp.MethodAuth, relays[len(relays)-1].String())
	return p.ask(ctx, relays, append([]msrp.Header{{Name: []byte("Authorization"), Value: []byte(credentials)}}, headers...))
}

func (p *Peer) ask(ctx context.Context, relays msrp.Path, headers []msrp.Header) (*Frame, error) {
	if err := p.Send(&msrp.Frame{Method: []byte(msrp.MethodAuth), ToPath: relays.Append(nil), Header: headers}, nil); err != nil {
		return nil, err
	}
	return p.Next(ctx)
}
