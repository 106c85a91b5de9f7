package msrp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// A byte that is changed on the way, any byte: nothing hangs, and every Delivery ends within the time of its report.
func TestFaultChangedByte(t *testing.T) {
	for direction, last := range lengthOfConversation(t) {
		for at := range last {
			f := msrptest.Faults{Change: func(offset int64, b []byte) {
				if i := at - offset; i >= 0 && i < int64(len(b)) {
					b[i] ^= 0x15
				}
			}}
			n := &msrptest.Network{ToPassive: f}
			if direction == 1 {
				n = &msrptest.Network{ToActive: f}
			}
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				c := hold(t, n)
				require.LessOrEqual(t, time.Since(begin), 15*time.Minute)
				received(t, c.a)
				received(t, c.p)
			})
		}
	}
}

// transfers are messages that do not go in one piece.
func transfers() map[string]*msrp.Message {
	body := bytes.Repeat([]byte("0123456789abcde\n"), 20<<10) // 320 KiB
	return map[string]*msrp.Message{
		"body":            {ContentType: "text/plain", Body: body, SuccessReport: true},
		"reader":          {ContentType: "text/plain", Reader: bytes.NewReader(body), Size: int64(len(body)), SuccessReport: true},
		"unknown size":    {ContentType: "text/plain", Reader: bytes.NewReader(body), SuccessReport: true},
		"without answers": {ContentType: "text/plain", Body: body, SuccessReport: true, FailureReport: msrp.No},
	}
}

// A transfer whose connection is reset after so many bytes: Send or the Delivery says so at once, and the receiver shows nothing of it.
func TestFaultResetWithinATransfer(t *testing.T) {
	for name := range transfers() {
		for cut := int64(600); cut < 320<<10; cut += 9973 {
			synctest.Test(t, func(t *testing.T) {
				begin, m := time.Now(), transfers()[name]
				n := &msrptest.Network{Record: -1, ToPassive: msrptest.Faults{Cut: cut}}
				a, p := endpoint(t, n, "active.example.com:2855", nil), endpoint(t, n, "passive.example.com:2855", nil)
				go p.Connect(t.Context(), a.LocalPath(), msrp.Passive, nil)
				require.NoError(t, a.Connect(t.Context(), p.LocalPath(), msrp.Active, nil))
				d, err := a.Send(t.Context(), m)
				if err == nil {
					err = d.Wait(t.Context())
				}
				require.Error(t, err, cut)
				<-a.Done()
				<-p.Done()
				require.Zero(t, time.Since(begin), cut)
				require.Empty(t, received(t, p), cut)
			})
		}
	}
}

// behindRelay is a session that is connected through a relay, and the relay with the peer behind it.
func behindRelay(t *testing.T) (*msrp.Session, *msrptest.Peer) {
	n := &msrptest.Network{Record: -1}
	s := endpoint(t, n, "app.example.com:2855", nil)
	p := msrptest.NewPeer(t, n)
	p.Path = append(p.Path, msrp.URI{Host: "bob.example.com", Port: 2855, SessionID: "behind", Transport: "tcp"})
	require.NoError(t, p.Connect(t.Context(), s, msrp.Active))
	return s, p
}

// The same through a relay, in chunks with an answer for each; the relay is gone after so many of them.
func TestFaultRelayGoesAway(t *testing.T) {
	for name := range transfers() {
		for chunks := range 33 {
			synctest.Test(t, func(t *testing.T) {
				m := transfers()[name]
				s, p := behindRelay(t)
				sent := make(chan error, 1)
				go func() {
					d, err := s.Send(t.Context(), m)
					if err == nil {
						err = d.Wait(t.Context())
					}
					sent <- err
				}()
				for range chunks {
					f, err := p.Next(t.Context())
					require.NoError(t, err)
					require.LessOrEqual(t, len(f.Body), 10_000)
					if m.FailureReport == msrp.Yes {
						require.NoError(t, p.Respond(f, msrp.StatusOK))
					}
				}
				begin := time.Now()
				p.Wire.Reset()
				require.Error(t, <-sent)
				require.Zero(t, time.Since(begin))
				<-s.Done()
			})
		}
	}
}

// failing gives n bytes and then an error.
func failing(n int64, err error) io.Reader {
	return io.MultiReader(io.LimitReader(endlessReader{}, n), errorReader{err})
}

type endlessReader struct{}

func (endlessReader) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = 'x'
	}
	return len(b), nil
}

type errorReader struct{ err error }

func (r errorReader) Read([]byte) (int, error) { return 0, r.err }

// A body that cannot be read to its end is aborted on the wire, and the session goes on.
func TestFaultReaderFails(t *testing.T) {
	broken := errors.New("the disk is broken")
	for _, n := range []int64{0, 1, 2048, 9_999, 10_000, 10_001, 16 << 10, 64 << 10, 300_000} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role msrp.Role) {
				s, p := withPeer(t, role, nil)
				failed := make(chan error, 1)
				go func() {
					_, err := s.Send(t.Context(), &msrp.Message{ID: "broken", ContentType: "text/plain", Reader: failing(n, broken)})
					failed <- err
				}()
				var got int
				for begun := false; ; begun = true {
					if n <= 2048 && !begun {
						require.ErrorIs(t, <-failed, broken)
						break // nothing was sent: a byte always stays back
					}
					f, err := p.Next(t.Context())
					require.NoError(t, err)
					require.Equal(t, "broken", string(f.MessageID))
					if got += len(f.Body); f.Continuation == msrp.Aborted {
						require.NoError(t, p.Respond(f, msrp.StatusOK))
						require.ErrorIs(t, <-failed, broken)
						break
					}
					require.Equal(t, msrp.More, f.Continuation)
					require.NoError(t, p.Respond(f, msrp.StatusOK))
				}
				require.LessOrEqual(t, int64(got), n)
				alive(t, s, p)
			})
		})
	}
}

// A peer that refuses an endless transfer in its middle: the sender stops, whatever the refusal.
func TestFaultRefusedTransfer(t *testing.T) {
	for _, code := range []int{400, 403, 413, 415, 999} {
		t.Run(fmt.Sprint(code), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, p := behindRelay(t)
				failed := make(chan error, 1)
				go func() {
					_, err := s.Send(t.Context(), &msrp.Message{ContentType: "text/plain", Reader: endlessReader{}})
					failed <- err
				}()
				for range 100 {
					f, err := p.Next(t.Context())
					require.NoError(t, err)
					require.NoError(t, p.Respond(f, msrp.StatusOK))
				}
				f, err := p.Next(t.Context())
				require.NoError(t, err)
				require.NoError(t, p.Respond(f, code))
				go io.Copy(io.Discard, p.Conn)
				var refused *msrp.StatusError
				require.ErrorAs(t, <-failed, &refused)
				require.Equal(t, code, refused.Code)
			})
		})
	}
}

// A short line overtakes a transfer that a slow wire holds up; both arrive whole, however the wire splits them.
func TestFaultSlowWire(t *testing.T) {
	for name := range transfers() {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				m := transfers()[name]
				f := msrptest.Faults{Delay: 200 * time.Millisecond, Split: 1000}
				n := &msrptest.Network{Record: -1, ToPassive: f, ToActive: f}
				a, p := endpoint(t, n, "active.example.com:2855", nil), endpoint(t, n, "passive.example.com:2855", nil)
				go p.Connect(t.Context(), a.LocalPath(), msrp.Passive, nil)
				require.NoError(t, a.Connect(t.Context(), p.LocalPath(), msrp.Active, nil))
				done := make(chan error, 1)
				go func() {
					d, err := a.Send(t.Context(), m)
					if err == nil {
						err = d.Wait(t.Context())
					}
					done <- err
				}()
				synctest.Wait() // the wire has taken what it can
				d, err := a.Send(t.Context(), words("short"))
				require.NoError(t, err)
				require.NoError(t, d.Wait(t.Context()))
				require.NoError(t, <-done)
				for _, want := range []string{"short", strings.Repeat("0123456789abcde\n", 20<<10)} {
					m, err := p.Receive(t.Context())
					require.NoError(t, err)
					require.True(t, want == string(m.Body), "%d bytes", len(m.Body))
				}
			})
		})
	}
}
