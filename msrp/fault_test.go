package msrp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// The tests of this file and its neighbours fault_*_test.go use msrp from outside, as an application does, over a network that fails on demand. They run in
// bubbles: whatever hangs there is a failed test, and so is a goroutine that outlives the endpoints.

// endpoint opens a session at a new endpoint that listens and dials on n.
func endpoint(t testing.TB, n *msrptest.Network, address string, o *msrp.Options) *msrp.Session {
	t.Helper()
	var opts msrp.Options
	if o != nil {
		opts = *o
	}
	opts.Dialer = n
	e, err := msrp.New(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	l, err := n.Listen(address)
	require.NoError(t, err)
	require.NoError(t, e.Serve(l))
	s, err := e.NewSession(nil)
	require.NoError(t, err)
	return s
}

// withPeer connects a session in the given role to a peer in the hands of the test. Nothing is recorded.
func withPeer(t testing.TB, role msrp.Role, o *msrp.Options) (*msrp.Session, *msrptest.Peer) {
	t.Helper()
	n := &msrptest.Network{Record: -1}
	s := endpoint(t, n, "app.example.com:2855", o)
	p := msrptest.NewPeer(t, n)
	require.NoError(t, p.Connect(t.Context(), s, role))
	return s, p
}

// inBothRoles runs a test in a bubble for an active session and for a passive one.
func inBothRoles(t *testing.T, test func(t *testing.T, role msrp.Role)) {
	for role, name := range map[msrp.Role]string{msrp.Active: "active", msrp.Passive: "passive"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { test(t, role) })
		})
	}
}

func words(s string) *msrp.Message {
	return &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: []byte(s)}
}

// request is a SEND of the peer's as text, for what no encoder would write.
func request(p *msrptest.Peer, id, headers, body string, flag msrp.Continuation) string {
	w := fmt.Sprintf("MSRP %s SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\n%s", id, p.Remote, p.Path, headers)
	if strings.Contains(headers, "Content-Type") {
		w += "\r\n" + body + "\r\n"
	}
	return w + "-------" + id + string(rune(flag)) + "\r\n"
}

// alive tells whether the session still takes a message from the peer and gets one through to it.
func alive(t testing.TB, s *msrp.Session, p *msrptest.Peer) {
	t.Helper()
	require.NoError(t, s.Err())
	_, err := io.WriteString(p.Conn, request(p, "alive1", "Message-ID: alive\r\nContent-Type: text/plain\r\n", "still there?", msrp.Complete))
	require.NoError(t, err)
	f, err := p.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, "alive1", string(f.TransactionID))
	require.Equal(t, msrp.StatusOK, f.Status)
	m, err := s.Receive(t.Context())
	require.NoError(t, err)
	require.Equal(t, "still there?", string(m.Body))
	d, err := s.Send(t.Context(), words("yes"))
	require.NoError(t, err)
	f, err = p.Next(t.Context())
	require.NoError(t, err)
	require.Equal(t, "yes", string(f.Body))
	require.NoError(t, p.Respond(f, msrp.StatusOK))
	require.NoError(t, d.Wait(t.Context()))
}

// heap is what the process really holds, in bytes.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC() // what a sync.Pool held the first time
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// conversation is two sessions that say a few things to each other, on a network that may fail at any moment.
type conversation struct {
	a, p *msrp.Session
	said []*said
}

// said is one message with what became of it.
type said struct {
	to   *msrp.Session
	text string
	err  error // nil: delivered, and reported if it was to be
	sure bool  // a success report was asked for
}

// hold connects two sessions and has them talk. It returns when every Delivery has ended.
func hold(t *testing.T, n *msrptest.Network) *conversation {
	c := &conversation{a: endpoint(t, n, "active.example.com:2855", nil), p: endpoint(t, n, "passive.example.com:2855", nil)}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	connected := make(chan error, 1)
	go func() { connected <- c.p.Connect(ctx, c.a.LocalPath(), msrp.Passive, nil) }()
	if c.a.Connect(ctx, c.p.LocalPath(), msrp.Active, nil) != nil {
		synctest.Wait()
		cancel() // else the passive side waits for another connection
	}
	<-connected
	var sent []*msrp.Delivery
	for i, m := range []*msrp.Message{
		{SuccessReport: true}, {SuccessReport: true, FailureReport: msrp.Partial}, {}, {SuccessReport: true, FailureReport: msrp.No},
	} {
		from, to := c.a, c.p
		if i%2 == 1 {
			from, to = to, from
		}
		text := fmt.Sprint("message ", i)
		m.ContentType, m.Body = "text/plain", []byte(text)
		d, err := from.Send(t.Context(), m)
		sent = append(sent, d)
		c.said = append(c.said, &said{to, text, err, m.SuccessReport})
	}
	for i, d := range sent {
		if d != nil {
			c.said[i].err = d.Wait(t.Context())
		}
	}
	return c
}

// received ends the session and returns what it had got.
func received(t *testing.T, s *msrp.Session) (texts []string) {
	s.Close()
	for m, err := range s.Messages(t.Context()) {
		if err != nil {
			return texts
		}
		texts = append(texts, string(m.Body))
	}
	return texts
}

// A connection that is reset after any byte of a conversation, in either direction, ends both sessions and every Delivery at once, not by a
// timeout; and a Delivery that says "delivered" is true.
func TestFaultResetAtEveryByte(t *testing.T) {
	for direction, last := range lengthOfConversation(t) {
		for cut := int64(1); cut <= last; cut++ {
			n := &msrptest.Network{ToPassive: msrptest.Faults{Cut: cut}}
			if direction == 1 {
				n = &msrptest.Network{ToActive: msrptest.Faults{Cut: cut}}
			}
			synctest.Test(t, func(t *testing.T) { resetConversation(t, n, fmt.Sprintf("direction %d, byte %d", direction, cut)) })
		}
	}
}

// lengthOfConversation is how many bytes it takes in each direction where nothing goes wrong.
func lengthOfConversation(t *testing.T) (whole [2]int64) {
	synctest.Test(t, func(t *testing.T) {
		n := &msrptest.Network{}
		c := hold(t, n)
		for _, m := range c.said {
			require.NoError(t, m.err)
		}
		synctest.Wait()
		whole = [2]int64{n.Wires()[0].ToPassive.Passed(), n.Wires()[0].ToActive.Passed()}
	})
	require.Greater(t, min(whole[0], whole[1]), int64(500))
	return whole
}

func resetConversation(t *testing.T, n *msrptest.Network, at string) {
	begin := time.Now()
	c := hold(t, n)
	<-c.a.Done()
	<-c.p.Done()
	require.Zero(t, time.Since(begin), at)
	require.NotErrorIs(t, c.a.Err(), msrp.ErrMalformed, at)
	require.NotErrorIs(t, c.p.Err(), msrp.ErrMalformed, at)
	got := map[*msrp.Session][]string{c.a: received(t, c.a), c.p: received(t, c.p)}
	for _, m := range c.said {
		if m.err == nil && m.sure {
			require.Contains(t, got[m.to], m.text, at)
		}
	}
	for _, texts := range got {
		for _, text := range texts {
			require.Regexp(t, `^message \d$`, text, at)
		}
	}
}

// However the stream is cut into pieces, the conversation is the same.
func TestFaultSplitAtEveryByte(t *testing.T) {
	for split := 1; split < 200; split++ {
		synctest.Test(t, func(t *testing.T) {
			f := msrptest.Faults{Split: split}
			c := hold(t, &msrptest.Network{ToPassive: f, ToActive: f})
			for _, m := range c.said {
				require.NoError(t, m.err)
			}
		})
	}
}

// A peer that hangs up after any byte ends the session at once, and what it had not finished saying is not shown.
func TestFaultHangUpAtEveryByte(t *testing.T) {
	for _, role := range []msrp.Role{msrp.Active, msrp.Passive} {
		size := 1
		for n := 0; n < size; n++ {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				s, p := withPeer(t, role, nil)
				script := request(p, "aaaa1", "Message-ID: m1\r\nByte-Range: 1-5/10\r\nContent-Type: text/plain\r\n", "hello", msrp.More) +
					request(p, "aaaa2", "Message-ID: m1\r\nByte-Range: 6-10/10\r\nContent-Type: text/plain\r\n", "world", msrp.Complete)
				size = len(script)
				d, err := s.Send(t.Context(), words("unanswered"))
				require.NoError(t, err)
				_, err = io.WriteString(p.Conn, script[:n])
				require.NoError(t, err)
				require.NoError(t, p.Close())
				<-s.Done()
				require.True(t, errors.Is(s.Err(), io.EOF) || errors.Is(s.Err(), io.ErrUnexpectedEOF) || errors.Is(s.Err(), syscall.EPIPE), "byte %d: %v", n, s.Err())
				require.Error(t, d.Wait(t.Context()))
				require.Empty(t, received(t, s))
				require.Zero(t, time.Since(begin))
			})
		}
	}
}
