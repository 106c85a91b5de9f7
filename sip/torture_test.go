package sip

import (
	"io"
	"net"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/sip/siptest"
)

// A torturous is a message of RFC 4475 or RFC 5118 and what our agent, which takes no calls but MSRP's, answers: a status code, or 0 where it must not,
// because the message is a response that nobody waits for, or need not. The RFCs let a server drop what it cannot parse.
type torturous struct {
	name     string // section and title
	file     string
	udp, tcp int
}

func TestRFC4475_3_1_1_ValidMessages(t *testing.T) {
	torture(t, "rfc4475", []torturous{
		{"3.1.1.1 A Short Tortuous INVITE", "wsinv", 481, 481},
		{"3.1.1.2 Wide Range of Valid Characters", "intmeth", 0, 0}, // NUL and BEL in a display name: dropped on purpose
		{"3.1.1.3 Valid Use of the % Escaping Mechanism", "esc01", 488, 488},
		{"3.1.1.4 Escaped Nulls in URIs", "escnull", 405, 405},
		{"3.1.1.5 Use of % When It Is Not an Escape", "esc02", 501, 501},
		{"3.1.1.6 Message with No LWS between Display Name and <", "lwsdisp", 200, 200},
		{"3.1.1.7 Long Values in Header Fields", "longreq", 488, 488},
		{"3.1.1.8 Extra Trailing Octets in a UDP Datagram", "dblreq", 405, whatever}, // on TCP what follows the INVITE ends the connection, before or behind the answers
		{"3.1.1.9 Semicolon-Separated Parameters in URI User Part", "semiuri", 200, 200},
		{"3.1.1.10 Varied and Unknown Transport Types", "transports", 200, 200},
		{"3.1.1.11 Multipart MIME Message", "mpart01", 405, 405},
		{"3.1.1.12 Unusual Reason Phrase", "unreason", 0, 0},
		{"3.1.1.13 Empty Reason Phrase", "noreason", 0, 0},
	})
}

func TestRFC4475_3_1_2_InvalidMessages(t *testing.T) {
	torture(t, "rfc4475", []torturous{
		{"3.1.2.1 Extraneous Header Field Separators", "badinv01", 400, 400},
		{"3.1.2.2 Content Length Larger Than Message", "clerr", 0, 0},
		{"3.1.2.3 Negative Content-Length", "ncl", 0, 0},
		{"3.1.2.4 Request Scalar Fields with Overlarge Values", "scalar02", 400, 400},
		{"3.1.2.5 Response Scalar Fields with Overlarge Values", "scalarlg", 0, 0},
		{"3.1.2.6 Unterminated Quoted String in Display Name", "quotbal", 0, 0},
		{"3.1.2.7 <> Enclosing Request-URI", "ltgtruri", 0, 0},
		{"3.1.2.8 Malformed SIP Request-URI (embedded LWS)", "lwsruri", 0, 0},
		{"3.1.2.9 Multiple SP Separating Request-Line Elements", "lwsstart", 0, 0},
		{"3.1.2.10 SP Characters at End of Request-Line", "trws", 0, 0},
		{"3.1.2.11 Escaped Headers in SIP Request-URI", "escruri", 400, 400},
		{"3.1.2.12 Invalid Timezone in Date Header Field", "baddate", 488, 488}, // Date is not read
		{"3.1.2.13 Failure to Enclose name-addr URI in <>", "regbadct", 405, 405},
		{"3.1.2.14 Spaces within addr-spec", "badaspec", 0, 0},
		{"3.1.2.15 Non-token Characters in Display Name", "baddn", 0, 0},
		{"3.1.2.16 Unknown Protocol Version", "badvers", 505, 505},
		{"3.1.2.17 Start Line and CSeq Method Mismatch", "mismatch01", 400, 400},
		{"3.1.2.18 Unknown Method with CSeq Method Mismatch", "mismatch02", 400, 400},
		{"3.1.2.19 Overlarge Response Code", "bigcode", 0, 0},
	})
}

func TestRFC4475_3_2_TransactionLayerSemantics(t *testing.T) {
	torture(t, "rfc4475", []torturous{
		{"3.2.1 Missing Transaction Identifier", "badbranch", 200, 200},
	})
}

func TestRFC4475_3_3_ApplicationLayerSemantics(t *testing.T) {
	torture(t, "rfc4475", []torturous{
		{"3.3.1 Missing Required Header Fields", "insuf", 0, 0}, // no Call-ID, From and To: nobody could match an answer
		{"3.3.2 Request-URI with Unknown Scheme", "unkscm", 416, 416},
		{"3.3.3 Request-URI with Known but Atypical Scheme", "novelsc", 0, 0},
		{"3.3.4 Unknown URI Schemes in Header Fields", "unksm2", 405, 405},
		{"3.3.5 Proxy-Require and Require", "bext01", 420, 420},
		{"3.3.6 Unknown Content-Type", "invut", 415, 415},
		{"3.3.7 Unknown Authorization Scheme", "regaut01", 405, 405},
		{"3.3.8 Multiple Values in Single Value Required Fields", "multi01", 400, 400},
		{"3.3.9 Multiple Content-Length Values", "mcl01", 400, whatever}, // over TCP its end is anywhere
		{"3.3.10 200 OK Response with Broadcast Via Header Field Value", "bcast", 0, 0},
		{"3.3.11 Max-Forwards of Zero", "zeromf", 200, 200},
		{"3.3.12 REGISTER with a Contact Header Parameter", "cparam01", 405, 405},
		{"3.3.13 REGISTER with a url-parameter", "cparam02", 405, 405},
		{"3.3.14 REGISTER with a URL Escaped Header", "regescrt", 405, 405},
		{"3.3.15 Unacceptable Accept Offering", "sdp01", 406, 406},
	})
}

func TestRFC4475_3_4_BackwardCompatibility(t *testing.T) {
	torture(t, "rfc4475", []torturous{
		{"3.4.1 INVITE with RFC 2543 Syntax", "inv2543", 400, 0}, // no tag in From; on TCP no length either
	})
}

func TestRFC5118_4_ParserTortureTests(t *testing.T) {
	torture(t, "rfc5118", []torturous{
		{"4.1 Valid SIP Message with an IPv6 Reference", "ipv6-good", 405, 405},
		{"4.2 Invalid SIP Message with an IPv6 Reference", "ipv6-bad", 0, 0},
		{"4.3 Port Ambiguous in a SIP URI", "port-ambiguous", 405, 405},
		{"4.4 Port Unambiguous in a SIP URI", "port-unambiguous", 405, 405},
		{"4.5 IPv6 Reference Delimiters in Via Header, with", "via-received-param-with-delim", 481, 481},
		{"4.5 IPv6 Reference Delimiters in Via Header, without", "via-received-param-no-delim", 200, 200},
		{"4.6 IPv6 Addresses in SDP", "ipv6-in-sdp", 488, 488},
		{"4.7 Multiple IP Addresses in SIP Headers", "mult-ip-in-header", 481, 481},
		{"4.8 Multiple IP Addresses in SDP", "mult-ip-in-sdp", 488, 488},
		{"4.9 IPv4-Mapped IPv6 Addresses", "ipv4-mapped-ipv6", 488, 488},
		{"4.10 IPv6 Reference Bug in RFC 3261 ABNF, three colons", "ipv6-bug-abnf-3-colons", 200, 200},
		{"4.10 IPv6 Reference Bug in RFC 3261 ABNF, two colons", "ipv6-correct-abnf-2-colons", 200, 200},
	})
}

// torture sends each message to an agent that is in a call, over UDP and TCP, and looks at what it answers and whether the call goes on.
func torture(t *testing.T, dir string, messages []torturous) {
	for _, m := range messages {
		text, err := os.ReadFile("testdata/" + dir + "/" + m.file + ".dat")
		require.NoError(t, err)
		t.Run(m.name, func(t *testing.T) {
			for _, way := range []struct {
				code int
				send func(*victim, []byte) []int
			}{{m.udp, (*victim).overUDP}, {m.tcp, (*victim).overTCP}} {
				synctest.Test(t, func(t *testing.T) {
					v := newVictim(t)
					if codes := way.send(v, text); way.code != whatever {
						assert.Equal(t, statusSet(way.code), codes)
					}
					v.goesOn()
				})
			}
		})
	}
}

const whatever = -1 // no code in particular

func statusSet(code int) []int {
	if code == 0 {
		return nil
	}
	return []int{code}
}

// A victim is an agent that has a call, and is sent other things meanwhile.
type victim struct {
	t       *testing.T
	network siptest.Network
	agent   *Agent
	call    *Call
	caller  *siptest.Peer
	answer  *siptest.Message // the 200 to the caller's INVITE

	mu       sync.Mutex
	statuses []int // of the responses over UDP, where the caller is not
}

const (
	victimAddress = "192.0.2.1:5060"
	callerHost    = "192.0.2.2"
	attackerHost  = "192.0.2.3"
)

func newVictim(t *testing.T) *victim {
	t.Helper()
	v := &victim{t: t}
	v.network.Datagrams = v.note
	host := v.network.Host("192.0.2.1")
	var err error
	v.agent, err = New(&Options{Address: "sip:bob@example.com", Dialer: host})
	require.NoError(t, err)
	host.Attach(t, v.agent)
	v.caller = siptest.NewPeer(t, v.network.Host(callerHost))
	v.caller.Dial("tcp", victimAddress)
	v.setUp()
	return v
}

func (v *victim) setUp() {
	v.t.Helper()
	invite := v.caller.Send("INVITE sip:bob@192.0.2.1 SIP/2.0\n" + v.caller.SDP("active"))
	calls := make(chan *Call, 1)
	go func() {
		defer close(calls)
		i, err := v.agent.Accept(v.t.Context())
		if !assert.NoError(v.t, err) {
			return
		}
		c, err := i.Answer(v.t.Context(), testMedia("bob"))
		assert.NoError(v.t, err)
		calls <- c
	}()
	v.answer = v.caller.Final("INVITE")
	require.Equal(v.t, 200, v.answer.Status)
	v.caller.Ack(invite, v.answer, "")
	v.call = <-calls
	v.t.Cleanup(func() { // so that Close has nothing to wait for
		v.caller.Within(v.answer, "BYE", "")
		assert.Equal(v.t, 200, v.caller.Final("BYE").Status)
	})
}

// goesOn checks that the call is up and served.
func (v *victim) goesOn() {
	v.t.Helper()
	v.caller.Within(v.answer, "INFO", "")
	assert.Equal(v.t, 200, v.caller.Final("INFO").Status)
	assert.NoError(v.t, v.call.Err())
}

func (v *victim) note(from, _ netip.AddrPort, payload []byte) []time.Duration {
	if code, err := strconv.Atoi(strings.Split(string(payload)+"  ", " ")[1]); err == nil && from.String() == victimAddress {
		v.mu.Lock()
		v.statuses = append(v.statuses, code)
		v.mu.Unlock()
	}
	return []time.Duration{0}
}

// overUDP sends a datagram and returns the codes of the final responses, wherever they are sent.
func (v *victim) overUDP(text []byte) []int {
	v.t.Helper()
	c, err := v.network.Host(attackerHost).ListenPacket(5060)
	require.NoError(v.t, err)
	defer c.Close()
	_, err = c.WriteTo(text, net.UDPAddrFromAddrPort(netip.MustParseAddrPort(victimAddress)))
	require.NoError(v.t, err)
	time.Sleep(time.Second)
	v.mu.Lock()
	defer v.mu.Unlock()
	codes := v.statuses
	v.statuses = nil
	return finals(codes)
}

// overTCP sends on a connection, and returns the codes of the final responses on it.
func (v *victim) overTCP(text []byte) []int {
	v.t.Helper()
	c, err := v.network.Host(attackerHost).DialContext(v.t.Context(), "tcp", victimAddress)
	require.NoError(v.t, err)
	defer c.Close()
	_, err = c.Write(text)
	require.NoError(v.t, err)
	require.NoError(v.t, c.SetReadDeadline(time.Now().Add(time.Second)))
	answers, _ := io.ReadAll(c) // until the agent closes it or the time is over
	var codes []int
	for line := range strings.Lines(string(answers)) {
		if code, ok := strings.CutPrefix(line, "SIP/2.0 "); ok {
			n, err := strconv.Atoi(code[:3])
			require.NoError(v.t, err)
			codes = append(codes, n)
		}
	}
	return finals(codes)
}

func finals(codes []int) []int {
	slices.Sort(codes)
	codes = slices.Compact(slices.DeleteFunc(codes, func(c int) bool { return c < 200 }))
	if len(codes) == 0 {
		return nil
	}
	return codes
}
