package sip

import (
	"bytes"
	"context"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/dnstest"
)

const exampleTest = `
example.test.            NAPTR 20 10 "s" "SIP+D2U" "" _sip._udp.example.test.
example.test.            NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.example.test.
www.example.test.        CNAME example.test.
_sip._tcp.example.test.  SRV   10 0 5070 one.example.test.
one.example.test.        A     192.0.2.1
one.example.test.        AAAA  2001:db8::1
`

func TestDNS(t *testing.T) {
	s := dnstest.Serve(t, exampleTest)
	d, ctx := &DNS{Servers: []string{s.Addr}}, testContext(t)
	_, srv, err := d.LookupSRV(ctx, "sip", "tcp", "example.test")
	require.NoError(t, err)
	require.Len(t, srv, 1)
	assert.Equal(t, "one.example.test.", srv[0].Target)
	assert.Equal(t, uint16(5070), srv[0].Port)
	ips, err := d.LookupNetIP(ctx, "ip", "one.example.test.")
	require.NoError(t, err)
	assert.ElementsMatch(t, []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")}, ips)
	_, _, err = d.LookupSRV(ctx, "sip", "udp", "example.test")
	assert.Error(t, err)
	assert.Equal(t, "SRV _sip._udp.example.test.", s.Asked()[len(s.Asked())-1], "the system's search list does not apply")
}

func TestDNSLookupNAPTR(t *testing.T) {
	both := []*NAPTR{
		{20, 10, "s", "SIP+D2U", "", "_sip._udp.example.test."},
		{10, 10, "s", "SIP+D2T", "", "_sip._tcp.example.test."},
	}
	const question = "NAPTR example.test."
	for _, tt := range []struct {
		name    string
		fault   dnstest.Fault
		domain  string
		records []*NAPTR
		err     error
		asked   int
	}{
		{"answered", 0, "example.test", both, nil, 1},
		{"another case", 0, "EXAMPLE.test.", both, nil, 1},
		{"CNAME", 0, "www.example.test", both, nil, 1},
		{"no such record", 0, "one.example.test", nil, nil, 1},
		{"no such name", 0, "gone.example.test", nil, nil, 1},
		{"too long for UDP", dnstest.Truncation, "example.test", both, nil, 2},
		{"an answer to something else first", dnstest.WrongID, "example.test", both, nil, 1},
		{"the answer to another question", dnstest.WrongQuestion, "example.test", nil, errDNS, 2},
		{"failure", dnstest.ServerFailure, "example.test", nil, errDNS, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := dnstest.Serve(t, exampleTest)
			s.Break(question, tt.fault)
			records, err := (&DNS{Servers: []string{s.Addr}}).LookupNAPTR(testContext(t), tt.domain)
			assert.ErrorIs(t, err, tt.err)
			assert.ElementsMatch(t, tt.records, records)
			assert.Len(t, s.Asked(), tt.asked)
		})
	}
}

// A server that fails or is gone does not keep the next one from being asked, and a silent one no longer than the context.
func TestDNSServers(t *testing.T) {
	broken, silent, good := dnstest.Serve(t, exampleTest), dnstest.Serve(t, exampleTest), dnstest.Serve(t, exampleTest)
	broken.Break("NAPTR example.test.", dnstest.ServerFailure)
	silent.Break("NAPTR example.test.", dnstest.Silence)
	d := &DNS{Servers: []string{"127.0.0.1:0", broken.Addr, good.Addr}}
	records, err := d.LookupNAPTR(testContext(t), "example.test")
	require.NoError(t, err)
	assert.Len(t, records, 2)
	assert.Len(t, broken.Asked(), 1, "once: the next one answered")

	ctx, cancel := context.WithCancel(testContext(t))
	asked := make(chan error, 1)
	go func() {
		_, err := (&DNS{Servers: []string{silent.Addr}}).LookupNAPTR(ctx, "example.test")
		asked <- err
	}()
	require.Eventually(t, func() bool { return len(silent.Asked()) > 0 }, patience, time.Millisecond)
	cancel()
	assert.Error(t, <-asked, "long before the server's time is over")
}

// What is no DNS message is no answer, and the next server is asked.
func TestDNSGarbage(t *testing.T) {
	good := dnstest.Serve(t, exampleTest)
	for _, garbage := range []func(query []byte) []byte{
		func([]byte) []byte { return nil },
		func([]byte) []byte { return bytes.Repeat([]byte{0xff}, 2000) },
		func(query []byte) []byte { return query },                // a question
		func(query []byte) []byte { return query[:len(query)-8] }, // cut off
		func(query []byte) []byte {
			return append(query[:2], 0x80, 0, 0, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xc0, 0x0c)
		}, // promises more
	} {
		conn, err := net.ListenPacket("udp", "127.0.0.1:0")
		require.NoError(t, err)
		done := make(chan struct{})
		go func() {
			defer close(done)
			buf := make([]byte, 4096)
			for {
				n, from, err := conn.ReadFrom(buf)
				if err != nil {
					return
				}
				_, _ = conn.WriteTo(garbage(buf[:n]), from) // the client is gone
			}
		}()
		records, err := (&DNS{Servers: []string{conn.LocalAddr().String(), good.Addr}}).LookupNAPTR(testContext(t), "example.test")
		require.NoError(t, err)
		assert.Len(t, records, 2)
		_ = conn.Close()
		<-done
	}
}

func TestDNSOfTheSystem(t *testing.T) {
	file := filepath.Join(t.TempDir(), "resolv.conf")
	assert.Empty(t, systemServers(file), "Windows has none")
	require.NoError(t, os.WriteFile(file, []byte("search example.test\nnameserver 192.0.2.53\nnameserver 2001:db8::53\noptions ndots:2\n"), 0o600))
	assert.Equal(t, []string{"192.0.2.53:53", "[2001:db8::53]:53"}, systemServers(file))
}

func TestDNSNamesThatAreNone(t *testing.T) {
	s := dnstest.Serve(t, exampleTest)
	for _, name := range []string{"a..b", strings.Repeat("a.", 200), strings.Repeat("a", 64)} {
		_, err := (&DNS{Servers: []string{s.Addr}}).LookupNAPTR(testContext(t), name)
		assert.Error(t, err, name)
	}
	assert.Empty(t, s.Asked())
}
