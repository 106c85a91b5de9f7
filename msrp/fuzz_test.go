package msrp

import (
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// FuzzSession: whatever a bound peer sends, nothing panics, hangs or stays behind, and what the session keeps is within its bounds.
// Of the input, \x01 stands for our URI, \x02 for the peer's, \x03 for the transaction ID of a request of ours.
func FuzzSession(f *testing.F) {
	for _, seed := range []string{
		"MSRP aaaa1 SEND\r\nTo-Path: \x01\r\nFrom-Path: \x02\r\nMessage-ID: m1234\r\nSuccess-Report: yes\r\nByte-Range: 1-5/5\r\nContent-Type: text/plain\r\n\r\nhello\r\n-------aaaa1$\r\n",
		"MSRP aaaa1 SEND\r\nTo-Path: \x01\r\nFrom-Path: \x02\r\nMessage-ID: m1234\r\nByte-Range: 1-*/9\r\nContent-Type: text/plain\r\n\r\nhello\r\n-------aaaa1+\r\n" +
			"MSRP aaaa2 SEND\r\nTo-Path: \x01\r\nFrom-Path: \x02\r\nMessage-ID: m1234\r\nByte-Range: 6-9/9\r\n-------aaaa2#\r\n",
		"MSRP \x03 200 OK\r\nTo-Path: \x01\r\nFrom-Path: \x02\r\n-------\x03$\r\n",
		"MSRP \x03 413 Stop\r\nTo-Path: \x01\r\nFrom-Path: \x02\r\n-------\x03$\r\n",
		"MSRP aaaa1 REPORT\r\nTo-Path: \x01\r\nFrom-Path: \x02\r\nMessage-ID: fuzz\r\nByte-Range: 1-7/7\r\nStatus: 000 200 OK\r\n-------aaaa1$\r\n",
		"MSRP aaaa1 AUTH\r\nTo-Path: \x01\r\nFrom-Path: \x02\r\n-------aaaa1$\r\n",
		"MSRP aaaa1 SEND\r\nTo-Path: \x01\r\nFrom-Path: \x02\r\n\r\n",
		"\x00",
	} {
		f.Add([]byte(seed), uint16(1000))
		f.Add([]byte(seed+seed), uint16(7))
	}
	f.Fuzz(func(t *testing.T, wire []byte, piece uint16) {
		e, err := New(&Options{Host: "passive.example.com:2855", MaxMessage: 200, InboxMessages: 2, InboxBytes: 300, StreamAbove: int(piece%3) * 20})
		require.NoError(t, err)
		defer e.Close() // it waits for every goroutine
		s, err := e.NewSession(nil)
		require.NoError(t, err)
		nc, remote := net.Pipe()
		defer nc.Close()
		e.ServeConn(remote)
		within, cancel := context.WithTimeout(ctx, 10*time.Second)
		defer cancel()
		nc.SetDeadline(time.Now().Add(10 * time.Second))
		go s.Connect(within, mustPath(rawPath), Passive, nil)
		write(t, nc, frame(s, "bind1234", "Message-ID: bind\r\n", "", Complete))
		d := NewDecoder(nc, nil)
		_, _, err = readFrame(d)
		require.NoError(t, err)
		delivery, err := s.Send(within, &Message{ID: "fuzz", ContentType: "text/plain", Body: []byte("request"), SuccessReport: true})
		require.NoError(t, err)
		request, _, err := readFrame(d)
		require.NoError(t, err)

		var readers sync.WaitGroup
		if s.e.o.StreamAbove > 0 { // what is streamed must be read, or its sender waits
			readers.Go(func() {
				for m, err := range s.Messages(within) {
					if err != nil {
						return
					}
					if m.Reader != nil {
						readers.Go(func() { io.Copy(io.Discard, m.Reader) })
					}
				}
			})
		}
		in := strings.NewReplacer("\x01", s.own, "\x02", rawPath, "\x03", string(request.TransactionID)).Replace(string(wire))
		read := make(chan struct{})
		go func() { // every answer must be a frame
			defer close(read)
			for err == nil {
				_, _, err = readFrame(d)
			}
		}()
		for len(in) > 0 {
			n := min(len(in), int(piece)+1)
			if _, err := io.WriteString(nc, in[:n]); err != nil {
				break // the session had enough
			}
			in = in[n:]
		}
		waiting, bytes, unfinished, _ := s.inbox.load()
		require.LessOrEqual(t, waiting, 2)
		require.LessOrEqual(t, bytes, 300)
		require.GreaterOrEqual(t, unfinished, 0)
		require.LessOrEqual(t, unfinished, 200)
		require.NoError(t, s.Close())
		<-delivery.Done()
		<-read
		require.False(t, isParseError(err), "we wrote what is no frame: %v", err)
		for m, err := range s.Messages(within) { // what came before stays readable, then there is an end
			if err != nil {
				require.NoError(t, within.Err())
				break
			}
			if m.Reader != nil {
				io.Copy(io.Discard, m.Reader)
			}
		}
		readers.Wait()
		_, bytes, _, _ = s.inbox.load()
		require.Zero(t, bytes)
	})
}
