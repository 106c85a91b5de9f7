package main

import (
	"bufio"
	"context"
	"io"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/interop/kamailio"
	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const soon = 20 * time.Second

// A person runs the program and reads what it writes.
type person struct {
	t     *testing.T
	lines chan string
	quit  context.CancelFunc // Ctrl-C
	ended chan error
}

func start(t *testing.T, args ...string) *person {
	t.Helper()
	ctx, quit := context.WithTimeout(context.Background(), soon)
	p := &person{t: t, lines: make(chan string, 100), quit: quit, ended: make(chan error, 1)}
	out, in := io.Pipe()
	go func() {
		p.ended <- run(ctx, args, in)
		_ = in.Close() // always nil
	}()
	go func() {
		defer close(p.lines)
		for s := bufio.NewScanner(out); s.Scan(); {
			p.lines <- s.Text()
		}
	}()
	t.Cleanup(func() {
		quit()
		for range p.lines { // until it has ended
		}
	})
	return p
}

// reads waits for a line that fits an expression, and returns what its group matched.
func (p *person) reads(expression string) string {
	p.t.Helper()
	var before []string
	for line := range p.lines {
		if m := regexp.MustCompile(expression).FindStringSubmatch(line); m != nil {
			return m[len(m)-1]
		}
		before = append(before, line)
	}
	require.Fail(p.t, "it has ended without "+expression, strings.Join(before, "\n"))
	return ""
}

// end waits for the end of the program.
func (p *person) end() error {
	p.t.Helper()
	select {
	case err := <-p.ended:
		return err
	case <-time.After(soon):
		require.Fail(p.t, "it does not end")
		return nil
	}
}

func TestCallWithoutAServer(t *testing.T) {
	for _, network := range []string{"udp", "tcp"} {
		t.Run(network, func(t *testing.T) {
			bob := start(t, "-address", "sip:bob@example.com", "-listen", network+":127.0.0.1:0")
			at := bob.reads("listening on " + network + " (.*)")
			alice := start(t, "-address", "sip:alice@example.com", "-name", "Alice", "-listen", network+":127.0.0.1:0", "-to", "sip:bob@"+at+";transport="+network)
			bob.reads(`sip:alice@example.com "Alice" calls`)
			bob.reads("in a call with sip:alice@example.com: focus false, we connect, path msrp://127.0.0.1:2855/")
			alice.reads("in a call with sip:bob@.*: focus false, peer connects, path msrp://127.0.0.1:2855/")
			alice.quit()
			require.NoError(t, alice.end())
			bob.reads("the call is over")
			bob.quit()
			assert.ErrorIs(t, bob.end(), context.Canceled)
		})
	}
}

func TestCallThroughKamailio(t *testing.T) {
	foreign.Need(t, "kamailio")
	t.Setenv("SIP_PASSWORD", kamailio.Password)
	k := kamailio.StartProxy(t)
	user := func(name string, more ...string) *person {
		p := start(t, append([]string{"-address", "sip:" + name + "@" + kamailio.Domain, "-register", "-proxy", k.URI("tcp")}, more...)...)
		p.reads("registered until .* as sip:" + name)
		return p
	}
	bob := user("bob")
	alice := user("alice", "-to", "sip:bob@"+kamailio.Domain)
	bob.reads("in a call with sip:alice@" + kamailio.Domain)
	alice.reads("in a call with sip:bob@" + kamailio.Domain)
	bob.quit()
	alice.reads("the call is over: .*ended")
	require.NoError(t, alice.end())
	require.ErrorIs(t, bob.end(), context.Canceled)

	alice = user("alice", "-to", "sip:bob@"+kamailio.Domain)
	assert.ErrorContains(t, alice.end(), "480", "bob is not registered any more")
}

func TestWrongUse(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"-address", "sip:alice@example.com"},
		{"-address", "alice", "-register"},
		{"-unknown"},
		{"-address", "sip:alice@example.com", "-listen", "carrier-pigeon"},
	} {
		p := start(t, args...)
		assert.Error(t, p.end(), args)
	}
}
