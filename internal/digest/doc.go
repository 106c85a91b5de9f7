// Package digest is HTTP Digest authentication (RFC 7616, and RFC 2617 before it) for protocols that carry its headers without
// being HTTP: the client's half, which answers a [Challenge] and checks that the server knows the password too, and the server's half, which makes
// challenges and checks [Credentials]. It knows nothing of messages, nonces or users: both halves work on header values.
//
// A client takes the [Strongest] of the challenges that came with a 401, and a [Client] answers it:
//
//	challenge, err := digest.Strongest(values...)   // each a value of WWW-Authenticate
//	client := digest.NewClient(challenge, "alice", password)
//	value := client.Authorization("AUTH", uri)      // for every request, also the later ones
//	err = client.Verify(info)                       // the value of Authentication-Info, if there is one
//
// A server gives out Challenge.String, reads the answer with [ParseCredentials], looks at the nonce and the count, which are its own
// business, finds the user's [HA1], and asks [Credentials.Verify]. Its 200 carries [Credentials.Info].
//
// MD5, SHA-256 and SHA-512-256 are known, and the quality of protection "auth". A client can also answer challenges without a quality of protection, with
// auth-int and with the session variants of the algorithms, where its protocol allows them: [ParseAny] reads these and [ParseChallenge] refuses them.
// Credentials with any of them are refused, and so are hashed user names (userhash) and user names as username*. A user name is UTF-8 in a quoted
// string. The domain parameter is ignored.
//
// # Concurrency
//
// Functions and values may be used from any goroutine at the same time; a Client belongs to one goroutine at a time.
//
// # Limits
//
// A header value with more than 32 parameters is malformed. What is read aliases the value, but for strings with a backslash: nothing is
// allocated in proportion to anything but the length of the value, which the caller's parser bounds.
//
// # Security
//
// Parsing is strict: a parameter that stands twice, a control character, or anything behind the last parameter makes the value malformed, so no two
// readers can see different things in it. What depends on the password is compared in constant time. An empty HA1, such as a user store without an
// entry gives, verifies nothing. Errors name a parameter and never hold its value. A HA1 is worth as much as the password, within its realm: keep it
// as one.
package digest
