package msrp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"

	"github.com/otrchat/otrchat/msrp/internal/hop"
)

// Role says which side opens the connection of a session (RFC 6135, the SDP attribute "setup").
type Role uint8

// The two roles.
const (
	Active  Role = iota + 1 // we dial and send the first request
	Passive                 // the peer does
)

// peer is what Connect has been told of the other side. It does not change from then on.
type peer struct {
	role    Role
	remote  Path          // all of it: the URIs of our relays, then the path that the peer has told
	address string        // to dial
	prints  *fingerprints // nil: its certificate is verified by name and issuer
}

// Connect binds the session to a connection: an Active side dials the first hop and sends an empty request, which the peer must accept; a Passive
// side waits for the peer's first request (RFC 4975 section 5.4). An Active side gives up after 30 s for the connection with its TLS and 30 s for the
// answer, and with the third connection shared with other sessions that breaks before it; a Passive one waits as long as ctx lets it. A nil o means
// the defaults. Call it once. With SessionOptions.Relay nothing is dialled, and as with any relay in the path it is the first one that accepts:
// whether the peer is there shows later, in a report or in silence.
//
// Errors: one wrapping ErrMalformed for a path, an address or a fingerprint that cannot be one, ErrInsecure for a path without TLS where TLS is
// demanded, ErrNoTLS, one wrapping ErrFingerprint, *StatusError for a refusal, ctx's error, or what the network said. After an error the session is
// closed, unless an argument was at fault. Two sides that are both Active refuse each other with StatusSessionInUse; two Passive ones wait for each
// other.
func (s *Session) Connect(ctx context.Context, remote Path, role Role, o *ConnectOptions) error {
	p, err := s.checkPeer(remote, role, o)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	if err := s.prepare(p, cancel); err != nil {
		return err
	}
	defer s.forgetCancel()
	if role == Active {
		err = s.dial(ctx)
	} else {
		err = s.await(ctx)
	}
	if err != nil {
		s.end(err)
		return s.Err() // of what came first
	}
	return nil
}

// checkPeer also stands between a path made by hand and the wire.
func (s *Session) checkPeer(remote Path, role Role, o *ConnectOptions) (p peer, err error) {
	if len(remote) == 0 || role != Active && role != Passive {
		return p, errors.New("msrp: Connect needs a path and a role")
	}
	if same, err := ParsePath(remote.String()); err != nil || !slices.Equal(same, remote) {
		return p, malformed("path given to Connect")
	}
	p = peer{role: role, remote: slices.Clone(remote), address: remote[0].hostport()}
	if s.relay != nil {
		return p, s.throughRelay(&p, o)
	}
	if o != nil && o.Address != "" {
		p.address = o.Address
		if err := checkAddress(o.Address); err != nil {
			return p, err
		}
	}
	if o != nil && len(o.Fingerprints) > 0 {
		if p.prints, err = parseFingerprints(o.Fingerprints); err != nil {
			return p, err
		}
	}
	if (s.uri.Secure || p.prints != nil) && !remote[0].Secure {
		return p, ErrInsecure
	}
	return p, nil
}

// throughRelay puts the relay before the path of a peer. What is demanded of the connection was demanded of the relay's.
func (s *Session) throughRelay(p *peer, o *ConnectOptions) error {
	if o != nil && (o.Address != "" || len(o.Fingerprints) > 0) {
		return errors.New("msrp: ConnectOptions.Address and Fingerprints are for sessions without a relay")
	}
	if p.remote = slices.Concat(s.relay.path, p.remote); len(p.remote) > maxHops {
		return malformed("path of %d URIs", len(p.remote))
	}
	return nil
}

func checkAddress(s string) error {
	host, port, err := net.SplitHostPort(s)
	if n, perr := strconv.ParseUint(port, 10, 16); err != nil || perr != nil || n == 0 || host == "" {
		return malformed("ConnectOptions.Address")
	}
	return nil
}

// prepare tells the session its peer, and binds it if the peer was there before.
func (s *Session) prepare(p peer, cancel func()) error {
	s.mu.Lock()
	if s.err != nil || s.remote != nil {
		defer s.mu.Unlock()
		if s.err != nil {
			return s.err
		}
		return errors.New("msrp: Connect was called before")
	}
	s.peer, s.cancel = p, cancel
	s.toPath = p.remote.Append(nil)
	s.nextHop = p.remote[0].String()
	s.direct = len(p.remote) == 1
	early := s.early
	s.early = nil
	close(s.ready)
	s.mu.Unlock()
	if early != nil {
		early.answer(s.bind(early.c, early.from, true))
	}
	return nil
}

// forgetCancel lets go of a context that is over.
func (s *Session) forgetCancel() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cancel = nil
}

// await is the Passive side of Connect.
func (s *Session) await(ctx context.Context) error {
	select {
	case <-s.bound:
		return nil
	case <-s.done:
		return s.Err()
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.refused != nil {
		return fmt.Errorf("%w: %w", s.refused, ctx.Err())
	}
	return ctx.Err()
}

// dial is the Active side of Connect.
func (s *Session) dial(ctx context.Context) error {
	for try := 1; ; try++ {
		c, err := s.reach(ctx)
		if err != nil {
			return err
		}
		d, err := s.Send(ctx, &Message{}) // binds the session
		if err == nil {
			err = d.Wait(ctx)
		}
		switch lost := s.settleIn(c, err); {
		case !lost:
			return err
		case err == nil || try == mostConns:
			return c.err
		}
		c.wg.Wait() // it is being closed
	}
}

// open dials the next hop for s and runs the connection.
func (s *Session) open(ctx context.Context) (*conn, error) {
	nc, err := s.openNet(ctx)
	if err != nil {
		return nil, err
	}
	c := newConn(s.e, nc, false)
	if err := s.e.start(c); err != nil {
		nc.Close()
		return nil, err
	}
	if s.take(c) {
		return c, nil
	}
	c.detach(s) // nobody else has it yet
	c.wg.Wait()
	if err := s.Err(); err != nil {
		return nil, err
	}
	return nil, c.err
}

// openNet dials the next hop, with TLS if its URI says so.
func (s *Session) openNet(ctx context.Context) (net.Conn, error) {
	next := s.remote[0]
	var cfg *tls.Config
	name := next.Host
	if next.Secure {
		if cfg = s.e.o.TLS; cfg == nil {
			return nil, ErrNoTLS
		}
	}
	if s.prints != nil {
		cfg, name = s.prints.demand(cfg), ""
	}
	nc, err := hop.Dial(ctx, s.e.o.Dialer.DialContext, s.address, cfg, name)
	if err != nil {
		return nil, fmt.Errorf("msrp: %w", err)
	}
	return nc, nil
}
