package relay

import (
	"context"
	"errors"

	"github.com/otrchat/otrchat/internal/digest"
)

// Algorithm is a hash of digest authentication (RFC 7616 section 6.1).
type Algorithm string

// The algorithms that a Relay can offer its clients.
const (
	MD5    = Algorithm(digest.MD5) // all that clients of RFC 4976's time know
	SHA256 = Algorithm(digest.SHA256)
)

// ErrUnknownUser is what an Authenticator returns, wrapped or not, for a user that it does not have.
var ErrUnknownUser = errors.New("relay: unknown user")

// Authenticator knows the users of a Relay.
type Authenticator interface {
	// HA1 returns what the function HA1 makes of the user's password for this realm and algorithm: 32 or 64 hexadecimal digits. For a user that does
	// not exist, or for which only another algorithm's HA1 is on file, it returns ErrUnknownUser. With any other error the client is told to come
	// back later (408), and the error is logged.
	//
	// It is called for every AUTH with credentials of the right form, before anything of them is proven: username is the peer's text, valid UTF-8 of
	// 1 to 256 bytes without control characters, and it may be one that is being guessed at. Compare it byte by byte: a store without regard to
	// case or trailing blanks gives one user as many counts of sessions and of guesses as there are spellings.
	//
	// Not more than 64 calls run at a time, on goroutines of their own. After 5 s, or when the Relay closes, ctx ends and the Relay goes on without
	// the answer; the call keeps its place among the 64 until it returns.
	HA1(ctx context.Context, username, realm string, a Algorithm) (ha1 string, err error)
}

// HA1 is what a user store keeps instead of a password (RFC 7616 section 3.4.2), in lower-case hexadecimal digits; empty for an unknown algorithm.
// Within the realm it is worth as much as the password.
func HA1(a Algorithm, username, realm, password string) string {
	return digest.HA1(digest.Algorithm(a), username, realm, password)
}

// Users is an Authenticator for tests and small programs: passwords by user name, in any realm. It must not change while a Relay uses it.
type Users map[string]string

// HA1 returns the user's, or ErrUnknownUser after the same work.
func (u Users) HA1(_ context.Context, username, realm string, a Algorithm) (string, error) {
	password, ok := u[username]
	ha1 := HA1(a, username, realm, password)
	if !ok {
		return "", ErrUnknownUser
	}
	return ha1, nil
}
