package siptest_test

import (
	"fmt"
	"testing"

	"github.com/otrchat/otrchat/sip/siptest"
)

// Two peers talk; in a real test one of the ends is the agent that is tested, and t is the *testing.T.
func ExamplePeer() {
	t := new(test)
	defer t.end()
	network := new(siptest.Network)
	alice, bob := siptest.NewPeer(t, network.Host("192.0.2.1")), siptest.NewPeer(t, network.Host("192.0.2.2"))
	alice.Dial("udp", bob.Address())

	invite := alice.Send("INVITE sip:bob@192.0.2.2 SIP/2.0\n" + alice.SDP("actpass"))
	bob.Respond(bob.Request("INVITE"), "486 Busy Here", "Retry-After: 60")
	busy := alice.Final("INVITE")
	alice.Ack(invite, busy, "")
	fmt.Println(busy, "/", busy.Value("Retry-After"))
	fmt.Println(bob.Request("ACK"))
	// Output:
	// SIP/2.0 486 Busy Here / 60
	// ACK sip:bob@192.0.2.2 SIP/2.0
}

// test stands in for the *testing.T that an example does not have.
type test struct {
	testing.TB
	cleanups []func()
}

func (*test) Helper()                {}
func (t *test) Cleanup(after func()) { t.cleanups = append(t.cleanups, after) }
func (t *test) end() {
	for _, after := range t.cleanups {
		after()
	}
}
