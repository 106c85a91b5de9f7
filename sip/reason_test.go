package sip

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestRFC3326_2_Grammar(t *testing.T) {
	for name, c := range map[string]struct {
		headers []string
		want    []*Reason
	}{
		"none":              {nil, nil},
		"cause and text":    {[]string{`SIP ;cause=200 ;text="Call completed elsewhere"`}, []*Reason{{"SIP", 200, "Call completed elsewhere"}}},
		"two values":        {[]string{`Q.850;cause=16;text="Terminated",SIP;cause=600`}, []*Reason{{"Q.850", 16, "Terminated"}, {"SIP", 600, ""}}},
		"two header fields": {[]string{`sip;CAUSE=480`, `X`}, []*Reason{{"SIP", 480, ""}, {"X", 0, ""}}},
		"delimiters quoted": {[]string{`SIP;text="a,b;c=\"d\\"`}, []*Reason{{"SIP", 0, `a,b;c="d\`}}},
		"ends in a quote":   {[]string{`SIP;text="say \"hi\""`}, []*Reason{{"SIP", 0, `say "hi"`}}},
		"extension":         {[]string{`SIP;x="a;cause=1";cause=5`}, []*Reason{{"SIP", 5, ""}}},
		"cause no number":   {[]string{`SIP;cause=x`, `SIP;cause=-1`, `SIP;cause=99999999999`}, nil},
		"no protocol":       {[]string{``, `;cause=1`, `"SIP";cause=1`, `S P`}, nil},
		"open quote":        {[]string{`SIP;text="a,SIP;cause=200`}, []*Reason{{"SIP", 0, "a,SIP;cause=200"}}},
	} {
		t.Run(name, func(t *testing.T) {
			req := gosip.NewRequest(gosip.BYE, gosip.Uri{Scheme: "sip", Host: "x"})
			for _, h := range c.headers {
				req.AppendHeader(header("Reason", h))
			}
			got := reasons(req)
			assert.Equal(t, c.want, got)
			for _, r := range got {
				require.NoError(t, r.check())
				assert.Equal(t, r, parseReason(r.String()), "what is written is read again")
			}
		})
	}
	req := gosip.NewRequest(gosip.BYE, gosip.Uri{Scheme: "sip", Host: "x"})
	req.AppendHeader(header("Reason", strings.Repeat("SIP;cause=1,", 10*maxReasons)+`SIP;text="`+strings.Repeat("x", 1000)+`"`))
	assert.Len(t, reasons(req), maxReasons)
	assert.Len(t, parseReason(`SIP;text="`+strings.Repeat("x", 1000)+`"`).Text, maxText)
}

// Whatever a peer writes, what we make of it can be shown, and written again.
func FuzzReason(f *testing.F) {
	for _, seed := range []string{`SIP ;cause=200 ;text="Call completed elsewhere"`, `Q.850;cause=16;text="a\",b",SIP;cause=600;x="y;z"`, `SIP;text="`, `;`, `"`} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		req := gosip.NewRequest(gosip.BYE, gosip.Uri{Scheme: "sip", Host: "x"})
		req.AppendHeader(header("Reason", value))
		rs := reasons(req)
		require.LessOrEqual(t, len(rs), maxReasons)
		for _, r := range rs {
			require.NoError(t, r.check())
			require.Equal(t, r, parseReason(r.String()))
		}
	})
}

// The reason of a BYE is found in the error of the call.
func TestRFC3326_1_ReasonOfABye(t *testing.T) {
	bob := newTestAgent(t, &Options{}, "udp")
	u := newUAC(t, bob)
	call := u.up(bob)
	u.write("BYE", 2, "Reason: Q.850;cause=16, SIP;cause=200;text=\"Call completed elsewhere\"\n")
	assert.Equal(t, 200, u.final(gosip.BYE).StatusCode)
	waitDone(t, call.Done())
	assert.ErrorIs(t, call.Err(), ErrEnded)
	assert.ErrorIs(t, call.Err(), ErrAnsweredElsewhere)
	var why *Reason
	require.ErrorAs(t, call.Err(), &why)
	assert.Equal(t, answeredElsewhere, why)
	assert.Equal(t, `sip: the peer ended the call: reason SIP;cause=200;text="Call completed elsewhere"`, call.Err().Error())
}

// A forking proxy tells the phones that were slower that another has the call.
func TestRFC3326_3_1_CallCompletedElsewhere(t *testing.T) {
	for name, c := range map[string]struct {
		reason    string
		elsewhere bool
	}{
		"elsewhere":  {"Reason: SIP;cause=200;text=\"Call completed elsewhere\"\n", true},
		"given up":   {"Reason: SIP;cause=487\n", false},
		"other":      {"Reason: Q.850;cause=200\n", false},
		"no reason":  {"", false},
		"not broken": {"Reason: SIP;cause=200;cause=x\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			bob := newTestAgent(t, &Options{}, "udp")
			u := newUAC(t, bob)
			u.write("INVITE", 1, withSDP(peerOffer))
			i, err := bob.Accept(testContext(t))
			require.NoError(t, err)
			u.write("CANCEL", 1, c.reason)
			waitDone(t, i.Done())
			assert.ErrorIs(t, i.Err(), ErrCanceled)
			assert.Equal(t, c.elsewhere, errors.Is(i.Err(), ErrAnsweredElsewhere))
			_, err = i.Answer(testContext(t), testMedia("bob"))
			assert.Equal(t, i.Err(), err)
		})
	}
}

// An answer that does not fit is acknowledged, and the BYE says why.
func TestRFC3326_3_2_RefusingAnAnswer(t *testing.T) {
	alice, carol := newTestAgent(t, &Options{}, "udp"), newPeer(t)
	done := inviteTo(testContext(t), alice, carol.target())
	carol.respond(carol.request(gosip.INVITE), 200, carol.contact()+"\n"+withSDP(strings.ReplaceAll(peerSDP, "message 2856", "message 0")))
	carol.request(gosip.ACK)
	bye := carol.request(gosip.BYE)
	assert.Equal(t, `SIP;cause=488;text="Not Acceptable Here"`, bye.GetHeader("Reason").Value())
	carol.respond(bye, 200, "")
	assert.ErrorIs(t, (<-done).err, ErrMedia)
}

// The cause of Invite's context goes into CANCEL, where it can be written.
func TestRFC3326_1_ReasonOfACancel(t *testing.T) {
	for name, c := range map[string]struct {
		cause error
		want  string
	}{
		"a reason":        {answeredElsewhere, `SIP;cause=200;text="Call completed elsewhere"`},
		"another error":   {errors.New("secret"), ""},
		"not writable":    {&Reason{Protocol: "SIP", Text: "a\r\nEvil: 1"}, ""},
		"broken protocol": {&Reason{Protocol: "S\r\nEvil: 1"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			alice, carol := newTestAgent(t, &Options{}, "udp"), newPeer(t)
			ctx, cancel := context.WithCancelCause(testContext(t))
			done := inviteTo(ctx, alice, carol.target())
			invite := carol.request(gosip.INVITE)
			carol.respond(invite, 180, "")
			cancel(c.cause)
			require.ErrorIs(t, (<-done).err, context.Canceled)
			req := carol.request(gosip.CANCEL)
			carol.respond(req, 200, "")
			carol.respond(invite, 487, "")
			if c.want == "" {
				assert.Nil(t, req.GetHeader("Reason"))
				return
			}
			assert.Equal(t, c.want, req.GetHeader("Reason").Value())
		})
	}
}

// An answer that crosses the CANCEL: the BYE has the reason too, and what cannot be written in neither.
func TestRFC3326_1_ReasonOfACrossingBYE(t *testing.T) {
	for cause, want := range map[*Reason]string{
		{Protocol: "SIP", Cause: 480, Text: `a "b"`}:            `SIP;cause=480;text="a \"b\""`,
		{Protocol: "SIP", Text: "a\r\nEvil: 1"}:                 "",
		{Protocol: "SIP;cause=1"}:                               "",
		{Protocol: "SIP", Text: strings.Repeat("x", maxText+1)}: "",
		{Protocol: "SIP", Cause: -1}:                            "",
	} {
		onStage(t, Options{}, func(t *testing.T, s *stage) {
			ctx, cancel := context.WithCancelCause(t.Context())
			invite, done := s.invite(ctx)
			s.Respond(invite, "180 Ringing", "")
			synctest.Wait()
			cancel(cause)
			<-done
			req := s.Request("CANCEL")
			assert.Equal(t, want, req.Value("Reason"))
			s.Respond(req, "200 OK", "")
			s.Respond(invite, "200 OK", s.SDP("passive"))
			req = s.Request("BYE")
			assert.Equal(t, want, req.Value("Reason"))
			assert.Empty(t, req.Value("Evil"))
			s.Respond(req, "200 OK", "")
		})
	}
}

func TestStatusErrorIs(t *testing.T) {
	sentinels := []error{ErrBusy, ErrDeclined, ErrUnavailable, ErrNotAcceptable}
	for code, want := range map[int]error{
		486: ErrBusy, 600: ErrBusy, 603: ErrDeclined, 480: ErrUnavailable, 488: ErrNotAcceptable, 606: ErrNotAcceptable,
		404: nil, 415: nil, 503: nil,
	} {
		for _, s := range sentinels {
			assert.Equal(t, s == want, errors.Is(&StatusError{Code: code}, s), "%d %v", code, s)
		}
	}
}
