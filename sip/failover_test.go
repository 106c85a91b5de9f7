package sip

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/dnstest"
)

func hopTo(n int) hop {
	return hop{network: "tcp", addr: netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, byte(n >> 8), byte(n)}), 5060)}
}

func replied(code int, headers ...gosip.Header) *gosip.Response {
	res := gosip.NewResponse(code, "Reason")
	for _, h := range headers {
		res.AppendHeader(h)
	}
	return res
}

// What counts as a failure, and which result remains when all hops fail.
func TestRFC3263_4_3_WhatFails(t *testing.T) {
	refused := errors.New("connection refused")
	type outcome struct {
		code int
		err  error
	}
	for _, tt := range []struct {
		name     string
		outcomes []outcome
		tried    int
		code     int
		errs     []error
	}{
		{"success", []outcome{{200, nil}, {200, nil}}, 1, 200, nil},
		{"an ACK, which has no response", []outcome{{0, nil}, {0, nil}}, 1, 0, nil},
		{"another refusal", []outcome{{500, nil}, {200, nil}}, 1, 500, nil},
		{"a challenge", []outcome{{401, nil}, {200, nil}}, 1, 401, nil},
		{"transport error", []outcome{{0, refused}, {200, nil}}, 2, 200, nil},
		{"timeout", []outcome{{0, ErrTimeout}, {200, nil}}, 2, 200, nil},
		{"503", []outcome{{503, nil}, {200, nil}}, 2, 200, nil},
		{"the third answers", []outcome{{503, nil}, {0, refused}, {486, nil}}, 3, 486, nil},
		{"503 tells more than an error", []outcome{{503, nil}, {0, refused}}, 2, 503, nil},
		{"one error", []outcome{{0, refused}}, 1, 0, []error{refused}},
		{"all errors", []outcome{{0, refused}, {0, ErrTimeout}}, 2, 0, []error{refused, ErrTimeout}},
		{"a server had begun to serve it", []outcome{{0, noFailover(ErrTimeout)}, {200, nil}}, 1, 0, []error{ErrTimeout}},
		{"the agent is closed", []outcome{{0, ErrClosed}, {200, nil}}, 1, 0, []error{ErrClosed}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := newLocator(t, nil, true)
			var hops, tried []hop
			for i := range tt.outcomes {
				hops = append(hops, hopTo(i))
			}
			res, err := a.failover(testContext(t), hops, func(h hop) (*gosip.Response, error) {
				o := tt.outcomes[len(tried)]
				tried = append(tried, h)
				if o.code == 0 {
					return nil, o.err
				}
				return replied(o.code), o.err
			})
			assert.Equal(t, hops[:tt.tried], tried)
			if tt.errs == nil {
				require.NoError(t, err)
			}
			for _, want := range tt.errs {
				assert.ErrorIs(t, err, want)
			}
			if tt.code == 0 {
				assert.Nil(t, res)
			} else {
				assert.Equal(t, tt.code, res.StatusCode)
			}
		})
	}
	t.Run("the caller gives up", func(t *testing.T) {
		ctx, cancel := context.WithCancel(testContext(t))
		tried := 0
		_, err := newLocator(t, nil, true).failover(ctx, []hop{hopTo(1), hopTo(2)}, func(hop) (*gosip.Response, error) {
			tried++
			cancel()
			return nil, ctx.Err()
		})
		assert.ErrorIs(t, err, context.Canceled)
		assert.Equal(t, 1, tried)
	})
}

// A hop that failed comes last for five minutes, or as long as its 503 says (RFC 3261 §21.5.4), and is not given up.
func TestRFC3261_21_5_4_RetryAfter(t *testing.T) {
	for _, tt := range []struct {
		name   string
		header []gosip.Header
		err    error
		last   time.Duration
	}{
		{"transport error", nil, errors.New("connection refused"), outageTime},
		{"no Retry-After", nil, nil, 0},
		{"Retry-After", []gosip.Header{header("Retry-After", "20")}, nil, 20 * time.Second},
		{"with a comment", []gosip.Header{header("Retry-After", "30 (I'm in a meeting);duration=3600")}, nil, 30 * time.Second},
		{"longer than we remember", []gosip.Header{header("Retry-After", "4294967295")}, nil, outageTime},
		{"no number", []gosip.Header{header("Retry-After", "99999999999999999999")}, nil, 0},
		{"negative", []gosip.Header{header("Retry-After", "-5")}, nil, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				a := newLocator(t, nil, true)
				bad, good := hopTo(1), hopTo(2)
				var tried []hop
				send := func() {
					tried = nil
					_, err := a.failover(t.Context(), []hop{bad, good}, func(h hop) (*gosip.Response, error) {
						tried = append(tried, h)
						if h != bad {
							return replied(200), nil
						}
						if tt.err != nil {
							return nil, tt.err
						}
						return replied(503, tt.header...), nil
					})
					require.NoError(t, err)
				}
				send()
				assert.Equal(t, []hop{bad, good}, tried)
				if tt.last > 0 {
					send()
					assert.Equal(t, []hop{good}, tried)
					time.Sleep(tt.last - time.Nanosecond)
					send()
					assert.Equal(t, []hop{good}, tried)
					time.Sleep(time.Nanosecond)
				}
				send()
				assert.Equal(t, []hop{bad, good}, tried)
			})
		})
	}
}

func TestOutages(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var o outages
		assert.Equal(t, []hop{hopTo(1)}, o.order([]hop{hopTo(1)}))
		o.note(hopTo(1), time.Minute)
		o.note(hopTo(3), time.Minute)
		assert.Equal(t, []hop{hopTo(2), hopTo(4), hopTo(1), hopTo(3)}, o.order([]hop{hopTo(1), hopTo(2), hopTo(3), hopTo(4)}))
		assert.Equal(t, []hop{hopTo(1)}, o.order([]hop{hopTo(1)}), "the only one there is")
		o.forget(hopTo(1))
		assert.Equal(t, []hop{hopTo(1), hopTo(2), hopTo(3)}, o.order([]hop{hopTo(1), hopTo(2), hopTo(3)}))
		for i := range 10 * maxOutages {
			o.note(hopTo(i), time.Minute)
		}
		assert.Len(t, o.until, maxOutages)
		o.note(hopTo(9), time.Hour)
		time.Sleep(time.Minute)
		for i := range maxOutages / 2 {
			o.note(hopTo(i), time.Minute)
		}
		assert.Equal(t, []hop{hopTo(3000), hopTo(9)}, o.order([]hop{hopTo(9), hopTo(3000)}), "those that are over made room")
	})
}

// deadPort is a TCP port of the loopback address that nobody listens on.
func deadPort(t *testing.T) uint16 {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return uint16(l.Addr().(*net.TCPAddr).Port)
}

func portOf(t *testing.T, a *Agent, network string) uint16 {
	ap, ok := a.listensOn(network)
	require.True(t, ok)
	return ap.Port()
}

// A domain with three servers: the first is dead, the second says 503, the third takes the call. The name in its NAPTR record that
// leads nowhere and the SRV records that cannot be looked up cost nothing.
func TestRFC3263_4_3_ThirdServerTakesTheCall(t *testing.T) {
	busy, bob := newTestAgent(t, &Options{}, "tcp"), newTestAgent(t, &Options{}, "tcp")
	busy.drain() // answers 503 from now on
	dead := deadPort(t)
	s := dnstest.Serve(t, fmt.Sprintf(`
example.test.            NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.gone.test.
example.test.            NAPTR 10 20 "s" "SIP+D2T" "" _sip._tcp.example.test.
_sip._tcp.example.test.  SRV   1 0 %d gone.example.test.
_sip._tcp.example.test.  SRV   2 0 %d one.example.test.
_sip._tcp.example.test.  SRV   3 0 %d one.example.test.
_sip._tcp.example.test.  SRV   4 0 %d one.example.test.
one.example.test.        A     127.0.0.1
`, dead, dead, portOf(t, busy, "tcp"), portOf(t, bob, "tcp")))
	s.Break("SRV _sip._tcp.gone.test.", dnstest.ServerFailure)
	alice := newTestAgent(t, &Options{Address: "sip:alice@example.com", Resolver: &DNS{Servers: []string{s.Addr}}}, "tcp")

	call := func() *Call {
		answered := make(chan error, 1)
		go func() {
			i, err := bob.Accept(testContext(t))
			if err == nil {
				_, err = i.Answer(testContext(t), testMedia("bob"))
			}
			answered <- err
		}()
		c, err := alice.Invite(testContext(t), "sip:bob@example.test", testMedia("alice"))
		require.NoError(t, err)
		require.NoError(t, <-answered)
		return c
	}
	c := call()
	assert.Equal(t, "sip:bob@example.test", c.RemoteAddress())
	require.NoError(t, c.Bye(testContext(t)))

	l, err := net.Listen("tcp", fmt.Sprint("127.0.0.1:", dead))
	if err != nil {
		t.Log("another program took the port meanwhile:", err)
		return
	}
	defer l.Close()
	var visits atomic.Int32
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			visits.Add(1)
			_ = c.Close()
		}
	}()
	require.NoError(t, call().Bye(testContext(t)))
	_ = l.Close()
	<-done
	assert.Zero(t, visits.Load(), "the server that was dead is not asked again so soon")
}

func TestRFC3263_4_3_NoServerLeft(t *testing.T) {
	dead := deadPort(t)
	z := newZone(map[string][]string{
		"SRV _sip._tcp.example.com": {fmt.Sprintf("0 0 %d one.example.com.", dead)},
		"A one.example.com":         {"127.0.0.1", "127.0.0.2"},
	})
	alice := newTestAgent(t, &Options{Address: "sip:alice@example.com", Resolver: z}, "tcp")
	_, err := alice.Invite(testContext(t), "sip:bob@example.com", testMedia("alice"))
	require.ErrorIs(t, err, syscall.ECONNREFUSED)
	for _, ip := range []string{"127.0.0.1", "127.0.0.2"} {
		assert.ErrorContains(t, err, fmt.Sprintf("%s:%d", ip, dead))
	}
	_, err = alice.Invite(testContext(t), "sip:bob@example.org", testMedia("alice"))
	assert.ErrorIs(t, err, ErrNoServer)
}

// The INVITE for the next server is the same but for the branch, and CANCEL follows it (RFC 3263 §4, §4.3).
func TestRFC3263_4_3_SameRequestAnotherBranch(t *testing.T) {
	first, second := newPeer(t), newPeer(t)
	z := newZone(map[string][]string{
		"SRV _sip._udp.example.com": {
			"1 0 " + port(first.addr()) + " one.example.com.", "2 0 " + port(second.addr()) + " one.example.com.",
		},
		"A one.example.com": {"127.0.0.1"},
	})
	alice := newTestAgent(t, &Options{Address: "sip:alice@example.com", Resolver: z}, "udp")
	ctx, cancel := context.WithCancel(testContext(t))
	done := make(chan error, 1)
	go func() {
		_, err := alice.Invite(ctx, "sip:bob@example.com", testMedia("alice"))
		done <- err
	}()
	one := first.request(gosip.INVITE)
	first.respond(one, 503, "Retry-After: 60\n")
	ack := first.request(gosip.ACK)
	assert.Equal(t, branch(one), branch(ack))
	two := second.request(gosip.INVITE)
	second.respond(two, 180, "")
	time.AfterFunc(10*time.Millisecond, cancel)
	canceled := second.request(gosip.CANCEL)
	second.respond(canceled, 200, "")
	second.respond(two, 487, "")
	assert.ErrorIs(t, <-done, context.Canceled)
	assert.Equal(t, branch(two), branch(canceled))
	assert.NotEqual(t, branch(one), branch(two))

	without := func(r *gosip.Request) string {
		r = r.Clone()
		r.RemoveHeader("Via")
		return r.String()
	}
	assert.Equal(t, without(one), without(two))
	first.none(100*time.Millisecond, func(m gosip.Message) bool {
		r, ok := m.(*gosip.Request)
		return ok && r.Method == gosip.CANCEL
	})
}

func port(addr string) string { return addr[strings.LastIndexByte(addr, ':')+1:] }

// The certificate must be for the domain of the URI, not for the server that DNS names; the next server has its turn, but none
// without TLS (RFC 5922 §4).
func TestRFC3263_4_3_TLS(t *testing.T) {
	config, other := secured(t, "example.com"), secured(t, "one.example.net")
	config.RootCAs.AddCert(other.Certificates[0].Leaf) // trusted, but for another name
	mallory, bob, plain := newTestAgent(t, &Options{TLS: other}, "tls"), newTestAgent(t, &Options{TLS: config}, "tls"), newTestAgent(t, &Options{}, "tcp")
	z := newZone(map[string][]string{
		"SRV _sips._tcp.example.com": {fmt.Sprintf("1 0 %d one.example.net.", portOf(t, mallory, "tls"))},
		"SRV _sip._tcp.example.com":  {fmt.Sprintf("0 0 %d one.example.net.", portOf(t, plain, "tcp"))},
		"A one.example.net":          {"127.0.0.1"},
	})
	alice := newTestAgent(t, &Options{Address: "sip:alice@example.com", Resolver: z, TLS: config})
	for _, scheme := range []string{"sip", "sips"} {
		_, err := alice.Invite(testContext(t), scheme+":bob@example.com", testMedia("alice"))
		var bad x509.HostnameError
		assert.ErrorAs(t, err, &bad, scheme)
	}
	assert.Nil(t, mallory.dequeue())
	assert.Nil(t, plain.dequeue())

	z.records["SRV _sips._tcp.example.com"] = append(z.records["SRV _sips._tcp.example.com"],
		fmt.Sprintf("2 0 %d one.example.net.", portOf(t, bob, "tls")))
	for _, scheme := range []string{"sip", "sips"} {
		done := inviteTo(testContext(t), alice, scheme+":bob@example.com")
		i, err := bob.Accept(testContext(t))
		require.NoError(t, err)
		require.NoError(t, i.Reject(testContext(t), 486, ""))
		assert.ErrorIs(t, (<-done).err, ErrBusy)
	}
}

// Of the addresses of both families that a server has, the one is used that our socket and the server can (RFC 7984 §3.1).
func TestRFC7984_3_1_BothFamilies(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		bob := newTestAgent(t, &Options{}, network)
		z := newZone(map[string][]string{"A one.example.com": {"::1", "127.0.0.1"}})
		z.records["SRV _sip._"+network+".example.com"] = []string{fmt.Sprintf("0 0 %d one.example.com.", portOf(t, bob, network))}
		alice := newTestAgent(t, &Options{Address: "sip:alice@example.com", Resolver: z}, network)
		done := inviteTo(testContext(t), alice, "sip:bob@example.com")
		i, err := bob.Accept(testContext(t))
		require.NoError(t, err)
		require.NoError(t, i.Reject(testContext(t), 486, ""))
		assert.ErrorIs(t, (<-done).err, ErrBusy)
	})
}
