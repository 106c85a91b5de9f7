package siptest

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
)

// peers returns two peers; what the first sends goes to the second.
func peers(t *testing.T, network string) (a, b *Peer) {
	t.Helper()
	n := new(Network)
	a, b = NewPeer(t, n.Host("192.0.2.1")), NewPeer(t, n.Host("192.0.2.2"))
	a.Dial(network, b.Address())
	return a, b
}

func both(t *testing.T, f func(t *testing.T, network string)) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { f(t, network) })
		})
	}
}

func TestPeersCall(t *testing.T) {
	both(t, func(t *testing.T, network string) {
		a, b := peers(t, network)
		invite := a.Send("INVITE sip:b@192.0.2.2 SIP/2.0\nSubject: x\n" + a.SDP("actpass"))
		got := b.Request("INVITE")
		assert.Equal(t, "sip:b@192.0.2.2", got.URI)
		assert.Equal(t, "x", got.Value("s"))
		assert.Equal(t, "70", got.Value("max-forwards"))
		assert.Equal(t, "<sip:b@192.0.2.2>", got.Value("To"))
		assert.Equal(t, invite.Header, got.Header)
		assert.Equal(t, invite.Text(), got.Text())
		assert.Contains(t, got.Body, "a=path:msrp://192.0.2.1:2855/peer;tcp\r\n")
		assert.Contains(t, got.Value("Via"), "SIP/2.0/"+strings.ToUpper(network)+" 192.0.2.1:5060;branch=z9hG4bK")
		assert.Equal(t, "sip:peer@192.0.2.1:5060;transport="+network, got.Address("Contact"))

		b.Respond(got, "100 Trying", "")
		assert.Empty(t, a.Response(100).Param("To", "tag"))
		ok := b.Respond(got, "200 OK", "Record-Route: <sip:p1>, <sip:p2>\nRecord-Route: <sip:p3>\n"+b.SDP("active"))
		res := a.Final("INVITE")
		assert.Equal(t, 200, res.Status)
		assert.Equal(t, "OK", res.Reason)
		assert.NotEmpty(t, res.Param("To", "tag"))
		assert.Equal(t, invite.Value("Via"), res.Value("Via"))
		b.Repeat(ok)
		assert.Equal(t, res.Header, a.Final("INVITE").Header)

		a.Ack(invite, res, "")
		ack := b.Request("ACK")
		assert.Equal(t, "sip:peer@192.0.2.2:5060;transport="+network, ack.URI)
		assert.Equal(t, invite.Seq(), ack.Seq())
		assert.Equal(t, []string{"<sip:p3>", "<sip:p2>", "<sip:p1>"}, ack.Values("Route"))
		assert.Equal(t, res.Value("To"), ack.Value("To"))

		b.Dial(network, a.Address())
		b.Within(got, "BYE", "Reason: SIP;cause=200\n")
		bye := a.Request("BYE")
		assert.Equal(t, invite.Address("Contact"), bye.URI)
		assert.Equal(t, res.Value("To"), bye.Value("From"))
		assert.Equal(t, invite.Value("From"), bye.Value("To"))
		assert.Equal(t, "BYE", bye.CSeqMethod())
		assert.Equal(t, "BYE sip:peer@192.0.2.1:5060;transport="+network+" SIP/2.0", bye.String())
		a.None(time.Hour)
		b.None(time.Hour)
	})
}

func TestPeersCancel(t *testing.T) {
	both(t, func(t *testing.T, network string) {
		a, b := peers(t, network)
		invite := a.Send("INVITE sip:b@192.0.2.2 SIP/2.0\nRoute: <sip:p;lr>\n")
		got := b.Next()
		a.Cancel(invite)
		cancel := b.Request("CANCEL")
		for _, name := range []string{"Via", "From", "To", "Call-ID", "Route"} {
			assert.Equal(t, got.Values(name), cancel.Values(name), name)
		}
		assert.Equal(t, got.Seq(), cancel.Seq())
		b.Respond(cancel, "200 OK", "")
		b.Respond(got, "487 Request Terminated", "To: "+got.Value("To")+";tag=own\n")
		assert.Equal(t, "CANCEL", a.Next().CSeqMethod())
		res := a.Final("INVITE")
		assert.Equal(t, "own", res.Param("To", "tag"))
		assert.Empty(t, res.Values("Contact"))
		a.Ack(invite, res, "")
		ack := b.Request("ACK")
		assert.Equal(t, got.Value("Via"), ack.Value("Via"))
		assert.Equal(t, got.URI, ack.URI)
		assert.Equal(t, res.Value("To"), ack.Value("To"))
	})
}

func TestMessage(t *testing.T) {
	a, b := peers(t, "udp")
	a.Write([]byte("\r\n\r\nSIP/2.0 200 \r\nt: \"x <y>\" <sip:b@x;tag=no> ; Tag = \"q\" ;isfocus\r\nFrom: sip:c@x;tag=1\r\nVia: SIP/2.0/UDP h\r\n ;branch=z\r\nbroken\r\n\r\nthe rest"))
	m := b.Next()
	assert.Equal(t, "SIP/2.0 200 ", m.String())
	assert.Equal(t, "the rest", m.Body)
	assert.Equal(t, "z", m.Param("v", "branch"))
	assert.Equal(t, "sip:c@x", m.Address("From"))
	assert.Equal(t, "1", m.Param("From", "tag"))
	assert.Empty(t, m.Value("Missing"))
	assert.Empty(t, m.Param("To", "missing"))
	assert.Zero(t, m.Seq())
	for _, text := range []string{"", "x", "OPTIONS x\n\n", "SIP/2.0 x y\n\n", "OPTIONS x SIP/2.0\nContent-Length: -1\n\n"} {
		a.Write([]byte(text))
	}
	a.Send("OPTIONS sip:b@x SIP/2.0\nCSeq: 7 OPTIONS")
	assert.Equal(t, 7, b.Next().Seq(), "what is no message is dropped")
}

// A goroutine may answer on its own.
func TestPeerServes(t *testing.T) {
	both(t, func(t *testing.T, network string) {
		a, b := peers(t, network)
		go func() {
			for m := range b.In {
				b.Respond(m, "200 OK", "")
			}
		}()
		for range 3 {
			a.Send("OPTIONS sip:b@192.0.2.2 SIP/2.0")
			a.Final("OPTIONS")
		}
		b.Close()
		b.Close()
	})
}

// What ends a test.
func TestPeerFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := peers(t, "udp")
		for name, f := range map[string]func(p *Peer){
			"no INVITE came within 1m0s":        func(p *Peer) { p.Request("INVITE") },
			"no 200 came within 1m0s":           func(p *Peer) { p.Response(200) },
			"no message came within 1m0s":       func(p *Peer) { p.Next() },
			"no final response to BYE came":     func(p *Peer) { p.Final("BYE") },
			"unexpected OPTIONS sip:b@192.0.2.": func(p *Peer) { a.Send("OPTIONS sip:b@192.0.2.2 SIP/2.0"); p.None(time.Hour) },
			"Send before Dial":                  func(p *Peer) { p.Send("OPTIONS sip:b@x SIP/2.0") },
			"Respond to what was not received":  func(p *Peer) { p.Respond(new(Message), "200 OK", "") },
			"not an ip:port":                    func(p *Peer) { p.Dial("udp", "x") },
		} {
			assert.Contains(t, failure(b, f), name)
		}
		b.Close()
		assert.Contains(t, failure(b, func(p *Peer) { p.Next() }), "the peer is closed")
	})
}

// failure runs f on the peer with a test of its own and returns what that complained about.
func failure(p *Peer, f func(*Peer)) string {
	r := &recorder{TB: p.t}
	defer func(t testing.TB) { p.t = t }(p.t)
	p.t = r
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(p)
	}()
	<-done
	return r.complaint
}

// recorder is a test that only notes what failed.
type recorder struct {
	testing.TB
	complaint string
}

func (*recorder) Helper()                        {}
func (r *recorder) Error(args ...any)            { r.complaint = fmt.Sprint(args...) }
func (r *recorder) Fatal(args ...any)            { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(f string, args ...any) { r.Fatal(fmt.Sprintf(f, args...)) }
