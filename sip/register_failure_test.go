package sip

import (
	"context"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// always answers every REGISTER alike.
func always(status, rest string) func(int, *siptest.Message) (string, string) {
	return func(int, *siptest.Message) (string, string) { return status, rest }
}

func TestRegisterIsRefused(t *testing.T) {
	for _, tt := range []struct {
		status   string
		code     int
		requests int
	}{
		{"403 Forbidden", 403, 1},
		{"404 Not Found", 404, 1},
		{"400 Bad Request", 400, 1},
		{"420 Bad Extension", 420, 1},
		{"439 First Hop Lacks Outbound Support", 439, 1},
		{"600 Busy Everywhere", 600, 1},
		{"603 Decline", 603, 1},
	} {
		t.Run(tt.status, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				r := newRegistrar(t, always(tt.status, ""))
				a := r.agent(t, &Options{})
				_, err := a.Register(ctx, nil)
				var status *StatusError
				require.ErrorAs(t, err, &status)
				assert.Equal(t, tt.code, status.Code)
				assert.Equal(t, tt.requests, r.count())

				r.then(granted)
				_, err = a.Register(ctx, nil)
				assert.NoError(t, err, "there is room for another")
			})
		})
	}
}

// What may pass is tried again after 2 seconds, then after twice the time until it is 5 minutes, of which 50 to 100 %.
func TestRFC5626_4_5_Backoff(t *testing.T) {
	for _, status := range []string{"408 Request Timeout", "430 Flow Failed", "480 Temporarily Unavailable", "491 Request Pending", "500 Error", "503 Overload", "504 Timeout", ""} {
		t.Run("status "+status, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				r := newRegistrar(t, always(status, ""))
				a := r.agent(t, &Options{})
				ctx, cancel := context.WithTimeout(ctx, time.Hour)
				defer cancel()
				_, err := a.Register(ctx, nil)
				assert.ErrorIs(t, err, context.DeadlineExceeded)
				if status == "" {
					assert.ErrorIs(t, err, ErrTimeout, "the last failure is in it")
					return // each REGISTER is many datagrams
				}
				var refused *StatusError
				require.ErrorAs(t, err, &refused)
				for n, want := 1, 2*time.Second; n < r.count(); n, want = n+1, min(2*want, 5*time.Minute) {
					assert.GreaterOrEqual(t, r.pause(n), want/2, n)
					assert.LessOrEqual(t, r.pause(n), want, n)
				}
				assert.Greater(t, r.count(), 15)
			})
		})
	}
}

func TestRFC3261_20_33_RetryAfter(t *testing.T) {
	for _, tt := range []struct {
		value string
		pause time.Duration // at least
		limit time.Duration
	}{
		{"120", 2 * time.Minute, 2 * time.Minute},
		{"120;duration=60", 2 * time.Minute, 2 * time.Minute},
		{"120 (in a meeting)", 2 * time.Minute, 2 * time.Minute},
		{"4294967295", time.Hour, time.Hour},
		{"99999999999999999999", time.Second, 2 * time.Second},
		{"-5", time.Second, 2 * time.Second},
		{"0", time.Second, 2 * time.Second},
	} {
		t.Run(tt.value, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				r := newRegistrar(t, func(n int, req *siptest.Message) (string, string) {
					if n == 0 {
						return "500 Server Internal Error", "Retry-After: " + tt.value
					}
					return granted(n, req)
				})
				_, err := r.agent(t, &Options{}).Register(ctx, nil)
				require.NoError(t, err)
				assert.GreaterOrEqual(t, r.pause(1), tt.pause)
				assert.LessOrEqual(t, r.pause(1), tt.limit)
			})
		})
	}
}

// A registration that stands is not lost with one refresh: it stands until its time is over, and comes back.
func TestRFC3261_10_2_4_RefreshFails(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, granted)
		reg, err := r.agent(t, &Options{}).Register(ctx, &RegisterOptions{Expires: 10 * time.Minute})
		require.NoError(t, err)
		r.then(always("500 Server Internal Error", ""))
		time.Sleep(9*time.Minute + time.Second)
		s := reg.State()
		assert.True(t, s.Registered)
		assert.Equal(t, &StatusError{500, "Server Internal Error"}, s.Err)
		assert.True(t, s.Retry.After(time.Now()))

		time.Sleep(59 * time.Second) // the ten minutes are over
		synctest.Wait()
		s = reg.State()
		assert.False(t, s.Registered)
		assert.Empty(t, s.Contact)
		assert.Error(t, s.Err)

		changed := reg.Changed()
		r.then(granted)
		<-changed
		for !reg.State().Registered {
			<-reg.Changed()
		}
		assert.NoError(t, reg.State().Err)
	})
}

// A refusal for good in the middle ends the registration.
func TestRegistrationEnds(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, granted)
		reg, err := r.agent(t, &Options{}).Register(ctx, &RegisterOptions{Expires: 10 * time.Minute})
		require.NoError(t, err)
		r.then(always("403 Forbidden", ""))
		<-reg.Done()
		assert.Equal(t, &StatusError{403, "Forbidden"}, reg.Err())
		assert.Equal(t, RegistrationState{Err: reg.Err()}, reg.State())
		assert.NoError(t, reg.Shutdown(ctx))
	})
}

// What the registrar says of the time is believed as far as it makes sense.
func TestRFC3261_10_2_4_GrantedTime(t *testing.T) {
	const ours = "<sip:bob@192.0.2.1:5060;transport=udp>"
	for _, tt := range []struct {
		name, rest string
		granted    time.Duration // 0: not registered
	}{
		{"of the contact", "Contact: " + ours + ";expires=600\nExpires: 1200", 10 * time.Minute},
		{"of the message", "Contact: " + ours + "\nExpires: 1200", 20 * time.Minute},
		{"not said", "Contact: " + ours, time.Hour},
		{"longer than asked", "Contact: " + ours + ";expires=7200", time.Hour},
		{"all of 32 bits", "Contact: " + ours + ";expires=4294967295", time.Hour},
		{"more than 32 bits", "Contact: " + ours + ";expires=4294967296\nExpires: 60", time.Minute},
		{"negative", "Contact: " + ours + ";expires=-1\nExpires: 60", time.Minute},
		{"quoted", "Contact: " + ours + `;expires="600"`, 10 * time.Minute},
		{"zero", "Contact: " + ours + ";expires=0", 0},
		{"zero of the message", "Contact: " + ours + "\nExpires: 0", 0},
		{"no contact", "Expires: 600", 0},
		{"another's contact", "Contact: <sip:bob@192.0.2.7:5060;transport=udp>;expires=600", 0},
		{"another transport", "Contact: <sip:bob@192.0.2.1:5060;transport=tcp>;expires=600", 0},
		{"a star", "Contact: *", 0},
		{"among several", "Contact: <sip:bob@192.0.2.7>;expires=60, \"Bob, at work\" <SIP:bob@192.0.2.1:5060;foo;Transport=UDP> ; Expires=600\nContact: <sip:bob@192.0.2.8>;expires=70", 10 * time.Minute},
		{"a short time", "Contact: " + ours + ";expires=1", time.Second},
	} {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, ctx context.Context) {
				r := newRegistrar(t, always("200 OK", tt.rest))
				ctx, cancel := context.WithTimeout(ctx, time.Minute)
				defer cancel()
				reg, err := r.agent(t, &Options{}).Register(ctx, nil)
				if tt.granted == 0 {
					assert.ErrorIs(t, err, errNotBound)
					assert.LessOrEqual(t, r.count(), 8, "with pauses")
					return
				}
				require.NoError(t, err)
				assert.Equal(t, tt.granted, time.Until(reg.State().Expires))
			})
		})
	}
}

// However little is granted, we do not flood.
func TestRegisterWithTinyGrants(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, func(_ int, req *siptest.Message) (string, string) {
			return "200 OK", "Contact: <" + req.Address("Contact") + ">;expires=1"
		})
		_, err := r.agent(t, &Options{}).Register(ctx, nil)
		require.NoError(t, err)
		time.Sleep(time.Minute)
		assert.LessOrEqual(t, r.count(), 13)
	})
}

func TestRFC5627_4_2_RefreshBeforeTheEnd(t *testing.T) {
	for range 100 {
		assert.Equal(t, minRefresh, refreshAfter(time.Second))
		assert.Equal(t, minRefresh, refreshAfter(10*time.Second))
		assert.Equal(t, 32*time.Second, refreshAfter(64*time.Second))
		assert.Equal(t, 38*time.Second, refreshAfter(70*time.Second))
		d := refreshAfter(time.Hour)
		assert.True(t, d >= 48*time.Minute && d <= 54*time.Minute, d)
		d = backoff(1000)
		assert.True(t, d >= maxBackoff/2 && d <= maxBackoff, d)
	}
}

func TestRegisterOptions(t *testing.T) {
	a, err := New(&Options{Address: "sip:bob@example.com:5070;transport=tcp"})
	require.NoError(t, err)
	defer a.Close()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tt := range []struct {
		o    RegisterOptions
		want string // in the error; empty: taken
	}{
		{RegisterOptions{}, ""},
		{RegisterOptions{Registrar: "sip:[2001:db8::1]:5060;transport=tcp", Expires: time.Minute, Q: 1}, ""},
		{RegisterOptions{Expires: 24 * time.Hour, Q: 0.0001}, ""},
		{RegisterOptions{Registrar: "sip:alice@example.com"}, "Registrar"},
		{RegisterOptions{Registrar: "http://example.com"}, "Registrar"},
		{RegisterOptions{Registrar: "sip:example.com\r\nEvil: 1"}, "Registrar"},
		{RegisterOptions{Expires: time.Minute - 1}, "Expires"},
		{RegisterOptions{Expires: 24*time.Hour + 1}, "Expires"},
		{RegisterOptions{Expires: -1}, "Expires"},
		{RegisterOptions{Q: 1.001}, "Q"},
		{RegisterOptions{Q: -0.1}, "Q"},
		{RegisterOptions{Q: math.NaN()}, "Q"},
	} {
		_, err := a.Register(ctx, &tt.o)
		if tt.want == "" {
			assert.Equal(t, context.Canceled, err, tt.o)
		} else {
			assert.ErrorContains(t, err, "RegisterOptions."+tt.want, tt.o)
		}
	}
	_, err = a.Register(t.Context(), &RegisterOptions{Registrar: "sip:example.com;transport=udp"})
	assert.ErrorIs(t, err, ErrNotListening)
	_, err = a.Register(t.Context(), &RegisterOptions{Registrar: "sip:example.com;transport=sctp"})
	assert.ErrorContains(t, err, "sctp", "at once")
	for q, want := range map[float64]string{0: "", 1: "1", 0.5: "0.5", 0.1234: "0.123", 0.00001: "0.001"} {
		assert.Equal(t, want, quality(q))
	}
	for _, id := range []string{"urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6", "URN:gsma:imei:90420156-025763-0", ""} {
		_, err := New(&Options{Address: "sip:bob@example.com", InstanceID: id})
		assert.NoError(t, err, id)
	}
	for _, id := range []string{"urn:", "uuid:f81d4fae", "urn:x>", `urn:x"`, "urn:x\r\n", "urn:x y"} {
		_, err := New(&Options{Address: "sip:bob@example.com", InstanceID: id})
		assert.ErrorContains(t, err, "Options.InstanceID", id)
	}
}

func TestOneRegistration(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, granted)
		a := r.agent(t, &Options{})
		reg, err := a.Register(ctx, nil)
		require.NoError(t, err)
		_, err = a.Register(ctx, nil)
		assert.Equal(t, errRegistered, err)
		require.NoError(t, reg.Close())
		assert.Equal(t, 1, r.count(), "Close says nothing")
		_, err = a.Register(ctx, nil)
		require.NoError(t, err)

		require.NoError(t, a.Shutdown(ctx))
		assert.Equal(t, "0", r.request(2).Value("Expires"), "Shutdown unregisters")
		_, err = a.Register(ctx, nil)
		assert.ErrorIs(t, err, ErrClosed)
	})
}

// Shutdown and Close end at once what is under way, also while the registrar is silent.
func TestRegistrationOfASilentRegistrar(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, granted)
		a := r.agent(t, &Options{})
		reg, err := a.Register(ctx, nil)
		require.NoError(t, err)
		r.then(always("", ""))

		brief, cancel := context.WithTimeout(ctx, time.Second)
		defer cancel()
		start := time.Now()
		assert.ErrorIs(t, reg.Shutdown(brief), context.DeadlineExceeded)
		assert.Equal(t, time.Second, time.Since(start))
		<-reg.Done()

		failed := make(chan error)
		go func() {
			_, err := a.Register(ctx, nil)
			failed <- err
		}()
		time.Sleep(10 * time.Second)
		require.NoError(t, a.Close())
		assert.ErrorIs(t, <-failed, ErrClosed)
	})
}

// After a REGISTER without an answer the registrar may hold us, so Shutdown unregisters.
func TestRFC3261_10_2_2_UnregistersWhatMayBeHeld(t *testing.T) {
	bubble(t, func(t *testing.T, ctx context.Context) {
		r := newRegistrar(t, func(_ int, req *siptest.Message) (string, string) {
			if req.Value("Expires") == "0" {
				return "200 OK", ""
			}
			return "", ""
		})
		a := r.agent(t, &Options{})
		registered := make(chan error)
		go func() {
			_, err := a.Register(ctx, nil)
			registered <- err
		}()
		time.Sleep(20 * time.Second)
		require.NoError(t, a.Shutdown(ctx))
		assert.ErrorIs(t, <-registered, ErrClosed)
		last := r.request(r.count() - 1)
		assert.Equal(t, fmt.Sprintf("<%s>;expires=0", last.Address("Contact")), last.Value("Contact"))
	})
}
