package otrchat_test

import (
	"context"
	"net"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/otrchat/otrchat"
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
