package relay

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

// What is not set is what the comments of Options say.
func TestDefaults(t *testing.T) {
	r, err := New(&Options{Host: "relay.example.com:2855", Authenticator: users})
	require.NoError(t, err)
	defer r.Close()
	o := r.o
	require.Equal(t, "relay.example.com", o.Realm)
	require.Equal(t, []Algorithm{SHA256, MD5}, o.Algorithms)
	require.Nil(t, o.TLS)
	require.Nil(t, o.Relays)
	require.False(t, o.AllowTCP)
	require.False(t, o.Coalesce)
	require.Equal(t, []time.Duration{time.Minute, time.Hour, time.Hour}, []time.Duration{o.MinExpires, o.MaxExpires, o.IdleTimeout})
	require.Equal(t, []int{16384, 1024, 64}, []int{o.MaxConnections, o.MaxUnauthenticated, o.MaxSessions})
	require.Equal(t, []int{32 << 20, 1 << 20, 512 << 20}, []int{o.Rate, o.QueueBytes, o.MaxQueueBytes})
}

// Clients that have come by the SRV records of a domain address their AUTH to that, which is the realm, and not to the relay's own name.
func TestAUTHToTheRealm(t *testing.T) {
	g := newRig(t, &Options{Realm: "example.com"})
	for to, want := range map[string]bool{"msrp://example.com;tcp": true, "msrp://EXAMPLE.com;tcp": true, "msrp://relay.example.com;tcp": true, "msrp://example.org;tcp": false} {
		c := g.stranger()
		f, err := c.Auth(within(t), mustPath(to), "alice", users["alice"])
		if !want {
			require.Error(t, err, to)
			continue
		}
		require.NoError(t, err, to)
		require.Equal(t, msrp.StatusOK, f.Status, to)
		use, err := f.UsePath()
		require.NoError(t, err)
		require.Equal(t, "relay.example.com", use[0].Host, "the relay itself")
	}
}
