package main

import (
	"context"
	"errors"
	"strings"

	"github.com/otrchat/otrchat/internal/tap"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/sip"
)

// peer is a chat program that knows nothing of OTR. It is made of the packages sip and msrp alone, and shows how these two go together.
type peer struct {
	name  string
	at    string
	wire  *tap.Recorder
	agent *sip.Agent
	msrp  *msrp.Endpoint
}

// newPeer makes a peer that listens. A focus is the server in the middle of a conference: it says so in its SIP messages (RFC 4579).
func (s *story) newPeer(ctx context.Context, name string, focus bool) (*peer, error) {
	agent, err := sip.New(&sip.Options{Address: address(name), DisplayName: name, Focus: focus, AcceptTLS: true}) // TLS between Alice and her relay
	if err != nil {
		return nil, err
	}
	s.atEnd(agent.Close)
	endpoint, err := msrp.New(nil)
	if err != nil {
		return nil, err
	}
	s.atEnd(endpoint.Close)
	sockets, err := s.listen(ctx, name)
	if err != nil {
		return nil, err
	}
	err = errors.Join(endpoint.Serve(sockets.msrp), agent.ListenOn("tcp", sockets.sip))
	return &peer{name, sockets.at(name), sockets.wire, agent, endpoint}, err
}

// answer takes the next call. Each side tells the other its path, which says where it is and which of its sessions is meant; then one of
// them connects, here the caller.
func (p *peer) answer(ctx context.Context) (*msrp.Session, error) {
	invitation, err := p.agent.Accept(ctx)
	if err != nil {
		return nil, err
	}
	session, err := p.msrp.NewSession(nil)
	if err != nil {
		return nil, err
	}
	call, err := invitation.Answer(ctx, &sip.Media{
		Path:        session.LocalPath().Strings(),
		AcceptTypes: []string{"text/plain"},
		Setup:       sip.SetupPassive,
	})
	if err != nil {
		return nil, err
	}
	path, err := msrp.ParsePath(strings.Join(call.Remote().Path, " "))
	if err != nil {
		return nil, err
	}
	return session, session.Connect(ctx, path, msrp.Passive, nil)
}
