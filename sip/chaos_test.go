package sip

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// chaos answers and sends whatever comes to its mind within a dialog.
type chaos struct {
	*stage
	random *rand.Rand
	dialog *siptest.Message
	sent   []*siptest.Message
}

func pick[T any](r *rand.Rand, of ...T) T { return of[r.IntN(len(of))] }

func (c *chaos) rest() string {
	headers := pick(c.random, "", "", "Supported: timer\nSession-Expires: 90\n", "Session-Expires: 5;refresher=uas\n", "Min-SE: 4000\n",
		"Require: timer\n", "Contact: <sip:x@192.0.2.2>;isfocus\n", "RSeq: 5\nRequire: 100rel\n", "Retry-After: 3\n", "Reason: SIP;cause=200\n",
		"WWW-Authenticate: Digest realm=\"a\", nonce=\"b\", qop=\"auth\"\n", "Record-Route: <sip:192.0.2.2;lr>\n", "Allow: UPDATE\n", "Allow: BYE\n")
	body := pick(c.random, "", "", c.SDP("active"), c.SDP("passive"), c.SDP("actpass"), movedSDP(c.stage, "active"), movedSDP(c.stage, "passive"),
		strings.Replace(c.SDP("active"), "a=path", "a=inactive\na=path", 1), "Content-Type: application/sdp\n\nv=0\nm=message 0 TCP/MSRP *\n",
		"Content-Type: application/sdp\n\nx", "Content-Type: text/plain\n\nhello")
	return headers + body
}

func (c *chaos) act() {
	switch c.random.IntN(8) {
	case 0, 1, 2:
		c.sent = append(c.sent, c.Within(c.dialog, pick(c.random, "INVITE", "INVITE", "INVITE", "UPDATE", "UPDATE", "INFO", "MESSAGE", "PRACK", "OPTIONS", "REFER"), c.rest()))
	case 3:
		if len(c.sent) > 0 {
			c.Repeat(pick(c.random, c.sent...))
		}
	case 4:
		if len(c.sent) > 0 {
			c.Cancel(pick(c.random, c.sent...))
		}
	case 5:
		time.Sleep(time.Duration(c.random.IntN(4000)) * time.Millisecond)
	case 6:
		time.Sleep(time.Duration(c.random.IntN(400)) * time.Second)
	default:
		synctest.Wait()
	}
}

func (c *chaos) take(m *siptest.Message) {
	switch {
	case m.Method == "BYE":
		c.Respond(m, "200 OK", "")
	case m.Method != "" && m.Method != "ACK":
		for range c.random.IntN(3) {
			c.Respond(m, pick(c.random, "100 Trying", "183 Progress", "200 OK", "200 OK", "401 No", "405 No", "422 Small", "481 Gone", "488 No", "491 Glare",
				"500 Error", "503 Busy"), c.rest())
		}
	case m.Status >= 200 && m.CSeqMethod() == "INVITE" && c.random.IntN(4) > 0:
		for _, invite := range c.sent {
			if invite.Method == "INVITE" && invite.Seq() == m.Seq() {
				c.Ack(invite, m, pick(c.random, "", c.SDP("active"), c.SDP("passive"), movedSDP(c.stage, "active")))
			}
		}
	}
}

// A peer that does anything at any time within a dialog, while the application changes the session itself: nothing panics, the call
// ends in a known state, and nothing of it stays.
func TestPeerThatDoesAnything(t *testing.T) {
	for seed := range uint64(10) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			log := new(lockedBuffer)
			logger := slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelError}))
			onStage(t, Options{Logger: logger, Password: "x", MessageTypes: []string{"text/plain"}}, func(t *testing.T, b *stage) {
				c := &chaos{stage: b, random: rand.New(rand.NewPCG(seed, 2))}
				var call *Call
				if seed%2 == 0 {
					call, c.dialog = b.taken("")
				} else {
					call, c.dialog = b.placed("")
				}
				ctx, cancel := context.WithCancel(t.Context())
				ended := make(chan struct{})
				go func() {
					defer close(ended)
					for r, err := call.AcceptReinvite(ctx); err == nil; r, err = call.AcceptReinvite(ctx) {
						time.Sleep(time.Duration(len(r.request.String())%40) * time.Second)
						if r.Answer(ctx, movedMedia()) != nil {
							_ = r.Reject(ctx, 488, "")
						}
					}
				}()
				for range 60 {
					c.act()
					if c.random.IntN(6) == 0 {
						limited, stop := context.WithTimeout(ctx, time.Duration(c.random.IntN(3000))*time.Millisecond)
						m := call.Local()
						m.Path = testMedia(pick(c.random, "one", "two")).Path
						m.Direction = pick(c.random, SendRecv, Inactive)
						_ = call.Reinvite(limited, m)
						stop()
					}
					for len(b.In) > 0 {
						c.take(<-b.In)
					}
				}
				go func() {
					for m := range b.In {
						if m.Method == "BYE" {
							b.Respond(m, "200 OK", "")
						}
					}
				}()
				_ = call.Bye(ctx)
				<-call.Done()
				require.Error(t, call.Err())
				cancel()
				<-ended
				time.Sleep(time.Minute)
				b.agent.mu.Lock()
				assert.Empty(t, b.agent.calls)
				b.agent.mu.Unlock()
				assert.Empty(t, log.String())
			})
		})
	}
}
