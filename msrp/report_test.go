package msrp

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

type counter struct{ n atomic.Int64 }

func (c *counter) Read(b []byte) (int, error) { c.n.Add(int64(len(b))); return len(b), nil }

func reportFrame(s *Session, id, message, rest, status string) string {
	return "MSRP " + id + " REPORT\r\nTo-Path: " + s.own + "\r\nFrom-Path: " + rawPath + "\r\nMessage-ID: " + message + "\r\n" + rest + "Status: " + status + "\r\n-------" + id + "$\r\n"
}

// A relay that answered 200 may fail later: the failure is told, also after the Delivery has ended.
func TestRFC4975_7_1_4_LateFailureReport(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	sent := sendLater(t, s, text("hello"))
	f, _, err := readFrame(d)
	require.NoError(t, err)
	write(t, nc, ok(s, f))
	del := <-sent
	require.NoError(t, del.Wait(ctx))
	write(t, nc, reportFrame(s, "late1234", del.ID(), "", "000 200 OK")) // late success says nothing new
	for range 2 {
		write(t, nc, reportFrame(s, "late1234", del.ID(), "Byte-Range: 1-5/5\r\n", "000 413 No\u202emore"))
	}
	for range 2 { // it is for the caller to see that it is the same
		r, err := s.ReceiveReport(ctx)
		require.NoError(t, err)
		require.Equal(t, &Report{del.ID(), ByteRange{1, 5, 5}, 413, "No?more"}, r)
	}
}

// A failure report counts while the message waits for its success report, and only the first outcome counts.
func TestRFC4975_7_1_2_FailureReport(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	m := text("hello")
	m.SuccessReport = true
	sent := sendLater(t, s, m)
	f, _, err := readFrame(d)
	require.NoError(t, err)
	write(t, nc, ok(s, f))
	del := <-sent
	write(t, nc, reportFrame(s, "one12345", del.ID(), "", "001 415 another namespace means nothing"))
	write(t, nc, reportFrame(s, "two12345", del.ID(), "", "000 415 No"))
	write(t, nc, reportFrame(s, "thr12345", del.ID(), "", "000 200 OK"))
	var refused *StatusError
	require.ErrorAs(t, del.Wait(ctx), &refused)
	require.Equal(t, 415, refused.Code)
}

// After 481 or 506 the session is over (RFC 4975 sections 10.8, 10.10), in a response and in a report, and after a report with 408 (section 7.3.2). After
// others it goes on, after a 408 in a response too, which counts as a timeout (section 10.4), and after a report on a message that is no longer known.
func TestRFC4975_7_3_2_FailuresOfTheSession(t *testing.T) {
	for _, c := range []struct {
		code int
		ends bool
	}{{400, false}, {403, false}, {408, false}, {413, false}, {415, false}, {481, true}, {501, false}, {506, true}} {
		for _, how := range []string{"response", "report", "late report"} {
			t.Run(fmt.Sprint(c.code, " ", how), func(t *testing.T) {
				s, nc, d := rawPeer(t, nil)
				m := text("hello")
				m.SuccessReport = how == "report"
				sent := sendLater(t, s, m)
				f, _, err := readFrame(d)
				require.NoError(t, err)
				id := string(f.MessageID)
				if how == "response" {
					write(t, nc, strings.Replace(ok(s, f), "200 OK", fmt.Sprint(c.code, " no"), 1))
				} else {
					write(t, nc, ok(s, f))
					if how == "late report" {
						require.NoError(t, (<-sent).Wait(ctx))
					}
					write(t, nc, reportFrame(s, "fail1234", id, "", fmt.Sprintf("000 %d no", c.code)))
				}
				var refused *StatusError
				if how != "late report" {
					require.ErrorAs(t, (<-sent).Wait(ctx), &refused)
					require.Equal(t, c.code, refused.Code)
				}
				if how == "report" && c.code == StatusTimeout || c.ends && how != "late report" {
					<-s.Done()
					require.ErrorAs(t, s.Err(), &refused)
					require.Equal(t, c.code, refused.Code)
					return
				}
				go func() {
					f, _, _ := readFrame(d)
					write(t, nc, ok(s, f))
				}()
				del, err := s.Send(ctx, text("goes on"))
				require.NoError(t, err)
				require.NoError(t, del.Wait(ctx))
			})
		}
	}
}

// With Failure-Report partial nobody waits for a 200, but a refusal is told.
func TestRFC4975_7_1_1_Partial(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, nil)
		defer s.e.Close()
		m := text("hello")
		m.FailureReport = Partial
		sent := sendLater(t, s, m)
		f, _, err := readFrame(d)
		require.NoError(t, err)
		del := <-sent
		require.NoError(t, del.Wait(ctx), "no response is due")
		time.Sleep(2 * responseTimeout)
		write(t, nc, strings.Replace(ok(s, f), "200 OK", "415 no", 1))
		r, err := s.ReceiveReport(ctx)
		require.NoError(t, err)
		require.Equal(t, &Report{MessageID: del.ID(), Code: 415, Comment: "no"}, r)

		m.SuccessReport = true // then it is the outcome
		sent = sendLater(t, s, m)
		f, _, err = readFrame(d)
		require.NoError(t, err)
		write(t, nc, strings.Replace(ok(s, f), "200 OK", "415 no", 1))
		var refused *StatusError
		require.ErrorAs(t, (<-sent).Wait(ctx), &refused)
	})
}

// The latest 256 requests whose refusal may still come are remembered, and no more.
func TestRFC4975_7_1_1_PartialIsBounded(t *testing.T) {
	const most = 256
	s, nc, d := rawPeer(t, nil)
	m := text("hello")
	m.FailureReport = Partial
	var refusals []string
	var ids []string
	for range 2*most + 2 { // around the ring more than once
		sent := sendLater(t, s, m)
		f, _ := next(t, d)
		refusals = append(refusals, strings.Replace(ok(s, f), "200 OK", "415 no", 1))
		ids = append(ids, (<-sent).ID())
	}
	for i := range most + 3 { // those forgotten and the first that is not
		write(t, nc, refusals[i])
	}
	write(t, nc, refusals[len(refusals)-1])
	for _, i := range []int{most + 2, len(ids) - 1} {
		r, err := s.ReceiveReport(ctx)
		require.NoError(t, err)
		require.Equal(t, ids[i], r.MessageID)
	}
	require.Len(t, s.silents, most)
}

// Also a refusal with partial stops a message of many chunks.
func TestRFC4975_7_1_1_PartialStops(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	failed := make(chan error, 1)
	go func() {
		_, err := s.Send(ctx, &Message{ContentType: "a/b", Reader: zeros{}, FailureReport: Partial})
		failed <- err
	}()
	f, err := d.Next()
	require.NoError(t, err)
	write(t, nc, strings.Replace(ok(s, f), "200 OK", "413 no", 1))
	readBody(t, d)
	require.Equal(t, Aborted, f.Continuation)
	var refused *StatusError
	require.ErrorAs(t, <-failed, &refused)
}

// What waits for reports is bounded, and so is what waits for ReceiveReport.
func TestReportsAreBounded(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	go func() {
		for {
			if _, _, err := readFrame(d); err != nil {
				return
			}
		}
	}()
	m := text("hello")
	m.SuccessReport, m.FailureReport = true, No
	first, err := s.Send(ctx, m)
	require.NoError(t, err)
	second, err := s.Send(ctx, m)
	require.NoError(t, err)
	for range maxUnreported - 1 {
		_, err := s.Send(ctx, m)
		require.NoError(t, err)
	}
	require.ErrorIs(t, first.Wait(ctx), ErrUnreported)
	require.Len(t, s.reports, maxUnreported)
	write(t, nc, reportFrame(s, "rep12345", second.ID(), "", "000 200 OK"))
	require.NoError(t, second.Wait(ctx))
	for i := range 2 * maxLateReports {
		write(t, nc, reportFrame(s, "rep12345", fmt.Sprintf("late%d", i), "", "000 413 no"))
	}
	write(t, nc, frame(s, "ask12345", "Message-ID: ask12345\r\nFailure-Report: no\r\n", "", Complete))
	require.Eventually(t, func() bool {
		s.mu.Lock()
		defer s.mu.Unlock()
		return len(s.late) == maxLateReports && s.late[0].MessageID == "late64"
	}, 5*time.Second, time.Millisecond)
	require.NoError(t, s.Close())
	for i := range maxLateReports { // what came before the end is still there
		r, err := s.ReceiveReport(ctx)
		require.NoError(t, err)
		require.Equal(t, fmt.Sprintf("late%d", maxLateReports+i), r.MessageID)
	}
	_, err = s.ReceiveReport(ctx)
	require.ErrorIs(t, err, ErrClosed)
}

func TestReceiveReportEndsWithItsContext(t *testing.T) {
	a, _ := pair(t, nil)
	short, cancel := context.WithCancel(ctx)
	time.AfterFunc(time.Millisecond, cancel)
	_, err := a.ReceiveReport(short)
	require.ErrorIs(t, err, context.Canceled)
}

func TestRFC4975_7_1_3_ReportedRanges(t *testing.T) {
	for name, c := range map[string]struct {
		ranges []ByteRange
		want   bool
	}{
		"in order":     {[]ByteRange{{1, 4, 10}, {5, 10, 10}}, true},
		"out of order": {[]ByteRange{{5, 9, 10}, {10, 10, 10}, {1, 4, 10}}, true},
		"overlapping":  {[]ByteRange{{1, 6, 10}, {3, 8, 10}, {2, 10, 10}}, true},
		"twice":        {[]ByteRange{{1, 5, 10}, {1, 5, 10}}, false},
		"gap":          {[]ByteRange{{1, 4, 10}, {6, 10, 10}}, false},
		"no beginning": {[]ByteRange{{2, Unknown, Unknown}}, false},
		"backwards":    {[]ByteRange{{10, 1, 20}}, false},
		"absent":       {[]ByteRange{{}}, true},
		"unknown end":  {[]ByteRange{{1, Unknown, Unknown}}, true},
		"characters":   {[]ByteRange{{1, 5, 5}}, true},
	} {
		t.Run(name, func(t *testing.T) {
			var s spans
			for _, r := range c.ranges {
				s.add(r)
			}
			require.Equal(t, c.want, s.cover(10))
		})
	}
	var many spans
	for i := range int64(1000) {
		many.add(ByteRange{2 * i, 2 * i, 9999})
	}
	require.Len(t, many, maxSpans)
}

// The keep-alive is an empty SEND in every idle interval; when nobody answers it the session is over.
func TestRFC4975_7_1_KeepAlive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, &Options{KeepAlive: time.Minute})
		defer s.e.Close()
		begin := time.Now()
		for i := range 3 {
			f, body, err := readFrame(d)
			require.NoError(t, err)
			require.Equal(t, time.Duration(i+1)*time.Minute, time.Since(begin))
			require.False(t, f.HasBody())
			require.Empty(t, body)
			require.Equal(t, ByteRange{1, 0, 0}, f.ByteRange) // as Blink writes it
			write(t, nc, ok(s, f))
		}
		time.Sleep(30 * time.Second)
		sent := sendLater(t, s, text("hello")) // puts it off
		f, _, err := readFrame(d)
		require.NoError(t, err)
		write(t, nc, ok(s, f))
		require.NoError(t, (<-sent).Wait(ctx))
		begin = time.Now()
		_, _, err = readFrame(d)
		require.NoError(t, err)
		require.Equal(t, time.Minute, time.Since(begin))
		<-s.Done()
		require.Equal(t, time.Minute+responseTimeout, time.Since(begin))
		require.ErrorIs(t, s.Err(), ErrTimeout)
	})
}

func TestRFC7701_7_1_Nickname(t *testing.T) {
	for _, c := range []struct {
		name, header, answer string
		code                 int
	}{
		{"Alice the great", `"Alice the great"`, "200 OK", 0},
		{`quo"te\d`, `"quo\"te\\d"`, "200 OK", 0},
		{"", `""`, "200 OK", 0},
		{"Älice", `"Älice"`, "425 taken", StatusNicknameInUse},
		{"x", `"x"`, "501 what", StatusUnknownMethod},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, nc, d := rawPeer(t, nil)
			result := make(chan error, 1)
			go func() { result <- s.Nickname(ctx, c.name) }()
			f, _, err := readFrame(d)
			require.NoError(t, err)
			require.Equal(t, MethodNickname, string(f.Method))
			require.Equal(t, c.header, string(f.Value("Use-Nickname")))
			require.Empty(t, f.MessageID)
			require.Empty(t, f.SuccessReport)
			require.Empty(t, f.FailureReport)
			write(t, nc, strings.Replace(ok(s, f), "200 OK", c.answer, 1))
			err = <-result
			if c.code == 0 {
				require.NoError(t, err)
				return
			}
			var refused *StatusError
			require.ErrorAs(t, err, &refused)
			require.Equal(t, c.code, refused.Code)
		})
	}
	a, _ := pair(t, nil)
	for _, bad := range []string{"a\r\nb", "\x00", "\xff", strings.Repeat("x", 1024)} {
		require.ErrorIs(t, a.Nickname(ctx, bad), ErrMalformed)
	}
	var refused *StatusError // an endpoint is no conference
	require.ErrorAs(t, a.Nickname(ctx, "alice"), &refused)
	require.Equal(t, StatusUnknownMethod, refused.Code)
}
