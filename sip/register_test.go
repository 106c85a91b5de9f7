package sip

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// A registrar is the other end of REGISTERs on a network in memory. It answers each as the test says.
type registrar struct {
	*siptest.Peer
	network siptest.Network

	mu       sync.Mutex
	requests []*siptest.Message
	times    []time.Time
	answer   func(n int, req *siptest.Message) (status, rest string)
}

const registrarAddress = "192.0.2.9"

// newRegistrar answers the n-th REGISTER (from 0) with what answer returns: a status line without the version, and header fields. An empty status
// is no answer. It must be made inside a bubble.
func newRegistrar(t *testing.T, answer func(n int, req *siptest.Message) (status, rest string)) *registrar {
	r := &registrar{answer: answer}
	r.Peer = siptest.NewPeer(t, r.network.Host(registrarAddress))
	go func() {
		for m := range r.In {
			r.serve(m)
		}
	}()
	return r
}

// serve answers a REGISTER; any other request finds nobody.
func (r *registrar) serve(m *siptest.Message) {
	if m.Method == "ACK" {
		return
	}
	r.mu.Lock()
	n := len(r.requests)
	r.requests = append(r.requests, m)
	r.times = append(r.times, time.Now())
	answer := r.answer
	r.mu.Unlock()
	status, rest := "486 Busy Here", ""
	if m.Method == "REGISTER" {
		status, rest = answer(n, m)
	}
	if status != "" {
		r.Respond(m, status, rest)
	}
}

// then changes how it answers.
func (r *registrar) then(answer func(n int, req *siptest.Message) (status, rest string)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.answer = answer
}

func (r *registrar) request(n int) *siptest.Message {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.requests[n]
}

func (r *registrar) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.requests)
}

// pause is the time between the n-th REGISTER and the one before it.
func (r *registrar) pause(n int) time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.times[n].Sub(r.times[n-1])
}

// agent makes one that listens for datagrams on the network.
func (r *registrar) agent(t *testing.T, o *Options) *Agent {
	if o.Address == "" {
		o.Address = "sip:bob@" + registrarAddress
	}
	a, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, a.Close()) })
	c, err := r.network.Host("192.0.2.1").ListenPacket(5060)
	require.NoError(t, err)
	require.NoError(t, a.ListenPacketOn(c))
	return a
}

// granted is a 200 that grants what was asked.
func granted(_ int, req *siptest.Message) (status, rest string) { return "200 OK", listing(req, "") }

// listing is the Contact of a 200, with further header fields.
func listing(req *siptest.Message, rest string) string {
	return "Contact: " + req.Value("Contact") + "\n" + rest
}

// bubble runs a test in a synctest bubble.
func bubble(t *testing.T, f func(t *testing.T, ctx context.Context)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 24*time.Hour)
		defer cancel()
		f(t, ctx)
	})
}

func TestRFC3261_10_2_Register(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, granted)
		a := r.agent(t, &Options{DisplayName: "Bob"})
		reg, err := a.Register(ctx, &RegisterOptions{Expires: 10 * time.Minute, Q: 0.5})
		require.NoError(t, err)

		m := r.request(0)
		assert.Equal(t, "REGISTER sip:192.0.2.9 SIP/2.0", m.String())
		assert.Equal(t, "<sip:bob@192.0.2.9>", m.Value("To"))
		assert.Regexp(t, `^"Bob" <sip:bob@192\.0\.2\.9>;tag=\w+$`, m.Value("From"))
		assert.Equal(t, "<sip:bob@192.0.2.1:5060;transport=udp>;expires=600;q=0.5", m.Value("Contact"))
		assert.Equal(t, "600", m.Value("Expires"))
		assert.Equal(t, "path", m.Value("Supported"))
		assert.Equal(t, "70", m.Value("Max-Forwards"))
		assert.Empty(t, m.Values("Route"))

		s := reg.State()
		assert.True(t, s.Registered)
		assert.Equal(t, 10*time.Minute, time.Until(s.Expires))
		assert.Equal(t, "sip:bob@192.0.2.1:5060;transport=udp", s.Contact)
		assert.NoError(t, s.Err)
		assert.NoError(t, reg.Err())
		assert.WithinRange(t, s.Retry, time.Now().Add(8*time.Minute), time.Now().Add(9*time.Minute))

		time.Sleep(9 * time.Minute)
		again := r.request(1)
		assert.Equal(t, m.Value("Call-ID"), again.Value("Call-ID"))
		assert.Equal(t, m.Param("From", "tag"), again.Param("From", "tag"))
		assert.Equal(t, m.Seq()+1, again.Seq())
		assert.NotEqual(t, m.Param("Via", "branch"), again.Param("Via", "branch"))
		assert.True(t, reg.State().Registered)

		require.NoError(t, reg.Shutdown(ctx))
		require.Equal(t, 3, r.count())
		m = r.request(2)
		assert.Equal(t, "<sip:bob@192.0.2.1:5060;transport=udp>;expires=0;q=0.5", m.Value("Contact"))
		assert.Equal(t, "0", m.Value("Expires"))
		<-reg.Done()
		assert.ErrorIs(t, reg.Err(), ErrClosed)
		assert.Equal(t, RegistrationState{}, reg.State())
		assert.NoError(t, reg.Shutdown(ctx), "again")
		assert.NoError(t, reg.Close())
		assert.Equal(t, 3, r.count())
	})
}

func TestRFC3261_10_2_8_IntervalTooBrief(t *testing.T) {
	for _, tt := range []struct {
		name, least string
		requests    int
		code        int // 0: registered in the end
	}{
		{"more", "Min-Expires: 7200", 2, 0},
		{"a day", "Min-Expires: 86400", 2, 0},
		{"more than a day", "Min-Expires: 86401", 1, 423},
		{"no more", "Min-Expires: 3600", 1, 423},
		{"none", "X: y", 1, 423},
		{"no number", "Min-Expires: -1", 1, 423},
		{"more than 32 bits", "Min-Expires: 4294967296", 1, 423},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				r := newRegistrar(t, func(n int, req *siptest.Message) (string, string) {
					if n == 0 {
						return "423 Interval Too Brief", tt.least
					}
					return granted(n, req)
				})
				reg, err := r.agent(t, &Options{}).Register(ctx, nil)
				assert.Equal(t, tt.requests, r.count())
				if tt.code != 0 {
					assert.Equal(t, &StatusError{tt.code, "Interval Too Brief"}, err)
					return
				}
				require.NoError(t, err)
				want := strings.TrimPrefix(tt.least, "Min-Expires: ")
				assert.Equal(t, want, r.request(1).Value("Expires"))
				assert.Equal(t, want, fmt.Sprint(time.Until(reg.State().Expires).Seconds()))
			})
		})
	}
	t.Run("ever more", func(t *testing.T) {
		bubble(t, func(t *testing.T, ctx context.Context) {
			r := newRegistrar(t, func(n int, req *siptest.Message) (string, string) {
				return "423 Interval Too Brief", fmt.Sprint("Min-Expires: ", 4000+n)
			})
			_, err := r.agent(t, &Options{}).Register(ctx, nil)
			assert.Equal(t, &StatusError{423, "Interval Too Brief"}, err)
			assert.Equal(t, 1+maxConcessions, r.count())
		})
	})
}
