package relay_test

import (
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
	"github.com/otrchat/otrchat/msrp/relay"
)

// The tests of RFC 4976 speak the frames of clients, endpoints and other relays themselves, in bubbles, and look at every frame that the relay writes.

const (
	relayHost = "relay.example.com:2855"
	relayURI  = "msrp://relay.example.com:2855;tcp"
	aliceURI  = "msrp://alice.example.com:9892/98cjs;tcp"
	bobURI    = "msrp://bob.example.com:8145/foo;tcp"
)

// start runs a relay of alice, bob and carol on n, over TCP.
func start(t testing.TB, n *msrptest.Network, host string, change func(*relay.Options)) *relay.Relay {
	t.Helper()
	o := &relay.Options{
		Host: host, Authenticator: relay.Users{"alice": "secret", "bob": "secret", "carol": "secret"}, AllowTCP: true, Dialer: n,
		MinExpires: time.Minute, MaxExpires: time.Hour,
	}
	if change != nil {
		change(o)
	}
	r, err := relay.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	return r
}

// end is one connection of a relay, in the hands of a test.
type end struct {
	testing.TB
	nc       net.Conn
	received *msrptest.Line // what the relay wrote to it
	over     chan struct{}  // closed when the relay has closed the connection
	seen     int
	ids      int
	uri      string // its own
	path     string // what the relay gave it in Use-Path
}

func newEnd(t testing.TB, nc net.Conn, uri string) *end {
	in, out, w := msrptest.Pipe()
	e := &end{TB: t, nc: nc, received: w.ToPassive, over: make(chan struct{}), uri: uri}
	go func() {
		defer close(e.over)
		io.Copy(in, nc)
	}()
	go io.Copy(io.Discard, out)
	t.Cleanup(func() { nc.Close(); in.Close(); out.Close() })
	return e
}

// dial opens a connection to the relay.
func dial(t testing.TB, r *relay.Relay, uri string) *end {
	active, passive, _ := msrptest.Pipe()
	r.ServeConn(passive)
	return newEnd(t, active, uri)
}

// write sends a frame without a body: start is the method or the status with its comment, headers are lines.
func (e *end) write(id, start, to, from string, headers ...string) {
	e.Helper()
	e.raw(fmt.Sprintf("MSRP %s %s\r\nTo-Path: %s\r\nFrom-Path: %s\r\n%s-------%[1]s$\r\n", id, start, to, from, lines(headers)))
}

// send sends a SEND with a body.
func (e *end) send(id, to, body string, flag msrp.Continuation, headers ...string) {
	e.Helper()
	e.raw(fmt.Sprintf("MSRP %s SEND\r\nTo-Path: %s\r\nFrom-Path: %s\r\n%sContent-Type: text/plain\r\n\r\n%s\r\n-------%[1]s%[6]c\r\n", id, to, e.uri, lines(headers), body, flag))
}

func lines(headers []string) string {
	if len(headers) == 0 {
		return ""
	}
	return strings.Join(headers, "\r\n") + "\r\n"
}

func (e *end) raw(wire string) {
	e.Helper()
	_, err := io.WriteString(e.nc, wire)
	require.NoError(e, err)
}

// answer responds to a request over the path that it came.
func (e *end) answer(f *msrptest.Frame, status string, headers ...string) {
	e.Helper()
	to := string(f.FromPath)
	if string(f.Method) == msrp.MethodSend {
		to, _, _ = strings.Cut(to, " ")
	}
	from, _, _ := strings.Cut(string(f.ToPath), " ")
	e.write(string(f.TransactionID), status, to, from, headers...)
}

// frames are all that the relay has written to it and that were not seen.
func (e *end) frames() []msrptest.Frame {
	e.Helper()
	synctest.Wait()
	all, err := e.received.Frames()
	require.NoError(e, err)
	news := all[e.seen:]
	e.seen = len(all)
	return news
}

// next is the only frame that was not seen.
func (e *end) next() *msrptest.Frame {
	e.Helper()
	news := e.frames()
	require.Len(e, news, 1)
	return &news[0]
}

func (e *end) quiet() {
	e.Helper()
	require.Empty(e, e.frames())
}

// closed tells whether the relay has closed the connection.
func (e *end) closed() bool {
	synctest.Wait()
	select {
	case <-e.over:
		return true
	default:
		return false
	}
}

// text is a frame as it stands on the wire, with ID as its transaction ID and other names for URIs, which differ at each run.
func text(t testing.TB, f *msrptest.Frame, names ...string) string {
	t.Helper()
	g := f.Frame
	g.TransactionID = []byte("0000")
	wire, err := msrp.AppendFrame(nil, &g, f.Body)
	require.NoError(t, err)
	return strings.NewReplacer(append(names, "0000", "ID", "\r\n", "\n")...).Replace(string(wire))
}

// auth gets a URI from the relay at to: an AUTH, its challenge, another AUTH.
func (e *end) auth(username, to string, headers ...string) (granted *msrptest.Frame) {
	e.Helper()
	e.ids++
	id := fmt.Sprintf("auth%d", e.ids)
	e.write(id, "AUTH", to, e.uri, headers...)
	challenged := e.next()
	require.Equal(e, 401, challenged.Status)
	granted = e.respond(challenged, username, to, headers...)
	require.Equal(e, msrp.StatusOK, granted.Status)
	path, err := granted.UsePath()
	require.NoError(e, err)
	e.path = path.String()
	return granted
}

// respond answers a challenge, and returns what came back.
func (e *end) respond(challenged *msrptest.Frame, username, to string, headers ...string) *msrptest.Frame {
	e.Helper()
	c, err := digest.ParseChallenge(string(challenged.Value("WWW-Authenticate")))
	require.NoError(e, err)
	e.ids++
	uris := strings.Fields(to)
	authorization := digest.NewClient(c, username, "secret").Authorization(msrp.MethodAuth, uris[len(uris)-1])
	e.write(fmt.Sprintf("auth%d", e.ids), "AUTH", to, e.uri, append([]string{"Authorization: " + authorization}, headers...)...)
	return e.next()
}

// wrong answers a challenge with a wrong password, and returns the next challenge if there is one.
func (e *end) wrong(challenged *msrptest.Frame, to string) (again *msrptest.Frame) {
	e.Helper()
	c, err := digest.ParseChallenge(string(challenged.Value("WWW-Authenticate")))
	require.NoError(e, err)
	uris := strings.Fields(to)
	e.write("wrong", "AUTH", to, e.uri, "Authorization: "+digest.NewClient(c, "alice", "wrong").Authorization(msrp.MethodAuth, uris[len(uris)-1]))
	time.Sleep(5 * time.Second) // where guessing is slowed down
	for _, f := range e.frames() {
		require.Contains(e, []int{401, msrp.StatusForbidden}, f.Status)
		require.Nil(e, f.Value("Use-Path"))
		if f.Status == 401 {
			require.NotRegexp(e, `(?i)stale=true`, string(f.Value("WWW-Authenticate")))
			again = &f
		}
	}
	return again
}
