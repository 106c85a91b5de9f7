package relay

import (
	"fmt"
	"net/netip"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// from moves the visitor to an address.
func (p *visitor) at(address string) *visitor {
	p.remote = netip.AddrPortFrom(netip.MustParseAddr(address), 5000)
	return p
}

// codes are the outcomes of n attempts in a row.
func (p *visitor) codes(t testing.TB, g *gate, n int) map[int]int {
	t.Helper()
	codes := make(map[int]int)
	for range n {
		codes[p.enter(t, g).code]++
	}
	return codes
}

func TestGuessingAUserFromAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(t, nil)
		guess := visit("alice", "guess")
		assert.Equal(t, map[int]int{401: 10, 403: 90}, guess.codes(t, g, 100), "ten at once, without a look at the rest")
		assert.Equal(t, 403, visit("alice", "secret").enter(t, g).code, "the right password neither")
		assert.Equal(t, 200, visit("bob", "other").enter(t, g).code, "another user from there")
		assert.Equal(t, 200, visit("alice", "secret").at("192.0.2.2").enter(t, g).code, "the user from elsewhere")

		time.Sleep(30*time.Second - 1)
		assert.Equal(t, 403, guess.enter(t, g).code)
		time.Sleep(time.Nanosecond)
		assert.Equal(t, map[int]int{401: 1, 403: 9}, guess.codes(t, g, 10), "one more for each 30 s")
		time.Sleep(30 * time.Second)
		assert.Equal(t, 200, visit("alice", "secret").enter(t, g).code, "being tried against does not make the pause longer")
		time.Sleep(10 * 30 * time.Second)
		assert.Equal(t, map[int]int{401: 10, 403: 10}, guess.codes(t, g, 20), "all forgotten")
	})
}

func TestGuessingManyUsersFromAnAddress(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(t, nil)
		got := make(map[int]int)
		for i := range 100 {
			got[visit(fmt.Sprint("user", i), "guess").enter(t, g).code]++
		}
		assert.Equal(t, map[int]int{401: 50, 403: 50}, got)
		assert.Equal(t, 403, visit("alice", "secret").enter(t, g).code)
		assert.Equal(t, 200, visit("alice", "secret").at("192.0.2.2").enter(t, g).code)

		time.Sleep(5*time.Second - 1)
		assert.Equal(t, 403, visit("user100", "guess").enter(t, g).code)
		time.Sleep(time.Nanosecond)
		assert.Equal(t, 401, visit("user100", "guess").enter(t, g).code)
		assert.Equal(t, 403, visit("user101", "guess").enter(t, g).code)
	})
}

// An office behind one NAT, with a few programs that have a wrong password and keep trying: the others get in.
func TestGuessingDoesNotLockAnOfficeOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(t, nil)
		for range 60 {
			for i := range 4 {
				visit(fmt.Sprint("broken", i), "old password").enter(t, g)
			}
			require.Equal(t, 200, visit("alice", "secret").enter(t, g).code)
			time.Sleep(time.Second)
		}
	})
}

// Whoever guesses from many addresses cannot keep the user from those that it has been at, and from new ones only until the next attempt is due.
func TestGuessingAUserFromManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := testGate(t, nil)
		require.Equal(t, 200, visit("alice", "secret").enter(t, g).code)
		got := make(map[int]int)
		for i := range 100 {
			got[visit("alice", "guess").at(fmt.Sprint("198.51.100.", i)).enter(t, g).code]++
		}
		assert.Equal(t, map[int]int{401: 50, 403: 50}, got)
		assert.Equal(t, 200, visit("alice", "secret").enter(t, g).code, "at home")
		assert.Equal(t, 403, visit("alice", "secret").at("203.0.113.1").enter(t, g).code, "at a new place")
		assert.Equal(t, 200, visit("bob", "other").at("198.51.100.1").enter(t, g).code)

		time.Sleep(10*time.Second - 1)
		assert.Equal(t, 403, visit("alice", "secret").at("203.0.113.1").enter(t, g).code)
		time.Sleep(time.Nanosecond)
		assert.Equal(t, 200, visit("alice", "secret").at("203.0.113.1").enter(t, g).code)
		assert.Equal(t, 401, visit("alice", "guess").at("198.51.100.200").enter(t, g).code)
		assert.Equal(t, 403, visit("alice", "guess").at("198.51.100.201").enter(t, g).code)
		assert.Equal(t, 200, visit("alice", "secret").at("203.0.113.1").enter(t, g).code, "which is known from now on")
	})
}

func TestGuessingAddresses(t *testing.T) {
	for _, tt := range []struct {
		name, other string
		code        int
	}{
		{"the same network of IPv6", "2001:db8::ffff:1", 403},
		{"another network", "2001:db8:0:1::1", 200},
		{"with a zone", "2001:db8::1%eth0", 403},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := testGate(t, nil)
			visit("alice", "guess").at("2001:db8::1").codes(t, g, 10)
			assert.Equal(t, tt.code, visit("alice", "secret").at(tt.other).enter(t, g).code)
		})
	}
	t.Run("IPv4 in IPv6", func(t *testing.T) {
		g := testGate(t, nil)
		visit("alice", "guess").at("192.0.2.1").codes(t, g, 10)
		assert.Equal(t, 403, visit("alice", "secret").at("::ffff:192.0.2.1").enter(t, g).code)
		assert.Equal(t, 200, visit("alice", "secret").at("::ffff:192.0.2.2").enter(t, g).code)
	})
}

// Many users come through another relay, so its address is not counted; each of them is.
func TestGuessingBehindARelay(t *testing.T) {
	g := testGate(t, nil)
	through := func(user, password string) *visitor { p := visit(user, password); p.relay = true; return p }
	for i := range 200 {
		require.Equal(t, 401, through(fmt.Sprint("user", i), "guess").enter(t, g).code)
	}
	assert.Equal(t, map[int]int{401: 10, 403: 10}, through("alice", "guess").codes(t, g, 20))
	assert.Equal(t, 200, through("bob", "other").enter(t, g).code)

	assert.Equal(t, 200, visit("bob", "other").enter(t, g).code, "a client at the relay's address")
	for i := range 60 {
		visit(fmt.Sprint("direct", i), "guess").enter(t, g)
	}
	assert.Equal(t, 403, visit("bob", "other").enter(t, g).code, "who guesses at that address itself is counted")
	assert.Equal(t, 200, through("bob", "other").enter(t, g).code, "and no matter to the relay's users")
}

// What the right password came with and what an old nonce came with is no guess.
func TestNoGuess(t *testing.T) {
	g, p := testGate(t, nil), visit("alice", "secret")
	for range 200 {
		require.Equal(t, 200, p.enter(t, g).code)
		require.Equal(t, 423, p.answer(t, g, "Expires", "1").code)
		p.conn++
		require.True(t, p.learn(t, p.answer(t, g)).Stale)
	}
	assert.Empty(t, g.guesses.due)
}

// Connections without an address have one count for all of them, and each user one of its own.
func TestGuessingWithoutAnAddress(t *testing.T) {
	g := testGate(t, nil)
	p := visit("alice", "guess")
	p.remote = netip.AddrPort{}
	assert.Equal(t, map[int]int{401: 10, 403: 10}, p.codes(t, g, 20))
}

// What is counted and remembered has a bound. Full, it forgets what is over, and otherwise one for one.
func TestGuessesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGuesses()
		g.count(0, 0, guessLimit{1, time.Hour})
		for key := range uint64(maxGuesses) {
			g.count(0, key+1, guessesFromAddress)
			g.succeeded(guesser{fromAddress: key})
		}
		g.succeeded(guesser{fromAddress: maxKnown})
		assert.Equal(t, maxGuesses, len(g.due), "one was forgotten for the last one")
		assert.Equal(t, maxKnown, len(g.known))

		g.due[0] = time.Hour
		time.Sleep(time.Minute)
		g.failed(guesser{fromAddress: 1 << 20, ofAddress: 1<<20 + 1, ofUser: 1<<20 + 2})
		assert.Equal(t, 4, len(g.due), "the three new ones, and the one that still counts")
		assert.Equal(t, time.Hour, g.due[0])
	})
}

func TestGuessIsCountedWhereThereIsNoRoom(t *testing.T) {
	g := newGuesses()
	for key := range uint64(maxGuesses + 1) {
		g.count(0, key, guessesFromAddress)
	}
	g.count(0, maxGuesses, guessesFromAddress)
	assert.Equal(t, maxGuesses, len(g.due))
	assert.Equal(t, 2*guessesFromAddress.every, g.due[maxGuesses], "nothing is forgotten for a count that there is")

	for range 2 {
		for key := range uint64(maxKnown) {
			g.succeeded(guesser{fromAddress: key})
		}
	}
	assert.Equal(t, maxKnown, len(g.known), "nor for an address that is known")
}
