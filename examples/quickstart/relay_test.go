package main

import (
	"io"
	"net"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/tap"
)

// The story is the same through a relay, and has one more step.
func TestStoryThroughARelay(t *testing.T) {
	output, err := told(t, options{answer: secret, relay: true})
	require.NoError(t, err)
	lines := slices.Clone(whole[:len(whole)-1])
	lines[slices.Index(lines, "   | To-Path: msrp://127.0.0.1:")] = "   | To-Path: msrps://127.0.0.1:"
	assertLines(t, output, append(lines,
		"8. What the relay saw",
		"   Alice's message     not once in the ",
		"   Her question        not once in the ",
		"   Bob's answer        not once in the ",
		"   Her greetings       2 times in the ",
		"All steps came out as they should."))
}

func TestVerboseShowsTheRelaysTraffic(t *testing.T) {
	output, err := told(t, options{answer: secret, relay: true, verbose: true})
	require.NoError(t, err)
	assert.Contains(t, output, "a client → the relay\n    MSRP ")
	assert.Contains(t, output, "the relay → a client\n    MSRP ")
	assert.Contains(t, output, "a=path:msrps://")
	assert.Contains(t, output, "TCP/TLS/MSRP")
}

// A relay that saw a text, or did not see what it must have seen, fails the story.
func TestRelayed(t *testing.T) {
	for what, fails := range map[string]string{
		hello + hello:                      "",
		hello + hello + words:              "Alice's message in clear at the relay: got 1, want 0",
		hello + "x" + hello + "(" + secret: "Bob's answer in clear at the relay: got 1, want 0",
		"":                                 "Her greetings in clear at the relay: got 0, want 2",
	} {
		wire := tap.New(nil)
		a, b := net.Pipe()
		_ = a.Close()
		_, _ = tap.Conn(b, wire).Write([]byte(what))
		err := (&story{out: io.Discard, hub: &hub{wire: wire}}).relayed(t.Context())
		if fails == "" {
			assert.NoError(t, err)
		} else {
			assert.EqualError(t, err, fails)
		}
	}
}
