package msrp

import (
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// A peer that sends without a window, but reads, is slowed down, not cut off.
func TestPeerThatSendsFasterThanWeAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, _ := rawPeer(t, nil)
		defer s.e.Close()
		const n = 20_000 // their answers are several times what may wait
		go func() {
			for i := range n {
				io.WriteString(nc, frame(s, fmt.Sprintf("f%07d", i), "Message-ID: m1234\r\n", "", Complete))
			}
		}()
		d := NewDecoder(slowReader{nc}, nil)
		most := 0
		for i := range n {
			f, _, err := readFrame(d)
			require.NoError(t, err)
			require.Equal(t, fmt.Sprintf("f%07d", i), string(f.TransactionID))
			most = max(most, s.Stats().QueuedBytes)
		}
		require.NoError(t, s.Err())
		require.Greater(t, most, responseQueue/8, "the test is about a queue that fills")
	})
}

type slowReader struct{ r io.Reader }

func (s slowReader) Read(p []byte) (int, error) {
	time.Sleep(time.Millisecond)
	return s.r.Read(p[:min(len(p), 4096)])
}

// One that does not read at all is cut off.
func TestPeerThatDoesNotReadItsAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, _ := rawPeer(t, nil)
		begin := time.Now()
		go func() {
			for {
				if _, err := io.WriteString(nc, frame(s, "f0000000", "Message-ID: m1234\r\n", "", Complete)); err != nil {
					return
				}
			}
		}()
		<-s.Done()
		require.ErrorIs(t, s.Err(), ErrStalled)
		require.Equal(t, relieveTimeout, time.Since(begin))
		s.e.Close()
	})
}

// What has come of a live body is handed on without the bytes that follow it: nothing but the beginning of an end-line is held back.
func TestLiveBodyIsNotHeldBack(t *testing.T) {
	r, w := io.Pipe()
	d := NewDecoder(r, nil)
	go io.WriteString(w, "MSRP live1 SEND\r\nTo-Path: msrp://a.example.com:1/a;tcp\r\nFrom-Path: msrp://b.example.com:1/b;tcp\r\nMessage-ID: live\r\nByte-Range: 1-*/*\r\nContent-Type: a/b\r\n\r\n")
	_, err := d.Next()
	require.NoError(t, err)
	for _, piece := range []string{"a", "hello", "\nno end-line --", "-------live1$"} {
		go io.WriteString(w, piece)
		got, err := d.Body()
		require.NoError(t, err)
		require.Equal(t, piece, string(got))
	}
	go io.WriteString(w, "line\r\n-")
	got, err := d.Body()
	require.NoError(t, err)
	require.Equal(t, "line", string(got))
	go io.WriteString(w, "x")
	got, err = d.Body()
	require.NoError(t, err)
	require.Equal(t, "\r\n-x", string(got))
	go io.WriteString(w, "\r\n-------live1$\r\n")
	_, err = d.Body()
	require.Equal(t, io.EOF, err)
}

// A message for which there is no place among the unfinished ones is refused before anybody has it in hand.
func TestNoPlaceForAnotherStream(t *testing.T) {
	s, nc, d := rawPeer(t, &Options{StreamAbove: 3})
	for i := range maxPartials + 1 {
		write(t, nc, frame(s, fmt.Sprintf("part%04d", i), fmt.Sprintf("Message-ID: part%d\r\nByte-Range: 1-*/*\r\nContent-Type: a/b\r\n", i), "hello", More))
		f, _, err := readFrame(d)
		require.NoError(t, err)
		if i < maxPartials {
			require.Equal(t, StatusOK, f.Status)
		} else {
			require.Equal(t, StatusStopSending, f.Status)
		}
	}
	require.Equal(t, maxPartials, s.Stats().InboxMessages)
}

// Nobody waits for room that there will never be: a head that is larger than the whole inbox is refused at once.
func TestNoRoomForTheHeadOfAStream(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, &Options{StreamAbove: 3, MaxMessage: 200, InboxBytes: 300})
		defer s.e.Close()
		begin := time.Now()
		headers := "Message-ID: part1234\r\nByte-Range: 1-*/*\r\nX-Large: " + strings.Repeat("x", 1000) + "\r\nContent-Type: a/b\r\n"
		go io.WriteString(nc, frame(s, "part1234", headers, "hello", More))
		f, _, err := readFrame(d)
		require.NoError(t, err)
		require.Equal(t, StatusStopSending, f.Status)
		require.Zero(t, time.Since(begin))
		require.Zero(t, s.Stats().InboxMessages)
	})
}
