package sip

import (
	"bytes"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

const updates = "Allow: INVITE, ACK, BYE, CANCEL, UPDATE\n"

// What our INVITE asks for: the interval of the options, no refresher yet, no Min-SE; timer stands in Supported.
func TestRFC4028_7_1_InitialRequest(t *testing.T) {
	for name, c := range map[string]struct {
		expires time.Duration
		value   string
	}{
		"default": {0, "1800"},
		"90 s":    {90 * time.Second, "90"},
		"none":    {-1, ""},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Options{SessionExpires: c.expires}, func(t *testing.T, b *stage) {
				b.Patience = time.Hour
				call, invite := b.placed("")
				assert.Equal(t, c.value, invite.Value("Session-Expires"))
				assert.Equal(t, c.value != "", strings.Contains(invite.Value("Supported"), "timer"))
				assert.Empty(t, invite.Value("Min-SE"))
				if c.value == "" {
					b.None(24 * time.Hour)
				}
				b.bye(call)
			})
		})
	}
}

// The 2xx says who refreshes and when; the refresh goes out after half of the interval, by UPDATE where the peer allows it, and with
// the same role and interval. Each 2xx starts the time again.
func TestRFC4028_7_2_RefreshByUpdate(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		b.Patience = time.Hour
		call, _ := b.placed(updates + "Require: timer\nSession-Expires: 600;refresher=uac\n")
		for _, next := range []string{"Session-Expires: 600;refresher=uac\n", "x: 300 ; Refresher=UAC\n"} {
			start := time.Now()
			update := b.Request("UPDATE")
			assert.Equal(t, 300*time.Second, time.Since(start))
			assert.Equal(t, "600;refresher=uac", update.Value("Session-Expires"), "section 7.4")
			assert.Contains(t, update.Value("Supported"), "timer")
			assert.NotEmpty(t, update.Value("Contact"), "RFC 3311 section 5.1")
			assert.Empty(t, update.Body, "no offer: section 7.4")
			b.Respond(update, "200 OK", "Contact: <sip:new@192.0.2.2>\n"+next)
		}
		start := time.Now()
		update := b.Request("UPDATE")
		assert.Equal(t, 150*time.Second, time.Since(start))
		assert.Equal(t, "sip:new@192.0.2.2", update.URI, "target refresh")
		b.Respond(update, "200 OK", "Session-Expires: 300;refresher=uac\n")
		b.bye(call)
		b.None(time.Hour)
	})
}

// A peer without UPDATE gets an INVITE that offers the session unchanged, under the same version.
func TestRFC4028_7_4_RefreshByInvite(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		b.Patience = time.Hour
		call, invite := b.placed("Session-Expires: 90;refresher=uac\n")
		changed := call.Changed()
		for range 3 {
			start := time.Now()
			again := b.Request("INVITE")
			assert.Equal(t, 45*time.Second, time.Since(start))
			id, v := version(t, invite.Body)
			id2, v2 := version(t, again.Body)
			assert.Equal(t, []int{id, v}, []int{id2, v2})
			b.Respond(again, "200 OK", "Session-Expires: 90;refresher=uac\n"+b.SDP("passive"))
			b.Request("ACK")
		}
		assertOpen(t, changed)
		b.bye(call)
	})
}

// A peer that refuses UPDATE after all gets the INVITE at once.
func TestRFC4028_7_4_UpdateIsNotAllowed(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		b.Patience = time.Hour
		call, _ := b.placed(updates + "Session-Expires: 90;refresher=uac\n")
		b.Respond(b.Request("UPDATE"), "405 Method Not Allowed", "")
		b.Respond(b.Request("INVITE"), "200 OK", "Session-Expires: 90;refresher=uac\n"+b.SDP("passive"))
		b.Request("ACK")
		start := time.Now()
		again := b.Request("INVITE")
		assert.Equal(t, 45*time.Second, time.Since(start), "and from then on")
		b.Respond(again, "200 OK", "Session-Expires: 90;refresher=uac\n"+b.SDP("passive"))
		b.Request("ACK")
		b.bye(call)
	})
}

// A 2xx without Session-Expires: the peer knows nothing of session timers, and we refresh for ourselves.
func TestRFC4028_7_2_PeerWithoutTimer(t *testing.T) {
	onStage(t, Options{SessionExpires: 10 * time.Minute}, func(t *testing.T, b *stage) {
		b.Patience = time.Hour
		call, _ := b.placed(updates)
		for range 2 {
			start := time.Now()
			update := b.Request("UPDATE")
			assert.Equal(t, 5*time.Minute, time.Since(start))
			b.Respond(update, "200 OK", "")
		}
		b.bye(call)
	})
}

// A 422 is followed by an INVITE that asks for as much as it demands and says Min-SE; what is beyond reason, or no more than we
// asked for, is not followed.
func TestRFC4028_7_3_IntervalTooSmall(t *testing.T) {
	onStage(t, Options{SessionExpires: 100 * time.Second}, func(t *testing.T, b *stage) {
		b.Patience = time.Hour
		first, done := b.invite(t.Context())
		assert.Equal(t, "100", first.Value("Session-Expires"))
		b.Respond(first, "422 Session Interval Too Small", "Min-SE: 200\n")
		again := b.Request("INVITE")
		assert.Equal(t, "200", again.Value("Session-Expires"))
		assert.Equal(t, "200", again.Value("Min-SE"), "section 7.4")
		assert.Equal(t, first.Value("Call-ID"), again.Value("Call-ID"))
		assert.Equal(t, first.Seq()+1, again.Seq())
		b.Respond(again, "200 OK", updates+"Session-Expires: 200;refresher=uac\n"+b.SDP("passive"))
		b.Request("ACK")
		r := <-done
		require.NoError(t, r.err)

		// In the dialog too; the refresh must still come before the end of the interval that stands (section 10).
		b.Respond(b.Request("UPDATE"), "422 Session Interval Too Small", "Min-SE: 500\n")
		update := b.Request("UPDATE")
		assert.Equal(t, "500;refresher=uac", update.Value("Session-Expires"))
		assert.Equal(t, "500", update.Value("Min-SE"))
		b.Respond(update, "200 OK", "Session-Expires: 500;refresher=uac\n")
		b.bye(r.call)
	})
	for _, floor := range []string{"", "Min-SE: 100\n", "Min-SE: 90\n", "Min-SE: 4294967295\n", "Min-SE: x\n"} {
		onStage(t, Options{SessionExpires: 100 * time.Second}, func(t *testing.T, b *stage) {
			b.Patience = time.Hour
			first, done := b.invite(t.Context())
			b.Respond(first, "422 Session Interval Too Small", floor)
			var e *StatusError
			require.ErrorAs(t, (<-done).err, &e, floor)
			assert.Equal(t, 422, e.Code)
		})
	}
	onStage(t, Options{SessionExpires: 100 * time.Second}, func(t *testing.T, b *stage) {
		b.Patience = time.Hour
		invite, done := b.invite(t.Context())
		for n := range maxAttempts {
			b.Respond(invite, "422 Session Interval Too Small", "Min-SE: "+strings.Repeat("2", 3+min(n, 1))+"\n")
			if n == 0 {
				invite = b.Request("INVITE")
			} else if n == 1 {
				invite = b.Request("INVITE")
			} else {
				break
			}
		}
		assert.Error(t, (<-done).err, "the same demand again")
	})
}

// Table 2 of section 9, and what the 2xx of ours says.
func TestRFC4028_9_UASBehavior(t *testing.T) {
	const timer = "Supported: timer\n"
	for name, c := range map[string]struct {
		expires        time.Duration
		headers        string
		value, require string
	}{
		"N, nothing asked":          {0, "", "1800;refresher=uas", ""},
		"N, a proxy asks":           {0, "Session-Expires: 600\n", "600;refresher=uas", ""},
		"N, less than the least":    {0, "Session-Expires: 30\n", "90;refresher=uas", ""},
		"N, a proxy's Min-SE":       {0, "Session-Expires: 600\nMin-SE: 700\n", "700;refresher=uas", ""},
		"Y, nothing asked":          {0, timer, "1800;refresher=uac", "timer"},
		"Y, none":                   {0, timer + "Session-Expires: 600\n", "600;refresher=uac", "timer"},
		"Y, uac":                    {0, "k: TIMER\nx: 600;refresher=uac\n", "600;refresher=uac", "timer"},
		"Y, uas":                    {0, timer + "Session-Expires: 600;refresher=uas\n", "600;refresher=uas", "timer"},
		"more than we want":         {0, timer + "Session-Expires: 7200\n", "1800;refresher=uac", "timer"},
		"not below Min-SE":          {0, timer + "Session-Expires: 7200\nMin-SE: 3600\n", "3600;refresher=uac", "timer"},
		"a refresher nobody knows":  {0, timer + "Session-Expires: 600;refresher=me\n", "600;refresher=uac", "timer"},
		"required":                  {0, "Require: timer\nSession-Expires: 600\n", "600;refresher=uac", "timer"},
		"no number":                 {0, timer + "Session-Expires: -5\n", "1800;refresher=uac", "timer"},
		"more than any number":      {0, timer + "Session-Expires: 99999999999\n", "1800;refresher=uac", "timer"},
		"session timers turned off": {-1, timer + "Session-Expires: 600\n", "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			onStage(t, Options{SessionExpires: c.expires}, func(t *testing.T, b *stage) {
				b.Patience = time.Hour
				call, ok := b.taken(c.headers)
				assert.Equal(t, c.value, ok.Value("Session-Expires"))
				assert.Equal(t, c.require, ok.Value("Require"))
				b.bye(call)
			})
		})
	}
}

// 422 for less than 90 seconds from who knows session timers (section 9), in INVITE, re-INVITE and UPDATE; 420 where we do not.
func TestRFC4028_9_TooSmall(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		b.Patience = time.Hour
		b.Send("INVITE sip:bob@192.0.2.1 SIP/2.0\nSupported: timer\nSession-Expires: 89\n" + b.SDP("active"))
		res := b.Final("INVITE")
		assert.Equal(t, 422, res.Status)
		assert.Equal(t, "90", res.Value("Min-SE"))
		call, dialog := b.taken("")
		for _, method := range []string{"INVITE", "UPDATE"} {
			b.Within(dialog, method, "Supported: timer\nSession-Expires: 10\n"+b.SDP("active"))
			assert.Equal(t, 422, b.Final(method).Status)
		}
		b.bye(call)
	})
	onStage(t, Options{SessionExpires: -1}, func(t *testing.T, b *stage) {
		b.Patience = time.Hour
		b.Send("INVITE sip:bob@192.0.2.1 SIP/2.0\nRequire: timer\n" + b.SDP("active"))
		res := b.Final("INVITE")
		assert.Equal(t, 420, res.Status)
		assert.Equal(t, "timer", res.Value("Unsupported"))
	})
}

// As the called side we refresh too where that is agreed.
func TestRFC4028_9_UASRefreshes(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		b.Patience = time.Hour
		call, _ := b.taken(updates + "Supported: timer\nSession-Expires: 200;refresher=uas\n")
		update := b.Request("UPDATE")
		assert.Equal(t, "200;refresher=uac", update.Value("Session-Expires"), "the roles are those of the request")
		b.Respond(update, "200 OK", "Session-Expires: 200;refresher=uac\n")
		b.bye(call)
	})
}

// Without a refresh from the side that has to send it the call ends shortly before the interval does: 32 seconds, or a third.
func TestRFC4028_10_NoRefreshComes(t *testing.T) {
	for value, end := range map[string]time.Duration{"90": 60 * time.Second, "600": 568 * time.Second} {
		for name, up := range map[string]func(b *stage) *Call{
			"called": func(b *stage) *Call {
				c, _ := b.taken("Supported: timer\nSession-Expires: " + value + ";refresher=uac\n")
				return c
			},
			"calling": func(b *stage) *Call {
				c, _ := b.placed("Session-Expires: " + value + ";refresher=uas\n")
				return c
			},
		} {
			t.Run(name+value, func(t *testing.T) {
				onStage(t, Options{}, func(t *testing.T, b *stage) {
					b.Patience = time.Hour
					call := up(b)
					start := time.Now()
					bye := b.Request("BYE")
					assert.Equal(t, end, time.Since(start).Round(100*time.Millisecond))
					assert.Contains(t, bye.Value("Reason"), "408")
					b.Respond(bye, "200 OK", "")
					<-call.Done()
					assert.ErrorIs(t, call.Err(), ErrTimeout)
				})
			})
		}
	}
}

// Refreshes of the peer's, by INVITE or UPDATE, with or without an offer, start the time again.
func TestRFC4028_10_PeerRefreshes(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		b.Patience = time.Hour
		const headers = "Supported: timer\nSession-Expires: 90;refresher=uac\n"
		call, dialog := b.taken(headers)
		changed := call.Changed()
		for n := range 6 {
			time.Sleep(45 * time.Second)
			if n%3 == 0 {
				theirs := b.Within(dialog, "INVITE", headers+b.SDP("active"))
				ok := b.Final("INVITE")
				assert.Equal(t, "90;refresher=uac", ok.Value("Session-Expires"))
				b.Ack(theirs, ok, "")
				continue
			}
			rest := headers
			if n%3 == 1 {
				rest += b.SDP("active")
			}
			b.Within(dialog, "UPDATE", rest)
			ok := b.Final("UPDATE")
			assert.Equal(t, 200, ok.Status)
			assert.Equal(t, "90;refresher=uac", ok.Value("Session-Expires"))
			assert.Equal(t, n%3 == 1, ok.Body != "")
		}
		start := time.Now()
		b.Respond(b.Request("BYE"), "200 OK", "")
		assert.Equal(t, 60*time.Second, time.Since(start))
		assertOpen(t, changed)
	})
}

// A refresh that times out, or that the peer knows no call for, ends the call at once; any other refusal leaves it up to the end of
// the interval, with a few more attempts.
func TestRFC4028_10_RefreshFails(t *testing.T) {
	for status, after := range map[string]time.Duration{
		"":                       300*time.Second + 3200*time.Millisecond, // timer F
		"481 No Such Call":       300 * time.Second,
		"408 Request Timeout":    300 * time.Second,
		"500 Server Error":       568 * time.Second,
		"503 Unavailable":        568 * time.Second,
		"403 Forbidden":          568 * time.Second,
		"491 Request Pending":    568 * time.Second,
		"401 Unauthorized":       568 * time.Second,
		"422 Interval Too Small": 568 * time.Second,
	} {
		t.Run(status, func(t *testing.T) {
			onStage(t, Options{}, func(t *testing.T, b *stage) {
				b.Patience = time.Hour
				call, _ := b.placed(updates + "Session-Expires: 600;refresher=uac\n")
				start, attempts := time.Now(), make(chan int, 1)
				go func() {
					n := 0
					for m := range b.In {
						switch m.Method {
						case "UPDATE":
							n++
							if status != "" {
								b.Respond(m, status, "")
							}
						case "BYE":
							b.Respond(m, "200 OK", "")
							attempts <- n
							return
						}
					}
				}()
				<-call.Done()
				assert.Equal(t, after, time.Since(start).Round(100*time.Millisecond))
				n := <-attempts
				if after == 568*time.Second {
					assert.Greater(t, n, 3, "attempts")
					assert.Less(t, n, 12, "attempts")
				}
			})
		})
	}
}

// A peer that vanished in the middle of a call is found by the next refresh; without session timers nothing finds it.
func TestRFC4028_10_PeerVanished(t *testing.T) {
	for _, expires := range []time.Duration{0, -1} {
		onStage(t, Options{SessionExpires: expires}, func(t *testing.T, b *stage) {
			b.Patience = time.Hour
			call, _ := b.placed("Session-Expires: 600;refresher=uac\n")
			b.Close()
			time.Sleep(time.Hour)
			synctest.Wait()
			assert.Equal(t, expires == 0, call.Err() != nil)
		})
	}
}

// Garbage of a peer's in the timer's header fields changes nothing and makes nothing small.
func TestRFC4028_11_SmallIntervalsDoNotFlood(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		b.Patience = time.Hour
		call, _ := b.placed(updates + "Session-Expires: 1;refresher=uac\n")
		start := time.Now()
		b.Respond(b.Request("UPDATE"), "200 OK", "Session-Expires: 0;refresher=uac\n")
		assert.Equal(t, 45*time.Second, time.Since(start))
		start = time.Now()
		var update *siptest.Message
		for update == nil {
			update = b.Request("UPDATE")
		}
		assert.Equal(t, 15*time.Minute, time.Since(start), "0 counts as none")
		b.Respond(update, "200 OK", "")
		b.bye(call)
	})
}

// Two agents keep a call up for a day with a refresh every 15 minutes; when one vanishes the other finds it at the next one.
func TestRFC4028_TwoAgents(t *testing.T) {
	for _, vanishes := range []string{"192.0.2.1", "192.0.2.2"} {
		t.Run(vanishes, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var sent atomic.Int32
				network := &siptest.Network{Datagrams: func(_, _ netip.AddrPort, payload []byte) []time.Duration {
					if bytes.HasPrefix(payload, []byte("UPDATE ")) {
						sent.Add(1)
					}
					return []time.Duration{0}
				}}
				p := onNetwork(t, network, "udp")
				time.Sleep(24*time.Hour + time.Minute)
				require.NoError(t, p.aliceCall.Err())
				require.NoError(t, p.bobCall.Err())
				assert.Equal(t, int32(24*4), sent.Load())

				network.Host(vanishes).Unplug()
				start := time.Now()
				for _, c := range []*Call{p.aliceCall, p.bobCall} {
					<-c.Done()
					assert.ErrorIs(t, c.Err(), ErrTimeout)
				}
				assert.Less(t, time.Since(start), 30*time.Minute)
			})
		})
	}
}
