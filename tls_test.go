package otrchat_test

import (
	"context"
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/tap"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/sip"
)

// certified are the options of a user whose direct chats run over TLS.
func certified(t *testing.T) *otrchat.Options {
	cert, err := msrp.SelfSigned()
	require.NoError(t, err)
	return &otrchat.Options{MSRPCertificate: &cert}
}

// securePeer has TLS with a certificate, which its SDP tells of or, like Blink's, does not.
func securePeer(t *testing.T, prints ...string) (p *peer, print string) {
	cert, err := msrp.SelfSigned()
	require.NoError(t, err)
	p = newPeer(t, &sip.Options{AcceptTLS: true}, nil)
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, InsecureSkipVerify: true, DynamicRecordSizingDisabled: true}
	p.msrp, err = msrp.New(&msrp.Options{ManualReports: true, TLS: cfg})
	require.NoError(t, err)
	t.Cleanup(func() { p.msrp.Close() })
	require.NoError(t, p.msrp.Serve(tls.NewListener(listener(t, nil), cfg)))
	p.secure, p.prints = true, prints
	return p, msrp.Fingerprint(cert.Leaf)
}

// Two users with certificates chat over TLS, and know each other's by the SDP.
func TestDirectChatOverTLS(t *testing.T) {
	rec := tap.New(nil)
	alice, bob := newTapped(t, "alice", certified(t), rec), newTapped(t, "bob", certified(t), rec)
	a, b := encrypted(t, alice, bob)
	says(t, a, b, "hello, Bob", true)
	says(t, b, a, "hello, Alice", true)
	for _, s := range rec.Streams() {
		require.NotContains(t, string(s.Data), "To-Path:")
	}
	require.Contains(t, string(rec.Bytes()), "\r\na=fingerprint:sha-256 ")
}

func TestRFC8122_6_2_CertificateMustFit(t *testing.T) {
	other, err := msrp.SelfSigned()
	require.NoError(t, err)
	for _, setup := range []sip.Setup{sip.SetupPassive, sip.SetupActive} {
		t.Run(string(setup), func(t *testing.T) {
			p, print := securePeer(t)
			p.setup = setup
			alice := newUser(t, "alice", certified(t))
			p.prints = []string{print}
			a, l := meet(t, alice, p)
			waits(t, l.says("hello"), 0)
			require.NoError(t, a.Close())

			p.prints = []string{msrp.Fingerprint(other.Leaf)}
			brief, cancel := context.WithCancel(limited(t))
			go func() {
				p.answer(brief) // fails as well
				cancel()        // we go on waiting for the right one to connect
			}()
			_, err = alice.Call(brief, p.at)
			cancel()
			require.ErrorIs(t, err, msrp.ErrFingerprint)
		})
	}
}

// A peer like Blink connects over TLS and tells no fingerprint. Where we would have to connect to it, its certificate has no name that fits.
func TestTLSWithoutFingerprints(t *testing.T) {
	alice := newUser(t, "alice", certified(t))
	p, _ := securePeer(t)
	p.setup = sip.SetupActive
	a, l := meet(t, alice, p)
	waits(t, l.says("hello"), 0)
	require.NoError(t, a.Close())

	p.setup = sip.SetupPassive
	go p.answer(limited(t)) // fails as well
	_, err := alice.Call(limited(t), p.at)
	var unverified *tls.CertificateVerificationError
	require.ErrorAs(t, err, &unverified)
}

// Direct chats have TLS on both sides or on none.
func TestNoDirectChatWithTLSOnOneSide(t *testing.T) {
	alice, bob := newUser(t, "alice", certified(t)), newUser(t, "bob", nil)
	for _, c := range []struct{ from, to user }{{alice, bob}, {bob, alice}} {
		go c.to.Accept(limited(t)) // finds nothing
		_, err := c.from.Call(limited(t), c.to.at)
		var status *sip.StatusError
		require.ErrorAs(t, err, &status)
		require.Equal(t, 488, status.Code)
	}
}

// A caller who takes nothing that we write is told so.
func TestRFC4975_8_6_NoTypeInCommon(t *testing.T) {
	alice, p := newUser(t, "alice", nil), newPeer(t, nil, nil)
	go func() {
		if i, err := alice.Accept(limited(t)); err == nil {
			i.Answer(limited(t))
		}
	}()
	_, err := p.agent.Invite(limited(t), alice.at, &sip.Media{Path: []string{"msrp://192.0.2.1:2855/x;tcp"}, AcceptTypes: []string{"image/png"}})
	var status *sip.StatusError
	require.ErrorAs(t, err, &status)
	require.Equal(t, 488, status.Code)
}

func TestMSRPCertificateIsChecked(t *testing.T) {
	whole, err := msrp.SelfSigned()
	require.NoError(t, err)
	for name, cert := range map[string]tls.Certificate{
		"empty":   {},
		"no key":  {Certificate: whole.Certificate},
		"no cert": {PrivateKey: whole.PrivateKey},
		"garbage": {Certificate: [][]byte{{1}}, PrivateKey: whole.PrivateKey},
	} {
		_, err := otrchat.New(&otrchat.Options{Address: "sip:alice@example.com", Key: key(t, aliceKey), MSRPCertificate: &cert})
		require.ErrorContains(t, err, "Options.MSRPCertificate", name)
	}
}
