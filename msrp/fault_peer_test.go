package msrp_test

import (
	"context"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// A wire that is unplugged: nothing passes, and no end hears of it. RFC 4975 section 7.1.1 gives a response 30 s.
func TestFaultHalfOpen(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role msrp.Role) {
		s, p := withPeer(t, role, nil)
		p.Wire.ToActive.Hold()
		p.Wire.ToPassive.Hold()
		require.NoError(t, p.Close())
		begin := time.Now()
		for range 3 {
			d, err := s.Send(t.Context(), words("hello?"))
			require.NoError(t, err)
			require.ErrorIs(t, d.Wait(t.Context()), msrp.ErrTimeout)
		}
		require.Equal(t, 90*time.Second, time.Since(begin))
		require.NoError(t, s.Close())
		require.Equal(t, 90*time.Second, time.Since(begin), "Close waits for nothing")
	})
}

// Shutdown waits for what was asked for, no longer.
func TestFaultHalfOpenShutdown(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role msrp.Role) {
		s, p := withPeer(t, role, nil)
		p.Wire.ToActive.Hold()
		p.Wire.ToPassive.Hold()
		d, err := s.Send(t.Context(), words("hello?"))
		require.NoError(t, err)
		begin := time.Now()
		require.NoError(t, s.Shutdown(t.Context()))
		require.Equal(t, 31*time.Second, time.Since(begin), "30 s for the response and one for the peer to hang up")
		require.ErrorIs(t, d.Wait(t.Context()), msrp.ErrTimeout)
	})
}

// A peer that breaks off within a frame has 2 minutes to go on.
func TestFaultHalfAFrame(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role msrp.Role) {
		s, p := withPeer(t, role, nil)
		whole := request(p, "aaaa1", "Message-ID: m1\r\nContent-Type: text/plain\r\n", "hello", msrp.Complete)
		for _, piece := range []string{whole[:10], whole[10:100]} {
			_, err := io.WriteString(p.Conn, piece)
			require.NoError(t, err)
			time.Sleep(time.Minute)
			require.NoError(t, s.Err())
		}
		begin := time.Now()
		<-s.Done()
		require.Equal(t, time.Minute, time.Since(begin))
		require.ErrorIs(t, s.Err(), msrp.ErrTimeout)
	})
}

// A peer that never reads: what waits for it is bounded, the senders wait, and it ends after 30 s (and one for each 16 KiB that do not get through).
func TestFaultPeerNeverReads(t *testing.T) {
	for _, report := range []msrp.FailureReport{msrp.Yes, msrp.Partial, msrp.No} {
		t.Run(report.String(), func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role msrp.Role) {
				s, _ := withPeer(t, role, nil)
				before, begin := heap(), time.Now()
				var wg sync.WaitGroup
				var mu sync.Mutex
				var sent []*msrp.Delivery
				for range 4 {
					wg.Go(func() {
						for {
							m := words(strings.Repeat("x", 10_000))
							m.FailureReport, m.SuccessReport = report, true
							d, err := s.Send(t.Context(), m)
							if err != nil {
								return
							}
							mu.Lock()
							sent = append(sent, d)
							mu.Unlock()
						}
					})
				}
				synctest.Wait()
				require.Less(t, heap()-before, int64(2<<20))
				wg.Wait()
				<-s.Done()
				require.Error(t, s.Err())
				require.LessOrEqual(t, time.Since(begin), 2*time.Minute)
				require.NotEmpty(t, sent)
				for _, d := range sent {
					require.Error(t, d.Wait(t.Context()))
				}
			})
		})
	}
}

// A peer that sends requests and reads none of the responses is cut off while they fit into a bounded queue.
func TestFaultPeerNeverReadsResponses(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role msrp.Role) {
		s, p := withPeer(t, role, nil)
		before := heap()
		keepalive := request(p, "aaaa1", "Message-ID: m1\r\nByte-Range: 1-0/0\r\n", "", msrp.Complete)
		many := strings.Repeat(keepalive, 1000)
		sent := 0
		for {
			n, err := io.WriteString(p.Conn, many)
			if sent += n; err != nil {
				break
			}
			require.Less(t, sent, 64<<20)
			require.Less(t, heap()-before, int64(3<<20), "1 MiB of responses, with what it takes to keep them")
		}
		<-s.Done()
		require.ErrorIs(t, s.Err(), msrp.ErrStalled)
	})
}

// A peer that reads everything and answers nothing: every Delivery ends, and the window is free again afterwards.
func TestFaultPeerNeverAnswers(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role msrp.Role) {
		s, p := withPeer(t, role, nil)
		begin := time.Now()
		var wg sync.WaitGroup
		for i := range 100 {
			wg.Go(func() {
				m := words(fmt.Sprint(i))
				m.SuccessReport = i%2 == 0
				d, err := s.Send(t.Context(), m)
				if assert.NoError(t, err) {
					assert.ErrorIs(t, d.Wait(t.Context()), msrp.ErrTimeout)
				}
			})
		}
		for range 100 {
			_, err := p.Next(t.Context())
			require.NoError(t, err)
		}
		wg.Wait()
		require.Equal(t, 4*30*time.Second, time.Since(begin), "32 at a time")
		alive(t, s, p)
	})
}

// The first answer counts; a second one, also one that says something else, changes nothing.
func TestFaultPeerAnswersTwice(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role msrp.Role) {
		s, p := withPeer(t, role, nil)
		report := func(f *msrptest.Frame, status string) {
			require.NoError(t, p.Send(&msrp.Frame{
				Method: []byte(msrp.MethodReport), MessageID: f.MessageID, ByteRange: msrp.ByteRange{Start: 1, End: 5, Total: 5}, StatusHeader: []byte("000 " + status),
			}, nil))
		}
		for _, answers := range [][]int{{200, 200}, {200, 413}, {413, 200}, {413, 481}, {200, 200, 200, 200}} {
			for _, reported := range []bool{false, true} {
				m := words("hello")
				m.SuccessReport = reported
				d, err := s.Send(t.Context(), m)
				require.NoError(t, err)
				f, err := p.Next(t.Context())
				require.NoError(t, err)
				for _, code := range answers {
					require.NoError(t, p.Respond(f, code))
				}
				if reported {
					report(f, "200 OK")
					report(f, "200 OK")
				}
				err = d.Wait(t.Context())
				if answers[0] == msrp.StatusOK {
					require.NoError(t, err, answers)
				} else {
					var refused *msrp.StatusError
					require.ErrorAs(t, err, &refused, answers)
					require.Equal(t, answers[0], refused.Code)
				}
			}
		}
		synctest.Wait()
		require.NoError(t, s.Err())
		unanswered(t, s, p)
	})
}

// unanswered tells whether exactly 32 requests go out without a response: a window that was given back twice would let more pass.
func unanswered(t *testing.T, s *msrp.Session, p *msrptest.Peer) {
	t.Helper()
	var wg sync.WaitGroup
	var waiting []*msrptest.Frame
	for range 50 {
		wg.Go(func() {
			d, err := s.Send(t.Context(), words("x"))
			if assert.NoError(t, err) {
				assert.NoError(t, d.Wait(t.Context()))
			}
		})
	}
	for range 32 {
		f, err := p.Next(t.Context())
		require.NoError(t, err)
		waiting = append(waiting, f)
	}
	short, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	_, err := p.Next(short)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	for _, f := range waiting {
		require.NoError(t, p.Respond(f, msrp.StatusOK))
	}
	for range 50 - 32 {
		f, err := p.Next(t.Context())
		require.NoError(t, err)
		require.NoError(t, p.Respond(f, msrp.StatusOK))
	}
	wg.Wait()
	alive(t, s, p)
}

// Whatever one connection does to itself, the others of the endpoint do not notice.
func TestFaultStaysOnItsConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := &msrptest.Network{}
		e, err := msrp.New(&msrp.Options{Dialer: n})
		require.NoError(t, err)
		t.Cleanup(func() { e.Close() })
		l, err := n.Listen("app.example.com:2855")
		require.NoError(t, err)
		require.NoError(t, e.Serve(l))
		open := func() (*msrp.Session, *msrptest.Peer) {
			s, err := e.NewSession(nil)
			require.NoError(t, err)
			p := msrptest.NewPeer(t, n)
			require.NoError(t, p.Connect(t.Context(), s, msrp.Passive))
			return s, p
		}
		good, peer := open()
		for name, spoil := range map[string]func(p *msrptest.Peer){
			"reset":     func(p *msrptest.Peer) { p.Wire.Reset() },
			"hung up":   func(p *msrptest.Peer) { p.Close() },
			"malformed": func(p *msrptest.Peer) { io.WriteString(p.Conn, "\r\n\r\n") },
			"half":      func(p *msrptest.Peer) { io.WriteString(p.Conn, "MSRP aaaa1 SE") },
		} {
			s, p := open()
			spoil(p)
			alive(t, good, peer)
			<-s.Done()
			require.Error(t, s.Err(), name)
			alive(t, good, peer)
		}
	})
}
