package sip

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// sipgo's parser takes time with the square of the number of parameters, and what it makes of those with quotes takes memory so. Neither gets far.
func TestParametersWithoutEnd(t *testing.T) {
	var distinct strings.Builder
	for i := range 5000 {
		fmt.Fprintf(&distinct, ";%04x", i)
	}
	quotes := ";" + strings.Repeat(`x=""`, 6000)
	for name, params := range map[string]string{"distinct": distinct.String(), "quotes": quotes, "few quotes": quotes[:400]} {
		few := countParams([]byte(params)) <= maxParams
		for field, text := range map[string]string{
			"Request-URI": "OPTIONS sip:b@x" + params + " SIP/2.0",
			"headers":     "OPTIONS sip:b@x?a=1" + strings.ReplaceAll(params, ";", "&") + " SIP/2.0",
			"From":        "OPTIONS sip:b@x SIP/2.0\nFrom: <sip:c@x" + params + ">;tag=1\n",
			"Via":         "OPTIONS sip:b@x SIP/2.0\nVia: SIP/2.0/TCP 192.0.2.3;branch=z9hG4bK1" + params + "\n",
			"Contact":     "OPTIONS sip:b@x SIP/2.0\nContact: <sip:c@x>" + params + "\n",
		} {
			for _, network := range []string{"udp", "tcp"} {
				t.Run(name+" in "+field+" over "+network, func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						v := newVictim(t)
						stranger := siptest.NewPeer(t, v.network.Host(attackerHost))
						stranger.Dial(network, victimAddress)
						stranger.Send(text)
						v.goesOn()
						switch { // what else there is to answer is sipgo's affair
						case few && field == "headers", !few && field == "Contact":
							assert.Equal(t, 400, stranger.Final("OPTIONS").Status)
						case few:
							res := stranger.Final("OPTIONS")
							assert.Equal(t, 200, res.Status)
							assert.Less(t, len(res.Text()), 2*len(text)+1000)
						}
						stranger.Close()
						v.forgets()
					})
				})
			}
		}
	}
}

// A proxy may share one connection among many callers: what one of them writes into a header field closes it for none.
func TestUnreadableHeaderFieldsCloseNothing(t *testing.T) {
	for _, unreadable := range []string{
		"Contact: <", "Max-Forwards: x", "CSeq: x", "From: <>", "To: *", "Via: x", "Via: [", "Record-Route: <x>", "Refer-To: <>", "Referred-By: *", "Call-ID:", "Content-Type: ",
	} {
		t.Run(unreadable, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				v := newVictim(t)
				v.caller.Send("OPTIONS sip:b@x SIP/2.0\n" + unreadable)
				v.goesOn()
			})
		})
	}
}

func TestUnreadableForTooManyParameters(t *testing.T) {
	many := strings.Repeat(";a", maxParams+1)
	for field, read := range map[string]bool{
		"From: <sip:b@x>" + many: false, "From: <sip:b@x>" + many[2:]: true, `From: <sip:b@x>;a=","` + many: false, "From: <sip:b@x>,<sip:b@x>" + many: false,
		"To: <sip:b@x" + many + ">": false, "Via: SIP/2.0/UDP x" + many: false, "Record-Route: <sip:b@x" + many + ">": false,
		"m: <sip:b@x>, <sip:b@x>" + many[2:]: true, "Contact: <sip:b@x>, <sip:b@x>" + many: false, `Contact: <sip:b@x>;a=","` + many: false,
		`Contact: <sip:b@x>;a="` + strings.Repeat(`,"",`, maxParams) + `"`: false, "Contact: <sip:b@x," + strings.Repeat(",;a", maxParams+1) + ">": false,
	} {
		msg, err := gosip.NewParser(gosip.WithHeadersParsers(headerParsers())).ParseSIP([]byte("OPTIONS sip:b@x SIP/2.0\r\n" + field + "\r\n\r\n"))
		require.NoError(t, err)
		assert.Equal(t, !read, slices.ContainsFunc(msg.(message).Headers(), func(h gosip.Header) bool { _, ok := h.(unreadable); return ok }), field[:40])
	}
}
