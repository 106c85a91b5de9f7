package otrchat_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/tap"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/otrsession"
	"github.com/otrchat/otrchat/sip"
)

func TestFocusGetsNoOTR(t *testing.T) {
	for name, focus := range map[string]struct{ ours, theirs bool }{
		"we are one": {true, false}, "the peer is one": {false, true}, "both are": {true, true},
	} {
		t.Run(name, func(t *testing.T) {
			rec := tap.New(nil)
			alice := newTapped(t, "alice", &otrchat.Options{Focus: focus.ours}, rec)
			a, l := meet(t, alice, newPeer(t, &sip.Options{Focus: focus.theirs}, rec))
			require.Equal(t, otrchat.Unavailable, a.Security())
			_, err := a.Send(ctx, "hello, everybody")
			require.NoError(t, err)
			_, text := l.hears()
			require.Equal(t, "hello, everybody", text)
			require.NotContains(t, string(rec.Bytes()), "?OTR")

			l.speaks(l.otr.Start())
			waits(t, l.says("?OTR:AAMDaaaa."), 400)
			waits(t, l.says("welcome \t  \t\t\t\t \t \t \t    \t\t  \t\t"), 0)
			require.Equal(t, otrchat.Unavailable, next[otrchat.Message](t, a).Security)
			require.ErrorIs(t, a.StartEncryption(ctx), otrchat.ErrEncryptionUnavailable)
			require.ErrorIs(t, a.StopEncryption(ctx), otrchat.ErrEncryptionUnavailable)
			require.ErrorIs(t, a.StartSMP(ctx, "", "Prague"), otrchat.ErrNotEncrypted)
			_, err = a.Send(ctx, "?OTRv3?")
			require.ErrorIs(t, err, otrchat.ErrText)
			require.NoError(t, a.SetPolicy(ctx, otrchat.Always))
			_, err = a.Send(ctx, "hello")
			require.ErrorIs(t, err, otrchat.ErrEncryptionRequired)
			require.ErrorIs(t, err, otrchat.ErrEncryptionUnavailable)
			require.NoError(t, a.SetPolicy(ctx, otrchat.Opportunistic))
			_, err = a.Send(ctx, "goodbye")
			require.NoError(t, err)
			_, text = l.hears()
			require.Equal(t, "goodbye", text, "nothing in between")
			require.NoError(t, a.Shutdown(ctx))
		})
	}
}

// caller is a SIP peer of bare messages over TCP, which can send a re-INVITE. Its MSRP is a peer's.
type caller struct {
	*line
	conn net.Conn
	in   *textproto.Reader
	sdp  string
	seq  int
	to   string // the To header field, with the tag once it is known
	uri  string // where requests go
	id   string
}

// rings lets a bare caller call a user.
func rings(t testing.TB, u user) (*otrchat.EncryptedChat, *caller) {
	t.Helper()
	p := newPeer(t, nil, nil)
	session, err := p.msrp.NewSession(nil)
	require.NoError(t, err)
	at := regexp.MustCompile(`127\.0\.0\.1:\d+`).FindString(u.at)
	conn, err := net.Dial("tcp", at)
	require.NoError(t, err)
	t.Cleanup(func() { conn.Close() })
	otr, err := otrsession.New(&otrsession.Options{Key: key(t, bobKey)})
	require.NoError(t, err)
	c := &caller{
		line: &line{t: t, session: session, otr: otr, cpim: true}, conn: conn, in: textproto.NewReader(bufio.NewReader(conn)),
		to: "<sip:alice@127.0.0.1>", uri: "sip:alice@" + at, id: at,
		sdp: "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=message 2855 TCP/MSRP *\r\na=path:" +
			session.LocalPath().String() + "\r\na=accept-types:message/cpim text/*\r\na=setup:active\r\n",
	}
	answered := answer(t, u)
	head, body := c.invite("")
	c.to = head.Get("To")
	path, err := msrp.ParsePath(regexp.MustCompile(`a=path:([^\r]*)`).FindStringSubmatch(body)[1])
	require.NoError(t, err)
	require.NoError(t, session.Connect(limited(t), path, msrp.Active, nil))
	chat := <-answered
	require.NotNil(t, chat)
	return chat, c
}

func (c *caller) write(method, contact, body string) {
	c.t.Helper()
	_, err := fmt.Fprintf(c.conn, "%s %s SIP/2.0\r\nVia: SIP/2.0/TCP %s;branch=z9hG4bK%s%d\r\nMax-Forwards: 70\r\n"+
		"From: <sip:bob@127.0.0.1>;tag=bob\r\nTo: %s\r\nCall-ID: %s\r\nCSeq: %d %s\r\nContact: <sip:bob@%s;transport=tcp>%s\r\n"+
		"Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s",
		method, c.uri, c.conn.LocalAddr(), method, c.seq, c.to, c.id, c.seq, method, c.conn.LocalAddr(), contact, len(body), body)
	require.NoError(c.t, err)
}

// invite sends an INVITE, or a re-INVITE, whose Contact has the given parameters, and returns what the 200 says.
func (c *caller) invite(contact string) (head textproto.MIMEHeader, body string) {
	c.t.Helper()
	c.seq++
	c.write("INVITE", contact, c.sdp)
	for {
		start, err := c.in.ReadLine()
		require.NoError(c.t, err)
		head, err = c.in.ReadMIMEHeader()
		require.NoError(c.t, err)
		n, err := strconv.Atoi(head.Get("Content-Length"))
		require.NoError(c.t, err)
		b := make([]byte, n)
		_, err = io.ReadFull(c.in.R, b)
		require.NoError(c.t, err)
		if strings.HasPrefix(start, "SIP/2.0 1") {
			continue
		}
		require.Equal(c.t, "SIP/2.0 200 OK", start)
		to := c.to
		c.to = head.Get("To")
		c.write("ACK", contact, "")
		c.to = to
		return head, string(b)
	}
}

// A peer that becomes a conference gets no more OTR, nor what was meant to be encrypted, until the user confirms.
func TestFocusAppears(t *testing.T) {
	rec := tap.New(nil)
	otrFrames := func() int { return strings.Count(string(rec.Bytes()), "?OTR") }
	alice := newTapped(t, "alice", nil, rec)
	a, c := rings(t, alice)
	c.turns(otrsession.Encrypted)
	lock(t, a, otrchat.Unverified)
	require.NoError(t, a.StartSMP(ctx, "", "Prague"))
	c.understands()

	before := otrFrames()
	require.Positive(t, before)
	c.invite(";isfocus")
	require.Equal(t, otrchat.SMP{Progress: otrchat.SMPAborted}, outcome(t, a))
	require.Equal(t, otrchat.SecurityChange{Security: otrchat.Unavailable, Previous: otrchat.Unverified}, next[otrchat.SecurityChange](t, a))
	require.Contains(t, next[otrchat.SystemMessage](t, a).Text, "conference")
	_, err := a.Send(ctx, "secret")
	require.ErrorIs(t, err, otrchat.ErrEncryptionEnded)
	_, ok := a.RemoteFingerprint()
	require.False(t, ok)

	c.invite("") // a conference no more: the lock on the input stays, and encryption is asked for again
	require.Equal(t, otrchat.Ended, next[otrchat.SecurityChange](t, a).Security)
	_, text := c.hears()
	require.Equal(t, "?OTRv3?", text)
	c.says("in the clear")
	next[otrchat.Message](t, a)
	_, err = a.Send(ctx, "secret")
	require.ErrorIs(t, err, otrchat.ErrEncryptionEnded)

	c.invite(";isfocus")
	lock(t, a, otrchat.Unavailable)
	before = otrFrames()
	require.NoError(t, a.StopEncryption(ctx)) // the user confirms
	require.Equal(t, otrchat.Unavailable, a.Security())
	_, err = a.Send(ctx, "to everybody")
	require.NoError(t, err)
	_, text = c.hears()
	require.Equal(t, "to everybody", text)
	brief, cancel := context.WithTimeout(ctx, soon)
	defer cancel()
	require.ErrorIs(t, a.Shutdown(brief), context.DeadlineExceeded) // this peer answers no BYE
	require.Contains(t, string(rec.Bytes()), "BYE sip:")
	require.Equal(t, before, otrFrames(), "no OTR to a conference, not even its end")
}

// A chat that was never encrypted becomes a conference without a lock on the input.
func TestFocusAppearsInPlainText(t *testing.T) {
	a, c := rings(t, newUser(t, "alice", &otrchat.Options{OTRTimeout: soon}))
	c.hears()
	next[otrchat.SystemMessage](t, a)
	c.invite(";isfocus")
	lock(t, a, otrchat.Unavailable)
	_, err := a.Send(ctx, "to everybody")
	require.NoError(t, err)
	_, text := c.hears()
	require.Equal(t, "to everybody", text)
	c.invite("")
	lock(t, a, otrchat.NotEncrypted)
	c.turns(otrsession.Encrypted)
	lock(t, a, otrchat.Unverified)
}
