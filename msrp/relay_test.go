package msrp

import (
	"context"
	"io"
	"testing"

	"github.com/stretchr/testify/require"
)

const rawPeerPath = "msrp://peer.example.com:2855/peer;tcp"

// Both roles send and receive through the relay's connection, and on the wire stand the whole paths (RFC 4976 section 5.1).
func TestRFC4976_5_1_PathsThroughARelay(t *testing.T) {
	for _, role := range []Role{Active, Passive} {
		r := dialRaw(t, byAlice())
		relay := r.login("Expires: 600")
		require.Equal(t, rawUse, relay.Path().String())
		s, err := relay.e.NewSession(&SessionOptions{Relay: relay})
		require.NoError(t, err)
		require.Equal(t, rawUse+" "+s.own, s.LocalPath().String())
		connected := make(chan error, 1)
		go func() { connected <- s.Connect(ctx, mustPath(rawPeerPath), role, nil) }()
		through := rawUse + " " + rawPeerPath
		if role == Active {
			f, _ := next(t, r.d)
			require.Equal(t, through, string(f.ToPath))
			require.Equal(t, s.own, string(f.FromPath))
			r.answerFrom(f, rawUse, "200 OK") // of a SEND only the next hop answers
		} else {
			write(t, r.nc, "MSRP bind1234 SEND\r\nTo-Path: "+s.own+"\r\nFrom-Path: "+through+"\r\nMessage-ID: bind\r\nByte-Range: 1-0/0\r\n-------bind1234$\r\n")
			f, _ := next(t, r.d)
			require.Equal(t, rawUse, string(f.ToPath))
			require.Equal(t, StatusOK, f.Status)
		}
		require.NoError(t, <-connected)
		require.Equal(t, rawPeerPath, s.RemotePath().String())

		sent := sendLater(t, s, &Message{ContentType: "text/plain", Body: []byte("out"), SuccessReport: true})
		f, body := next(t, r.d)
		require.Equal(t, "out", string(body))
		require.Equal(t, through, string(f.ToPath))
		id := string(f.MessageID)
		r.answerFrom(f, rawUse, "200 OK")
		write(t, r.nc, "MSRP repo1234 REPORT\r\nTo-Path: "+s.own+"\r\nFrom-Path: "+through+"\r\nMessage-ID: "+id+"\r\nByte-Range: 1-3/3\r\nStatus: 000 200 OK\r\n-------repo1234$\r\n")
		require.NoError(t, (<-sent).Wait(ctx))

		write(t, r.nc, "MSRP in123456 SEND\r\nTo-Path: "+s.own+"\r\nFrom-Path: "+through+
			"\r\nMessage-ID: m1234\r\nSuccess-Report: yes\r\nByte-Range: 1-2/2\r\nContent-Type: text/plain\r\n\r\nin\r\n-------in123456$\r\n")
		f, _ = next(t, r.d)
		require.Equal(t, rawUse, string(f.ToPath), "the response goes to the hop before")
		f, _ = next(t, r.d)
		require.Equal(t, MethodReport, string(f.Method))
		require.Equal(t, through, string(f.ToPath), "the report goes the whole way back")
		m, err := s.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, "in", string(m.Body))
	}
}

// By default a Relay carries one session and ends with it, and its connection too.
func TestRelayOfOneSession(t *testing.T) {
	r := dialRaw(t, byAlice())
	relay := r.login()
	s, err := relay.e.NewSession(&SessionOptions{Relay: relay})
	require.NoError(t, err)
	_, err = relay.e.NewSession(&SessionOptions{Relay: relay})
	require.ErrorIs(t, err, ErrRelayInUse)
	require.NoError(t, s.Close())
	require.ErrorIs(t, relay.Err(), ErrClosed)
	<-relay.Done()
	_, err = r.nc.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	_, err = relay.e.NewSession(&SessionOptions{Relay: relay})
	require.ErrorIs(t, err, ErrClosed)
}

// A shared Relay carries several sessions at once, with URIs of their own, and stays when they end.
func TestSharedRelay(t *testing.T) {
	o := byAlice()
	o.Shared = true
	r := dialRaw(t, o)
	relay := r.login()
	a, err := relay.e.NewSession(&SessionOptions{Relay: relay})
	require.NoError(t, err)
	b, err := relay.e.NewSession(&SessionOptions{Relay: relay})
	require.NoError(t, err)
	require.NotEqual(t, a.LocalPath()[1].SessionID, b.LocalPath()[1].SessionID)
	for _, s := range []*Session{a, b} {
		require.Equal(t, s.own, string(r.connect(s, rawPeerPath).FromPath))
	}
	require.NoError(t, a.Shutdown(ctx))
	require.NoError(t, relay.Err())
	sendLater(t, b, text("still here"))
	_, body := next(t, r.d)
	require.Equal(t, "still here", string(body))
	require.NoError(t, b.Close())
	require.NoError(t, relay.Err())
	require.NoError(t, relay.Close())
	require.ErrorIs(t, relay.Err(), ErrClosed)
}

// When the connection is lost the Relay ends, with every session that it carries, connected or not.
func TestRelayIsLost(t *testing.T) {
	o := byAlice()
	o.Shared = true
	r := dialRaw(t, o)
	relay := r.login()
	a, err := relay.e.NewSession(&SessionOptions{Relay: relay})
	require.NoError(t, err)
	b, err := relay.e.NewSession(&SessionOptions{Relay: relay})
	require.NoError(t, err)
	r.connect(a, rawPeerPath)
	passive := make(chan error, 1)
	go func() { passive <- b.Connect(ctx, mustPath(rawPeerPath), Passive, nil) }()
	require.NoError(t, r.nc.Close())
	<-relay.Done()
	require.ErrorIs(t, relay.Err(), io.EOF)
	for _, s := range []*Session{a, b} {
		<-s.Done()
		require.ErrorIs(t, s.Err(), io.EOF)
	}
	require.ErrorIs(t, <-passive, io.EOF)
	_, err = relay.e.NewSession(&SessionOptions{Relay: relay})
	require.ErrorIs(t, err, io.EOF)
	<-relay.conn.done
}

// A relay's REPORT about a message comes with its own path, which ends before the peer (RFC 4976 section 6.4.1); nothing else may.
func TestRFC4976_6_4_1_ReportsOfRelays(t *testing.T) {
	const way = rawUse + " msrp://other.example.com:2855/o;tcp " + rawPeerPath
	for from, heard := range map[string]bool{
		rawUse: true,
		rawUse + " msrp://other.example.com:2855/o;tcp": true,
		way:                                   true,
		"msrp://other.example.com:2855/o;tcp": false,
		rawUse + " " + rawPeerPath:            false,
		way + " " + rawPeerPath:               false,
	} {
		r := dialRaw(t, byAlice())
		relay := r.login()
		s, err := relay.e.NewSession(&SessionOptions{Relay: relay})
		require.NoError(t, err)
		r.connect(s, mustPath(way)[1:].String())
		sent := sendLater(t, s, &Message{ContentType: "text/plain", Body: []byte("out"), SuccessReport: true})
		f, _ := next(t, r.d)
		id := string(f.MessageID)
		r.answerFrom(f, rawUse, "200 OK")
		d := <-sent
		write(t, r.nc, "MSRP repo1234 REPORT\r\nTo-Path: "+s.own+"\r\nFrom-Path: "+from+"\r\nMessage-ID: "+id+"\r\nByte-Range: 1-3/3\r\nStatus: 000 415 No\r\n-------repo1234$\r\n")
		write(t, r.nc, "MSRP in123456 SEND\r\nTo-Path: "+s.own+"\r\nFrom-Path: "+rawUse+"\r\nMessage-ID: m1234\r\nByte-Range: 1-2/2\r\nContent-Type: text/plain\r\n\r\nin\r\n-------in123456$\r\n")
		f, _ = next(t, r.d)
		require.Equal(t, StatusNoSession, f.Status, "a relay sends no messages of its own")
		ended, cancel := context.WithCancel(ctx)
		cancel()
		if err := d.Wait(ended); heard {
			require.Equal(t, &StatusError{415, "No"}, err, from)
		} else {
			require.ErrorIs(t, err, context.Canceled, from)
		}
	}
}
