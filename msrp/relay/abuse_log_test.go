package relay

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/msrp"
)

// journal is what a relay has logged.
type journal struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.b.String()
}

// Whatever goes wrong, the log has no session URI, no nonce, nothing that proves a password and nothing of a message, and what peers have chosen breaks out of no line.
func TestAbuseLogs(t *testing.T) {
	var j journal
	o := &Options{Logger: slog.New(slog.NewTextHandler(&j, &slog.HandlerOptions{Level: slog.LevelDebug})), MaxUnauthenticated: 3}
	abused(t, o, func(t *testing.T, g *rig, alice, bob *client) {
		g.serves(alice, bob)
		var secrets []string
		carol := g.client("carol")
		c := carol.challenge()
		guess := digest.NewClient(c, "carol\u2028\u00a0\"\\", "guess").Authorization(msrp.MethodAuth, bareHost.String())
		carol.try(guess)
		_, response, _ := strings.Cut(guess, "response=")
		secrets = append(secrets, c.Nonce, strings.Trim(response, `"`))
		for _, to := range []msrp.Path{
			join(carol.use, mustPath("msrp://nowhere.example.com:2855/secret1;tcp")), join(carol.use, mustPath("msrps://nowhere.example.com:2855/secret2;tcp")),
			join(carol.use, mustPath("msrp://nowhere.example.com:2855/secret3;tcp msrp://x.example.com:2855/secret4;tcp")), join(carol.use, bob.sdp(), bob.sdp()), bob.use,
		} {
			carol.write(wire("secret5", "SEND", to, carol.Path, "secret6"))
		}
		time.Sleep(time.Minute)
		carol.write("MSRP secret7 secret8\r\n\r\n\x00")
		for _, first := range []string{"GET /secret9 HTTP/1.1\r\n", wire("secret10", "SEND", mustPath("msrp://x.example.com:2855/secret11;tcp"), carol.Path, "secret12"), ""} {
			s := g.stranger()
			s.write(first)
			time.Sleep(time.Second)
			for range 4 {
				g.stranger() // makes it go
			}
		}
		time.Sleep(time.Minute)
		for _, c := range []*client{alice, bob, carol} {
			secrets = append(secrets, c.use[0].SessionID, c.Path[0].SessionID)
		}
		log := j.String()
		require.Contains(t, log, "wrong user name or password", "it does log")
		require.Contains(t, log, "no connection to the next hop")
		for _, secret := range append(secrets, "secret", "hello", "guess") {
			require.NotContains(t, log, secret)
		}
		for line := range strings.Lines(log) {
			require.True(t, strings.HasPrefix(line, "time="), line)
		}
	})
}
