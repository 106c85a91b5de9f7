package tshark_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/tshark"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/relay"
)

const (
	tooLong  = 30_000 // bytes of a message, for both
	chunk    = 10_000 // bytes of one that is sent through a relay
	patience = 20 * time.Second
)

// relayed is a conversation over our relay, between alice, who is its client, and bob.
type relayed struct {
	name         string
	hops         int // URIs of the relay that each request passes
	alice        msrp.Role
	server, bobs net.Listener
	session      *msrp.Session // alice's
}

// What our relay makes of every frame, where both clients are its own, where it dials the peer, and where the peer comes to it: tshark reads it on both sides.
func TestRelayedConversation(t *testing.T) {
	tests := []*relayed{
		{name: "a relay for both", hops: 2, alice: msrp.Active},
		{name: "a relay for the one that calls", hops: 1, alice: msrp.Active},
		{name: "a relay for the one that is called", hops: 1, alice: msrp.Passive},
	}
	var ports []int
	for _, r := range tests {
		r.server, r.bobs = listen(t), listen(t)
		ports = append(ports, port(r.server), port(r.bobs))
	}
	rec := tshark.Capture(t, ports...)
	for _, r := range tests {
		r.converse(t)
	}
	frames := tshark.Dissect(t, rec.Stop(), tshark.Ports{MSRP: ports})
	for _, r := range tests {
		t.Run(r.name, func(t *testing.T) {
			c := r.sides(frames)
			c.authenticated(t, r.session.LocalPath()[0])
			c.forwarded(t, r.hops)
			c.answered(t)
			c.reported(t)
			c.chunked(t)
		})
	}
}

func listen(t *testing.T) net.Listener {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	return l
}

func port(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func serveRelay(t *testing.T, l net.Listener) {
	r, err := relay.New(&relay.Options{
		Host: l.Addr().String(), Realm: "example.com", AllowTCP: true,
		Authenticator: relay.Users{"alice": "secret", "bob": "secret"},
		Permit:        func(netip.AddrPort) bool { return true },
	})
	require.NoError(t, err)
	t.Cleanup(func() { r.Close() })
	require.NoError(t, r.Serve(l))
}

func endpoint(t *testing.T) *msrp.Endpoint {
	e, err := msrp.New(&msrp.Options{MaxMessage: tooLong})
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	return e
}

func behindRelay(t *testing.T, server net.Listener, user string) *msrp.Session {
	e := endpoint(t)
	way, err := e.DialRelay(t.Context(), &msrp.RelayOptions{URI: "msrp://" + server.Addr().String() + ";tcp", Username: user, Password: "secret", AllowTCP: true})
	require.NoError(t, err)
	s, err := e.NewSession(&msrp.SessionOptions{Relay: way})
	require.NoError(t, err)
	return s
}

func reachable(t *testing.T, l net.Listener) *msrp.Session {
	e := endpoint(t)
	require.NoError(t, e.Serve(l))
	s, err := e.NewSession(nil)
	require.NoError(t, err)
	return s
}

// converse has both sides send a message that the other refuses, ask for what it does not know, and send a message of several chunks and a line.
func (r *relayed) converse(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	serveRelay(t, r.server)
	alice := behindRelay(t, r.server, "alice")
	var bob *msrp.Session
	if r.hops == 2 {
		bob = behindRelay(t, r.server, "bob")
	} else {
		bob = reachable(t, r.bobs)
	}
	connected := make(chan error, 1)
	go func() { connected <- bob.Connect(ctx, alice.LocalPath(), msrp.Active+msrp.Passive-r.alice, nil) }()
	require.NoError(t, alice.Connect(ctx, bob.LocalPath(), r.alice, nil))
	require.NoError(t, <-connected)
	talk(ctx, t, alice, bob)
	talk(ctx, t, bob, alice)
	require.NoError(t, alice.Close())
	require.NoError(t, bob.Close())
	r.session = alice
}

// talk ends with a message whose report comes: everything before it has arrived too.
func talk(ctx context.Context, t *testing.T, from, to *msrp.Session) {
	var refused *msrp.StatusError
	require.ErrorAs(t, sendAll(ctx, from, bytes.Repeat(b("x"), tooLong+1)), &refused)
	require.Equal(t, msrp.StatusStopSending, refused.Code)
	require.ErrorAs(t, from.Nickname(ctx, "boss"), &refused)
	require.Equal(t, msrp.StatusUnknownMethod, refused.Code)
	for _, body := range [][]byte{bytes.Repeat(b("0123456789"), 2_500), b("größe")} {
		require.NoError(t, sendAll(ctx, from, body))
		m, err := to.Receive(ctx)
		require.NoError(t, err)
		require.Equal(t, body, m.Body)
	}
}

func sendAll(ctx context.Context, s *msrp.Session, body []byte) error {
	d, err := s.Send(ctx, &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: body, SuccessReport: true})
	if err != nil {
		return err
	}
	return d.Wait(ctx)
}

// capture has the frames on both sides of the relay, in their order: to it and from it on alice's connection, and on bob's.
type capture struct{ fromAlice, toAlice, fromBob, toBob []tshark.Frame }

// sides picks the frames of r and tells the sides apart. Alice has sent the first frame.
func (r *relayed) sides(frames []tshark.Frame) (c capture) {
	server, bobs, alice := r.server.Addr().String(), r.bobs.Addr().String(), ""
	for _, f := range frames {
		if alice == "" && f.Destination == server {
			alice = f.Source
		}
		switch {
		case f.Source == alice:
			c.fromAlice = append(c.fromAlice, f)
		case f.Destination == alice:
			c.toAlice = append(c.toAlice, f)
		case f.Source == server, f.Destination == bobs:
			c.toBob = append(c.toBob, f)
		case f.Destination == server, f.Source == bobs:
			c.fromBob = append(c.fromBob, f)
		}
	}
	return c
}

func field(f tshark.Frame, name string) string { return strings.Join(f.Fields["msrp."+name], "|") }

// requests of the frames, without AUTH, which ends at the relay, and without what the relay itself reports.
func requests(frames []tshark.Frame) []tshark.Frame {
	return slices.DeleteFunc(slices.Clone(frames), func(f tshark.Frame) bool {
		return f.Method == "" || f.Method == msrp.MethodAuth || f.Method == msrp.MethodReport && !strings.Contains(field(f, "status"), "200")
	})
}

// responses by the transaction that they answer.
func responses(t *testing.T, frames []tshark.Frame) map[string]tshark.Frame {
	found := map[string]tshark.Frame{}
	for _, f := range frames {
		if f.Status != 0 {
			id := f.Fields["msrp.transaction.id"][0]
			assert.NotContains(t, found, id, "answered twice")
			found[id] = f
		}
	}
	return found
}

func answer(t *testing.T, request tshark.Frame, responses map[string]tshark.Frame) tshark.Frame {
	id := request.Fields["msrp.transaction.id"][0]
	require.Contains(t, responses, id, "no response to "+request.Method)
	return responses[id]
}

func firstURI(path string) string { return strings.Fields(path)[0] }

// authenticated: AUTH, 401, AUTH with credentials, 200 with what a client needs (RFC 4976 sections 5.1, 6.3 and 9.1).
func (c capture) authenticated(t *testing.T, use msrp.URI) {
	asked, answers := c.fromAlice[:2], c.toAlice[:2]
	for i, f := range asked {
		assert.Equal(t, msrp.MethodAuth, f.Method)
		assert.Equal(t, field(f, "transaction.id"), field(answers[i], "transaction.id"))
		assert.Equal(t, field(f, "to.path"), field(answers[i], "from.path"))
		assert.Equal(t, field(f, "from.path"), field(answers[i], "to.path"))
	}
	assert.Empty(t, field(asked[0], "authorization"))
	assert.Equal(t, 401, answers[0].Status)
	assert.Contains(t, field(answers[0], "www.authenticate"), `realm="example.com"`)
	assert.Contains(t, field(asked[1], "authorization"), `username="alice"`)
	assert.Equal(t, 200, answers[1].Status)
	assert.Contains(t, field(answers[1], "authentication.info"), "rspauth=")
	assert.Contains(t, field(answers[1], "hdr"), "Expires: ")
	assert.Equal(t, use.String(), field(answers[1], "use.path"))
}

// forwarded: each request arrives at the other side, in order, with the relay's URIs moved from To-Path to the front of From-Path, with a transaction ID of the
// relay's, and else unchanged (RFC 4976 section 6.4.1).
func (c capture) forwarded(t *testing.T, hops int) {
	for _, way := range []struct{ in, out []tshark.Frame }{{c.fromAlice, c.toBob}, {c.fromBob, c.toAlice}} {
		in, out := requests(way.in), requests(way.out)
		require.Len(t, out, len(in))
		for i, f := range in {
			to, from := strings.Fields(field(f, "to.path")), field(f, "from.path")
			for _, own := range to[:hops] {
				from = own + " " + from
			}
			assert.Equal(t, strings.Join(to[hops:], " "), field(out[i], "to.path"))
			assert.Equal(t, from, field(out[i], "from.path"))
			assert.NotEqual(t, field(f, "transaction.id"), field(out[i], "transaction.id"))
			assert.Equal(t, f.Method, out[i].Method)
			for _, same := range []string{"messageid", "byte.range", "success.report", "failure.report", "status", "content.type", "cnt.flg"} {
				assert.Equal(t, field(f, same), field(out[i], same), same)
			}
		}
	}
}

// answered: a SEND is answered hop by hop, another request by the far end, over the relay, and a REPORT by nobody (RFC 4976 sections 6.4.2 and 6.4.3).
func (c capture) answered(t *testing.T) {
	for _, way := range []struct{ in, back []tshark.Frame }{{c.fromAlice, c.toAlice}, {c.fromBob, c.toBob}} {
		near := responses(t, way.back)
		for _, f := range requests(way.in) {
			switch f.Method {
			case msrp.MethodReport:
				assert.NotContains(t, near, f.Fields["msrp.transaction.id"][0])
			case msrp.MethodSend:
				got := answer(t, f, near)
				assert.Equal(t, 200, got.Status, "the relay has taken it")
				assert.Equal(t, firstURI(field(f, "from.path")), field(got, "to.path"))
				assert.Equal(t, firstURI(field(f, "to.path")), field(got, "from.path"))
			default:
				got := answer(t, f, near)
				assert.Equal(t, msrp.StatusUnknownMethod, got.Status, "the far end's")
				assert.Equal(t, field(f, "from.path"), field(got, "to.path"))
				assert.Equal(t, field(f, "to.path"), field(got, "from.path"))
			}
		}
	}
}

// reported: each chunk that the far end refuses, after the relay's 200, the relay reports, with the bytes that there really were, and with its one URI as From-Path
// (RFC 4976 section 6.4.3, RFC 4975 section 7.1.4).
func (c capture) reported(t *testing.T) {
	for _, way := range []struct{ sent, back, refused []tshark.Frame }{{c.fromAlice, c.toAlice, c.fromBob}, {c.fromBob, c.toBob, c.fromAlice}} {
		refusals := slices.DeleteFunc(slices.Clone(way.refused), func(f tshark.Frame) bool { return f.Status != msrp.StatusStopSending })
		require.NotEmpty(t, refusals)
		reports := slices.DeleteFunc(slices.Clone(way.back), func(f tshark.Frame) bool {
			return f.Method != msrp.MethodReport || strings.Contains(field(f, "status"), "200")
		})
		require.Len(t, reports, len(refusals))
		sent := requests(way.sent)
		for i, f := range reports {
			assert.Equal(t, "000 413 Stop Sending", field(f, "status"))
			assert.Equal(t, field(sent[0], "from.path"), field(f, "to.path"))
			assert.Equal(t, firstURI(field(sent[0], "to.path")), field(f, "from.path"))
			assert.Equal(t, fmt.Sprintf("%d-%d/%d", i*chunk+1, min((i+1)*chunk, tooLong+1), tooLong+1), field(f, "byte.range"))
		}
	}
}

// chunked: 25,000 bytes went in three chunks.
func (c capture) chunked(t *testing.T) {
	for _, side := range [][]tshark.Frame{c.fromAlice, c.toBob, c.fromBob, c.toAlice} {
		var ranges, flags string
		for _, f := range side {
			if strings.HasSuffix(field(f, "byte.range"), "/25000") && f.Method == msrp.MethodSend {
				first, _, _ := strings.Cut(field(f, "byte.range"), "-")
				ranges += first + " "
				flags += field(f, "cnt.flg")
			}
		}
		assert.Equal(t, "1 10001 20001 ", ranges)
		assert.Equal(t, "++$", flags)
	}
}
