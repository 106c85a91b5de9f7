package sip_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"time"

	"github.com/otrchat/otrchat/sip"
)

// listen makes an agent on a loopback address.
func listen(ctx context.Context, address string) (a *sip.Agent, hostPort string) {
	a, err := sip.New(&sip.Options{Address: address})
	if err != nil {
		log.Fatal(err)
	}
	addr, err := a.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	return a, addr.String()
}

// Alice calls Bob; they agree on an MSRP session, and Bob hangs up.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	alice, _ := listen(ctx, "sip:alice@example.com")
	defer alice.Close()
	bob, bobAddr := listen(ctx, "sip:bob@example.com")
	defer bob.Close()

	go func() {
		invitation, err := bob.Accept(ctx)
		if err != nil {
			return
		}
		fmt.Println("call from", invitation.RemoteAddress())
		call, err := invitation.Answer(ctx, &sip.Media{
			Path:        []string{"msrp://127.0.0.1:2856/9di4eae923wzd;tcp"},
			AcceptTypes: []string{"message/cpim", "text/plain"},
			Setup:       sip.SetupPassive, // Alice connects
		})
		if err == nil {
			_ = call.Bye(ctx)
		}
	}()

	call, err := alice.Invite(ctx, "sip:bob@"+bobAddr+";transport=tcp", &sip.Media{
		Path:        []string{"msrp://127.0.0.1:2855/jshA7weztas;tcp"},
		AcceptTypes: []string{"message/cpim", "text/plain"},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println("focus:", call.Focus())
	fmt.Println("we are", call.Local().Setup, "and connect to", call.Remote().Path[0])
	<-call.Done()
	fmt.Println(errors.Is(call.Err(), sip.ErrEnded), call.Err())
	// Output:
	// call from sip:alice@example.com
	// focus: false
	// we are active and connect to msrp://127.0.0.1:2856/9di4eae923wzd;tcp
	// true sip: the peer ended the call
}

func ExampleAnswerSetup() {
	for _, offer := range []sip.Setup{sip.SetupActPass, sip.SetupActive, sip.SetupAbsent} {
		answer, err := sip.AnswerSetup(offer, sip.SetupActPass)
		fmt.Printf("%q is answered %q, %v\n", offer, answer, err)
	}
	_, err := sip.AnswerSetup(sip.SetupPassive, sip.SetupPassive)
	fmt.Println(err)
	// Output:
	// "actpass" is answered "active", <nil>
	// "active" is answered "passive", <nil>
	// "" is answered "passive", <nil>
	// sip: offer and answer do not fit: setup "passive" and "passive"
}
