package msrptest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"testing"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// What crossed the wire, frame by frame. In a real test t is its *testing.T.
func Example() {
	t := &test{}
	defer t.end()
	ctx := context.Background()
	alice, bob, wire := msrptest.Pair(t, nil, nil)
	delivery, err := alice.Send(ctx, &msrp.Message{ContentType: "text/plain", Body: []byte("hello")})
	if err != nil {
		log.Fatal(err)
	}
	if err := delivery.Wait(ctx); err != nil {
		log.Fatal(err)
	}
	message, err := bob.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("Bob reads %q\n", message.Body)

	frames, err := wire.ToPassive.Frames()
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range frames[1:] { // behind the one that binds the session
		fmt.Printf("%s %q\n", f.Method, f.Body)
	}
	wire.Reset()
	<-alice.Done()
	fmt.Println("Alice's session has ended")
	// Output:
	// Bob reads "hello"
	// SEND "hello"
	// Alice's session has ended
}

// A peer that wants none of it.
func ExamplePeer() {
	t := &test{}
	defer t.end()
	ctx := context.Background()
	network := &msrptest.Network{}
	endpoint, err := msrp.New(&msrp.Options{Host: "alice.example.com", Dialer: network})
	if err != nil {
		log.Fatal(err)
	}
	defer endpoint.Close()
	session, err := endpoint.NewSession(nil)
	if err != nil {
		log.Fatal(err)
	}
	peer := msrptest.NewPeer(t, network)
	if err := peer.Connect(ctx, session, msrp.Active); err != nil {
		log.Fatal(err)
	}

	delivery, err := session.Send(ctx, &msrp.Message{ContentType: "text/plain", Body: []byte("hello")})
	if err != nil {
		log.Fatal(err)
	}
	request, err := peer.Next(ctx)
	if err != nil {
		log.Fatal(err)
	}
	if err := peer.Respond(request, msrp.StatusStopSending); err != nil {
		log.Fatal(err)
	}
	var refused *msrp.StatusError
	if errors.As(delivery.Wait(ctx), &refused) {
		fmt.Println("refused with", refused.Code)
	}
	// Output: refused with 413
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
