package relay

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

// A connection may be silent for the whole of IdleTimeout, whenever its last frame came, and is closed within an eighth of that time more. What is written to it
// counts for nothing.
func TestIdleTimeout(t *testing.T) {
	const idle = 80 * time.Minute
	for _, last := range []time.Duration{0, 1, idle / 16, idle / 8, idle/8 + 1, idle - 1} {
		synctest.Test(t, func(t *testing.T) {
			g := newRig(t, &Options{IdleTimeout: idle, MaxExpires: 24 * time.Hour})
			alice, stranger := g.client("alice"), g.stranger()
			stranger.talkTo(alice)
			aliceWas := time.Now() // she never answers
			for _, wait := range []time.Duration{0, last} {
				time.Sleep(wait)
				require.NoError(t, stranger.Send(&msrp.Frame{MessageID: []byte("m1"), FailureReport: []byte("no")}, nil))
				require.Equal(t, msrp.MethodSend, string(alice.next().Method))
			}
			strangerWas := time.Now()
			aliceGone, strangerGone := alice.goneAt(), stranger.goneAt()
			for _, silence := range []time.Duration{(<-aliceGone).Sub(aliceWas), (<-strangerGone).Sub(strangerWas)} {
				require.GreaterOrEqual(t, silence, idle)
				require.LessOrEqual(t, silence, idle/8*9)
			}
			require.Zero(t, g.holds())
			g.r.Close()
		})
	}
}

// goneAt tells when the relay has closed the connection.
func (c *client) goneAt() <-chan time.Time {
	gone := make(chan time.Time, 1)
	go func() {
		for err := error(nil); err == nil; _, err = c.Conn.Read(make([]byte, 1<<10)) {
		}
		gone <- time.Now()
	}()
	return gone
}
