package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/interop/tshark"
)

// Wireshark reads along: every SIP message and every MSRP frame of the program is well-formed, and of the methods that make up a chat
// none is missing.
func TestWireshark(t *testing.T) {
	foreign.Need(t, "tshark")
	program := build(t)
	first := freePorts(t)
	var all []int
	var by tshark.Ports
	for port := first; port < first+ports; port += 2 {
		all = append(all, port, port+1)
		by.SIP, by.MSRP = append(by.SIP, port), append(by.MSRP, port+1)
	}
	rec := tshark.Capture(t, all...)
	begin := time.Now()
	output := foreign.Run(t, timeLimit+10*time.Second, exec.Command(program, "-port", strconv.Itoa(first)))
	took := time.Since(begin)
	frames := tshark.Dissect(t, rec.Stop(), by)

	assertWhole(t, string(output))
	assert.NotContains(t, string(output), "wipe kind")
	assert.Less(t, took, 10*time.Second)
	count := map[string]int{}
	for _, f := range frames {
		count[kind(f)]++
	}
	t.Log(count)
	const calls = 4
	for _, once := range []string{"sip INVITE", "sip 200 to INVITE", "sip ACK"} {
		assert.Equal(t, calls, count[once], once)
	}
	assert.GreaterOrEqual(t, count["sip BYE"], calls)
	assert.GreaterOrEqual(t, count["msrp SEND"], 5, "the texts alone")
	assert.GreaterOrEqual(t, count["msrp 200"], 5)
	assert.GreaterOrEqual(t, count["msrp REPORT"], 3, "for the texts that otrchat sends")
	for name, n := range count {
		if name != "sip 481 to BYE" { // right where both hang up at once (RFC 3261 section 15.1.2)
			assert.NotRegexp(t, ` [3-6]\d\d`, name, "%d refusals", n)
		}
	}
}

// kind is "sip INVITE", "sip 200 to INVITE" or "msrp 200".
func kind(f tshark.Frame) string {
	switch {
	case f.Method != "":
		return f.Protocol + " " + f.Method
	case f.Protocol == "sip":
		return fmt.Sprintf("sip %d to %s", f.Status, f.Fields["sip.CSeq.method"][0])
	}
	return fmt.Sprintf("%s %d", f.Protocol, f.Status)
}

// freePorts returns the first of as many ports as the program needs, one after the other and below those that systems give out by
// themselves. Nobody uses them at the moment.
func freePorts(t *testing.T) int {
	t.Helper()
	for range 100 {
		first := 20000 + rand.IntN(10000)
		if free(first, ports) {
			return first
		}
	}
	require.Fail(t, "no free ports")
	return 0
}

func free(first, n int) bool {
	for port := first; port < first+n; port++ {
		l, err := net.Listen("tcp", net.JoinHostPort(host, strconv.Itoa(port)))
		if err != nil {
			return false
		}
		if l.Close() != nil {
			return false
		}
	}
	return true
}
