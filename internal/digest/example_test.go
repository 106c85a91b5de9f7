package digest_test

import (
	"fmt"

	"github.com/otrchat/otrchat/internal/digest"
)

// Client and server in one place. The nonce is a fixed one here; a server's is its own to make and to recognise.
func Example() {
	const realm, uri = "example.com", "msrps://relay.example.com:2855;tcp"
	onFile := digest.HA1(digest.SHA256, "alice", realm, "secret")

	challenge, err := digest.Strongest(
		(&digest.Challenge{Realm: realm, Nonce: "n1", Algorithm: digest.MD5}).String(),
		(&digest.Challenge{Realm: realm, Nonce: "n1", Algorithm: digest.SHA256}).String(),
	)
	if err != nil {
		fmt.Println(err)
		return
	}
	client := digest.NewClient(challenge, "alice", "secret")

	credentials, err := digest.ParseCredentials(client.Authorization("AUTH", uri))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(credentials.Algorithm, credentials.Username, credentials.NC, credentials.Verify("AUTH", uri, onFile))
	fmt.Println(client.Verify(credentials.Info(uri, onFile, "n2")))
	// Output:
	// SHA-256 alice 1 true
	// <nil>
}
