package sip

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"
)

const (
	handshakeTime = 10 * time.Second
	maxHandshakes = 128 // of connections that we accepted and that are not open yet
)

var (
	errNoCertificate = errors.New("sip: listen: Options.TLS has no certificate")
	errNotSecure     = errors.New("sip: a SIPS URI needs TLS on the way to it")
)

func usesTLS(network string) bool { return network == "tls" || network == "wss" }

// checkTLS refuses what was broken long ago (RFC 8996).
func checkTLS(c *tls.Config) error {
	if c != nil && (c.MinVersion != 0 && c.MinVersion < tls.VersionTLS12 || c.MaxVersion != 0 && c.MaxVersion < tls.VersionTLS12) {
		return errors.New("sip: Options.TLS allows versions before TLS 1.2")
	}
	return nil
}

// canServe reports what is wrong with a network for ListenOn.
func (a *Agent) canServe(network string) error {
	c := a.opts.TLS
	switch {
	case !slices.Contains([]string{"tcp", "tls", "ws", "wss"}, network):
		return fmt.Errorf("sip: listen: network %q is none of udp, tcp, tls, ws and wss", network)
	case usesTLS(network) && (c == nil || len(c.Certificates) == 0 && c.GetCertificate == nil && c.GetConfigForClient == nil):
		return errNoCertificate
	}
	return nil
}

// nameOf is the name that a connection to h is opened for.
func (s *streams) nameOf(h hop) string {
	if usesTLS(h.network) {
		return s.verifiedName(h)
	}
	return h.name
}

// verifiedName is the name that the certificate of the server at h must hold: that of the URI, whatever DNS made of it (RFC 5922 §4).
func (s *streams) verifiedName(h hop) string {
	return cmp.Or(s.tls.ServerName, strings.TrimSuffix(h.name, "."), h.addr.Addr().String())
}

// shake makes conn ready for SIP messages, in a time that is bounded, and leaves it closed if it cannot.
func (s *streams) shake(ctx context.Context, c *stream, conn net.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, handshakeTime)
	defer cancel()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() }) // whatever the handshake waits for
	c.Conn = conn
	if c.peer.network != "tcp" {
		c.raw = conn
	}
	err := s.shakeTLS(ctx, c)
	if err == nil && usesWS(c.peer.network) {
		err = shakeWS(c, net.JoinHostPort(cmp.Or(c.name, c.peer.addr.Addr().String()), strconv.Itoa(int(c.peer.addr.Port()))))
	}
	if !stop() { // the time is up, which says more than that the connection is closed
		err = ctx.Err()
	}
	if err != nil {
		_ = conn.Close() // the first error says more
	}
	return err
}

func (s *streams) shakeTLS(ctx context.Context, c *stream) error {
	if !usesTLS(c.peer.network) {
		return nil
	}
	config := s.tls.Clone()
	var conn *tls.Conn
	if c.dialled {
		config.ServerName = c.name
		conn = tls.Client(c.Conn, config)
	} else {
		conn = tls.Server(c.Conn, config)
	}
	if err := conn.HandshakeContext(ctx); err != nil {
		return shownError{err}
	}
	state := conn.ConnectionState()
	c.Conn, c.tls = conn, &state
	return nil
}

// serves reports whether requests to h, which c leads to, may go over it. Bare TCP proves nothing of its peer in any case. A connection that was
// accepted proves nothing about a name, so it serves only the dialogs that came over it (Agent.flow). TLS may serve another name too if
// its certificate holds for that name as well.
func (s *streams) serves(c *stream, h hop) bool {
	switch h.network {
	case "tcp":
		return true
	case "tls":
		name := s.verifiedName(h)
		return c.dialled && (c.name == name ||
			len(c.tls.VerifiedChains) > 0 && s.tls.VerifyConnection == nil && c.tls.PeerCertificates[0].VerifyHostname(name) == nil)
	}
	return c.dialled && c.name == s.nameOf(h)
}

// welcome runs the handshakes of a connection that we accepted. Those that take longest make room when there are too many of them.
func (s *streams) welcome(c *stream, conn net.Conn) {
	s.mu.Lock()
	if s.isClosed() {
		s.mu.Unlock()
		_ = conn.Close() // nobody serves it any more
		return
	}
	var oldest net.Conn
	if len(s.shaking) >= maxHandshakes {
		oldest = s.shaking[0]
		s.shaking = slices.Delete(s.shaking, 0, 1)
	}
	s.shaking = append(s.shaking, conn)
	s.wg.Go(func() {
		err := s.shake(context.Background(), c, conn)
		s.mu.Lock()
		s.shaking = slices.DeleteFunc(s.shaking, func(o net.Conn) bool { return o == conn })
		s.mu.Unlock()
		if err == nil {
			_, _ = s.add(c) // if it fails c is closed
		}
	})
	s.mu.Unlock()
	if oldest != nil {
		_ = oldest.Close() // its handshake fails
	}
}
