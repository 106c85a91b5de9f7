package hop

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// server speaks TLS on loopback with a certificate for example.com and 127.0.0.1, and tells the server names that it was asked for.
func server(t *testing.T) (address string, client *tls.Config, names <-chan string) {
	s := httptest.NewUnstartedServer(nil)
	asked := make(chan string, 10)
	s.TLS = &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		asked <- h.ServerName
		return nil, nil
	}}
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.StartTLS()
	t.Cleanup(s.Close)
	roots := x509.NewCertPool()
	roots.AddCert(s.Certificate())
	return s.Listener.Addr().String(), &tls.Config{RootCAs: roots}, asked
}

func TestRFC4976_9_2_VerifiesTheNameOfTheURI(t *testing.T) {
	address, client, asked := server(t)
	dial := new(net.Dialer).DialContext
	nc, err := Dial(t.Context(), dial, address, client, "example.com")
	require.NoError(t, err)
	require.Equal(t, "example.com", <-asked)
	require.NoError(t, nc.Close())
	require.Empty(t, client.ServerName, "the caller's configuration")
	require.False(t, client.DynamicRecordSizingDisabled)

	_, err = Dial(t.Context(), dial, address, client, "relay.example.org")
	var wrong x509.HostnameError
	require.ErrorAs(t, err, &wrong)
	require.Equal(t, "relay.example.org", <-asked)

	_, err = Dial(t.Context(), dial, address, &tls.Config{}, "example.com")
	var unknown x509.UnknownAuthorityError
	require.ErrorAs(t, err, &unknown)

	nc, err = Dial(t.Context(), dial, address, nil, "")
	require.NoError(t, err)
	require.IsType(t, &net.TCPConn{}, nc)
	require.NoError(t, nc.Close())
}

// pipe gives one end of a pipe to the caller of Dial.
func pipe(t *testing.T) (dial DialContext, peer net.Conn) {
	ours, peer := net.Pipe()
	t.Cleanup(func() { ours.Close(); peer.Close() })
	return func(context.Context, string, string) (net.Conn, error) { return ours, nil }, peer
}

func TestDialIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dial, peer := pipe(t)
		start := time.Now()
		_, err := Dial(t.Context(), dial, "a.example.com:1", &tls.Config{}, "example.com") // it never answers
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorContains(t, err, "TLS to a.example.com:1")
		require.Equal(t, Timeout, time.Since(start))
		_, err = peer.Write([]byte("x"))
		require.ErrorIs(t, err, io.ErrClosedPipe, "the connection is closed")
	})
}

func TestDialFails(t *testing.T) {
	refused := errors.New("refused")
	_, err := Dial(t.Context(), func(context.Context, string, string) (net.Conn, error) { return nil, refused }, "a:1", &tls.Config{}, "a")
	require.ErrorIs(t, err, refused)
}
