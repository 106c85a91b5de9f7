package msrp

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Rules of RFC 4975 that no other file's tests prove; docs/rfc4975.md lists them all.

// answerTo is a response of the raw peer.
func answerTo(s *Session, f *Frame, status, headers string) string {
	return fmt.Sprintf("MSRP %s %s\r\nTo-Path: %s\r\nFrom-Path: %s\r\n%s-------%[1]s$\r\n", f.TransactionID, status, s.own, rawPath, headers)
}

const relayedPath = "msrp://relay.example.com:2855/r;tcp " + rawPath

// relayedPeer is like rawPeer for a peer behind a relay.
func relayedPeer(t testing.TB) (s *Session, nc net.Conn, d *Decoder) {
	t.Helper()
	e, err := New(&Options{Host: "passive.example.com:2855"})
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	s, err = e.NewSession(nil)
	require.NoError(t, err)
	nc, theirs := net.Pipe()
	t.Cleanup(func() { nc.Close() })
	e.ServeConn(theirs)
	d = NewDecoder(nc, nil)
	bound := make(chan error, 1)
	go func() { bound <- s.Connect(ctx, mustPath(relayedPath), Passive, nil) }()
	write(t, nc, strings.Replace(frame(s, "bind1234", "Message-ID: bind\r\n", "", Complete), rawPath, relayedPath, 1))
	next(t, d)
	require.NoError(t, <-bound)
	return s, nc, d
}

// next reads a frame that must be there.
func next(t testing.TB, d *Decoder) (*Frame, []byte) {
	t.Helper()
	f, body, err := readFrame(d)
	require.NoError(t, err)
	return f, body
}

// nothingBefore proves that what was written so far got no frame in return: the next one answers a request that comes after it.
func nothingBefore(t testing.TB, s *Session, nc net.Conn, d *Decoder) {
	t.Helper()
	write(t, nc, frame(s, "probe123", "Message-ID: probe\r\nByte-Range: 1-0/0\r\n", "", Complete))
	f, _ := next(t, d)
	require.Equal(t, "probe123", string(f.TransactionID))
}

// The active side sends a request at once. It has no content to send, so it has no body, no MIME header and no further CRLF (section 7.1).
func TestRFC4975_5_4_ActiveSendsAtOnce(t *testing.T) {
	conns := make(chan net.Conn, 1)
	e, err := New(&Options{Host: "active.example.com:2855", Dialer: pipeDialer(func(nc net.Conn) { conns <- nc })})
	require.NoError(t, err)
	defer e.Close()
	s, err := e.NewSession(nil)
	require.NoError(t, err)
	connected := make(chan error, 1)
	go func() { connected <- s.Connect(ctx, mustPath(rawPath), Active, nil) }()
	nc := <-conns
	defer nc.Close()
	d := NewDecoder(nc, nil)
	f, _ := next(t, d)
	require.Equal(t, MethodSend, string(f.Method))
	require.False(t, f.HasBody())
	require.Empty(t, f.Header)
	require.NotEmpty(t, f.MessageID)
	require.Equal(t, ByteRange{1, 0, 0}, f.ByteRange)
	require.Equal(t, Complete, f.Continuation)
	select {
	case err := <-connected:
		t.Fatal("connected before the response", err)
	default:
	}
	write(t, nc, ok(s, f))
	require.NoError(t, <-connected)
}

// Without a body there is no MIME header either, whatever the caller gave.
func TestRFC4975_7_1_NoBodyNoMIMEHeaders(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	sent := sendLater(t, s, &Message{Header: []Header{{b("Content-ID"), b("<1@example.com>")}, {b("Content-Description"), b("x")}}})
	f, _ := next(t, d)
	require.False(t, f.HasBody())
	require.Empty(t, f.Header)
	write(t, nc, ok(s, f))
	require.NoError(t, (<-sent).Wait(ctx))
}

// Only SENDs have large bodies.
func TestRFC4975_7_1_BodiesOfOtherRequests(t *testing.T) {
	f := &Frame{
		TransactionID: b("abcd1234"), ToPath: b(rawPath), FromPath: b(rawPath), MessageID: b("m1234"), ContentType: b("a/b"), Continuation: Complete,
	}
	for method, most := range map[string]int{MethodReport: 10240, MethodAuth: 10240, MethodNickname: 10240, "HUG": 10240, MethodSend: 1 << 20} {
		f.Method = b(method)
		_, err := AppendFrame(nil, f, make([]byte, most))
		require.NoError(t, err, method)
		if method != MethodSend {
			_, err = AppendFrame(nil, f, make([]byte, most+1))
			require.ErrorIs(t, err, ErrMalformed, method)
		}
	}
}

// Bodies go in binary: their headers may say other things, but not that.
func TestRFC4975_7_1_1_NoTransferEncoding(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	m := text("hello")
	m.Header = []Header{{b("content-transfer-ENCODING"), b("base64")}}
	_, err := s.Send(ctx, m)
	require.ErrorIs(t, err, ErrMalformed)
	m.Header = []Header{{b("Content-Disposition"), b("render")}}
	sent := sendLater(t, s, m)
	f, body := next(t, d)
	require.Equal(t, "hello", string(body))
	require.Equal(t, "Content-Disposition", string(f.Header[0].Name))
	write(t, nc, ok(s, f))
	require.NoError(t, (<-sent).Wait(ctx))
}

// A connection that fails takes every session on it with it.
func TestRFC4975_5_4_FailedConnectionFailsItsSessions(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	other := guestOf(t, s, nc, d)
	require.NoError(t, nc.Close())
	for _, s := range []*Session{s, other} {
		<-s.Done()
		require.Error(t, s.Err())
		require.NotErrorIs(t, s.Err(), ErrClosed, "we did not close it")
	}
}

// A message that is sent again keeps its Message-ID. The receiver answers and reports both, and hands both out with the ID by which the
// application knows the second for a duplicate.
func TestRFC4975_5_4_ResentMessages(t *testing.T) {
	a, p := pair(t, nil)
	m := text("hello")
	m.ID, m.SuccessReport = "again1234", true
	for range 2 {
		d, err := a.Send(ctx, m)
		require.NoError(t, err)
		require.NoError(t, d.Wait(ctx))
		got, err := p.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, "again1234", got.ID)
	}
}

// Every chunk has the Message-ID, the same wishes for reports, and the range that it is, and chunks go in order.
func TestRFC4975_7_1_1_ChunksOfOneMessage(t *testing.T) {
	for _, c := range []struct {
		success bool
		failure FailureReport
		headers [2]string
	}{{false, Yes, [2]string{"", ""}}, {true, Partial, [2]string{"yes", "partial"}}, {true, No, [2]string{"yes", "no"}}} {
		s, nc, d := relayedPeer(t)
		const size = 3*chunkBytes + 100
		m := text(strings.Repeat("x", size))
		m.SuccessReport, m.FailureReport = c.success, c.failure
		sent := sendLater(t, s, m)
		var id string
		for from := int64(0); from < size; {
			f, body := next(t, d)
			if from == 0 {
				id = string(f.MessageID)
			}
			require.Equal(t, id, string(f.MessageID))
			require.Equal(t, c.headers, [2]string{string(f.SuccessReport), string(f.FailureReport)})
			require.Equal(t, m.ContentType, string(f.ContentType))
			require.Equal(t, from+1, f.ByteRange.Start)
			require.EqualValues(t, size, f.ByteRange.Total)
			if from += int64(len(body)); f.ByteRange.End != Unknown {
				require.Equal(t, from, f.ByteRange.End)
			}
			if len(body) > interruptible {
				require.EqualValues(t, Unknown, f.ByteRange.End)
			}
			require.Equal(t, from == size, f.Continuation == Complete)
			require.True(t, from == size || len(body) >= interruptible, "no small chunk but the last")
			if c.failure == Yes {
				write(t, nc, strings.Replace(ok(s, f), rawPath, "msrp://relay.example.com:2855/r;tcp", 1))
			}
		}
		del := <-sent
		if c.success {
			report := reportFrame(s, "rep12", id, fmt.Sprintf("Byte-Range: 1-%d/%d\r\n", size, size), "000 200 OK")
			write(t, nc, strings.Replace(report, rawPath, relayedPath, 1))
		}
		require.NoError(t, del.Wait(ctx))
	}
}

// A request need not wait for the response to the one before.
func TestRFC4975_7_1_1_RequestsDoNotWaitForResponses(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	var sent []<-chan *Delivery
	var frames []*Frame
	for range 3 {
		sent = append(sent, sendLater(t, s, text("hello")))
		f, _ := next(t, d)
		frames = append(frames, f)
	}
	for i, f := range slices.Backward(frames) { // nor do responses keep an order
		write(t, nc, ok(s, f))
		require.NoError(t, (<-sent[i]).Wait(ctx))
	}
}

// A response has the request's transaction identifier, goes back on its connection to the hop before, from the URI that was addressed,
// and is never chunked.
func TestRFC4975_7_2_Response(t *testing.T) {
	s, nc, d := relayedPeer(t)
	for _, c := range []struct {
		flag   Continuation
		body   string
		status int
	}{{Complete, "", 200}, {More, "hel", 200}, {Aborted, "lo", 200}, {Complete, strings.Repeat("x", defaultMaxMessage+1), 413}} {
		headers := "Message-ID: m1234\r\n"
		if c.body != "" {
			headers += "Content-Type: text/plain\r\n"
		}
		wire := strings.Replace(frame(s, "some-id.1", headers, c.body, c.flag), rawPath, relayedPath, 1)
		go nc.Write([]byte(wire))
		f, _ := next(t, d)
		require.Equal(t, c.status, f.Status)
		require.Equal(t, "some-id.1", string(f.TransactionID))
		require.Equal(t, "msrp://relay.example.com:2855/r;tcp", string(f.ToPath))
		require.Equal(t, s.own, string(f.FromPath))
		require.Equal(t, Complete, f.Continuation)
		require.False(t, f.HasBody())
	}
}

// The To-Path has one URI, of a session on this connection. Else the request gets 481, or nothing if it wants no word of failures, and
// is ignored.
func TestRFC4975_7_3_ToPath(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	const message = "Message-ID: m1234\r\nContent-Type: text/plain\r\n"
	for name, to := range map[string]string{
		"two URIs":        s.own + " " + s.own,
		"relay before us": "msrp://relay.example.com:2855/r;tcp " + s.own,
		"no session":      strings.Replace(s.own, s.uri.SessionID, "guessed", 1),
		"no session-id":   "msrp://passive.example.com:2855;tcp",
		"other case":      strings.Replace(s.own, s.uri.SessionID, strings.ToUpper(s.uri.SessionID), 1),
		"other host":      strings.Replace(s.own, "passive", "other", 1),
		"other port":      strings.Replace(s.own, "2855", "2856", 1),
		"other scheme":    strings.Replace(s.own, "msrp:", "msrps:", 1),
		"no URI":          "nonsense",
	} {
		wire := strings.Replace(frame(s, "aaaa1", message, "hello", Complete), s.own, to, 1)
		write(t, nc, wire)
		f, _ := next(t, d)
		require.Equal(t, StatusNoSession, f.Status, name)
		write(t, nc, strings.Replace(wire, "Message-ID", "Failure-Report: no\r\nMessage-ID", 1))
		nothingBefore(t, s, nc, d)
	}
	write(t, nc, frame(s, "aaaa2", message, "hello", Complete)) // the same session still works, and got nothing of the above
	f, _ := next(t, d)
	require.Equal(t, StatusOK, f.Status)
	m, err := s.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "hello", string(m.Body))
}

// Messages of any media type go as they are, those that every endpoint must take among them (section 14.3 names the last).
func TestRFC4975_7_3_1_AnyMediaType(t *testing.T) {
	a, p := pair(t, nil)
	for _, media := range []string{"multipart/mixed", "multipart/alternative", "message/cpim", "multipart/signed"} {
		m := &Message{
			ContentType: media + `;boundary="-------b"`,
			Body:        []byte("---------b\r\nContent-Type: application/octet-stream\r\n\r\n\x00\xff\r\n\r\n---------b--\r\n"),
		}
		d, err := a.Send(ctx, m)
		require.NoError(t, err)
		require.NoError(t, d.Wait(ctx))
		got, err := p.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, m.ContentType, got.ContentType)
		require.Equal(t, m.Body, got.Body)
	}
}

// Headers that we do not know change nothing, in requests and in responses.
func TestRFC4975_12_UnknownHeaders(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	const strange = "X-Mood: blue\r\nKeep-Alive: yes\r\nUse-Path: what ever\r\nexpires: soon\r\n"
	write(t, nc, frame(s, "aaaa1", "Message-ID: m1234\r\n"+strange+"Success-Report: yes\r\nContent-Type: text/plain\r\n", "hello", Complete))
	f, _ := next(t, d)
	require.Equal(t, StatusOK, f.Status)
	f, _ = next(t, d)
	require.Equal(t, MethodReport, string(f.Method))
	m, err := s.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "hello", string(m.Body))

	ours := text("hello")
	ours.SuccessReport = true
	sent := sendLater(t, s, ours)
	f, _ = next(t, d)
	write(t, nc, answerTo(s, f, "200 OK", strange))
	write(t, nc, reportFrame(s, "rep12", string(f.MessageID), "Byte-Range: 1-5/5\r\n"+strange, "000 200 OK"))
	require.NoError(t, (<-sent).Wait(ctx))
}

// Methods that we do not know get 501 and change nothing.
func TestRFC4975_12_UnknownMethods(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	for _, method := range []string{"HUG", "SENDX", "AUTH", "INVITE"} {
		for _, body := range []string{"", "Content-Type: text/plain\r\n"} {
			write(t, nc, strings.Replace(frame(s, "aaaa1", "Message-ID: m1234\r\n"+body, "hello", Complete), " SEND", " "+method, 1))
			f, _ := next(t, d)
			require.Equal(t, StatusUnknownMethod, f.Status, method)
		}
	}
	nothingBefore(t, s, nc, d)
	require.NoError(t, s.Err())
}
