package sip

import (
	"context"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// Peers that do what no peer should: each call ends in a known state within its RFC timer, and leaves nothing behind.
func TestCallsToPeersThatMisbehave(t *testing.T) {
	for name, script := range map[string]func(t *testing.T, b *stage){
		"never answers": func(t *testing.T, b *stage) {
			begin := time.Now()
			_, done := b.invite(t.Context())
			assert.ErrorIs(t, (<-done).err, ErrTimeout)
			assert.Equal(t, 64*gosip.T1, time.Since(begin), "timer B")
		},
		"rings and vanishes": func(t *testing.T, b *stage) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			defer cancel()
			invite, done := b.invite(ctx)
			b.Respond(invite, "180 Ringing", "")
			synctest.Wait()
			b.net.Host("192.0.2.2").Unplug()
			assert.ErrorIs(t, (<-done).err, context.DeadlineExceeded)
		},
		"answers when it was given up": func(t *testing.T, b *stage) {
			ctx, cancel := context.WithCancel(t.Context())
			invite, done := b.invite(ctx)
			b.Respond(invite, "180 Ringing", "")
			synctest.Wait()
			cancel()
			assert.ErrorIs(t, (<-done).err, context.Canceled)
			b.Respond(b.Request("CANCEL"), "200 OK", "")
			b.Respond(invite, "200 OK", b.SDP("passive"))
			b.Request("ACK")
			b.Respond(b.Request("BYE"), "200 OK", "")
		},
		"answers twice": func(t *testing.T, b *stage) {
			invite, done := b.invite(t.Context())
			ok := b.Respond(invite, "200 OK", b.SDP("passive"))
			first := b.Request("ACK")
			call := (<-done).call
			synctest.Wait()
			b.Repeat(ok)
			assert.Equal(t, first.Header, b.Request("ACK").Header)
			b.hangsUp(call)
		},
		"answers and refuses": func(t *testing.T, b *stage) {
			invite, done := b.invite(t.Context())
			b.Respond(invite, "200 OK", b.SDP("passive"))
			b.Request("ACK")
			b.Respond(invite, "486 Busy Here", "")
			b.hangsUp((<-done).call)
		},
		"refuses and answers": func(t *testing.T, b *stage) {
			invite, done := b.invite(t.Context())
			b.Respond(invite, "486 Busy Here", "")
			assert.ErrorIs(t, (<-done).err, ErrBusy)
			b.Request("ACK")
			b.Respond(invite, "200 OK", b.SDP("passive"))
			b.Respond(b.Request("BYE"), "200 OK", "")
		},
		"moves while it answers": func(t *testing.T, b *stage) {
			invite, done := b.invite(t.Context())
			other := b.peer("192.0.2.3")
			b.Respond(invite, "180 Ringing", "")
			b.Respond(invite, "200 OK", "Contact: <"+other.URI("udp")+">\n"+b.SDP("passive"))
			other.Request("ACK")
			r := <-done
			require.NoError(t, r.err)
			go func() { _ = r.call.Bye(t.Context()) }() // its answer is looked at below
			other.Respond(other.Request("BYE"), "200 OK", "")
		},
		"hangs up while it answers": func(t *testing.T, b *stage) {
			invite, done := b.invite(t.Context())
			b.Dial("udp", "192.0.2.1:5060")
			ok := b.Respond(invite, "200 OK", b.SDP("passive"))
			b.Send("BYE " + invite.Address("Contact") + " SIP/2.0\nFrom: " + ok.Value("To") + "\nTo: " + invite.Value("From") + "\nCall-ID: " + invite.Value("Call-ID"))
			assert.Contains(t, []int{200, 500}, b.Final("BYE").Status) // 500 has it try again
			if r := <-done; r.call != nil {
				b.Within(invite, "BYE", "")
				b.Final("BYE")
				waitDone(t, r.call.Done())
				assert.ErrorIs(t, r.call.Err(), ErrEnded)
			}
		},
		"vanishes in the call": func(t *testing.T, b *stage) {
			invite, done := b.invite(t.Context())
			b.Respond(invite, "200 OK", b.SDP("passive"))
			b.Request("ACK")
			call := (<-done).call
			b.net.Host("192.0.2.2").Unplug()
			begin := time.Now()
			assert.ErrorIs(t, call.Bye(t.Context()), ErrTimeout)
			assert.Equal(t, 64*gosip.T1, time.Since(begin), "timer F")
			assert.ErrorIs(t, call.Err(), ErrClosed)
		},
	} {
		t.Run(name, func(t *testing.T) { misbehaves(t, script) })
	}
}

func TestCallsOfPeersThatMisbehave(t *testing.T) {
	for name, script := range map[string]func(t *testing.T, b *stage){
		"vanishes before the answer": func(t *testing.T, b *stage) {
			_, i := b.offer("")
			b.net.Host("192.0.2.2").Unplug()
			begin := time.Now()
			assert.ErrorIs(t, (<-answer(t.Context(), i)).err, ErrTimeout)
			assert.Equal(t, 64*gosip.T1, time.Since(begin), "timer H")
		},
		"never acknowledges": func(t *testing.T, b *stage) {
			_, i := b.offer("")
			done := answer(t.Context(), i)
			b.Response(200)
			assert.ErrorIs(t, (<-done).err, ErrTimeout)
			b.Respond(b.Request("BYE"), "200 OK", "")
		},
		"acknowledges something else": func(t *testing.T, b *stage) {
			invite, i := b.offer("")
			done := answer(t.Context(), i)
			ok := b.Response(200)
			b.Send("ACK " + ok.Address("Contact") + " SIP/2.0\nFrom: " + invite.Value("From") + "\nTo: " + ok.Value("To") + "\nCall-ID: " + invite.Value("Call-ID") + "\nCSeq: 77 ACK")
			assert.ErrorIs(t, (<-done).err, ErrTimeout)
			b.Respond(b.Request("BYE"), "200 OK", "")
		},
		"acknowledges twice": func(t *testing.T, b *stage) {
			invite, i := b.offer("")
			done := answer(t.Context(), i)
			ok := b.Response(200)
			b.Repeat(b.Ack(invite, ok, ""))
			r := <-done
			require.NoError(t, r.err)
			b.hangsUp(r.call)
		},
		"hangs up before it acknowledges": func(t *testing.T, b *stage) {
			_, i := b.offer("")
			done := answer(t.Context(), i)
			b.Within(b.Response(200), "BYE", "")
			assert.Equal(t, 200, b.Final("BYE").Status)
			r := <-done
			require.NoError(t, r.err, "there was a call")
			assert.ErrorIs(t, r.call.Err(), ErrEnded)
		},
		"cancels what was answered": func(t *testing.T, b *stage) {
			invite, i := b.offer("")
			done := answer(t.Context(), i)
			ok := b.Response(200)
			b.Cancel(invite)
			b.Final("CANCEL")
			b.Ack(invite, ok, "")
			r := <-done
			require.NoError(t, r.err)
			b.hangsUp(r.call)
		},
		"cancels twice": func(t *testing.T, b *stage) {
			invite, i := b.offer("")
			b.Repeat(b.Cancel(invite))
			b.Ack(invite, b.Final("INVITE"), "")
			waitDone(t, i.Done())
			assert.ErrorIs(t, i.Err(), ErrCanceled)
		},
		"rings off silently": func(t *testing.T, b *stage) {
			_, i := b.offer("")
			b.net.Host("192.0.2.2").Unplug()
			begin := time.Now()
			<-i.Done()
			assert.ErrorIs(t, i.Err(), ErrTimeout)
			assert.Equal(t, ringTime, time.Since(begin))
		},
	} {
		t.Run(name, func(t *testing.T) { misbehaves(t, script) })
	}
}

func misbehaves(t *testing.T, script func(t *testing.T, b *stage)) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		script(t, b)
		time.Sleep(byeTimeout + 3*64*gosip.T1)
		synctest.Wait()
		assert.Equal(t, remains{}, remainsOf(b.agent))
	})
}

// connectionOfOurs is the other end of the connection by which an agent at 192.0.2.1, which takes max connections, calls 192.0.2.2.
func connectionOfOurs(t *testing.T, n *siptest.Network, max int) net.Conn {
	t.Helper()
	a, err := New(&Options{Address: "sip:bob@example.com", Dialer: n.Host("192.0.2.1"), MaxConnections: max})
	require.NoError(t, err)
	n.Host("192.0.2.1").Attach(t, a)
	l, err := n.Host("192.0.2.2").Listen(5060)
	require.NoError(t, err)
	inviteTo(t.Context(), a, "sip:carol@192.0.2.2;transport=tcp")
	ours, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, ours.Close()) })
	time.Sleep(time.Second)
	return ours
}

// However many connections strangers open, those that we opened stay.
func TestStrangersCloseNoConnectionOfOurs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := new(siptest.Network)
		ours := connectionOfOurs(t, n, 4)
		for range 10 {
			c, err := n.Host("192.0.2.3").DialContext(t.Context(), "tcp", "192.0.2.1:5060")
			require.NoError(t, err)
			defer c.Close()
			time.Sleep(time.Millisecond)
		}
		require.NoError(t, ours.SetReadDeadline(time.Now().Add(time.Second)))
		_, err := io.ReadAll(ours)
		assert.ErrorIs(t, err, os.ErrDeadlineExceeded, "it is open")
	})
}

// A message that never ends costs its connection.
func TestMessageWithoutAnEnd(t *testing.T) {
	for name, endless := range map[string]string{
		"line":    strings.Repeat("x", 1000),
		"headers": "X: " + strings.Repeat("x", 1000) + "\r\n",
		"fold":    strings.Repeat("x", 1000) + "\r\n ",
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVictim(t)
				c, err := v.network.Host(attackerHost).DialContext(t.Context(), "tcp", victimAddress)
				require.NoError(t, err)
				_, err = io.WriteString(c, "OPTIONS sip:bob@192.0.2.1 SIP/2.0\r\nX: ")
				sent := 0
				for ; err == nil && sent < 1<<20; time.Sleep(time.Millisecond) {
					var n int
					n, err = io.WriteString(c, endless)
					sent += n
				}
				assert.ErrorIs(t, err, syscall.EPIPE)
				assert.Less(t, sent, 80<<10)
				require.NoError(t, c.Close())
				v.forgets()
			})
		})
	}
}

// Large requests fill the room for transactions, are still answered, and then forgotten; calls are refused meanwhile.
func TestLargeRequests(t *testing.T) {
	onStage(t, Options{}, func(t *testing.T, b *stage) {
		large := strings.Repeat("x", 30_000)
		for range 600 {
			b.Send("OPTIONS sip:bob@192.0.2.1 SIP/2.0\nContent-Type: text/plain\n\n" + large)
			assert.Equal(t, 200, b.Final("OPTIONS").Status)
		}
		assert.InDelta(t, maxServingBytes, b.agent.servingBytes.Load(), 100_000)
		b.Send("INVITE sip:bob@192.0.2.1 SIP/2.0\nSubject: " + large + "\n")
		assert.Equal(t, 503, b.Final("INVITE").Status)
		time.Sleep(64 * gosip.T1)
		synctest.Wait()
		assert.Equal(t, remains{}, remainsOf(b.agent))
	})
}

// hangsUp ends a call of the agent's in good order.
func (b *stage) hangsUp(c *Call) {
	b.t.Helper()
	require.NotNil(b.t, c)
	done := make(chan error, 1)
	go func() { done <- c.Bye(b.t.Context()) }()
	b.Respond(b.Request("BYE"), "200 OK", "")
	require.NoError(b.t, <-done)
}
