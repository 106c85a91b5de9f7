package sip

import (
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// FuzzStream sends anything on a connection to an agent in a call, so many bytes at a time. The call goes on, and when all timers have passed nothing
// of the stranger is left.
func FuzzStream(f *testing.F) {
	for _, seed := range fuzzSeeds(f) {
		f.Add(seed, uint16(0))
		f.Add(seed, uint16(len(seed)/2))
	}
	f.Fuzz(func(t *testing.T, data []byte, split uint16) {
		synctest.Test(t, func(t *testing.T) {
			v := newVictim(t)
			c, err := v.network.Host(attackerHost).DialContext(t.Context(), "tcp", victimAddress)
			require.NoError(t, err)
			size := max(int(split), 1+len(data)/100)
			for rest := data; len(rest) > 0; rest = rest[min(size, len(rest)):] {
				_, _ = c.Write(rest[:min(size, len(rest))]) // the agent may have closed it
				time.Sleep(time.Millisecond)
			}
			v.goesOn()
			_ = c.Close()
			v.forgets()
		})
	})
}

// FuzzDatagrams is FuzzStream for UDP: each line "--" begins another datagram.
func FuzzDatagrams(f *testing.F) {
	for _, seed := range fuzzSeeds(f) {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		synctest.Test(t, func(t *testing.T) {
			v := newVictim(t)
			c, err := v.network.Host(attackerHost).ListenPacket(5060)
			require.NoError(t, err)
			for d := range strings.SplitSeq(string(data), "\r\n--\r\n") {
				_, err := c.WriteTo([]byte(d[:min(len(d), 65507)]), net.UDPAddrFromAddrPort(netip.MustParseAddrPort(victimAddress)))
				require.NoError(t, err)
				time.Sleep(time.Millisecond)
			}
			v.goesOn()
			require.NoError(t, c.Close())
			v.forgets()
		})
	})
}

// forgets checks that an agent whose only call is the victim's keeps nothing else, once all timers have passed.
func (v *victim) forgets() {
	v.t.Helper()
	time.Sleep(ringTime + time.Minute)
	synctest.Wait()
	assert.Equal(v.t, remains{calls: 1}, remainsOf(v.agent))
	assert.Equal(v.t, 1, v.network.Host("192.0.2.1").Streams(), "the caller's")
	v.goesOn()
}

// fuzzSeeds are the torture messages and ordinary calls, as a peer sends them.
func fuzzSeeds(f *testing.F) [][]byte {
	f.Helper()
	files, err := filepath.Glob("testdata/rfc*/*.dat")
	require.NoError(f, err)
	require.NotEmpty(f, files)
	var seeds [][]byte
	for _, name := range files {
		text, err := os.ReadFile(name)
		require.NoError(f, err)
		seeds = append(seeds, text)
	}
	p := siptest.NewPeer(f, new(siptest.Network).Host(attackerHost))
	p.Dial("udp", p.Address())
	body := p.SDP("actpass")
	for _, texts := range [][]string{
		{"OPTIONS sip:bob@192.0.2.1 SIP/2.0"},
		{"CANCEL sip:bob@192.0.2.1 SIP/2.0"}, {"CANCEL sip:bob@192.0.2.1 SIP/3.0"}, {"OPTIONS sip:bob@192.0.2.1 SIP/2.0\nCSeq: 1 CANCEL"},
		{"INVITE sip:bob@192.0.2.1 SIP/2.0\n" + body, "INVITE sip:bob@192.0.2.1 SIP/2.0\nSupported: 100rel, timer\nSession-Expires: 90;refresher=uac\n"},
		{"INVITE sip:bob@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK1\nCall-ID: 1\nCSeq: 1 INVITE\n" + body,
			"CANCEL sip:bob@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK1\nCall-ID: 1\nCSeq: 1 CANCEL\n",
			"ACK sip:bob@192.0.2.1 SIP/2.0\nVia: SIP/2.0/UDP 192.0.2.3;branch=z9hG4bK1\nCall-ID: 1\nCSeq: 1 ACK\n"},
		{"BYE sip:bob@192.0.2.1 SIP/2.0\nTo: <sip:bob@192.0.2.1>;tag=1\n", "MESSAGE sip:bob@192.0.2.1 SIP/2.0\nContent-Type: text/plain\n\nhello\n"},
		{"REFER sip:bob@192.0.2.1 SIP/2.0\nRefer-To: <sip:eve@192.0.2.3>\n", "UPDATE sip:bob@192.0.2.1 SIP/2.0\nTo: <sip:bob@192.0.2.1>;tag=1\n" + body},
	} {
		var wire []string
		for _, text := range texts {
			wire = append(wire, p.Send(text).Text())
		}
		seeds = append(seeds, []byte(strings.Join(wire, "")), []byte(strings.Join(wire, "\r\n--\r\n")))
	}
	return append(seeds, []byte("\r\n\r\n"), []byte("SIP/2.0 200 OK\r\nContent-Length: 0\r\n\r\n"))
}
