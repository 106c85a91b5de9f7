package msrp

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

func acceptOnly(s *Session, types ...string) { s.acceptTypes = types }

// answers writes frames and returns what comes back before the 200 to a last one.
func answers(t testing.TB, s *Session, wire func(string), d *Decoder, frames ...string) (codes []int) {
	t.Helper()
	for _, f := range append(frames, frame(s, "last1", "", "", Complete)) {
		wire(f)
	}
	for {
		f, _, err := readFrame(d)
		require.NoError(t, err)
		if string(f.TransactionID) == "last1" {
			return codes
		}
		codes = append(codes, f.Status)
	}
}

// A refusal is answered unless Failure-Report is no; a success also not if it is partial.
func TestRFC4975_7_1_4_FailureReport(t *testing.T) {
	const id, plain = "Message-ID: m1234\r\n", "Content-Type: text/plain\r\n"
	for name, c := range map[string]struct {
		headers, body string
		flag          Continuation
		code          int
	}{
		"taken":              {id + plain, "x", Complete, 200},
		"taken in part":      {id + "Byte-Range: 5-5/5\r\n" + plain, "x", Complete, 200},
		"given up":           {id + plain, "x", Aborted, 200},
		"too long":           {id + plain, strings.Repeat("x", 101), Complete, 413},
		"says it is":         {id + "Byte-Range: 1-*/101\r\n" + plain, "x", More, 413},
		"too far away":       {id + "Byte-Range: 999999999-*/*\r\n" + plain, "x", More, 413},
		"no room":            {id + plain, strings.Repeat("x", 60), Complete, 413},
		"another media type": {id + "Content-Type: image/png\r\n", "x", Complete, 415},
		"no Message-ID":      {plain, "x", Complete, 400},
		"bad Message-ID":     {"Message-ID: a b\r\n" + plain, "x", Complete, 400},
		"bad Byte-Range":     {id + "Byte-Range: 0-1/1\r\n" + plain, "x", Complete, 400},
	} {
		t.Run(name, func(t *testing.T) {
			for _, report := range []string{"", "yes", "partial", "no"} {
				s, nc, d := rawPeer(t, &Options{MaxMessage: 100, InboxBytes: 100})
				acceptOnly(s, "text/*")
				require.Equal(t, []int{200}, answers(t, s, func(w string) { write(t, nc, w) }, d, frame(s, "aaaa1", "Message-ID: m1233\r\n"+plain, strings.Repeat("x", 50), Complete)))
				headers := c.headers
				if report != "" {
					headers = "Failure-Report: " + report + "\r\n" + headers
				}
				var want []int
				if report != "no" && (c.code != StatusOK || report != "partial") {
					want = []int{c.code}
				}
				require.Equal(t, want, answers(t, s, func(w string) { write(t, nc, w) }, d, frame(s, "aaaa2", headers, c.body, c.flag)), "Failure-Report %q", report)
			}
		})
	}
}

// A sender learns at once that a message is not wanted, within a chunk of any length, and nothing of it is kept.
func TestRFC4975_10_5_StopSending(t *testing.T) {
	s, nc, d := rawPeer(t, &Options{MaxMessage: 100})
	write(t, nc, "MSRP aaaa1 SEND\r\nTo-Path: "+s.own+"\r\nFrom-Path: "+rawPath+"\r\nMessage-ID: m1234\r\nByte-Range: 1-*/101\r\nContent-Type: text/plain\r\n\r\nx")
	f, _, err := readFrame(d)
	require.NoError(t, err)
	require.Equal(t, StatusStopSending, f.Status)
	write(t, nc, strings.Repeat("x", 1<<20)+"\r\n-------aaaa1+\r\n")
	for i := range 3 * maxPartials { // each refused, and the sender does as it is told
		require.Equal(t, []int{413}, answers(t, s, func(w string) { write(t, nc, w) }, d,
			frame(s, "aaaa2", fmt.Sprintf("Message-ID: n12%d\r\nByte-Range: 1-*/101\r\nContent-Type: text/plain\r\n", i), "x", More)))
	}
	_, _, unfinished, refused := s.inbox.load()
	require.Zero(t, unfinished)
	require.EqualValues(t, 1+3*maxPartials, refused)
	require.Len(t, s.inbox.refused, maxPartials)
	require.Equal(t, []int{200}, answers(t, s, func(w string) { write(t, nc, w) }, d, // other messages are welcome
		frame(s, "aaaa3", "Message-ID: m9999\r\nContent-Type: text/plain\r\n", "x", More)))
}

// Further chunks of a refused message are refused, up to its last; then its ID is forgotten.
func TestRFC4975_10_5_RefusedMessageStaysRefused(t *testing.T) {
	s, nc, d := rawPeer(t, &Options{MaxMessage: 100})
	acceptOnly(s, "text/plain")
	const png, head = "Content-Type: image/png\r\n", "Message-ID: m1234\r\n"
	wire := func(w string) { write(t, nc, w) }
	for _, last := range []Continuation{Complete, Aborted} {
		require.Equal(t, []int{415, 415, 415, 415}, answers(t, s, wire, d,
			frame(s, "aaaa1", head+"Byte-Range: 1-1/4\r\n"+png, "x", More), frame(s, "aaaa2", head+"Byte-Range: 2-2/4\r\n"+png, "x", More),
			frame(s, "aaaa3", head+"Byte-Range: 3-2/4\r\n", "", More), frame(s, "aaaa4", head+"Byte-Range: 3-4/4\r\n"+png, "xx", last)))
		require.Equal(t, []int{200}, answers(t, s, wire, d, frame(s, "aaaa5", head+"Content-Type: text/plain\r\n", "x", Complete)))
	}
	require.Empty(t, s.inbox.refused)
	_, _, _, refused := s.inbox.load()
	require.Zero(t, refused, "415 is no 413")
}

func TestRefusalsAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, nc, d := rawPeer(t, &Options{MaxMessage: 100})
		defer s.e.Close()
		wire := func(w string) { write(t, nc, w) }
		chunk := func(id string) string {
			return frame(s, "aaaa1", "Message-ID: "+id+"\r\nByte-Range: 1-*/101\r\nContent-Type: text/plain\r\n", "x", More)
		}
		answers(t, s, wire, d, chunk("m1234"))
		time.Sleep(time.Minute)
		answers(t, s, wire, d, chunk("m1235"))
		time.Sleep(time.Minute)
		synctest.Wait()
		s.inbox.mu.Lock()
		require.Len(t, s.inbox.refused, 1)
		s.inbox.mu.Unlock()
		time.Sleep(time.Minute)
		synctest.Wait()
		s.inbox.mu.Lock()
		require.Empty(t, s.inbox.refused)
		s.inbox.mu.Unlock()
	})
}

// An unfinished message is forgotten two minutes after its last chunk, and its sender, who has a 200 for every chunk, is told.
func TestRFC4975_7_1_4_UnfinishedMessage(t *testing.T) {
	for _, report := range []string{"yes", "partial", "no"} {
		t.Run(report, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, nc, d := rawPeer(t, nil)
				defer s.e.Close()
				wire := func(w string) { write(t, nc, w) }
				head := "Failure-Report: " + report + "\r\nMessage-ID: m1234\r\n"
				answers(t, s, wire, d, frame(s, "aaaa1", head+"Byte-Range: 1-2/9\r\nContent-Type: text/plain\r\n", "ab", More))
				time.Sleep(partialTimeout - 1)
				answers(t, s, wire, d, frame(s, "aaaa2", head+"Byte-Range: 5-9/9\r\nContent-Type: text/plain\r\n", "efghi", Complete))
				begin := time.Now()
				if report == "no" {
					time.Sleep(partialTimeout)
					require.Empty(t, answers(t, s, wire, d))
				} else {
					f, _, err := readFrame(d)
					require.NoError(t, err)
					require.Equal(t, MethodReport, string(f.Method))
					require.Equal(t, "000 413 Stop Sending", string(f.StatusHeader))
					require.Equal(t, "m1234", string(f.MessageID))
					require.Equal(t, ByteRange{1, 2, 9}, f.ByteRange)
				}
				require.Equal(t, partialTimeout, time.Since(begin))
				_, _, unfinished, _ := s.inbox.load()
				require.Zero(t, unfinished)
			})
		})
	}
}

// A message that was delivered and comes again is handed out again: whether it is a duplicate is for the application to say.
func TestRFC4975_5_4_Duplicates(t *testing.T) {
	s, nc, d := rawPeer(t, nil)
	for range 2 {
		require.Equal(t, []int{200, 0}, answers(t, s, func(w string) { write(t, nc, w) }, d,
			frame(s, "aaaa1", "Message-ID: m1234\r\nSuccess-Report: yes\r\nContent-Type: text/plain\r\n", "again", Complete)), "answered and reported both times")
		m, err := s.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, "m1234", m.ID)
		require.Equal(t, "again", string(m.Body))
	}
}

func TestRFC4975_7_3_1_MediaTypes(t *testing.T) {
	for _, c := range []struct {
		accept string
		good   []string
		bad    []string
	}{
		{"*", []string{"text/plain", "x/y"}, nil},
		{"", []string{"text/plain", "x/y"}, nil},
		{"text/plain", []string{"text/plain", "TEXT/Plain", "text/plain;charset=utf-8", "text/plain ; charset=utf-8"}, []string{"text/html", "text/plainer", "text", "image/png"}},
		{"text/plain;charset=utf-8", []string{"text/plain", "text/plain;charset=latin1"}, []string{"text/html"}},
		{"image/*", []string{"image/png", "IMAGE/jpeg"}, []string{"image", "images/png", "text/plain"}},
		{"text/plain message/cpim", []string{"text/plain", "message/cpim"}, []string{"message/imdn+xml"}},
	} {
		s, nc, d := rawPeer(t, nil)
		o := &SessionOptions{AcceptTypes: strings.Fields(c.accept)}
		require.NoError(t, checkAcceptTypes(o.AcceptTypes))
		acceptOnly(s, o.AcceptTypes...)
		for i, contentType := range append(c.good, c.bad...) {
			want := 200
			if i >= len(c.good) {
				want = 415
			}
			require.Equal(t, []int{want}, answers(t, s, func(w string) { write(t, nc, w) }, d,
				frame(s, "aaaa1", "Message-ID: m1234\r\nContent-Type: "+contentType+"\r\n", "x", Complete)), "%s: %s", c.accept, contentType)
		}
	}
}

func TestAcceptTypesAreChecked(t *testing.T) {
	e, err := New(&Options{Host: "a.example.com:1"})
	require.NoError(t, err)
	defer e.Close()
	for _, bad := range []string{"", "text", "text/", "/plain", "a b/c", "text/plain\r\n", "te\x00xt/plain"} {
		_, err := e.NewSession(&SessionOptions{AcceptTypes: []string{"text/plain", bad}})
		require.ErrorContains(t, err, "AcceptTypes", bad)
	}
	mine := []string{"text/plain"}
	s, err := e.NewSession(&SessionOptions{AcceptTypes: mine})
	require.NoError(t, err)
	mine[0] = "changed"
	require.True(t, s.accepts("text/plain"))
}
