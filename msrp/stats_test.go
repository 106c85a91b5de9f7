package msrp

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

func TestStats(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		synctest.Wait()
		require.Equal(t, SessionStats{}, s.Stats())
		require.Equal(t, Stats{Sessions: 1, Connections: 1}, s.e.Stats())

		write(t, nc, frame(s, "one12345", "Message-ID: one12345\r\nFailure-Report: no\r\nContent-Type: a/b\r\n", "whole", Complete))
		write(t, nc, frame(s, "two12345", "Message-ID: two12345\r\nFailure-Report: no\r\nByte-Range: 1-3/9\r\nContent-Type: a/b\r\n", "not", More))
		m := text("12345678")
		m.SuccessReport = true
		sent := sendLater(t, s, m)
		synctest.Wait() // the pipe has no room: the frame is being written
		st := s.Stats()
		require.Greater(t, st.QueuedBytes, 200)
		require.Equal(t, st.QueuedBytes, s.e.Stats().QueuedBytes)
		st.QueuedBytes = 0
		require.Equal(t, SessionStats{InboxMessages: 1, InboxBytes: 5, UnfinishedBytes: 3, InFlight: 1, InFlightBytes: 9, Unreported: 1}, st)
		require.Equal(t, 8, s.e.Stats().InboxBytes)

		f, _, err := readFrame(d)
		require.NoError(t, err)
		write(t, nc, ok(s, f))
		write(t, nc, reportFrame(s, "rep12345", string(f.MessageID), "", "000 200 OK"))
		require.NoError(t, (<-sent).Wait(ctx))
		_, err = s.Receive(ctx)
		require.NoError(t, err)
		write(t, nc, frame(s, "thr12345", "Message-ID: thr12345\r\nFailure-Report: no\r\nByte-Range: 1-*/"+strings.Repeat("9", 12)+"\r\nContent-Type: a/b\r\n", "x", Complete))
		synctest.Wait()
		require.Equal(t, SessionStats{UnfinishedBytes: 3, Refused: 1}, s.Stats())
		s.Close()
		require.Equal(t, SessionStats{Refused: 1}, s.Stats())
		require.Equal(t, Stats{}, s.e.Stats())
	})
}
