package msrp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"testing/iotest"
	"testing/synctest"
	"time"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
	"github.com/stretchr/testify/require"
)

func randomBytes(n int) []byte {
	b := make([]byte, n)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// A body comes out of a Reader as it would out of memory, whatever its length, in whatever pieces it is read.
func TestRFC4975_5_1_StreamedBody(t *testing.T) {
	readers := map[string]func([]byte) io.Reader{
		"whole":    func(b []byte) io.Reader { return bytes.NewReader(b) },
		"data+EOF": func(b []byte) io.Reader { return iotest.DataErrReader(bytes.NewReader(b)) },
		"halves":   func(b []byte) io.Reader { return iotest.HalfReader(bytes.NewReader(b)) },
		"one byte": func(b []byte) io.Reader { return iotest.OneByteReader(bytes.NewReader(b)) },
	}
	for name, reader := range readers {
		for _, direct := range []bool{true, false} {
			for _, size := range []int{0, 1, 2048, 2049, chunkBytes, pieceBytes, 3 * pieceBytes, 200_001} {
				for _, known := range []bool{true, false} {
					if known && size == 0 {
						continue
					}
					t.Run(fmt.Sprint(name, " direct ", direct, " size ", size, " known ", known), func(t *testing.T) {
						a, p := pair(t, nil)
						a.direct = direct
						body := randomBytes(size)
						m := &Message{ContentType: "application/octet-stream", Reader: reader(body), SuccessReport: true}
						if known {
							m.Size = int64(size)
						}
						d, err := a.Send(ctx, m)
						require.NoError(t, err)
						got, err := p.Receive(ctx)
						require.NoError(t, err)
						require.True(t, bytes.Equal(body, got.Body))
						require.NoError(t, d.Wait(ctx))
						require.NoError(t, a.Shutdown(ctx)) // which waits for the whole window
					})
				}
			}
		}
	}
}

// What the chunks of a streamed body look like: the ranges, the flags, and no chunk under 2,048 bytes but the last.
func TestRFC4975_7_1_1_ByteRangeOfChunks(t *testing.T) {
	for name, c := range map[string]struct {
		size int64
		want []string
	}{
		"known":   {2*chunkBytes + 500, []string{"1-*/20500 +", "10001-*/20500 +", "20001-20500/20500 $"}},
		"unknown": {0, []string{"1-*/* +", "10001-*/* +", "20001-20500/20500 $"}},
	} {
		t.Run(name, func(t *testing.T) {
			s, nc, d := rawPeer(t, nil)
			s.direct = false
			body := bytes.NewReader(make([]byte, 2*chunkBytes+500))
			sent := sendLater(t, s, &Message{ContentType: "a/b", Reader: body, Size: c.size, Header: []Header{{[]byte("Content-Disposition"), []byte("attachment")}}})
			var got []string
			var length int64
			for range c.want {
				f, b, err := readFrame(d)
				require.NoError(t, err)
				require.Equal(t, "attachment", string(f.Value("Content-Disposition")))
				length += int64(len(b))
				got = append(got, string(f.ByteRange.append(nil))+" "+string(rune(f.Continuation)))
				write(t, nc, ok(s, f))
			}
			require.NoError(t, (<-sent).Wait(ctx))
			require.EqualValues(t, 2*chunkBytes+500, length)
			require.Equal(t, c.want, got)
		})
	}
}

// A Reader that gives little at a time makes no small chunks (RFC 4975 section 7.1.1: as few as possible).
func TestRFC4975_7_1_1_NoSmallChunks(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	s.direct = false
	go s.Send(ctx, &Message{ContentType: "a/b", Reader: iotest.OneByteReader(bytes.NewReader(make([]byte, 3*interruptible+1)))})
	for _, n := range []int{interruptible, interruptible, interruptible, 1} {
		f, b, err := readFrame(d)
		require.NoError(t, err)
		require.Len(t, b, n)
		write(t, nc, ok(s, f))
	}
}

// A short message overtakes a long one on the same connection, from the same session and from another.
func TestRFC4975_5_1_ShortOvertakesLong(t *testing.T) {
	for _, source := range []string{"body", "reader", "relay"} {
		t.Run(source, func(t *testing.T) {
			s, nc, d := rawPeer(t, nil)
			s.direct = source != "relay"
			long := &Message{ContentType: "a/b", Body: make([]byte, 4<<20), FailureReport: No}
			if source == "reader" {
				long.Reader, long.Body = bytes.NewReader(long.Body), nil
			}
			go s.Send(ctx, long)
			f, err := d.Next()
			require.NoError(t, err)
			id := string(f.MessageID)
			line := sendLater(t, s, &Message{ID: "line1234", ContentType: "a/b", Body: []byte("hello"), FailureReport: No})
			require.NotNil(t, <-line)
			seen := 0
			for string(f.MessageID) != "line1234" {
				seen += len(readBody(t, d))
				if string(f.MessageID) == id {
					require.Equal(t, More, f.Continuation)
				}
				f, err = d.Next()
				require.NoError(t, err)
			}
			require.Less(t, seen, writeQueue+4*pieceBytes)
			for f.Continuation != Complete || string(f.MessageID) != id { // and the long one goes on where it was
				seen += len(readBody(t, d))
				if f.Continuation == Complete && string(f.MessageID) == id {
					break
				}
				f, err = d.Next()
				require.NoError(t, err)
				if string(f.MessageID) == id {
					require.EqualValues(t, seen-len("hello")+1, f.ByteRange.Start)
				}
			}
			require.Equal(t, 4<<20+len("hello"), seen)
			nc.Close()
		})
	}
}

func readBody(t testing.TB, d *Decoder) (body []byte) {
	t.Helper()
	for {
		piece, err := d.Body()
		if err == io.EOF {
			return body
		}
		require.NoError(t, err)
		body = append(body, piece...)
	}
}

// A message in memory towards Blink, which dies on "+" chunks, makes a response wait, for 5 s at most; a streamed one does not.
func TestResponsesBehindALongFrame(t *testing.T) {
	for name, wait := range map[string]time.Duration{"body": heldTimeout, "reader": 0} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, nc, d := rawPeer(t, nil)
				defer s.e.Close()
				m := &Message{ContentType: "a/b", Body: make([]byte, 8<<20), FailureReport: No}
				if name == "reader" {
					m.Reader, m.Body = bytes.NewReader(m.Body), nil
				}
				go s.Send(ctx, m)
				f, err := d.Next()
				require.NoError(t, err)
				begin := time.Now()
				go io.WriteString(nc, frame(s, "ask12345", "Message-ID: ask12345\r\n", "", Complete))
				n := 0
				for err = error(nil); err == nil; time.Sleep(100 * time.Millisecond) {
					var piece []byte
					piece, err = d.Body()
					n += len(piece)
				}
				require.Equal(t, io.EOF, err)
				require.Equal(t, More, f.Continuation)
				require.Less(t, n, 8<<20)
				f, err = d.Next()
				require.NoError(t, err)
				require.Equal(t, "ask12345", string(f.TransactionID))
				require.InDelta(t, wait, time.Since(begin), float64(2*time.Second))
			})
		})
	}
}

// Whoever sees the transaction ID of a frame in progress and can choose what comes later in its body cannot end it.
func TestRFC4975_7_1_EndLineInAStreamedBody(t *testing.T) {
	for _, split := range []int{0, 1, 8, 9, 20, 25} {
		t.Run(fmt.Sprint(split), func(t *testing.T) {
			s, _, d := rawPeer(t, nil)
			body, feed := io.Pipe()
			go s.Send(ctx, &Message{ContentType: "a/b", Reader: body, FailureReport: No})
			feed.Write(make([]byte, interruptible+1)) // one byte stays back
			f, err := d.Next()
			require.NoError(t, err)
			first := string(f.TransactionID)
			evil := "\r\n-------" + first + "$\r\nMSRP evil SEND\r\n"
			go func() {
				feed.Write([]byte(strings.Repeat("x", interruptible) + evil[:split]))
				feed.Write([]byte(evil[split:] + strings.Repeat("y", interruptible)))
				feed.Close()
			}()
			all := readBody(t, d)
			require.Equal(t, More, f.Continuation)
			f, rest, err := readFrame(d)
			require.NoError(t, err)
			require.NotEqual(t, first, string(f.TransactionID))
			all = append(all, rest...)
			require.Equal(t, strings.Repeat("\x00", interruptible+1)+strings.Repeat("x", interruptible)+evil+strings.Repeat("y", interruptible), string(all))
			require.Equal(t, Complete, f.Continuation)
		})
	}
}

// A message that cannot be finished is aborted, with the same report headers as its other chunks.
func TestRFC4975_7_1_Abort(t *testing.T) {
	broken := errors.New("disk on fire")
	for name, c := range map[string]struct {
		size int64
		end  error // of the Reader
		want error
	}{
		"reader fails": {0, broken, broken}, "too short": {1 << 20, io.EOF, io.ErrUnexpectedEOF}, "context": {0, nil, context.Canceled},
	} {
		for _, direct := range []bool{true, false} {
			t.Run(fmt.Sprint(name, " direct ", direct), func(t *testing.T) {
				s, _, d := rawPeer(t, nil)
				s.direct = direct
				body, feed := io.Pipe()
				within, cancel := context.WithCancel(ctx)
				failed := make(chan error, 1)
				go func() {
					_, err := s.Send(within, &Message{ContentType: "a/b", Reader: body, Size: c.size, SuccessReport: true, FailureReport: Partial})
					failed <- err
				}()
				go func() {
					feed.Write(make([]byte, 3*interruptible))
					if name == "context" {
						cancel()
						feed.Write(make([]byte, 3*interruptible))
					} else {
						feed.CloseWithError(c.end)
					}
				}()
				var f *Frame
				for f == nil || f.Continuation == More {
					var err error
					f, _, err = readFrame(d)
					require.NoError(t, err)
					require.Equal(t, "yes", string(f.SuccessReport))
					require.Equal(t, "partial", string(f.FailureReport))
				}
				require.Equal(t, Aborted, f.Continuation)
				require.ErrorIs(t, <-failed, c.want)
				cancel()
				body.Close()
			})
		}
	}
}

// A 413 ends the chunk in progress at once, and nothing more of the message follows.
func TestRFC4975_10_5_RefusedInAChunk(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	failed := make(chan error, 1)
	go func() {
		_, err := s.Send(ctx, &Message{ContentType: "a/b", Reader: zeros{}})
		failed <- err
	}()
	f, err := d.Next()
	require.NoError(t, err)
	write(t, nc, strings.Replace(ok(s, f), "200 OK", "413 Stop", 1))
	id := string(f.MessageID)
	require.Less(t, len(readBody(t, d)), 1<<20)
	require.Equal(t, Aborted, f.Continuation)
	var refused *StatusError
	require.ErrorAs(t, <-failed, &refused)
	require.Equal(t, StatusStopSending, refused.Code)
	go s.Send(ctx, text("next"))
	f, _, err = readFrame(d)
	require.NoError(t, err)
	require.NotEqual(t, id, string(f.MessageID))
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// A Reader that never gives anything is not asked forever.
func TestReaderWithoutProgress(t *testing.T) {
	a, _ := pair(t, nil)
	_, err := a.Send(ctx, &Message{ContentType: "a/b", Reader: nothing{}})
	require.ErrorIs(t, err, io.ErrNoProgress)
}

type nothing struct{}

func (nothing) Read([]byte) (int, error) { return 0, nil }

// The memory of a transfer does not depend on its length: the Reader is read no more than 160 KiB ahead of what the peer takes.
func TestTransferIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _ := rawPeer(t, nil)
		defer s.e.Close()
		read := &counter{}
		go s.Send(ctx, &Message{ContentType: "a/b", Reader: read, FailureReport: No})
		synctest.Wait() // the peer does not read
		require.InDelta(t, 160<<10, read.n.Load(), 1<<10)
	})
}

// Two transfers on one connection take turns.
func TestTransfersTakeTurns(t *testing.T) {
	s, _, d := rawPeer(t, nil)
	for range 2 {
		go s.Send(ctx, &Message{ContentType: "a/b", Reader: zeros{}, FailureReport: No})
	}
	bytesOf := map[string]int{}
	for range 40 {
		f, err := d.Next()
		require.NoError(t, err)
		bytesOf[string(f.MessageID)] += len(readBody(t, d))
	}
	require.Len(t, bytesOf, 2)
	for _, n := range bytesOf {
		require.Greater(t, n, 5*pieceBytes)
	}
}

// Frames share a Write only where the caller says so, and never more than 36 KiB of them.
func TestCoalesce(t *testing.T) {
	ours, theirs := net.Pipe()
	defer theirs.Close()
	w := &writes{Conn: ours}
	started := make(chan func(), 10)
	out := newWriter(w, true, func() { started <- nil })
	for i := range 100 {
		require.NoError(t, out.push(append(buffer.New(buffer.Small), fmt.Sprintf("%03d%s", i, strings.Repeat("x", 997))...)))
	}
	go io.Copy(io.Discard, theirs)
	<-started
	require.NoError(t, out.run())
	require.Zero(t, out.load())
	require.Len(t, w.all, 4)
	for i, one := range w.all {
		require.Equal(t, fmt.Sprintf("%03d", 32*i), one[:3])
		require.LessOrEqual(t, len(one), buffer.Large)
	}
}
