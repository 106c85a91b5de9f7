package relay

import (
	"hash/maphash"
	"maps"
	"net/netip"
	"sync"
	"time"
)

// Wrong passwords are counted three ways. Each count allows some at once, then one for every interval that passes, and an attempt over it is refused
// without a look at the password. What is refused is not counted, so no pause grows by being tried against, and each of them ends.
//
//   - A user from an address: what one attacker gets, and what a user gets whose program has the wrong password.
//   - An address, for any users: an attacker who tries one password on many of them. It is wide enough for an office behind one NAT with a few programs that keep
//     trying: what the first count refuses is not counted here. A relay's address is not counted, as many users come from it.
//   - A user, from any addresses: an attacker with many. It does not hold for an address that the user has come in from before: who guesses from elsewhere can
//     keep a user from no place that it has been at, and from a new one only while the guessing goes on and wins the race for the next attempt.
//
// An address is a /64 in IPv6. Attempts that are under way at the same time may go over a count by as many as the Authenticator is asked at a time;
// they count in full, so the rate in the long run is the same.
var (
	guessesFromAddress = guessLimit{10, 30 * time.Second}
	guessesOfAddress   = guessLimit{50, 5 * time.Second}
	guessesOfUser      = guessLimit{50, 10 * time.Second}
)

// guessLimit allows some wrong passwords at once, and one more for each interval.
type guessLimit struct {
	burst int
	every time.Duration
}

const (
	maxGuesses = 1 << 16 // users and addresses that are counted
	maxKnown   = 1 << 16 // users' addresses that are remembered
)

// guesses counts wrong passwords. Names are kept as hashes with a key of the process's own, so nobody chooses what falls together.
type guesses struct {
	seed  maphash.Seed
	start time.Time // what the times count from

	mu    sync.Mutex
	due   map[uint64]time.Duration // when everything counted will have been forgotten
	known map[uint64]struct{}      // users' addresses that the right password came from
	swept time.Duration
}

func newGuesses() *guesses {
	return &guesses{seed: maphash.MakeSeed(), start: time.Now(), due: make(map[uint64]time.Duration), known: make(map[uint64]struct{})}
}

// guesser is who an attempt comes from: the keys of its counts.
type guesser struct {
	fromAddress, ofAddress, ofUser uint64
	relay                          bool // ofAddress does not count
}

func (g *guesses) guesser(o origin, user string) guesser {
	a := o.remote.Addr().Unmap().WithZone("")
	bits := 64
	if a.Is4() {
		bits = 32
	}
	address, _ := a.Prefix(bits)
	return guesser{
		fromAddress: maphash.Comparable(g.seed, guessKey{user, address, "user from address"}),
		ofAddress:   maphash.Comparable(g.seed, guessKey{"", address, "address"}),
		ofUser:      maphash.Comparable(g.seed, guessKey{user, netip.Prefix{}, "user"}),
		relay:       o.relay,
	}
}

type guessKey struct {
	user    string
	address netip.Prefix
	kind    string
}

// allowed tells whether w may try a password.
func (g *guesses) allowed(w guesser) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Since(g.start)
	_, known := g.known[w.fromAddress]
	return g.under(now, w.fromAddress, guessesFromAddress) &&
		(w.relay || g.under(now, w.ofAddress, guessesOfAddress)) &&
		(known || g.under(now, w.ofUser, guessesOfUser))
}

func (g *guesses) under(now time.Duration, key uint64, l guessLimit) bool {
	return g.due[key]-now <= time.Duration(l.burst-1)*l.every
}

// failed counts a wrong password.
func (g *guesses) failed(w guesser) {
	g.mu.Lock()
	defer g.mu.Unlock()
	now := time.Since(g.start)
	g.count(now, w.fromAddress, guessesFromAddress)
	g.count(now, w.ofUser, guessesOfUser)
	if !w.relay {
		g.count(now, w.ofAddress, guessesOfAddress)
	}
}

func (g *guesses) count(now time.Duration, key uint64, l guessLimit) {
	due, counted := g.due[key]
	if !counted && len(g.due) == maxGuesses {
		g.makeRoom(now)
	}
	g.due[key] = max(due, now) + l.every
}

// makeRoom forgets what no longer counts, though not more than once a minute, or else one of the counts.
func (g *guesses) makeRoom(now time.Duration) {
	if now-g.swept >= time.Minute {
		g.swept = now
		maps.DeleteFunc(g.due, func(_ uint64, due time.Duration) bool { return due <= now })
	}
	forgetOne(g.due, maxGuesses)
}

// succeeded remembers that w came in with the right password.
func (g *guesses) succeeded(w guesser) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if _, known := g.known[w.fromAddress]; !known {
		forgetOne(g.known, maxKnown)
	}
	g.known[w.fromAddress] = struct{}{}
}

// forgetOne deletes what comes first, which is never the same, where m has most entries.
func forgetOne[V any](m map[uint64]V, most int) {
	for key := range m {
		if len(m) == most {
			delete(m, key)
		}
		return
	}
}
