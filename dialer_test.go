package otrchat_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/sip"
)

// A noted dialer knows where it was asked to connect to.
type noted struct {
	net.Dialer
	mu        sync.Mutex
	addresses []string
}

func (n *noted) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	n.mu.Lock()
	n.addresses = append(n.addresses, address)
	n.mu.Unlock()
	return n.Dialer.DialContext(ctx, network, address)
}

func (n *noted) dialled() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.addresses
}

// Neither SIP nor MSRP connects past the dialer of Options.SIP: it may be a proxy that hides where we are.
func TestDialerForSIPAndMSRP(t *testing.T) {
	var callers, callees noted
	alice := newUser(t, "alice", &otrchat.Options{Policy: otrchat.Never, SIP: sip.Options{Dialer: &callers}})
	bob := newUser(t, "bob", &otrchat.Options{Policy: otrchat.Never, SIP: sip.Options{Dialer: &callees}})
	call(t, alice, bob)
	assert.Len(t, callers.dialled(), 1, "SIP")
	assert.Len(t, callees.dialled(), 1, "MSRP: the called side connects, and its SIP comes over the caller's connection")
}

var errResolver = errors.New("not found by the user's resolver")

// unknowing is a resolver that knows no name.
type unknowing struct{ sip.Resolver }

func (unknowing) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	return "", nil, fmt.Errorf("%w: _%s._%s.%s", errResolver, service, proto, name)
}

// A relay's domain is looked up by the resolver of Options.SIP.
func TestResolverForRelays(t *testing.T) {
	alice, err := otrchat.New(&otrchat.Options{
		Address: "sip:alice@127.0.0.1", Key: key(t, aliceKey), SIP: sip.Options{Resolver: unknowing{}},
		Relay: &msrp.RelayOptions{URI: "msrps://relay.example.com;tcp", Username: "alice", Password: "looking-glass"},
	})
	require.NoError(t, err)
	defer alice.Close()
	_, err = alice.Call(limited(t), "sip:bob@127.0.0.1:9;transport=tcp")
	require.ErrorIs(t, err, otrchat.ErrRelay)
	require.ErrorIs(t, err, errResolver)
	require.ErrorContains(t, err, "_msrps._tcp.relay.example.com")
}
