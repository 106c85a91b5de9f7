package sip

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// ACKs with the branch of the INVITE, as RFC 2543 had it: they may come again, and leave nothing behind.
func TestACKsWithTheBranchOfTheInvite(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		invite, i := b.offer("")
		done := answer(t.Context(), i)
		ok := b.Response(200)
		b.Ack(invite, ok, "")
		r := <-done
		require.NoError(t, r.err)
		before := runtime.NumGoroutine()
		for range 100 {
			b.Send("ACK sip:bob@192.0.2.1 SIP/2.0\nVia: " + invite.Value("Via") + "\nFrom: " + invite.Value("From") + "\nTo: " + ok.Value("To") +
				"\nCall-ID: " + invite.Value("Call-ID") + "\nCSeq: 1 ACK")
		}
		time.Sleep(time.Second)
		synctest.Wait()
		assert.Less(t, runtime.NumGoroutine(), before+10)
		b.hangsUp(r.call)
	})
}

// A peer cannot have a session last so long that nobody ever finds out that it has vanished.
func TestRFC4028_5_MinSEBeyondReason(t *testing.T) {
	for value, want := range map[string]string{"4294967295": "1800", "86401": "1800", "86400": "86400"} {
		t.Run(value, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, b *stage) {
				invite, i := b.offer("Supported: timer\nSession-Expires: 4294967295;refresher=uac\nMin-SE: " + value + "\n")
				done := answer(t.Context(), i)
				ok := b.Response(200)
				assert.Equal(t, want+";refresher=uac", ok.Value("Session-Expires"))
				b.Ack(invite, ok, "")
				r := <-done
				require.NoError(t, r.err)
				b.hangsUp(r.call)
			})
		})
	}
}

// Where all connections are ours, there is no room for a stranger's.
func TestStrangersFindNoRoomAmongOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(siptest.Network)
		connectionOfOurs(t, n, 1)
		c, err := n.Host("192.0.2.3").DialContext(t.Context(), "tcp", "192.0.2.1:5060")
		require.NoError(t, err)
		defer c.Close()
		_, err = io.ReadAll(c)
		require.NoError(t, err, "it is closed")
		assert.Equal(t, 1, n.Host("192.0.2.2").Streams(), "ours is open")
	})
}

// What a challenge holds comes back in each later request. One that is larger than any server's is not answered.
func TestChallengeWithoutEnd(t *testing.T) {
	onStage(t, Options{Password: "secret"}, func(t *testing.T, b *stage) {
		invite, done := b.invite(t.Context())
		b.Respond(invite, "401 Unauthorized", `WWW-Authenticate: Digest realm="`+strings.Repeat("r", maxChallenge)+`", nonce="n"`+"\n")
		var status *StatusError
		require.ErrorAs(t, (<-done).err, &status)
		assert.Equal(t, 401, status.Code)
	})
}

// The 200 to an UPDATE of ours moves the dialog: what it says of the peer's address must not bring lines into our next request.
func TestUpdateAnsweredWithALineBreak(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		b.Patience = time.Hour
		call, _ := b.placed(updates + "Session-Expires: 90;refresher=uac\n")
		update := b.Request("UPDATE")
		text := b.Respond(update, "200 OK", "Contact: <sip:x\x01y@192.0.2.2>\n").Text()
		require.Contains(t, text, "\x01")
		assert.Equal(t, update.URI, b.bye(call).URI)
	})
}

// A length that is folded over thousands of lines.
func TestFoldedContentLength(t *testing.T) {
	_, err := framed([]byte("OPTIONS sip:b@x SIP/2.0\r\nl:" + strings.Repeat("\r\n 0", 20_000) + "\r\n\r\n"))
	assert.ErrorIs(t, err, errWSMessage)
	m, err := framed([]byte("OPTIONS sip:b@x SIP/2.0\r\nl:\r\n 2\r\n\r\nabc"))
	require.NoError(t, err)
	assert.True(t, strings.HasSuffix(string(m), "Content-Length: 2\r\n\r\nab"))
}

// Who answers a call leads its later requests where it likes. What was answered over TLS is shown to nobody who listens there.
func TestAnswersOverTLSGoOverNothingElse(t *testing.T) {
	today := time.Now() // that of the certificate
	config := secured(t, "192.0.2.2")
	config.Time = func() time.Time { return today }
	onStage(t, Options{Password: "secret", TLS: config}, func(t *testing.T, b *stage) {
		l, err := b.net.Host("192.0.2.2").Listen(5061)
		require.NoError(t, err)
		done := inviteTo(t.Context(), b.agent, "sip:peer@192.0.2.2:5061;transport=tls")
		c, err := l.Accept()
		require.NoError(t, err)
		b.Use(tls.Server(c, config), "TLS")
		b.Respond(b.Request("INVITE"), "407 Proxy Authentication Required", `Proxy-Authenticate: Digest realm="r", nonce="n"`+"\n")
		b.Request("ACK")
		invite := b.Request("INVITE")
		assert.NotEmpty(t, invite.Value("Proxy-Authorization"))
		other := b.peer("192.0.2.3")
		b.Respond(invite, "200 OK", "Contact: <"+other.URI("udp")+">\n"+b.SDP("passive"))
		assert.Empty(t, other.Request("ACK").Value("Proxy-Authorization"))
		r := <-done
		require.NoError(t, r.err)
		go func() { _ = r.call.Bye(t.Context()) }() // its answer is looked at below
		bye := other.Request("BYE")
		assert.Empty(t, bye.Value("Proxy-Authorization"))
		other.Respond(bye, "200 OK", "")
		waitDone(t, r.call.Done())
	})
}

// The names in a certificate that is not trusted are anybody's text.
func TestNamesInCertificatesAreCleaned(t *testing.T) {
	now := time.Now()
	theirs, ours := secured(t, "x\n\x1b[31m.example.com"), secured(t, "192.0.2.2")
	ours.Time = func() time.Time { return now }
	onStage(t, Options{TLS: ours, Resolver: anyResolver{ips: []netip.Addr{netip.MustParseAddr("192.0.2.2")}}}, func(t *testing.T, b *stage) {
		l, err := b.net.Host("192.0.2.2").Listen(5061)
		require.NoError(t, err)
		done := inviteTo(t.Context(), b.agent, "sip:peer@example.com:5061;transport=tls")
		c, err := l.Accept()
		require.NoError(t, err)
		assert.Error(t, tls.Server(c, theirs).Handshake())
		err = (<-done).err
		assert.ErrorAs(t, err, new(x509.HostnameError))
		assert.True(t, isText(err.Error()), "%q", err)
	})
}
