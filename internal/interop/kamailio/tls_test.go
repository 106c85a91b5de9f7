package kamailio_test

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/internal/interop/kamailio"
	"github.com/otrchat/otrchat/sip"
)

// Kamailio's certificate is not from somebody whom the agent trusts.
func TestRFC5922_7_3_CertificateOfAnother(t *testing.T) {
	k := kamailio.StartProxy(t)
	_, roots := certtest.New(t, "127.0.0.1")
	a := newAgent(t, k, "tls", "alice", func(o *sip.Options) { o.TLS.RootCAs = roots })
	_, err := a.Invite(testContext(t), address("bob"), side("caller"))
	var untrusted *tls.CertificateVerificationError
	require.ErrorAs(t, err, &untrusted)
}

// A SIPS URI goes over TLS all the way, and what belongs to the call too.
func TestRFC5630_5_1_SIPSThroughAProxy(t *testing.T) {
	k := kamailio.StartProxy(t)
	alice, bob := newUser(t, k, "tls", "alice"), newUser(t, k, "tls", "bob")
	a, b := call(t, alice, bob, "sips:bob@"+kamailio.Domain)
	assert.Equal(t, "sips:bob@"+kamailio.Domain, a.RemoteAddress())
	hangUp(t, a, b)
	a, b = call(t, alice, bob, "sips:bob@"+kamailio.Domain)
	hangUp(t, b, a)
}
