package relay

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// stale checks that v is a new challenge for the right password, and takes it.
func (p *visitor) stale(t testing.TB, v verdict) {
	t.Helper()
	assert.True(t, p.learn(t, v).Stale)
	assert.False(t, v.failed)
}

func TestNonceReplayed(t *testing.T) {
	g, p := testGate(t, nil), visit("alice", "secret")
	p.learn(t, g.check(t.Context(), p.origin, authFrame(p.from)))
	first := p.client.Authorization("AUTH", relayURI)
	second := p.client.Authorization("AUTH", relayURI)
	third := p.client.Authorization("AUTH", relayURI)
	send := func(authorization string) verdict {
		return g.check(t.Context(), p.origin, authFrame(p.from, "Authorization", authorization))
	}
	require.Equal(t, 200, send(second).code)
	p.stale(t, send(second))
	p.stale(t, send(first))
	assert.Equal(t, 200, send(third).code, "the count may go up")
	assert.Equal(t, 200, p.answer(t, g).code, "the new nonce serves")
}

func TestNonceOfAnotherConnection(t *testing.T) {
	g, p := testGate(t, nil), visit("alice", "secret")
	p.learn(t, g.check(t.Context(), p.origin, authFrame(p.from)))
	p.conn = 2
	p.stale(t, p.answer(t, g))
	assert.Equal(t, 200, p.answer(t, g).code)
}

// Behind another relay the nonce belongs to the client, whichever of the relay's connections it comes through.
func TestNonceBehindARelay(t *testing.T) {
	const hop = "msrps://intra.example.com:9000/jui787s2f;tcp "
	g, p := testGate(t, nil), visit("alice", "secret")
	p.relay, p.from = true, hop+clientURI
	p.learn(t, g.check(t.Context(), p.origin, authFrame(p.from)))
	p.conn = 2
	assert.Equal(t, 200, p.answer(t, g).code)

	p.from = hop + "msrps://mallory.example.com:9892/x;tcp"
	p.stale(t, p.answer(t, g))

	p.learn(t, g.check(t.Context(), p.origin, authFrame(p.from)))
	p.relay = false
	p.stale(t, p.answer(t, g))
}

func TestNonceForged(t *testing.T) {
	g := testGate(t, nil)
	good := visit("alice", "secret").learn(t, g.check(t.Context(), home(1), authFrame(clientURI))).Nonce
	other := visit("alice", "secret").learn(t, testGate(t, nil).check(t.Context(), home(1), authFrame(clientURI))).Nonce
	for name, nonce := range map[string]string{
		"another process's": other, "empty": "", "short": good[:20], "long": good + "AAAA", "a bit of its time": flip(good, 3), "a bit of its MAC": flip(good, 40),
		"no base64": strings.Repeat("!", 43), "1 KiB": strings.Repeat("A", 1024), "line end within": good[:20] + "\n" + good[20:], "padding": good + "=",
	} {
		assert.False(t, g.nonces.use(nonce, home(1).holder(authFrame(clientURI)), 1), name)
	}
	assert.Empty(t, g.nonces.counts, "they cost no memory")
	assert.True(t, g.nonces.use(good, home(1).holder(authFrame(clientURI)), 1))
}

func flip(s string, i int) string {
	b := []byte(s)
	if b[i]++; b[i] == '[' || b[i] == '{' || b[i] == ':' || b[i] == '.' || b[i] == '`' {
		b[i] = 'A'
	}
	return string(b)
}

func TestNonceExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g, p := testGate(t, nil), visit("alice", "secret")
		p.learn(t, g.check(t.Context(), p.origin, authFrame(p.from)))
		time.Sleep(nonceTimeout)
		v := p.answer(t, g)
		require.Equal(t, 200, v.code, "at the last moment")
		require.NoError(t, p.client.Verify(v.headers("Authentication-Info")[0]))

		time.Sleep(nonceTimeout + 1)
		p.stale(t, p.answer(t, g))
		assert.Equal(t, 200, p.answer(t, g).code)
	})
}

// A stale nonce does not tell whether a wrong password was nearly right.
func TestNonceIsNotStaleForAWrongPassword(t *testing.T) {
	g, p := testGate(t, nil), visit("alice", "guess")
	p.learn(t, g.check(t.Context(), p.origin, authFrame(p.from)))
	p.conn = 2
	v := p.answer(t, g)
	assert.True(t, v.failed)
	assert.False(t, p.learn(t, v).Stale)
}

// What is kept of nonces has a bound: when it is reached all earlier nonces are too old, so none can be used twice.
func TestNoncesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := newNonces()
		first, unused := n.issue("x"), n.issue("x")
		require.True(t, n.use(first, "x", 1))
		time.Sleep(time.Second)
		for range maxCounted - 1 {
			require.True(t, n.use(n.issue("x"), "x", 1))
		}
		assert.Len(t, n.counts, maxCounted)
		assert.False(t, n.use(first, "x", 1))

		time.Sleep(time.Second)
		last := n.issue("x")
		require.True(t, n.use(last, "x", 1))
		assert.Len(t, n.counts, 1)
		assert.False(t, n.use(first, "x", 2), "forgotten, and too old")
		assert.False(t, n.use(unused, "x", 1), "never used, and too old")
		assert.False(t, n.use(last, "x", 1))
		time.Sleep(time.Nanosecond)
		assert.True(t, n.use(n.issue("x"), "x", 1))
	})
}
