package msrp

import (
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// relayed connects a session through a rawRelay, as the active side.
func relayed(t *testing.T) (s *Session, r *rawRelay) {
	t.Helper()
	r = dialRaw(t, byAlice())
	relay := r.login()
	s, err := relay.e.NewSession(&SessionOptions{Relay: relay})
	require.NoError(t, err)
	r.connect(s, rawPeerPath)
	return s, r
}

// A relay on our own side alone makes chunks of 10,000 bytes, and a window of 32 of them.
func TestChunksThroughOurRelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := relayed(t)
		body := strings.Repeat("x", 40*chunkBytes)
		sent := sendLater(t, s, text(body))
		var held []*Frame
		got := 0
		for range windowFrames {
			f, piece := next(t, r.d)
			require.Len(t, piece, chunkBytes)
			require.Equal(t, More, f.Continuation)
			got += len(piece)
			held = append(held, &Frame{TransactionID: []byte(string(f.TransactionID)), FromPath: []byte(string(f.FromPath))})
		}
		r.nc.SetReadDeadline(time.Now().Add(time.Second))
		_, _, err := readFrame(r.d)
		require.Error(t, err, "the window is full")
		r.nc.SetReadDeadline(time.Time{})
		r.d = NewDecoder(r.nc, nil)
		for _, f := range held {
			go r.answerFrom(f, rawUse, "200 OK")
		}
		for got < len(body) {
			f, piece := next(t, r.d)
			got += len(piece)
			r.answerFrom(f, rawUse, "200 OK")
		}
		require.NoError(t, (<-sent).Wait(ctx))
	})
}

// What the first relay refuses, or does not answer, is the outcome of the Delivery.
func TestRelayRefusesAMessage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := relayed(t)
		for _, status := range []int{400, 403, 408, 413, 415, 500, 503} {
			sent := sendLater(t, s, text("hello"))
			f, _ := next(t, r.d)
			r.answerFrom(f, rawUse, strconv.Itoa(status)+" Such")
			err := (<-sent).Wait(ctx)
			require.Equal(t, &StatusError{status, "Such"}, err)
		}
		require.NoError(t, s.Err())
		sent := sendLater(t, s, text("hello"))
		next(t, r.d)
		begun := time.Now()
		require.ErrorIs(t, (<-sent).Wait(ctx), ErrTimeout)
		require.Equal(t, responseTimeout, time.Since(begun))
	})
}

// What a further relay could not pass on comes as a REPORT, after the 200 of the first: to the Delivery if that waits for a report, else to ReceiveReport.
func TestRelayReportsLater(t *testing.T) {
	s, r := relayed(t)
	report := func(id, status string) {
		write(t, r.nc, "MSRP repo1234 REPORT\r\nTo-Path: "+s.own+"\r\nFrom-Path: "+rawUse+"\r\nMessage-ID: "+id+"\r\nByte-Range: 1-5/5\r\nStatus: 000 "+status+"\r\n-------repo1234$\r\n")
	}
	m := text("hello")
	m.SuccessReport = true
	sent := sendLater(t, s, m)
	f, _ := next(t, r.d)
	id := string(f.MessageID)
	r.answerFrom(f, rawUse, "200 OK")
	report(id, "413 No room")
	require.Equal(t, &StatusError{413, "No room"}, (<-sent).Wait(ctx))

	sent = sendLater(t, s, text("hello"))
	f, _ = next(t, r.d)
	id = string(f.MessageID)
	r.answerFrom(f, rawUse, "200 OK")
	require.NoError(t, (<-sent).Wait(ctx))
	report(id, "413 No room")
	late, err := s.ReceiveReport(ctx)
	require.NoError(t, err)
	require.Equal(t, &Report{id, ByteRange{1, 5, 5}, 413, "No room"}, late)
}

// A session with a relay is reached through its relay alone, whoever knows its URI.
func TestRelayedSessionIsNotReachedElsewhere(t *testing.T) {
	r := dialRaw(t, byAlice())
	relay := r.login()
	s, err := relay.e.NewSession(&SessionOptions{Relay: relay})
	require.NoError(t, err)
	connected := make(chan error, 1)
	go func() { connected <- s.Connect(ctx, mustPath(rawPeerPath), Passive, nil) }()
	<-s.ready
	ours, theirs := net.Pipe()
	relay.e.ServeConn(theirs)
	const bind = "MSRP bind1234 SEND\r\nTo-Path: %\r\nFrom-Path: " + rawUse + " " + rawPeerPath + "\r\nMessage-ID: bind\r\nByte-Range: 1-0/0\r\n-------bind1234$\r\n"
	write(t, ours, strings.Replace(bind, "%", s.own, 1))
	requireStatus(t, NewDecoder(ours, nil), "bind1234", StatusNoSession)

	direct, err := relay.e.NewSession(nil) // nor another session through it
	require.NoError(t, err)
	write(t, r.nc, strings.Replace(bind, "%", direct.own, 1))
	requireStatus(t, r.d, "bind1234", StatusNoSession)

	write(t, r.nc, strings.Replace(bind, "%", s.own, 1))
	requireStatus(t, r.d, "bind1234", StatusOK)
	require.NoError(t, <-connected)
}

// The peer may be faster than the SDP answer: its first request waits for Connect, with a body or without.
func TestEarlyPeerThroughARelay(t *testing.T) {
	for _, rest := range []string{"", "Content-Type: text/plain\r\n\r\nearly\r\n"} {
		synctest.Test(t, func(t *testing.T) {
			r := dialRaw(t, byAlice())
			relay := r.login("Expires: 600")
			s, err := relay.e.NewSession(&SessionOptions{Relay: relay})
			require.NoError(t, err)
			write(t, r.nc, "MSRP bind1234 SEND\r\nTo-Path: "+s.own+"\r\nFrom-Path: "+rawUse+" "+rawPeerPath+"\r\nMessage-ID: bind\r\nByte-Range: 1-*/*\r\n"+rest+"-------bind1234$\r\n")
			time.Sleep(bindTimeout - time.Second)
			connected := make(chan error, 1)
			go func() { connected <- s.Connect(ctx, mustPath(rawPeerPath), Passive, nil) }()
			requireStatus(t, r.d, "bind1234", StatusOK)
			require.NoError(t, <-connected)
			if rest != "" {
				m, err := s.Receive(ctx)
				require.NoError(t, err)
				require.Equal(t, "early", string(m.Body))
			}
		})
	}
}

// The relay's connection outlives a peer that was refused, and a request that waited for Connect in vain.
func TestRelayOutlivesStrangers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := dialRaw(t, byAlice())
		relay := r.login()
		s, err := relay.e.NewSession(&SessionOptions{Relay: relay})
		require.NoError(t, err)
		write(t, r.nc, "MSRP bind1234 SEND\r\nTo-Path: "+s.own+"\r\nFrom-Path: "+rawUse+" "+rawPeerPath+"\r\nMessage-ID: bind\r\nByte-Range: 1-0/0\r\n-------bind1234$\r\n")
		requireStatus(t, r.d, "bind1234", StatusNoSession)
		write(t, r.nc, "MSRP othr1234 SEND\r\nTo-Path: "+rawURI+"\r\nFrom-Path: "+rawUse+"\r\nMessage-ID: bind\r\nByte-Range: 1-0/0\r\n-------othr1234$\r\n")
		requireStatus(t, r.d, "othr1234", StatusNoSession)
		time.Sleep(time.Hour)
		require.NoError(t, relay.Err())
		require.NoError(t, s.Err())
	})
}

// What is about another hop than the relay cannot be demanded.
func TestConnectOptionsWithARelay(t *testing.T) {
	r := dialRaw(t, byAlice())
	relay := r.login()
	s, err := relay.e.NewSession(&SessionOptions{Relay: relay})
	require.NoError(t, err)
	for _, o := range []*ConnectOptions{{Address: "192.0.2.1:1"}, {Fingerprints: []string{"sha-256 AB"}}} {
		require.ErrorContains(t, s.Connect(ctx, mustPath(rawPeerPath), Active, o), "without a relay")
	}
	err = s.Connect(ctx, mustPath(strings.Repeat(rawPeerPath+" ", maxHops)), Active, nil)
	require.ErrorIs(t, err, ErrMalformed)
	require.Nil(t, s.RemotePath())

	e, err := New(&Options{Host: "other.example.com"})
	require.NoError(t, err)
	defer e.Close()
	_, err = e.NewSession(&SessionOptions{Relay: relay})
	require.ErrorContains(t, err, "another Endpoint")
}
