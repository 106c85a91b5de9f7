package sip

import (
	"context"
	"crypto/tls"
	"crypto/x509"
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

const overTCP = "sip:192.0.2.9;transport=tcp"

// dialler makes an agent that listens nowhere and opens its connections on the network.
func (r *registrar) dialler(t *testing.T, o *Options) *Agent {
	o.Address, o.Dialer = "sip:bob@"+registrarAddress, r.network.Host("192.0.2.1")
	a, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, a.Close()) })
	return a
}

// until waits for a state.
func until(ctx context.Context, t *testing.T, reg *Registration, want func(RegistrationState) bool) {
	t.Helper()
	for changed := reg.Changed(); !want(reg.State()); changed = reg.Changed() {
		select {
		case <-changed:
		case <-ctx.Done():
			require.Fail(t, "the state does not come")
		}
	}
}

// The connection that we opened is registered as a flow, and where the registrar takes it calls say so.
func TestRFC5626_4_2_1_Flow(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, grants("", "Require: outbound"))
		a := r.dialler(t, &Options{InstanceID: instance})
		reg, err := a.Register(ctx, &RegisterOptions{Registrar: overTCP})
		require.NoError(t, err)
		m := r.request(0)
		assert.Regexp(t, `^<sip:bob@192\.0\.2\.1:\d+;transport=tcp>;expires=3600;\+sip\.instance="<`+instance+`>";reg-id=1$`, m.Value("Contact"))
		assert.Equal(t, "path, outbound, gruu", m.Value("Supported"))

		_, _ = a.Invite(ctx, "sip:carol@192.0.2.9;transport=tcp", testMedia("bob")) // 486
		assert.Equal(t, "<"+m.Address("Contact")+";ob>", r.request(1).Value("Contact"), "RFC 5626 §4.3")

		require.NoError(t, reg.Shutdown(ctx))
		m = r.request(2)
		assert.Contains(t, m.Value("Contact"), ";reg-id=1")
		assert.Contains(t, m.Value("Contact"), ";expires=0")
	})
}

// A registrar that finds us by instance and reg-id need not repeat our URI as it was (RFC 5626 §6).
func TestRFC5626_6_OwnFlow(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, func(_ int, req *siptest.Message) (string, string) {
			return "200 OK", `Contact: <` + req.Address("Contact") + `>;expires=10;+sip.instance="<` + instance + `>";reg-id=2` + "\n" +
				`Contact: <sip:bob@198.51.100.1:4711;transport=tcp>;expires=20;reg-id=1;+sip.instance="<` + instance + `>"`
		})
		reg, err := r.dialler(t, &Options{InstanceID: instance}).Register(ctx, &RegisterOptions{Registrar: overTCP})
		require.NoError(t, err)
		assert.Equal(t, 20*time.Second, time.Until(reg.State().Expires))
	})
}

func TestRFC5626_4_2_1_FirstHopLacksOutbound(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, func(n int, req *siptest.Message) (string, string) {
			if strings.Contains(req.Value("Contact"), "reg-id") {
				return "439 First Hop Lacks Outbound Support", ""
			}
			return granted(n, req)
		})
		reg, err := r.dialler(t, &Options{InstanceID: instance}).Register(ctx, &RegisterOptions{Registrar: overTCP, Expires: time.Minute})
		require.NoError(t, err)
		assert.Equal(t, 2, r.count())
		assert.Equal(t, "path, gruu", r.request(1).Value("Supported"))
		time.Sleep(31 * time.Second)
		assert.Equal(t, 3, r.count(), "it is not tried again")
		assert.True(t, reg.State().Registered)
	})
}

// When the connection is gone we register again at once over a new one.
func TestRFC5626_4_4_FlowRecovery(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, grants("", "Require: outbound"))
		a := r.dialler(t, &Options{InstanceID: instance, KeepAlive: -1})
		reg, err := a.Register(ctx, &RegisterOptions{Registrar: overTCP})
		require.NoError(t, err)
		time.Sleep(time.Minute)
		r.network.Host("192.0.2.1").Cut()
		time.Sleep(time.Second)
		require.Equal(t, 2, r.count())
		first, again := r.request(0), r.request(1)
		assert.Equal(t, first.Value("Call-ID"), again.Value("Call-ID"))
		assert.Greater(t, again.Seq(), first.Seq())
		assert.NotEqual(t, first.Address("Contact"), again.Address("Contact"))
		assert.Contains(t, again.Value("Contact"), ";reg-id=1", "so that it replaces the first")
		assert.True(t, reg.State().Registered)
		assert.Equal(t, again.Address("Contact"), reg.State().Contact)
	})
}

// Where the registrar has promised to answer pings (it requires outbound), one without an answer ends the flow, and a new one is registered.
func TestRFC5626_4_4_1_SilentFlow(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, grants("", "Require: outbound"))
		reg, err := r.dialler(t, &Options{InstanceID: instance}).Register(ctx, &RegisterOptions{Registrar: overTCP})
		require.NoError(t, err)
		time.Sleep(defaultKeepAlive*8/10 + pongTime - time.Second)
		assert.Equal(t, 1, r.count())
		time.Sleep(defaultKeepAlive*2/10 + 2*time.Second)
		assert.Equal(t, 2, r.count())
		assert.True(t, reg.State().Registered)
	})
}

// A registrar that closes each connection after its 200 is not flooded.
func TestRFC5626_4_5_ConnectionsThatBreakAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, granted)
		reg, err := r.dialler(t, &Options{}).Register(ctx, &RegisterOptions{Registrar: overTCP})
		require.NoError(t, err)
		for range 60 {
			time.Sleep(time.Second)
			r.network.Host("192.0.2.1").Cut()
		}
		assert.LessOrEqual(t, r.count(), 10)
		until(ctx, t, reg, func(s RegistrationState) bool { return s.Registered })
	})
}

// While nobody listens at the registrar we are not registered, and know why.
func TestRegistrarGoesAway(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, granted)
		reg, err := r.dialler(t, &Options{}).Register(ctx, &RegisterOptions{Registrar: overTCP})
		require.NoError(t, err)
		r.Close()
		until(ctx, t, reg, func(s RegistrationState) bool { return !s.Registered && s.Err != nil && !s.Retry.IsZero() })
		assert.NotContains(t, reg.State().Err.Error(), "bob")
		require.NoError(t, reg.Close())
	})
}

// Without an instance, what we had registered over the old connection is taken away where the registrar still lists it; that of others is not.
func TestRFC3261_10_2_2_RemovesItsOldContact(t *testing.T) {
	for _, silent := range []bool{false, true} {
		bubble(t, func(t *testing.T, ctx context.Context) {
			const others = "<sip:bob@192.0.2.7;transport=tcp>;expires=100"
			var first string
			r := newRegistrar(t, func(n int, req *siptest.Message) (string, string) {
				switch n {
				case 0:
					first = req.Value("Contact")
				case 1:
					return "200 OK", "Contact: " + first + ", " + others + ", " + req.Value("Contact")
				case 2:
					if silent {
						return "", ""
					}
				}
				return granted(n, req)
			})
			reg, err := r.dialler(t, &Options{}).Register(ctx, &RegisterOptions{Registrar: overTCP})
			require.NoError(t, err)
			time.Sleep(time.Minute)
			r.network.Host("192.0.2.1").Cut()
			time.Sleep(time.Second)
			synctest.Wait()
			require.Equal(t, 3, r.count())
			assert.Equal(t, []string{"<" + r.request(0).Address("Contact") + ">;expires=0"}, r.request(2).Values("Contact"))
			assert.True(t, reg.State().Registered, "whatever comes of it")
			assert.Equal(t, r.request(1).Address("Contact"), reg.State().Contact)
		})
	}
}

// A refresh goes over the same connection, though DNS may name another server first.
func TestRFC5626_4_2_1_RefreshOverTheSameFlow(t *testing.T) {
	r := &Registration{last: hop{network: "tcp", name: "b"}}
	a, b, c := hop{network: "tcp", name: "a"}, hop{network: "tcp", name: "b"}, hop{network: "tcp", name: "c"}
	assert.Equal(t, []hop{b, a, c}, r.lastFirst([]hop{a, b, c}))
	assert.Equal(t, []hop{a, c}, r.lastFirst([]hop{a, c}))
	assert.Empty(t, r.lastFirst(nil))
}

// With a sips address REGISTER goes over TLS alone, to a server that has the domain's certificate, and the Contact is a sips URI.
func TestRFC5630_4_RegistersASIPSAddress(t *testing.T) {
	for _, tt := range []struct{ name, certified string }{{"the domain", registrarAddress}, {"another domain", "192.0.2.8"}} {
		t.Run(tt.name, func(t *testing.T) {
			config, now := secured(t, tt.certified), time.Now() // the bubble has another time
			config.Time = func() time.Time { return now }
			bubble(t, func(t *testing.T, ctx context.Context) {
				r := newRegistrar(t, granted)
				l, err := r.network.Host(registrarAddress).Listen(5061)
				require.NoError(t, err)
				t.Cleanup(func() { _ = l.Close() })
				go func() {
					for c, err := l.Accept(); err == nil; c, err = l.Accept() {
						r.Use(tls.Server(c, config), "TLS")
					}
				}()
				a, err := New(&Options{Address: "sips:bob@" + registrarAddress, Dialer: r.network.Host("192.0.2.1"), TLS: config})
				require.NoError(t, err)
				t.Cleanup(func() { assert.NoError(t, a.Close()) })
				ctx, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				reg, err := a.Register(ctx, nil)
				if tt.certified != registrarAddress {
					var wrong x509.HostnameError
					require.ErrorAs(t, err, &wrong)
					assert.Zero(t, r.count(), "nothing went elsewhere")
					return
				}
				require.NoError(t, err)
				m := r.request(0)
				assert.Equal(t, "sips:"+registrarAddress, m.URI)
				assert.Equal(t, "<sips:bob@192.0.2.9>", m.Value("To"))
				assert.Regexp(t, `^sips:bob@192\.0\.2\.1:\d+;transport=tcp$`, m.Address("Contact"))
				assert.Equal(t, m.Address("Contact"), reg.State().Contact)
			})
		})
	}
}

// Over UDP an empty line keeps the way through NATs open, and we register again when our own address has changed.
func TestRFC5626_4_4_UDP(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, granted)
		var pings atomic.Int32
		r.network.Datagrams = func(_, to netip.AddrPort, payload []byte) []time.Duration {
			if to.Addr().String() == registrarAddress && string(payload) == doubleCRLF {
				pings.Add(1)
			}
			return []time.Duration{0}
		}
		a := r.agent(t, &Options{})
		reg, err := a.Register(ctx, nil)
		require.NoError(t, err)
		time.Sleep(5*time.Minute + time.Second)
		assert.Equal(t, int32(10), pings.Load())
		assert.Equal(t, 1, r.count())

		a.mu.Lock()
		a.listening["udp"] = netip.MustParseAddrPort("192.0.2.2:5060")
		a.mu.Unlock()
		time.Sleep(defaultKeepAlive + time.Second)
		assert.Equal(t, "sip:bob@192.0.2.2:5060;transport=udp", reg.State().Contact)
		assert.Equal(t, 2, r.count())
	})
}

func TestRFC5626_4_4_1_FlowTimerOfTheRegistrar(t *testing.T) {
	for _, tt := range []struct {
		name, rest string
		keepAlive  time.Duration
		want       time.Duration // 0: as always
	}{
		{"shorter than ours", "Flow-Timer: 20", 30 * time.Second, 20 * time.Second},
		{"longer than ours", "Flow-Timer: 120", 30 * time.Second, 30 * time.Second},
		{"ours is none", "Flow-Timer: 120", -1, 2 * time.Minute},
		{"very short", "Flow-Timer: 1", 30 * time.Second, minRefresh},
		{"zero", "Flow-Timer: 0", 30 * time.Second, 0},
		{"no number", "Flow-Timer: soon", 30 * time.Second, 0},
		{"outbound alone", "Require: path, Outbound", 30 * time.Second, 30 * time.Second},
		{"neither", "", 30 * time.Second, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				r := newRegistrar(t, grants("", tt.rest))
				a := r.dialler(t, &Options{InstanceID: instance})
				_, err := a.Register(ctx, &RegisterOptions{Registrar: overTCP})
				require.NoError(t, err)
				assert.Equal(t, tt.want, a.binding().pings(tt.keepAlive))
			})
		})
	}
}
