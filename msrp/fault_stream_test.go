package msrp_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

var streamed = bytes.Repeat([]byte("streamed, line by line\n"), 200)

// streamOnce sends a body to a session that streams, and returns what its Reader gave. It returns when all has ended.
func streamOnce(t *testing.T, n *msrptest.Network) (got []byte, read, sent error) {
	a := endpoint(t, n, "active.example.com:2855", nil)
	p := endpoint(t, n, "passive.example.com:2855", &msrp.Options{StreamAbove: 100})
	go p.Connect(t.Context(), a.LocalPath(), msrp.Passive, nil)
	if err := a.Connect(t.Context(), p.LocalPath(), msrp.Active, nil); err != nil {
		return nil, err, err
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		m, err := p.Receive(t.Context())
		if err != nil {
			read = err
			return
		}
		got, read = io.ReadAll(m.Reader)
	}()
	d, sent := a.Send(t.Context(), &msrp.Message{ContentType: "text/plain", SuccessReport: true, Reader: bytes.NewReader(streamed)})
	if sent == nil {
		sent = d.Wait(t.Context())
	}
	if sent != nil {
		<-p.Done()
	}
	<-done
	return got, read, sent
}

// A stream whose connection is reset at any moment ends at once, and says whether it is whole: io.ReadAll gives no error exactly for a whole message.
func TestFaultResetWithinAStream(t *testing.T) {
	for _, direction := range []string{"to passive", "to active"} {
		for cut := int64(400); cut < int64(len(streamed))+800; cut += 37 {
			n := &msrptest.Network{ToPassive: msrptest.Faults{Cut: cut, Split: 100}}
			if direction == "to active" {
				n = &msrptest.Network{ToActive: msrptest.Faults{Cut: cut / 8}, ToPassive: msrptest.Faults{Split: 100}}
			}
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				got, read, sent := streamOnce(t, n)
				require.Zero(t, time.Since(begin), cut)
				require.True(t, bytes.HasPrefix(streamed, got), cut)
				if read == nil {
					require.Len(t, got, len(streamed), cut)
				}
				if sent == nil { // reported
					require.NoError(t, read, cut)
				}
				if read != nil && len(got) > 0 {
					require.ErrorIs(t, read, io.ErrUnexpectedEOF, cut)
				}
			})
		}
	}
}

// A sender that is unplugged within a stream: its Reader ends after the 2 minutes that a frame may stand still.
func TestFaultHalfOpenStream(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role msrp.Role) {
		s, p := withPeer(t, role, &msrp.Options{StreamAbove: 2})
		begun, _, _ := strings.Cut(request(p, "aaaa1", "Message-ID: m1234\r\nByte-Range: 1-*/*\r\nContent-Type: text/plain\r\n", string(streamed)+"|", msrp.Complete), "|")
		_, err := io.WriteString(p.Conn, begun)
		require.NoError(t, err)
		m, err := s.Receive(t.Context())
		require.NoError(t, err)
		synctest.Wait() // all of it has arrived
		p.Wire.ToActive.Hold()
		p.Wire.ToPassive.Hold()
		begin := time.Now()
		got, err := io.ReadAll(m.Reader)
		require.True(t, bytes.HasPrefix(streamed, got))
		require.Greater(t, len(got), len(streamed)-100, "all but what may be the beginning of an end-line")
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.Equal(t, 2*time.Minute, time.Since(begin))
		<-s.Done()
		require.NoError(t, m.Close())
	})
}

// A stream that nobody reads costs what the inbox may hold, whatever its sender does, and no more than 30 s of the session's time.
func TestFaultNobodyReadsAStream(t *testing.T) {
	for name, take := range map[string]func(t *testing.T, s *msrp.Session){
		"received": func(t *testing.T, s *msrp.Session) {
			m, err := s.Receive(t.Context())
			require.NoError(t, err)
			require.NotNil(t, m.Reader)
		},
		"not received": func(*testing.T, *msrp.Session) {},
	} {
		t.Run(name, func(t *testing.T) {
			inBothRoles(t, func(t *testing.T, role msrp.Role) {
				const bound = 1 << 20
				s, p := withPeer(t, role, &msrp.Options{StreamAbove: 4096, MaxMessage: bound, InboxBytes: bound})
				before, begin := heap(), time.Now()
				written := make(chan error, 1)
				go func() {
					begun, _, _ := strings.Cut(request(p, "aaaa1", "Message-ID: m1234\r\nByte-Range: 1-*/*\r\nContent-Type: text/plain\r\n", "|", msrp.Complete), "|")
					_, err := io.WriteString(p.Conn, begun)
					for piece := strings.Repeat("x", 32<<10); err == nil && time.Since(begin) < time.Minute; {
						_, err = io.WriteString(p.Conn, piece)
						time.Sleep(100 * time.Millisecond)
					}
					if err == nil {
						_, err = io.WriteString(p.Conn, "\r\n-------aaaa1$\r\n")
					}
					written <- err
				}()
				take(t, s)
				f, err := p.Next(t.Context())
				require.NoError(t, err)
				require.Equal(t, msrp.StatusStopSending, f.Status)
				require.Less(t, time.Since(begin), 35*time.Second)
				require.Less(t, heap()-before, int64(bound+2*slack))
				require.NoError(t, <-written)
				require.NoError(t, s.Err())
			})
		})
	}
}

// Close ends a session whose read loop has paused for a slow reader, and what waited stays readable.
func TestFaultCloseBesideAFullStream(t *testing.T) {
	inBothRoles(t, func(t *testing.T, role msrp.Role) {
		const bound = 64 << 10
		s, p := withPeer(t, role, &msrp.Options{StreamAbove: 4096, MaxMessage: bound, InboxBytes: bound})
		go io.WriteString(p.Conn, request(p, "aaaa1", "Message-ID: m1234\r\nContent-Type: text/plain\r\n", strings.Repeat("x", 8*bound), msrp.Complete))
		m, err := s.Receive(t.Context())
		require.NoError(t, err)
		synctest.Wait()
		begin := time.Now()
		require.NoError(t, s.Close())
		require.Zero(t, time.Since(begin))
		got, err := io.ReadAll(m.Reader)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF)
		require.NotEmpty(t, got)
		require.Empty(t, strings.Trim(string(got), "x"))
	})
}

// Many streams at once, begun and left: what they hold together is bounded, each Reader ends, and the session goes on.
func TestFaultManyStreams(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const bound, many, size = 1 << 20, 2000, 2000
		s, p := withPeer(t, msrp.Passive, &msrp.Options{StreamAbove: 100, MaxMessage: bound, InboxBytes: bound})
		before := heap()
		body := strings.Repeat("x", size)
		codes := exchange(t, p, many, func(i int) string {
			return request(p, "aaaa1", fmt.Sprintf("Message-ID: m%d\r\nByte-Range: 1-%d/*\r\nContent-Type: text/plain\r\n", 1000+i, size), body, msrp.More)
		})
		require.Equal(t, many, codes[msrp.StatusOK]+codes[msrp.StatusStopSending])
		require.LessOrEqual(t, codes[msrp.StatusOK], 16)
		require.Less(t, heap()-before, int64(bound+256*(12<<10)+slack), "256 messages in buffers of 12 KiB")
		time.Sleep(3 * time.Minute) // they are forgotten
		require.NoError(t, s.Err())
		require.NoError(t, s.Close())
		for m, err := range s.Messages(t.Context()) {
			if err != nil {
				break
			}
			got, err := io.ReadAll(m.Reader)
			require.Error(t, err)
			require.NotErrorIs(t, err, io.ErrUnexpectedEOF, "they ended before the session did")
			require.LessOrEqual(t, len(got), size)
		}
	})
}

// Ranges that lie, at a session that streams: each Reader ends, with nothing in it that was not sent.
func TestFaultLyingRangesOfAStream(t *testing.T) {
	for seed := range uint64(200) {
		synctest.Test(t, func(t *testing.T) {
			s, p := withPeer(t, msrp.Passive, &msrp.Options{StreamAbove: 3, MaxMessage: 1000, InboxBytes: 1000})
			r := rand.New(rand.NewPCG(2, seed))
			read := make(chan struct{})
			go func() {
				defer close(read)
				for m, err := range s.Messages(t.Context()) {
					if err != nil {
						return
					}
					got := m.Body
					if m.Reader != nil {
						got, err = io.ReadAll(io.LimitReader(m.Reader, int64(r.Uint64N(2000))))
						if err != nil {
							known := []error{msrp.ErrAborted, msrp.ErrTooLarge, msrp.ErrMalformed, io.ErrUnexpectedEOF}
							assert.True(t, slices.ContainsFunc(known, func(why error) bool { return errors.Is(err, why) }), err)
						}
						assert.NoError(t, m.Close())
					}
					assert.Empty(t, strings.Trim(string(got), "x"))
				}
			}()
			const chunks = 40
			places := []int64{1, 1, 2, 4, 5, 9, 20, 400, 1001, 1 << 40}
			lies := rand.New(rand.NewPCG(3, seed))
			codes := exchange(t, p, chunks, func(i int) string {
				flag := []msrp.Continuation{msrp.More, msrp.More, msrp.More, msrp.Complete, msrp.Aborted}[lies.IntN(5)]
				claim := fmt.Sprintf("%d-%d/%d", places[lies.IntN(len(places))], lies.IntN(30), lies.IntN(50))
				return request(p, "aaaa1", fmt.Sprintf("Message-ID: m%d\r\nByte-Range: %s\r\nContent-Type: text/plain\r\n", 1000+lies.IntN(3), claim), strings.Repeat("x", lies.IntN(10)), flag)
			})
			require.Equal(t, chunks, codes[msrp.StatusOK]+codes[msrp.StatusStopSending]+codes[msrp.StatusBadRequest], codes)
			require.NoError(t, s.Err())
			require.NoError(t, s.Close())
			<-read
		})
	}
}
