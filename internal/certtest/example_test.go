package certtest_test

import (
	"crypto/tls"
	"fmt"
	"testing"

	"github.com/otrchat/otrchat/internal/certtest"
)

// A test makes a certificate, gives it to the server and the pool to the client.
func Example() {
	_ = func(t *testing.T) (server, client *tls.Config) {
		cert, roots := certtest.New(t, "127.0.0.1")
		return &tls.Config{Certificates: []tls.Certificate{cert}}, &tls.Config{RootCAs: roots}
	}
	fmt.Println("trusted by those who have the pool")
	// Output: trusted by those who have the pool
}
