package msrp

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// What AG Projects' relay makes of one chunk, and what a peer with an idea of characters writes.
func TestReceiveCountsBytesNotRanges(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	const h = "Message-ID: m1234\r\nByte-Range: 1-5/5\r\nContent-Type: text/plain\r\n"
	write(t, nc, frame(s, "aaaa1", h, "hel", More))
	readFrame(d)
	write(t, nc, frame(s, "aaaa2", h, "lo", Complete))
	readFrame(d)
	m, err := s.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "hello", string(m.Body))
	write(t, nc, frame(s, "aaaa3", "Message-ID: m1235\r\nContent-Type: text/plain\r\n", "no range", Complete)) // msrp-node-lib
	readFrame(d)
	m, err = s.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, "no range", string(m.Body))
}

// Each refusal has its status, and the connection goes on.
func TestReceiveRefuses(t *testing.T) {
	const plain = "Content-Type: text/plain\r\n"
	for name, c := range map[string]struct {
		frames func(s *Session) []string
		want   []int
	}{
		"too long at once": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Message-ID: m1234\r\n"+plain, strings.Repeat("x", 101), Complete)}
		}, []int{413}},
		"too long by its own word": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Message-ID: m1234\r\nByte-Range: 1-*/101\r\n"+plain, "x", More), frame(s, "aaaa2", "Message-ID: m1234\r\nByte-Range: 2-*/101\r\n"+plain, "x", Complete)}
		}, []int{413, 413}},
		"too long in pieces": {func(s *Session) []string {
			return []string{
				frame(s, "aaaa1", "Message-ID: m1234\r\n"+plain, strings.Repeat("x", 60), More),
				frame(s, "aaaa2", "Message-ID: m1234\r\n"+plain, strings.Repeat("x", 60), More),
				frame(s, "aaaa3", "Message-ID: m1234\r\n"+plain, strings.Repeat("x", 60), Complete)}
		}, []int{200, 413, 413}},
		"beyond the limit": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Message-ID: m1234\r\nByte-Range: 102-102/*\r\n"+plain, "x", More), frame(s, "aaaa2", "Message-ID: m1234\r\nByte-Range: 1-1/*\r\n"+plain, "x", More)}
		}, []int{413, 413}},
		"no Message-ID": {func(s *Session) []string { return []string{frame(s, "aaaa1", plain, "x", Complete)} }, []int{400}},
		"hostile Message-ID": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Message-ID: a b\r\n"+plain, "x", Complete)}
		}, []int{400}},
		"bad Byte-Range": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Message-ID: m1234\r\nByte-Range: x\r\n"+plain, "x", Complete)}
		}, []int{400}},
		"aborted": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Message-ID: m1234\r\n"+plain, "x", Aborted)}
		}, []int{200}},
		"Failure-Report no": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Failure-Report: no\r\n"+plain, "x", Complete)}
		}, nil},
		"partial and success": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Failure-Report: partial\r\n", "", Complete)}
		}, nil},
		"partial and failure": {func(s *Session) []string {
			return []string{frame(s, "aaaa1", "Failure-Report: partial\r\n"+plain, "x", Complete)}
		}, []int{400}},
		"unknown method": {func(s *Session) []string {
			return []string{strings.Replace(frame(s, "aaaa1", "", "", Complete), "SEND", "HUG", 1)}
		}, []int{501}},
		"unknown session": {func(s *Session) []string {
			return []string{strings.Replace(frame(s, "aaaa1", "", "", Complete), s.uri.SessionID, "guessed", 1)}
		}, []int{481}},
		"other host, same session": {func(s *Session) []string {
			return []string{strings.Replace(frame(s, "aaaa1", "", "", Complete), "passive.", "other.", 1)}
		}, []int{481}},
		"forged From-Path": {func(s *Session) []string {
			return []string{strings.Replace(frame(s, "aaaa1", "", "", Complete), "raw.", "rav.", 1)}
		}, []int{481}},
		"17 unfinished messages": {func(s *Session) (all []string) {
			for i := range 17 {
				all = append(all, frame(s, fmt.Sprintf("aaaa%d", i), fmt.Sprintf("Message-ID: m12%d\r\n", i)+plain, "x", More))
			}
			return all
		}, []int{200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200, 413}},
		"unfinished messages together": {func(s *Session) []string {
			return []string{
				frame(s, "aaaa1", "Message-ID: m1234\r\n"+plain, strings.Repeat("x", 60), More),
				frame(s, "aaaa2", "Message-ID: m1235\r\n"+plain, strings.Repeat("x", 60), More),
				frame(s, "aaaa3", "Message-ID: m1234\r\n"+plain, "", Aborted),
				frame(s, "aaaa4", "Message-ID: m1236\r\n"+plain, strings.Repeat("x", 60), More)}
		}, []int{200, 413, 200, 200}},
	} {
		t.Run(name, func(t *testing.T) {
			s, nc, d := rawPeer(t, &Options{MaxMessage: 100})
			for _, w := range c.frames(s) {
				write(t, nc, w)
				if len(c.want) > 0 {
					f, _, err := readFrame(d)
					require.NoError(t, err)
					require.Equal(t, c.want[0], f.Status)
					require.NotEmpty(t, f.Comment, "Kamailio takes a bare code for a request")
					c.want = c.want[1:]
				}
			}
			write(t, nc, frame(s, "zzzz1", "Message-ID: last\r\n"+plain, "still here", Complete))
			f, _, err := readFrame(d)
			require.NoError(t, err)
			require.Equal(t, "zzzz1", string(f.TransactionID))
			require.Equal(t, 200, f.Status)
			m, err := s.Receive(ctx)
			require.NoError(t, err)
			require.Equal(t, "still here", string(m.Body))
		})
	}
}

func TestFullInboxIsRefused(t *testing.T) {
	a, p := pair(t, &Options{InboxMessages: 3, InboxBytes: 1000})
	outcome := func(size int) error {
		d, err := a.Send(ctx, text(strings.Repeat("x", size)))
		require.NoError(t, err)
		return d.Wait(ctx)
	}
	var refused *StatusError
	require.NoError(t, outcome(600))
	require.ErrorAs(t, outcome(600), &refused)
	require.Equal(t, 413, refused.Code)
	require.NoError(t, outcome(1))
	require.NoError(t, outcome(1))
	require.ErrorAs(t, outcome(1), &refused)
	_, err := p.Receive(ctx)
	require.NoError(t, err)
	require.NoError(t, outcome(600))
}

func TestPartialMessagesAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		for i := range maxPartials {
			write(t, nc, frame(s, "aaaa1", fmt.Sprintf("Message-ID: m12%d\r\nContent-Type: text/plain\r\n", i), "x", More))
			requireStatus(t, d, "aaaa1", StatusOK)
		}
		time.Sleep(partialTimeout - 1)
		synctest.Wait()
		require.Equal(t, maxPartials, s.Stats().UnfinishedBytes)
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		s.inbox.mu.Lock()
		require.Empty(t, s.inbox.partials)
		require.Zero(t, s.inbox.gathered)
		s.inbox.mu.Unlock()
	})
}

func TestSecondConnectionIsRefused(t *testing.T) {
	s, _, _ := rawPeer(t, nil)
	nc, remote := net.Pipe()
	s.e.ServeConn(remote)
	write(t, nc, frame(s, "aaaa1", "", "", Complete))
	f, _, err := readFrame(NewDecoder(nc, nil))
	require.NoError(t, err)
	require.Equal(t, StatusSessionInUse, f.Status)
	nc.Close()
}

// An active peer may be faster than the answer that tells us its path.
func TestPeerBindsBeforeConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(&Options{Host: "p.example.com"})
		require.NoError(t, err)
		defer e.Close()
		s, err := e.NewSession(nil)
		require.NoError(t, err)
		nc, remote := net.Pipe()
		defer nc.Close()
		e.ServeConn(remote)
		go write(t, nc, frame(s, "aaaa1", "Message-ID: m1234\r\nContent-Type: text/plain\r\n", "early", Complete))
		synctest.Wait()
		time.Sleep(10 * time.Second)
		go func() {
			readFrame(NewDecoder(nc, nil))
		}()
		require.NoError(t, s.Connect(ctx, mustPath("msrp://raw.example.com:2855/raw;tcp"), Passive, nil))
		m, err := s.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, "early", string(m.Body))
	})
}

func TestUnboundConnections(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, err := New(&Options{Host: "p.example.com"})
		require.NoError(t, err)
		defer e.Close()
		var conns []net.Conn
		for range maxUnbound + 1 {
			nc, remote := net.Pipe()
			e.ServeConn(remote)
			conns = append(conns, nc)
		}
		_, err = conns[maxUnbound].Read(make([]byte, 1))
		require.Equal(t, io.EOF, err, "one too many")
		begin := time.Now()
		_, err = conns[0].Read(make([]byte, 1))
		require.Equal(t, io.EOF, err)
		require.Equal(t, bindTimeout, time.Since(begin))
		synctest.Wait()
		require.Zero(t, e.unbound.Load())
	})
}
