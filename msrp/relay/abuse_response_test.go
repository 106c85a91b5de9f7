package relay

import (
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// respond sends a response that has whatever it has.
func (c *client) respond(id []byte, code int, to, from string, headers ...msrp.Header) {
	c.g.Helper()
	require.NoError(c.g, c.Send(&msrp.Frame{TransactionID: id, Status: code, ToPath: []byte(to), FromPath: []byte(from), Header: headers}, nil))
}

// Of the responses that a next hop sends only the first one counts that is for a request of ours, on its connection, with the paths of the request.
func TestAbuseForgedResponses(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		mallory := g.client("carol")
		for _, method := range []string{msrp.MethodSend, "WINK"} {
			alice.request("real01", method, alice.Remote.String(), alice.Path.String())
			if method == msrp.MethodSend {
				alice.expect("real01", msrp.StatusOK)
			}
			f := bob.next()
			whole, hop := string(f.FromPath), string(first(f.FromPath))
			to := whole
			if method == msrp.MethodSend {
				to = hop
			}
			id := string(f.TransactionID)
			forge := func(c *client, id, to, from string) {
				for _, code := range []int{200, 413, 481, 999} {
					c.respond([]byte(id), code, to, from)
				}
			}
			for _, other := range []string{flip(id, len(id)-1), flip(id, 0), id[:len(id)-1], id + "a", "real01", strings.ToUpper(id), "aaaa", strings.Replace(id, id[16:17], "b", 1)} {
				forge(bob, other, to, string(f.ToPath))
			}
			for _, other := range []string{alice.Path.String(), whole + " " + bob.Path.String(), bob.Path.String(), "x", mallory.use.String() + " " + mallory.Path.String()} {
				forge(bob, id, other, string(f.ToPath))
			}
			for _, other := range []*client{mallory, alice, g.stranger()} { // not on this connection
				forge(other, id, to, string(f.ToPath))
			}
			alice.quiet()
			mallory.quiet()
			bob.respond(f.TransactionID, 481, to, string(f.ToPath))
			forge(bob, id, to, string(f.ToPath)) // there is one answer
			f = alice.next()
			if method == msrp.MethodSend {
				require.Equal(t, "000 481 "+msrp.StatusText(481), string(f.StatusHeader))
			} else {
				require.Equal(t, 481, f.Status)
				require.Equal(t, alice.Path.String(), string(f.ToPath))
			}
			alice.quiet()
		}
	})
}

// An answer that comes too late is none, and a REPORT is never answered.
func TestAbuseLateResponses(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		for method, reported := range map[string]bool{msrp.MethodSend: true, "WINK": false, msrp.MethodReport: false} {
			alice.request("late01", method, alice.Remote.String(), alice.Path.String())
			f := bob.next()
			if reported {
				alice.expect("late01", msrp.StatusOK)
			}
			time.Sleep(responseTimeout + time.Second)
			if reported {
				require.Equal(t, "000 408 Timeout", string(alice.next().StatusHeader))
			}
			bob.respond(f.TransactionID, 200, string(f.FromPath), string(f.ToPath))
			bob.respond(f.TransactionID, 413, string(first(f.FromPath)), string(f.ToPath))
			alice.quiet()
			require.Zero(t, g.holds().Unanswered)
		}
	})
}

// Responses to nothing may come by the thousand, and with bodies: they are read and forgotten.
func TestAbuseResponseFlood(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		mallory, before := g.client("carol"), g.holds()
		long := "MSRP none01 200 OK\r\nTo-Path: " + alice.use.String() + " " + alice.Path.String() + "\r\nFrom-Path: " + bob.Path.String() + "\r\n"
		<-mallory.pour(long+"-------none01$\r\n", 3000)
		<-mallory.pour(long+"Content-Type: text/plain\r\n\r\n"+strings.Repeat("x", 100<<10)+"\r\n-------none01$\r\n", 20)
		alice.quiet()
		bob.quiet()
		before.Connections, before.Sessions, before.Users = 3, 3, 3
		require.Equal(t, before, g.holds())
	})
}

// What the headers of a response say is passed on, and can neither break out of its line nor lead the relay anywhere.
func TestAbuseResponseHeaders(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		victim := msrptest.NewPeer(t, g.n)
		alice.request("auth01", msrp.MethodAuth, alice.Remote.String(), alice.Path.String(), msrp.Header{Name: []byte("Authorization"), Value: []byte("Digest x")})
		f := bob.next()
		bob.respond(f.TransactionID, 200, string(f.FromPath), string(f.ToPath),
			msrp.Header{Name: []byte("Use-Path"), Value: []byte("msrp://\tx " + strings.Repeat("y", 9000))}, msrp.Header{Name: []byte("Authentication-Info"), Value: []byte(`rspauth="`)})
		require.Equal(t, msrp.StatusOK, alice.next().Status)
		_, err := io.WriteString(bob.Conn, "MSRP "+string(f.TransactionID)+" 200 O\tK\r\nTo-Path: "+string(f.FromPath)+"\r\nFrom-Path: \""+victim.Path.String()+"\"\r\nX: \xff\xfe\r\n-------"+string(f.TransactionID)+"$\r\n")
		require.NoError(t, err)
		alice.quiet() // it had one
		require.Len(t, g.n.Wires(), 2)
	})
}
