package relay

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/msrp"
)

const (
	lookupTimeout = 5 * time.Second // for the Authenticator, the wait for its turn included
	maxLookups    = 64              // calls of the Authenticator at a time
)

// origin is where a request came from.
type origin struct {
	conn   uint64 // the connection: no two have the same
	remote netip.AddrPort
	secure bool // TLS
	relay  bool // another relay, authenticated by its certificate, which forwards its clients' requests
}

// verdict is the answer to an AUTH. A 200 lacks the Use-Path, and Expires.
type verdict struct {
	code    int
	header  []msrp.Header
	failed  bool          // it could not have been right, or was wrong: no connection may do that often
	user    string        // of a 200
	expires time.Duration // of a 200, in whole seconds
}

// gate decides who may use the relay (RFC 4976 sections 6.3 and 9.1). It is safe for concurrent use.
type gate struct {
	o       *Options
	nonces  *nonces
	guesses *guesses
	lookups chan struct{} // has room while the Authenticator may be called
}

// newGate checks the options about authentication and fills in their defaults.
func newGate(o *Options) (*gate, error) {
	if o.Authenticator == nil {
		return nil, errors.New("relay: Options.Authenticator is not set")
	}
	if !plain(o.Realm) {
		return nil, errors.New("relay: Options.Realm has what no header can hold")
	}
	if len(o.Algorithms) == 0 {
		o.Algorithms = []Algorithm{SHA256, MD5}
	}
	for _, a := range o.Algorithms {
		if a != SHA256 && a != MD5 {
			return nil, fmt.Errorf("relay: Options.Algorithms: %q is not known", a)
		}
	}
	return &gate{o: o, nonces: newNonces(), guesses: newGuesses(), lookups: make(chan struct{}, maxLookups)}, nil
}

// check answers an AUTH whose To-Path ends here. It may wait for the Authenticator, 5 s at most.
func (g *gate) check(ctx context.Context, o origin, f *msrp.Frame) verdict {
	if !o.secure && !g.o.AllowTCP {
		return verdict{code: msrp.StatusForbidden, failed: true}
	}
	a, err := readAttempt(o, f)
	switch {
	case errors.Is(err, digest.ErrUnsupported): // another scheme, quality of protection or algorithm
		return g.challenge(a.holder, challengeWrong)
	case err != nil:
		return verdict{code: msrp.StatusBadRequest, failed: true}
	case a.Credentials == nil:
		return g.challenge(a.holder, challengeFirst)
	case a.Realm != g.o.Realm || !slices.Contains(g.o.Algorithms, a.algorithm()):
		return g.challenge(a.holder, challengeWrong)
	}
	return g.decide(ctx, a)
}

// decide answers credentials of the right form. A user that does not exist takes the same way as a wrong password.
func (g *gate) decide(ctx context.Context, a *attempt) verdict {
	who := g.guesses.guesser(a.origin, a.Username)
	if !g.guesses.allowed(who) {
		g.o.Logger.Info("relay: too many wrong passwords", "user", a.Username, "remote", a.remote)
		return verdict{code: msrp.StatusForbidden, failed: true}
	}
	ha1, exists, err := g.lookup(ctx, a.Username, a.algorithm())
	if err != nil {
		g.o.Logger.Warn("relay: no answer from the Authenticator", "error", err)
		return verdict{code: msrp.StatusTimeout}
	}
	if right := a.Verify(msrp.MethodAuth, a.uri, ha1); !right || !exists {
		g.guesses.failed(who)
		g.o.Logger.Info("relay: wrong user name or password", "user", a.Username, "remote", a.remote)
		return g.challenge(a.holder, challengeWrong)
	}
	if !g.nonces.use(a.Nonce, a.holder, a.NC) {
		return g.challenge(a.holder, challengeStale)
	}
	g.guesses.succeeded(who)
	return g.grant(a, ha1)
}

// grant answers the right password. The time that was asked for may still be out of bounds (RFC 4976 section 6.3).
func (g *gate) grant(a *attempt, ha1 string) verdict {
	least, most := int(g.o.MinExpires/time.Second), int(g.o.MaxExpires/time.Second)
	seconds := a.expires
	if seconds == msrp.Unknown {
		seconds = most
	}
	switch {
	case seconds < least:
		return verdict{code: msrp.StatusOutOfBounds, header: header("Min-Expires", strconv.Itoa(least))}
	case seconds > most:
		return verdict{code: msrp.StatusOutOfBounds, header: header("Max-Expires", strconv.Itoa(most))}
	}
	return verdict{
		code:    msrp.StatusOK,
		header:  header("Authentication-Info", a.Info(a.uri, ha1, g.nonces.issue(a.holder))),
		user:    a.Username,
		expires: time.Duration(seconds) * time.Second,
	}
}

// Why there is a challenge.
type reason int

const (
	challengeFirst reason = iota // there were no credentials
	challengeWrong               // they were wrong
	challengeStale               // only their nonce was
)

// challenge is a 401 with a challenge for each algorithm.
func (g *gate) challenge(holder string, why reason) verdict {
	v := verdict{code: msrp.StatusUnauthorized, failed: why == challengeWrong}
	c := digest.Challenge{Realm: g.o.Realm, Nonce: g.nonces.issue(holder), Stale: why == challengeStale}
	for _, a := range g.o.Algorithms {
		c.Algorithm = digest.Algorithm(a)
		v.header = append(v.header, header("WWW-Authenticate", c.String())...)
	}
	return v
}

func header(name, value string) []msrp.Header {
	return []msrp.Header{{Name: []byte(name), Value: []byte(value)}}
}

// lookup asks the Authenticator, within lookupTimeout and beside maxLookups-1 others at most. For a user that does not exist it returns an HA1 that
// is as long as any.
func (g *gate) lookup(ctx context.Context, username string, a Algorithm) (ha1 string, exists bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	select {
	case g.lookups <- struct{}{}:
	case <-ctx.Done():
		return "", false, ctx.Err()
	}
	type answer struct {
		ha1 string
		err error
	}
	answered := make(chan answer, 1) // nobody may be left to read it
	go func() {
		defer func() { <-g.lookups }()
		ha1, err := g.o.Authenticator.HA1(ctx, username, g.o.Realm, a)
		answered <- answer{ha1, err}
	}()
	select {
	case r := <-answered:
		return checkHA1(a, r.ha1, r.err)
	case <-ctx.Done():
		return "", false, ctx.Err()
	}
}

func checkHA1(a Algorithm, ha1 string, err error) (string, bool, error) {
	const nobodys = "0000000000000000000000000000000000000000000000000000000000000000"
	digits := 32
	if a == SHA256 {
		digits = 64
	}
	switch {
	case errors.Is(err, ErrUnknownUser):
		return nobodys[:digits], false, nil
	case err == nil && len(ha1) != digits:
		err = fmt.Errorf("relay: an HA1 of %d digits for %s", len(ha1), a)
	}
	return strings.ToLower(ha1), true, err
}
