package sip

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// Neither bodies nor credentials nor what a stranger sends gets into the log, at any level, and slog.Default stays
// silent.
func TestLog(t *testing.T) {
	var ours, global lockedBuffer
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&global, &slog.HandlerOptions{Level: slog.LevelDebug})))
	defer slog.SetDefault(before)

	logger := slog.New(slog.NewTextHandler(&ours, &slog.HandlerOptions{Level: slog.LevelDebug}))
	a := newTestAgent(t, &Options{Password: "hunter2", Logger: logger}, "udp", "tcp")
	carol := newPeer(t)
	done := inviteTo(testContext(t), a, carol.target())
	carol.respond(carol.request(gosip.INVITE), 401, `WWW-Authenticate: Digest realm="r", nonce="n"`+"\n")
	carol.respond(carol.request(gosip.INVITE), 200, carol.answer())
	call := <-done
	require.NoError(t, call.err)
	carol.send("Authorization SECRET\n\nSECRET")
	carol.send("OPTIONS sip:x SIP/2.0\nAuthorization SECRET\nCSeq: SECRET\n\nSECRET")
	u := newUAC(t, a)
	u.write("INVITE", 1, withSDP("v=0\nm=SECRET 1 2 3\n"))
	assert.Equal(t, 488, u.final(gosip.INVITE).StatusCode)
	p := &pair{alice: a, bob: a, aliceMedia: testMedia("a"), bobMedia: testMedia("b")}
	p.call(t, "tcp")
	require.NoError(t, call.call.Close())
	require.NoError(t, a.Close())

	text := ours.String()
	assert.NotEmpty(t, text)
	for _, secret := range []string{"hunter2", "SECRET", "Digest", "response=", "a=path", "msrp://"} {
		assert.NotContains(t, text, secret)
	}
	for l := range strings.Lines(text) {
		assert.NotContains(t, l, "level=ERROR")
	}
	assert.Empty(t, global.String())
}

func TestTransportLog(t *testing.T) {
	var buf bytes.Buffer
	h := transportLog{slog.NewTextHandler(&buf, &slog.HandlerOptions{Level: slog.LevelDebug})}
	slog.New(h).With("data", "SECRET", "caller", "x").WithGroup("g").Error("failed", "error", "SECRET", "laddr", "1.2.3.4:5")
	assert.NotContains(t, buf.String(), "SECRET")
	assert.Contains(t, buf.String(), "level=DEBUG")
	assert.Contains(t, buf.String(), "caller=x")
	assert.Contains(t, buf.String(), "laddr=1.2.3.4:5")
	quiet := transportLog{slog.NewTextHandler(&buf, nil)}
	assert.False(t, slog.New(quiet).Enabled(t.Context(), slog.LevelError), "what sipgo calls an error is Debug here")
}
