package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"net"
	"os/exec"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/msrp"
)

// Two relays of a domain, each a process, one of which is killed. Who was at the killed one comes back through the other, where the chat goes on.
func TestFailover(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 3*patience)
	defer cancel()
	site := newSite(t)

	t.Run("both at the relay that dies", func(t *testing.T) {
		first, second := site.start(t), site.start(t)
		a, b := site.join(t, alice, first, second), site.join(t, bob, first, second)
		sessionA, sessionB := talk(ctx, t, a, b)
		lost := a.relay
		require.NoError(t, first.cmd.Process.Kill())
		<-lost.Done()
		<-sessionA.Done()
		<-sessionB.Done()
		require.ErrorIs(t, sessionA.Err(), lost.Err())

		talk(ctx, t, a, b)
		assert.Equal(t, second.port, a.relay.Path()[0].Port)
		assert.Equal(t, second.port, b.relay.Path()[0].Port)
	})

	t.Run("one at each", func(t *testing.T) {
		first, second := site.start(t), site.start(t)
		a, b := site.join(t, alice, first, second), site.join(t, bob, second, first)
		sessionA, sessionB := talk(ctx, t, a, b)
		require.NoError(t, first.cmd.Process.Kill())
		<-sessionA.Done()
		unheard, err := sessionB.Send(ctx, text("are you there?"))
		require.NoError(t, err)
		var status *msrp.StatusError
		require.ErrorAs(t, unheard.Wait(ctx), &status, "bob's relay tells him that it could not pass it on")
		require.NoError(t, sessionB.Close())

		talk(ctx, t, a, b)
		assert.Equal(t, second.port, a.relay.Path()[0].Port)
	})
}

// site is what the relays of a domain have in common.
type site struct {
	users, chain, key string // files
	client            *tls.Config
}

func newSite(t *testing.T) *site {
	certificate, roots := certtest.New(t, "example.com", "127.0.0.1")
	chain, key := certtest.PEM(t, certificate)
	var users bytes.Buffer
	for _, who := range []user{alice, bob} {
		users.WriteString(who.line(passwords[who]))
	}
	return &site{write(t, "users", users.Bytes()), write(t, "relay.pem", chain), write(t, "relay.key", key), &tls.Config{RootCAs: roots}}
}

// process is a relay that runs.
type process struct {
	*foreign.Process
	cmd  *exec.Cmd
	port uint16
}

func (s *site) start(t *testing.T) process {
	address := freeAddress(t)
	cmd := command("-host", address, "-realm", "example.com", "-listen", address, "-users", s.users,
		"-certificate", s.chain, "-key", s.key, "-relay-authorities", s.chain, "-next-hops", "127.0.0.0/8", "-reload", "24h")
	p := foreign.Start(t, cmd)
	require.NoError(t, p.WaitFor("msg=listening", patience))
	m := regexp.MustCompile(`msg=listening address=127\.0\.0\.1:(\d+)`).FindStringSubmatch(p.Output())
	require.NotNil(t, m, p.Output())
	port, err := strconv.ParseUint(m[1], 10, 16)
	require.NoError(t, err)
	return process{p, cmd, uint16(port)}
}

// client is a user's program.
type client struct {
	*msrp.Endpoint
	who   user
	relay *msrp.Relay // the latest
}

// join gives a client for which the SRV records of the domain come in this order.
func (s *site) join(t *testing.T, who user, relays ...process) *client {
	var records records
	for i, r := range relays {
		records = append(records, &net.SRV{Target: "127.0.0.1", Port: r.port, Priority: uint16(i)})
	}
	e, err := msrp.New(&msrp.Options{Host: who.name + ".invalid", TLS: s.client, Resolver: records})
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	return &client{Endpoint: e, who: who}
}

type records []*net.SRV

func (r records) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", r, nil
}

// session asks a relay of the domain for a way through, and makes a session of it.
func (c *client) session(ctx context.Context, t *testing.T) *msrp.Session {
	var err error
	c.relay, err = c.DialRelay(ctx, &msrp.RelayOptions{URI: "msrps://example.com;tcp", Username: c.who.name, Password: passwords[c.who]})
	require.NoError(t, err)
	s, err := c.NewSession(&msrp.SessionOptions{Relay: c.relay})
	require.NoError(t, err)
	return s
}

// talk sets up a session as a call does, and sends a message each way.
func talk(ctx context.Context, t *testing.T, a, b *client) (sessionA, sessionB *msrp.Session) {
	sessionA, sessionB = a.session(ctx, t), b.session(ctx, t)
	accepted := make(chan error, 1)
	go func() { accepted <- sessionB.Connect(ctx, sessionA.LocalPath(), msrp.Passive, nil) }()
	require.NoError(t, sessionA.Connect(ctx, sessionB.LocalPath(), msrp.Active, nil))
	require.NoError(t, <-accepted)
	for _, way := range [][2]*msrp.Session{{sessionA, sessionB}, {sessionB, sessionA}} {
		sent, err := way[0].Send(ctx, text("hello"))
		require.NoError(t, err)
		got, err := way[1].Receive(ctx)
		require.NoError(t, err)
		assert.Equal(t, "hello", string(got.Body))
		require.NoError(t, sent.Wait(ctx), "the success report")
	}
	return sessionA, sessionB
}

func text(s string) *msrp.Message {
	return &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: []byte(s), SuccessReport: true}
}
