package msrp

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

const streamed = "Message-ID: m1234\r\nContent-Type: text/plain\r\n"

// part is a chunk of the message m1234 from the raw peer.
func part(s *Session, r, body string, flag Continuation) string {
	return frame(s, "aaaa1", "Byte-Range: "+r+"\r\n"+streamed, body, flag)
}

// statusOf writes a frame and returns the status of what is answered.
func statusOf(t testing.TB, nc net.Conn, d *Decoder, wire string) int {
	t.Helper()
	write(t, nc, wire)
	f, _, err := readFrame(d)
	require.NoError(t, err)
	return f.Status
}

func receive(t testing.TB, s *Session) *Message {
	t.Helper()
	m, err := s.Receive(ctx)
	require.NoError(t, err)
	return m
}

// readOff reads n bytes of a stream.
func readOff(t testing.TB, m *Message, n int) string {
	t.Helper()
	b := make([]byte, n)
	_, err := io.ReadFull(m.Reader, b)
	require.NoError(t, err)
	return string(b)
}

// A body may be handed on as it arrives; a shorter one is not.
func TestRFC4975_7_3_1_Stream(t *testing.T) {
	a, p := pair(t, &Options{StreamAbove: 1000, MaxMessage: 2000})
	for _, size := range []int{1, 1000, 1001, 2000, 2001, 100_000, 5_000_000} {
		body := make([]byte, size)
		for i := range body {
			body[i] = byte(rand.Uint32())
		}
		m := &Message{ContentType: "image/png", Body: body, SuccessReport: true}
		d := sendLater(t, a, m)
		got := receive(t, p)
		if size <= 1000 {
			require.Nil(t, got.Reader)
			require.Equal(t, body, got.Body)
			require.NoError(t, got.Close())
		} else {
			require.Nil(t, got.Body)
			require.EqualValues(t, size, got.Size)
			all, err := io.ReadAll(got.Reader)
			require.NoError(t, err)
			require.True(t, bytes.Equal(body, all))
		}
		require.NoError(t, (<-d).Wait(ctx), "with a success report")
	}
}

// The bytes before a gap come at once, those behind it when it is closed. What has been handed on is not taken back.
func TestRFC4975_7_3_1_StreamOutOfOrder(t *testing.T) {
	s, nc, d := rawPeer(t, &Options{StreamAbove: 2})
	say := func(r, body string, flag Continuation) {
		require.Equal(t, 200, statusOf(t, nc, d, part(s, r, body, flag)))
	}
	say("3-4/12", "cd", More)
	say("1-2/12", "ab", More)
	m := receive(t, s)
	require.Equal(t, "abcd", readOff(t, m, 4))
	say("9-10/12", "ij", More)
	say("11-12/12", "kl", Complete)
	say("3-6/12", "CDef", More)
	require.Equal(t, "ef", readOff(t, m, 2))
	say("7-9/12", "ghI", More)
	rest, err := io.ReadAll(m.Reader)
	require.NoError(t, err)
	require.Equal(t, "ghIjkl", string(rest))
}

// However a stream ends before the message does, its Reader gives what came, and then never io.EOF.
func TestStreamsThatBreakOff(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(t *testing.T, s *Session, nc net.Conn, d *Decoder)
		want error
	}{
		"aborted": {func(t *testing.T, s *Session, nc net.Conn, d *Decoder) {
			require.Equal(t, 200, statusOf(t, nc, d, frame(s, "aaaa2", "Message-ID: m1234\r\nByte-Range: 6-5/9\r\n", "", Aborted)))
		}, ErrAborted},
		"aborted within a chunk": {func(t *testing.T, s *Session, nc net.Conn, d *Decoder) {
			require.Equal(t, 200, statusOf(t, nc, d, part(s, "6-*/9", "", Aborted)))
		}, ErrAborted},
		"hung up":            {func(t *testing.T, s *Session, nc net.Conn, d *Decoder) { nc.Close() }, io.ErrUnexpectedEOF},
		"hung up in a chunk": {func(t *testing.T, s *Session, nc net.Conn, d *Decoder) { write(t, nc, "MSRP aaa"); nc.Close() }, io.ErrUnexpectedEOF},
		"Session.Close":      {func(t *testing.T, s *Session, nc net.Conn, d *Decoder) { s.Close() }, io.ErrUnexpectedEOF},
		"Endpoint.Close":     {func(t *testing.T, s *Session, nc net.Conn, d *Decoder) { s.e.Close() }, io.ErrUnexpectedEOF},
		"not a frame":        {func(t *testing.T, s *Session, nc net.Conn, d *Decoder) { write(t, nc, "nonsense\r\n") }, io.ErrUnexpectedEOF},
		"silence":            {func(t *testing.T, s *Session, nc net.Conn, d *Decoder) { time.Sleep(partialTimeout) }, ErrTimeout},
		"silence in a chunk": {func(t *testing.T, s *Session, nc net.Conn, d *Decoder) {
			write(t, nc, strings.TrimSuffix(part(s, "6-*/9", "hey", More), "hey\r\n-------aaaa1+\r\n"))
			time.Sleep(partialTimeout)
		}, io.ErrUnexpectedEOF},
		"contradiction": {func(t *testing.T, s *Session, nc net.Conn, d *Decoder) {
			require.Equal(t, 400, statusOf(t, nc, d, part(s, "2-3/9", "XX", Complete)))
		}, ErrMalformed},
		"too much behind gap": {func(t *testing.T, s *Session, nc net.Conn, d *Decoder) {
			require.Equal(t, 413, statusOf(t, nc, d, part(s, "999-*/*", strings.Repeat("x", 101), More)))
		}, ErrTooLarge},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, nc, d := rawPeer(t, &Options{StreamAbove: 2, MaxMessage: 100})
				defer s.e.Close()
				require.Equal(t, 200, statusOf(t, nc, d, part(s, "1-*/9", "hello", More)))
				m := receive(t, s)
				go io.Copy(io.Discard, onlyOnce(nc, c.want)) // a REPORT perhaps
				c.end(t, s, nc, d)
				synctest.Wait()
				got, err := io.ReadAll(m.Reader)
				require.Equal(t, "hello", string(got), "readable after the end")
				require.ErrorIs(t, err, c.want)
				require.NotErrorIs(t, err, io.EOF)
				_, again := m.Reader.Read(make([]byte, 1))
				require.Equal(t, err, again)
				s.inbox.mu.Lock()
				defer s.inbox.mu.Unlock()
				require.Empty(t, s.inbox.streams)
				require.Zero(t, s.inbox.bytes)
			})
		})
	}
}

// onlyOnce is the raw peer's connection if something comes there that a test does not read.
func onlyOnce(nc net.Conn, want error) io.Reader {
	if want == ErrTimeout {
		return nc
	}
	return strings.NewReader("")
}

// Close frees what waits and refuses the rest, within a chunk of any length.
func TestMessageClose(t *testing.T) {
	s, nc, d := rawPeer(t, &Options{StreamAbove: 2})
	write(t, nc, "MSRP aaaa1 SEND\r\nTo-Path: "+s.own+"\r\nFrom-Path: "+rawPath+"\r\n"+streamed+"\r\nhello"+strings.Repeat("x", 100))
	m := receive(t, s)
	require.Equal(t, "hel", readOff(t, m, 3))
	reads := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, m.Reader)
		reads <- err
	}()
	for range 2 {
		require.NoError(t, m.Close())
	}
	require.ErrorIs(t, <-reads, ErrClosed, "a Read that waits returns")
	_, err := m.Reader.Read(make([]byte, 1))
	require.ErrorIs(t, err, ErrClosed)
	_, bytes, _, _ := s.inbox.load()
	require.Zero(t, bytes)
	require.Equal(t, 413, statusOf(t, nc, d, strings.Repeat("x", 100)))
	write(t, nc, strings.Repeat("x", 1<<20)+"\r\n-------aaaa1+\r\n")
	require.Equal(t, 413, statusOf(t, nc, d, part(s, "1048782-*/*", "x", Complete)))
	require.Equal(t, 200, statusOf(t, nc, d, part(s, "1-1/1", "x", Complete)), "the session goes on")
	require.Equal(t, "x", string(receive(t, s).Body))
}

// The report on a stream covers all of it, and does not wait for its reader.
func TestRFC4975_7_1_3_StreamReport(t *testing.T) {
	for _, manual := range []bool{false, true} {
		s, nc, d := rawPeer(t, &Options{StreamAbove: 2, ManualReports: manual})
		require.Equal(t, 200, statusOf(t, nc, d, strings.Replace(part(s, "1-*/9", "hello", More), "Content-Type", "Success-Report: yes\r\nContent-Type", 1)))
		m := receive(t, s)
		require.Equal(t, 200, statusOf(t, nc, d, part(s, "6-9/9", " you", Complete)))
		if manual {
			all, err := io.ReadAll(m.Reader)
			require.NoError(t, err)
			require.Equal(t, "hello you", string(all))
			require.NoError(t, s.Report(m, StatusOK))
		}
		f, _, err := readFrame(d)
		require.NoError(t, err)
		require.Equal(t, MethodReport, string(f.Method))
		require.Equal(t, "000 200 OK", string(f.StatusHeader))
		require.Equal(t, ByteRange{1, 9, 9}, f.ByteRange)
	}
}

// Streams of one session do not mix, and short messages pass between them.
func TestManyStreams(t *testing.T) {
	a, p := pair(t, &Options{StreamAbove: 100})
	const n, size = 8, 300_000
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() {
			for range 3 {
				d, err := a.Send(ctx, &Message{ContentType: "text/plain", Reader: io.LimitReader(repeat('a'+i), size)})
				if err == nil {
					err = d.Wait(ctx)
				}
				if err != nil {
					t.Error(err)
				}
				if _, err := a.Send(ctx, text("short")); err != nil {
					t.Error(err)
				}
			}
		})
	}
	short := 0
	for range 3 * n * 2 {
		m := receive(t, p)
		if m.Reader == nil {
			short++
			require.Equal(t, "short", string(m.Body))
			continue
		}
		wg.Go(func() {
			all, err := io.ReadAll(m.Reader)
			if err != nil || len(all) != size || bytes.Count(all, all[:1]) != size {
				t.Error("mixed up", err)
			}
		})
	}
	wg.Wait()
	require.Equal(t, 3*n, short)
	messages, bytes, unfinished, refused := p.inbox.load()
	require.Equal(t, "0 0 0 0", fmt.Sprint(messages, bytes, unfinished, refused))
}

type repeat byte

func (r repeat) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(r)
	}
	return len(p), nil
}

// A transfer that is much larger than all bounds arrives at the pace of its reader.
func TestLargeStreamOverTCP(t *testing.T) {
	const size, bound = 32 << 20, 256 << 10
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	e, err := New(&Options{StreamAbove: 4 << 10, MaxMessage: 64 << 10, InboxBytes: bound})
	require.NoError(t, err)
	defer e.Close()
	require.NoError(t, e.Serve(l))
	a, err := e.NewSession(nil)
	require.NoError(t, err)
	p, err := e.NewSession(nil)
	require.NoError(t, err)
	connect(t, a, p)
	body := make([]byte, size)
	rnd := rand.NewChaCha8([32]byte{})
	rnd.Read(body)
	d := sendLater(t, a, &Message{ContentType: "video/mp4", Reader: bytes.NewReader(body), SuccessReport: true})
	m := receive(t, p)
	got, most, piece := bytes.NewReader(body), 0, make([]byte, 50_000)
	for {
		n, err := m.Reader.Read(piece)
		want := make([]byte, n)
		io.ReadFull(got, want)
		if !bytes.Equal(want, piece[:n]) {
			t.Fatal("other bytes than were sent")
		}
		_, waiting, _, _ := p.inbox.load()
		most = max(most, waiting)
		if errors.Is(err, io.EOF) {
			break
		}
		require.NoError(t, err)
	}
	require.Zero(t, got.Len())
	require.LessOrEqual(t, most, bound)
	require.NoError(t, (<-d).Wait(ctx))
}

func TestStreamAboveIsChecked(t *testing.T) {
	_, err := New(&Options{StreamAbove: -1})
	require.ErrorContains(t, err, "StreamAbove")
	_, err = New(&Options{StreamAbove: 11, MaxMessage: 10})
	require.ErrorContains(t, err, "StreamAbove")
}

// BenchmarkStream sends one body of any length over loopback TCP to a reader that keeps up.
func BenchmarkStream(b *testing.B) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(b, err)
	e, err := New(&Options{StreamAbove: 64 << 10})
	require.NoError(b, err)
	defer e.Close()
	require.NoError(b, e.Serve(l))
	from, err := e.NewSession(nil)
	require.NoError(b, err)
	to, err := e.NewSession(nil)
	require.NoError(b, err)
	connect(b, from, to)
	const size = 1 << 20
	b.SetBytes(size)
	b.ReportAllocs()
	b.ResetTimer()
	d := sendLater(b, from, &Message{ContentType: "video/mp4", Reader: io.LimitReader(repeat('x'), int64(b.N)*size)})
	m := receive(b, to)
	n, err := io.Copy(io.Discard, m.Reader)
	require.NoError(b, err)
	require.EqualValues(b, int64(b.N)*size, n)
	require.NoError(b, (<-d).Wait(ctx))
}
