package siptest_test

import (
	"context"
	"fmt"
	"log"
	"testing"

	"github.com/otrchat/otrchat/sip"
	"github.com/otrchat/otrchat/sip/siptest"
)

// agent makes an agent that is at home on a host. In a real test t is its *testing.T.
func agent(t testing.TB, h *siptest.Host, address string) *sip.Agent {
	a, err := sip.New(&sip.Options{Address: address, Dialer: h})
	if err != nil {
		log.Fatal(err)
	}
	h.Attach(t, a)
	return a
}

// Two agents call each other without a socket.
func Example() {
	t := new(test)
	defer t.end()
	ctx := context.Background()
	network := new(siptest.Network)
	alice := agent(t, network.Host("192.0.2.1"), "sip:alice@example.com")
	bob := agent(t, network.Host("192.0.2.2"), "sip:bob@example.com")

	go func() {
		if invitation, err := bob.Accept(ctx); err == nil {
			fmt.Println("call from", invitation.RemoteAddress())
			_ = invitation.Reject(ctx, 486, "Busy Here")
		}
	}()
	_, err := alice.Invite(ctx, "sip:bob@192.0.2.2;transport=tcp", &sip.Media{
		Path:        []string{"msrp://192.0.2.1:2855/jshA7weztas;tcp"},
		AcceptTypes: []string{"message/cpim", "text/plain"},
	})
	fmt.Println(err)
	// Output:
	// call from sip:alice@example.com
	// sip: the peer answered 486 "Busy Here"
}

// A caller that gives up.
func ExamplePeer() {
	t := new(test)
	defer t.end()
	network := new(siptest.Network)
	bob := agent(t, network.Host("192.0.2.2"), "sip:bob@example.com")
	carol := siptest.NewPeer(t, network.Host("192.0.2.3"))
	carol.Dial("udp", "192.0.2.2:5060")

	invite := carol.Send("INVITE sip:bob@192.0.2.2 SIP/2.0\nExpires: 10\n" + carol.SDP("actpass"))
	invitation, err := bob.Accept(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	carol.Cancel(invite)
	canceled := carol.Final("INVITE")
	carol.Ack(invite, canceled, "")
	fmt.Println(canceled)
	<-invitation.Done()
	fmt.Println(invitation.Err())
	// Output:
	// SIP/2.0 487 Request Terminated
	// sip: the caller canceled the invitation
}

// test stands in for the *testing.T that an example does not have.
type test struct {
	testing.TB
	cleanups []func()
}

func (*test) Helper()                {}
func (t *test) Cleanup(after func()) { t.cleanups = append(t.cleanups, after) }
func (t *test) end() {
	for i := len(t.cleanups); i > 0; i-- {
		t.cleanups[i-1]()
	}
}
