package certtest_test

import (
	"crypto/tls"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestNew(t *testing.T) {
	cert, roots := certtest.New(t, "relay.example.com", "127.0.0.1")
	_, stranger := certtest.New(t, "relay.example.com")
	for _, tt := range []struct {
		name   string
		client *tls.Config
		err    string
	}{
		{"host name", &tls.Config{RootCAs: roots, ServerName: "relay.example.com"}, ""},
		{"address", &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}, ""},
		{"another name", &tls.Config{RootCAs: roots, ServerName: "example.com"}, "not example.com"},
		{"another pool", &tls.Config{RootCAs: stranger, ServerName: "relay.example.com"}, "unknown authority"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := handshake(t, cert, tt.client)
			if tt.err == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.err)
		})
	}
}

func TestPEM(t *testing.T) {
	cert, roots := certtest.New(t, "127.0.0.1")
	read, err := tls.X509KeyPair(certtest.PEM(t, cert))
	require.NoError(t, err)
	assert.NoError(t, handshake(t, read, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1"}))
}

// handshake returns the client's error.
func handshake(t *testing.T, cert tls.Certificate, client *tls.Config) error {
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{cert}})
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if c, err := l.Accept(); err == nil {
			_ = c.(*tls.Conn).Handshake() // the client tells
			c.Close()
		}
	}()
	c, err := tls.Dial("tcp", l.Addr().String(), client)
	if err == nil {
		require.NoError(t, c.Close())
	}
	<-done
	require.NoError(t, l.Close())
	return err
}
