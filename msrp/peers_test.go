package msrp

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otrchat/otrchat/msrp/internal/buffer"
	"github.com/stretchr/testify/require"
)

// Each test here is for a program out there, and for what was measured of it: our default is the form that gets through it.

// sentFrames sends m to a peer that answers every request, and returns our frames until the last chunk, as they stood on the wire.
func sentFrames(t *testing.T, path string, m *Message) []string {
	t.Helper()
	var raw []string
	synctest.Test(t, func(t *testing.T) {
		s, nc, _ := rawPeer(t, nil)
		defer s.e.Close()
		var wire bytes.Buffer
		d := NewDecoder(io.TeeReader(nc, &wire), nil)
		s.direct = len(mustPath(path)) == 1
		s.toPath, s.nextHop = []byte(path), firstHop(path)
		go s.Send(ctx, m)
		for {
			f, _ := next(t, d)
			head, _, ended := bytes.Cut(wire.Bytes(), append([]byte("-------"), f.TransactionID...))
			require.True(t, ended)
			raw = append(raw, string(wire.Next(len(head)+len("-------")+len(f.TransactionID)+len("$\r\n"))))
			if f.Continuation == Complete {
				return
			}
			write(t, nc, fmt.Sprintf("MSRP %s 200 OK\r\nTo-Path: %s\r\nFrom-Path: %s\r\n-------%[1]s$\r\n", f.TransactionID, s.own, firstHop(path)))
		}
	})
	return raw
}

func firstHop(path string) string { hop, _, _ := strings.Cut(path, " "); return hop }

const kamailioPath = "msrp://relay.example.com:2855/r;tcp " + rawPath

// Kamailio refuses frames over 11,238 bytes with 501; AG Projects' relay loses those over one TLS record.
func TestKamailioFrameSize(t *testing.T) {
	m := text(strings.Repeat("x", 100_000))
	m.SuccessReport = true
	frames := sentFrames(t, kamailioPath, m)
	require.Len(t, frames, 10)
	for _, f := range frames {
		require.Less(t, len(f), 11_238)
	}
	require.Len(t, sentFrames(t, kamailioPath, text(strings.Repeat("x", chunkBytes))), 1, "what fits is one chunk")
}

// Kamailio drops what overflows its queue of 32 KB without a word: 32 frames of 10 KB were safe.
func TestKamailioWindow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, d := rawPeer(t, nil)
		defer s.e.Close()
		s.direct = false
		for range 3 { // the window is one for all senders
			go s.Send(ctx, text(strings.Repeat("x", 50*chunkBytes)))
		}
		frames := 0
		go func() {
			for {
				if _, _, err := readFrame(d); err != nil {
					return
				}
				frames++
			}
		}()
		synctest.Wait()
		require.Equal(t, 32, frames)
	})
}

// Kamailio takes a status line without a comment for a request.
func TestKamailioNeedsAComment(t *testing.T) {
	for code := 200; code < 1000; code++ {
		require.NotEmpty(t, StatusText(code))
	}
}

// Kamailio, like others, wants To-Path and From-Path first, the RFC's spelling and ": " after the name.
func TestKamailioHeaders(t *testing.T) {
	f := sentFrames(t, rawPath, text("hello"))[0]
	lines := strings.Split(f, "\r\n")
	require.Regexp(t, `^MSRP [A-Za-z0-9.+%=-]{4,32} SEND$`, lines[0])
	require.Regexp(t, `^To-Path: msrp`, lines[1])
	require.Regexp(t, `^From-Path: msrp`, lines[2])
	require.Regexp(t, `^Message-ID: \w+$`, lines[3])
	require.Equal(t, "Byte-Range: 1-5/5", lines[4])
	require.Equal(t, "Content-Type: text/plain;charset=utf-8", lines[5])
}

// Blink closes the connection on a "+" chunk with data: without a relay a chat message of any size is one chunk.
func TestBlinkGetsUnbrokenMessages(t *testing.T) {
	for _, size := range []int{1, 2049, 64 << 10, 64<<10 + 1, 3 << 20} {
		frames := sentFrames(t, rawPath, text(strings.Repeat("x", size)))
		require.Len(t, frames, 1)
		if size > interruptible {
			require.Contains(t, frames[0], fmt.Sprintf("\r\nByte-Range: 1-*/%d\r\n", size))
		}
	}
}

// Blink keeps a session alive with an empty SEND and a header of its own every 60 s, and gives up when nobody answers.
func TestBlinkKeepAliveIsAnswered(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	write(t, nc, frame(s, "keep1234", "Message-ID: keep1234\r\nByte-Range: 1-0/0\r\nKeep-Alive: yes\r\n", "", Complete))
	f, _, err := readFrame(d)
	require.NoError(t, err)
	require.Equal(t, StatusOK, f.Status)
	require.Zero(t, s.Stats().InboxMessages)
}

// Session ids of AG Projects' relay have "/", "+" and "=" in them; they go back as they came.
func TestMsrprelaySessionIDs(t *testing.T) {
	const path = "msrps://relay.example.com:2855/kjf/87=+sd;tcp " + rawPath
	require.Equal(t, path, mustPath(path).String())
	require.Contains(t, sentFrames(t, path, text("hello"))[0], "\r\nTo-Path: "+path+"\r\n")
}

// msrp-java writes status lines without a comment.
func TestMsrpJavaBareStatus(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	sent := sendLater(t, s, text("hello"))
	f, _, err := readFrame(d)
	require.NoError(t, err)
	write(t, nc, strings.Replace(ok(s, f), "200 OK", "200", 1))
	require.NoError(t, (<-sent).Wait(ctx))
}

// msrp-node-lib binds with a SEND that has no Byte-Range, and sends chunks of 2,048 bytes that may split a character.
func TestMsrpNodeLibChunks(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	write(t, nc, frame(s, "bind1235", "Message-ID: bind1235\r\n", "", Complete))
	f, _, err := readFrame(d)
	require.NoError(t, err)
	require.Equal(t, StatusOK, f.Status)
	body := "x" + strings.Repeat("ä", 2048)
	for i := 0; i < len(body); i += 2048 {
		flag := More
		if i+2048 >= len(body) {
			flag = Complete
		}
		part := body[i:min(i+2048, len(body))]
		write(t, nc, frame(s, "part1234", fmt.Sprintf("Message-ID: part1234\r\nByte-Range: %d-%d/%d\r\nContent-Type: text/plain\r\n", i+1, i+len(part), len(body)), part, flag))
		f, _, err := readFrame(d)
		require.NoError(t, err)
		require.Equal(t, StatusOK, f.Status)
	}
	m, err := s.Receive(ctx)
	require.NoError(t, err)
	require.Equal(t, body, string(m.Body))
}

// msrp-node-lib reports only to who says Failure-Report: yes, so who asks for a success report says it.
func TestMsrpNodeLibReports(t *testing.T) {
	m := text("hello")
	require.NotContains(t, sentFrames(t, rawPath, m)[0], "Failure-Report")
	m.SuccessReport = true
	require.Contains(t, sentFrames(t, rawPath, m)[0], "\r\nSuccess-Report: yes\r\nFailure-Report: yes\r\n")
}

// A peer without TCP_NODELAY delays its 200 by 40 ms, a slow one by more: only the window waits for it, and with Failure-Report no nothing does.
func TestSlowAnswersDoNotDelaySending(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, _ := rawPeer(t, nil)
		defer s.e.Close()
		go io.Copy(io.Discard, nc)
		begin := time.Now()
		m := text("hello")
		for range windowFrames {
			_, err := s.Send(ctx, m)
			require.NoError(t, err)
		}
		m.FailureReport = No
		for range 10 * windowFrames {
			_, err := s.Send(ctx, m)
			require.NoError(t, err)
		}
		require.Zero(t, time.Since(begin))
	})
}

// writes keeps every Write of a connection apart.
type writes struct {
	net.Conn
	mu  sync.Mutex
	all []string
}

func (w *writes) Write(b []byte) (int, error) {
	w.mu.Lock()
	w.all = append(w.all, string(b))
	w.mu.Unlock()
	return w.Conn.Write(b)
}

type dialerFunc func() net.Conn

func (f dialerFunc) DialContext(context.Context, string, string) (net.Conn, error) { return f(), nil }

// Blink's parser loses the continuation flag if a segment ends right before it: one frame is one Write, and one Write is one frame. A larger one than
// 64 KiB goes in several, of which the last holds the whole end-line.
func TestOneFrameOneWrite(t *testing.T) {
	pe, err := New(&Options{Host: "passive.example.com:2855"})
	require.NoError(t, err)
	defer pe.Close()
	ours, theirs := net.Pipe()
	w := &writes{Conn: ours}
	ae, err := New(&Options{Host: "active.example.com:2855", Dialer: dialerFunc(func() net.Conn { pe.ServeConn(theirs); return w })})
	require.NoError(t, err)
	defer ae.Close()
	a, err := ae.NewSession(nil)
	require.NoError(t, err)
	p, err := pe.NewSession(nil)
	require.NoError(t, err)
	connect(t, a, p)
	for _, size := range []int{1, 100, 10_000, 64 << 10, 200_000} {
		for _, pair := range [][2]*Session{{a, p}, {p, a}} {
			m := text(strings.Repeat("x", size))
			m.SuccessReport = true
			d, err := pair[0].Send(ctx, m)
			require.NoError(t, err)
			require.NoError(t, d.Wait(ctx))
		}
	}
	require.NoError(t, a.Shutdown(ctx))
	require.GreaterOrEqual(t, len(w.all), 1+3*5, "the binding request; requests, responses and reports")
	large := ""
	for _, one := range w.all {
		if large += one; !endsFrame(one) {
			require.NotContains(t, one, "\r\n-------")
			continue
		}
		one, large = large, ""
		require.True(t, len(one) < unbrokenBytes+buffer.Small || len(one) > 200_000)
		r := NewDecoder(strings.NewReader(one), nil)
		_, _, err := readFrame(r)
		require.NoError(t, err)
		_, err = r.Next()
		require.Equal(t, io.EOF, err)
	}
}

func endsFrame(write string) bool {
	i := strings.LastIndex(write, "\r\n-------")
	return i >= 0 && strings.HasSuffix(write, "\r\n") && len(write)-i < 48
}
