package msrp

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/otrchat/otrchat/internal/digest"
)

// lease is what one relay of a chain has given us for a time: its URI, and what we know of how it wants us to authenticate.
type lease struct {
	o       *relayOptions
	before  Path           // Use-Path of the relays before it
	path    Path           // and its own
	until   time.Time      // zero: for ever
	expires int            // seconds, that are asked for; 0: none
	client  *digest.Client // answers the last challenge
	realm   string         // of the first
	hash    digest.Algorithm

	// Of Relay.keep.
	target URI       // where the URI is renewed
	due    time.Time // when next; zero: never
	failed error     // why it was not
}

const (
	maxUsePath = 4 << 10 // bytes
	maxAuths   = 6       // requests for one URI: without credentials and with them, both again after a 423, and after nonces that were stale
)

// register gets a URI from each relay of a chain.
func (r *Relay) register(ctx context.Context, chain []relayOptions) error {
	for i := range chain {
		l := &lease{o: &chain[i], before: r.path, expires: int(chain[i].Expires / time.Second)}
		path, until, err := r.authenticate(ctx, l, l.o.uri)
		if err != nil {
			return err
		}
		l.path, l.target = path, path[len(path)-1]
		l.extend(until)
		r.leases, r.path = append(r.leases, l), path
	}
	return nil
}

// authenticate asks a relay for a URI, or for more time with one that we have, and answers its challenges (RFC 4976 section 5.1).
func (r *Relay) authenticate(ctx context.Context, l *lease, uri URI) (path Path, until time.Time, err error) {
	to := append(slices.Clip(l.before), uri)
	begun, challenged, bounded := time.Now(), false, false
	var refused error
	for range maxAuths {
		authorized := l.client != nil && l.client.Fresh()
		a, err := r.ask(ctx, to, l.headers(uri, authorized))
		if err != nil {
			return nil, until, err
		}
		refused = &StatusError{a.Status, printable(a.Comment)}
		switch {
		case !a.whole && a.Status == StatusOK:
			return nil, until, malformed("200 from a relay before the one that was asked")
		case a.Status == StatusOK:
			return l.granted(a.Frame, authorized, begun)
		case a.Status == StatusUnauthorized && a.whole:
			stale, err := l.challenge(a.Frame)
			if err != nil {
				return nil, until, err
			}
			if authorized && challenged && !stale {
				return nil, until, refused
			}
			challenged = true
		case a.Status == StatusOutOfBounds && a.whole && !bounded && l.bound(a.Frame):
			bounded = true
		default:
			return nil, until, refused
		}
	}
	return nil, until, refused
}

// headers are those of an AUTH. The URI that counts in the digest is the last of To-Path (RFC 4976 section 9.1).
func (l *lease) headers(uri URI, authorized bool) []Header {
	var f Frame
	if authorized {
		f.Add("Authorization", l.client.Authorization(MethodAuth, uri.String()))
	}
	if l.expires > 0 {
		f.Add("Expires", strconv.Itoa(l.expires))
	}
	return f.Header
}

// challenge takes the strongest of the challenges of a 401. A relay stays with realm and algorithm: else one that is before it in the chain could ask for the
// password of another, or for weaker hashes of it.
func (l *lease) challenge(f *Frame) (stale bool, err error) {
	c, err := digest.Strongest(f.values("WWW-Authenticate")...)
	if err != nil {
		return false, fmt.Errorf("%w: challenge: %w", ErrMalformed, err)
	}
	if l.client != nil && (c.Realm != l.realm || c.Algorithm != l.hash) {
		return false, malformed("challenge with another realm or algorithm than before")
	}
	l.realm, l.hash = c.Realm, c.Algorithm
	l.client = digest.NewClient(c, l.o.Username, l.o.Password)
	l.client.OmitURI = l.o.DigestURI == URINever || l.o.DigestURI == URIUnlessOpaque && c.Opaque != ""
	return c.Stale, nil
}

// bound moves the time to be asked for into the bounds of a 423, false if it is there.
func (l *lease) bound(f *Frame) bool {
	asked := l.expires
	if least, ok, err := f.MinExpires(); ok && err == nil {
		l.expires = max(l.expires, least)
	}
	if most, ok, err := f.MaxExpires(); ok && err == nil && (l.expires == 0 || l.expires > most) {
		l.expires = most
	}
	return l.expires != asked
}

// granted reads a 200.
func (l *lease) granted(f *Frame, authorized bool, begun time.Time) (path Path, until time.Time, err error) {
	if err := l.verify(f, authorized); err != nil {
		return nil, until, err
	}
	if path, err = l.usePath(f); err != nil {
		return nil, until, err
	}
	seconds, ok, err := f.Expires()
	switch {
	case err != nil:
		return nil, until, err
	case !ok:
		seconds = l.expires
	case seconds == 0:
		return nil, until, malformed("Expires of 0 in a 200")
	}
	if seconds > 0 {
		until = begun.Add(time.Duration(seconds) * time.Second)
	}
	return path, until, nil
}

// verify checks that the relay knows the password, too. The first hop may leave its proof out, as Kamailio does, for it is known by its certificate;
// of those behind it there is no other (RFC 4976 section 9.4).
func (l *lease) verify(f *Frame, authorized bool) error {
	info := f.values("Authentication-Info")
	switch {
	case len(info) == 0 && len(l.before) == 0:
		return nil
	case len(info) != 1 || !authorized:
		return ErrRspauth
	}
	err := l.client.Verify(info[0])
	if errors.Is(err, digest.ErrRspauth) {
		return ErrRspauth
	} else if err != nil {
		return fmt.Errorf("%w: Authentication-Info: %w", ErrMalformed, err)
	}
	return nil
}

// usePath reads the path of a 200. It begins with the relays before, to one of which we are connected, or does not mention them (RFC 4976 erratum 1273).
func (l *lease) usePath(f *Frame) (Path, error) {
	own, err := f.UsePath()
	if err != nil {
		return nil, err
	}
	if n := len(l.before); len(own) > n && own[:n].Equal(l.before) {
		own = own[n:]
	}
	path := slices.Clip(l.before)
	for _, u := range own {
		switch {
		case u.Port == 0 || u.SessionID == "" || u.Transport != "tcp" || slices.ContainsFunc(path, u.Equal):
			return nil, malformed("URI in Use-Path, or a loop")
		case !u.Secure && !l.o.AllowTCP:
			return nil, fmt.Errorf("%w: Use-Path", ErrInsecure)
		}
		path = append(path, u)
	}
	if len(own) == 0 || len(path) > maxRelays || len(path.String()) > maxUsePath {
		return nil, malformed("Use-Path of %d URIs", len(path))
	}
	return path, nil
}
