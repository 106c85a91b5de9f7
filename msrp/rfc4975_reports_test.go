package msrp

import (
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// A REPORT of ours: Status and Message-ID, no wish for reports, the way back as its To-Path (section 7.1.3), and only for who asked.
func TestRFC4975_7_1_2_Report(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	for wish, wanted := range map[string]bool{"": false, "Success-Report: no\r\n": false, "Success-Report: yes\r\n": true} {
		write(t, nc, frame(s, "aaaa1", "Message-ID: m1234\r\n"+wish+"Byte-Range: 1-5/5\r\nContent-Type: text/plain\r\n", "hello", Complete))
		f, _ := next(t, d)
		require.Equal(t, StatusOK, f.Status)
		if !wanted {
			nothingBefore(t, s, nc, d)
			continue
		}
		f, _ = next(t, d)
		require.Equal(t, MethodReport, string(f.Method))
		require.Equal(t, "m1234", string(f.MessageID))
		require.Equal(t, ByteRange{1, 5, 5}, f.ByteRange)
		require.Equal(t, "000 200 OK", string(f.StatusHeader))
		require.Equal(t, rawPath, string(f.ToPath))
		require.Equal(t, s.own, string(f.FromPath))
		require.Empty(t, f.SuccessReport)
		require.Empty(t, f.FailureReport)
		require.False(t, f.HasBody())
		require.Equal(t, Complete, f.Continuation)
	}
}

// A REPORT is answered neither by a response nor by a REPORT, whatever it asks for, and one on a message that we do not know is ignored.
func TestRFC4975_7_1_2_ReportsAreNotAnswered(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	for i, w := range []string{
		reportFrame(s, "rep12", "unknown", "Byte-Range: 1-5/5\r\n", "000 200 OK"),
		reportFrame(s, "rep12", "unknown", "Byte-Range: 1-5/5\r\nSuccess-Report: yes\r\nFailure-Report: yes\r\n", "000 200 OK"),
		reportFrame(s, "rep12", "unknown", "", "000 481 No Session"),
		reportFrame(s, "rep12", "unknown", "", "nonsense"),
		reportFrame(s, "rep12", "unknown", "Byte-Range: nonsense\r\n", "000 200 OK"),
		strings.Replace(reportFrame(s, "rep12", "unknown", "", "000 200 OK"), s.uri.SessionID, "guessed", 1),
	} {
		write(t, nc, w)
		nothingBefore(t, s, nc, d)
		require.NoError(t, s.Err(), i)
	}
}

// A status namespace that is not 000 says nothing that we could know.
func TestRFC4975_7_3_2_OtherNamespacesAreIgnored(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	m := text("hello")
	m.SuccessReport = true
	sent := sendLater(t, s, m)
	f, _ := next(t, d)
	write(t, nc, ok(s, f))
	del := <-sent
	for _, status := range []string{"001 200 OK", "001 413 No", "00 200", "200 OK"} {
		write(t, nc, reportFrame(s, "rep12", string(f.MessageID), "Byte-Range: 1-5/5\r\n", status))
	}
	nothingBefore(t, s, nc, d)
	select {
	case <-del.Done():
		t.Fatal("taken for an outcome")
	default:
	}
	write(t, nc, reportFrame(s, "rep12", string(f.MessageID), "Byte-Range: 1-5/5\r\n", "000 200 OK"))
	require.NoError(t, del.Wait(ctx))
}

// A 408 of a relay counts as a timeout of our own, in a response and in a REPORT.
func TestRFC4975_10_4_TimeoutElsewhere(t *testing.T) {
	for _, byReport := range []bool{false, true} {
		s, nc, d := rawPeer(t, nil)
		m := text("hello")
		m.SuccessReport = true
		sent := sendLater(t, s, m)
		f, _ := next(t, d)
		if byReport {
			write(t, nc, ok(s, f))
			write(t, nc, reportFrame(s, "rep12", string(f.MessageID), "Byte-Range: 1-5/5\r\n", "000 408 Gone"))
		} else {
			write(t, nc, answerTo(s, f, "408 Gone", ""))
		}
		err := (<-sent).Wait(ctx)
		require.ErrorIs(t, err, ErrTimeout)
		require.Equal(t, &StatusError{408, "Gone"}, err)
	}
	require.NotErrorIs(t, &StatusError{Code: 481}, ErrTimeout)
}

// Without a success report by the end of the session, the sender learns of it.
func TestRFC4975_7_1_1_UnreportedAtTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, p := pair(t, &Options{ManualReports: true})
		m := text("hello")
		m.SuccessReport = true
		d, err := a.Send(ctx, m)
		require.NoError(t, err)
		synctest.Wait()
		select {
		case <-d.Sent():
		default:
			t.Fatal("no response")
		}
		select {
		case <-d.Done():
			t.Fatal("done without a report")
		default:
		}
		require.NoError(t, p.Close())
		require.Error(t, d.Wait(ctx))
	})
}

// A session that is over sends no REPORT.
func TestRFC4975_7_1_2_NoReportAfterTheEnd(t *testing.T) {
	s, nc, d := rawPeer(t, &Options{ManualReports: true})
	write(t, nc, frame(s, "aaaa1", "Message-ID: m1234\r\nSuccess-Report: yes\r\nContent-Type: text/plain\r\n", "hello", Complete))
	next(t, d)
	m, err := s.Receive(ctx)
	require.NoError(t, err)
	require.NoError(t, s.Close())
	require.ErrorIs(t, s.Report(m, StatusOK), ErrClosed)
	_, err = d.Next()
	require.ErrorIs(t, err, io.EOF)
}
