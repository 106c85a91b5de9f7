package otrchat_test

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/sip"
)

// A sips address is called over TLS alone, and the contact is the same as without.
func TestCallOverTLS(t *testing.T) {
	cert, roots := certtest.New(t, "127.0.0.1")
	cfg := &tls.Config{Certificates: []tls.Certificate{cert}, RootCAs: roots}
	options := func(name string, k int) *otrchat.Options {
		return &otrchat.Options{Address: "sip:" + name + "@127.0.0.1", Key: key(t, k), SIP: sip.Options{TLS: cfg}}
	}
	var users []user
	for i, name := range []string{"alice", "bob"} {
		c, err := otrchat.New(options(name, []int{aliceKey, bobKey}[i]))
		require.NoError(t, err)
		t.Cleanup(func() { c.Close() })
		addr, err := c.Listen(limited(t), "tls", "127.0.0.1:0", "127.0.0.1:0")
		require.NoError(t, err)
		users = append(users, user{c, "sips:" + name + "@" + addr.String()})
	}
	a, b := encrypted(t, users[0], users[1])
	says(t, a, b, "hello, Bob", true)
	says(t, b, a, "hello, Alice", true)
	require.Equal(t, "alice@127.0.0.1", b.Contact())
	require.Equal(t, "bob@127.0.0.1", a.Contact())
}
