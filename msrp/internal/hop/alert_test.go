package hop

import (
	"context"
	"crypto/tls"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
)

// A peer that does not read cannot make Close wait for the alert.
func TestAlertIsBounded(t *testing.T) {
	cert, _ := certtest.New(t, "example.com")
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		server := tls.Server(ours, &tls.Config{Certificates: []tls.Certificate{cert}, SessionTicketsDisabled: true})
		client := tls.Client(theirs, &tls.Config{InsecureSkipVerify: true})
		done := make(chan error, 1)
		go func() { done <- server.Handshake() }()
		require.NoError(t, client.Handshake())
		require.NoError(t, <-done)
		start := time.Now()
		require.Error(t, Alert(server, server.Close))
		require.Equal(t, 100*time.Millisecond, time.Since(start))
	})
	a, b := net.Pipe()
	defer b.Close()
	require.NoError(t, Alert(a, a.Close))
}

// A peer that says nothing in the handshake is given up when the context ends; without TLS there is nothing to do.
func TestHandshakeIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ours, theirs := net.Pipe()
		defer theirs.Close()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		start := time.Now()
		require.ErrorIs(t, Handshake(ctx, tls.Server(ours, &tls.Config{})), context.DeadlineExceeded)
		require.Equal(t, time.Minute, time.Since(start))
		require.NoError(t, Handshake(ctx, theirs))
	})
}
