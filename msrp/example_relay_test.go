package msrp_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
	"github.com/otrchat/otrchat/msrp/relay"
)

// Alice sits behind a NAT: nobody can connect to her, so she asks a relay for a way in, and Bob's messages take it. In the real world the relay's URI is
// "msrps://example.com;tcp", over TLS, and AllowTCP stays false.
func ExampleEndpoint_DialRelay() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	network := new(msrptest.Network)
	listener, err := network.Listen("relay.example.com:2855")
	if err != nil {
		log.Fatal(err)
	}
	server, err := relay.New(&relay.Options{Host: "relay.example.com:2855", Authenticator: relay.Users{"alice": "secret"}, AllowTCP: true})
	if err != nil {
		log.Fatal(err)
	}
	defer server.Close()
	if err := server.Serve(listener); err != nil {
		log.Fatal(err)
	}

	endpoint := func(host string) *msrp.Endpoint {
		e, err := msrp.New(&msrp.Options{Host: host, Dialer: network})
		if err != nil {
			log.Fatal(err)
		}
		return e
	}
	hers, his := endpoint("alice.example.com"), endpoint("bob.example.com")
	defer hers.Close()
	defer his.Close()
	way, err := hers.DialRelay(ctx, &msrp.RelayOptions{URI: "msrp://relay.example.com:2855;tcp", Username: "alice", Password: "secret", AllowTCP: true})
	if err != nil {
		log.Fatal(err)
	}
	alice, err := hers.NewSession(&msrp.SessionOptions{Relay: way})
	if err != nil {
		log.Fatal(err)
	}
	for _, u := range alice.LocalPath() { // what goes into the SDP
		fmt.Println(u.Host)
	}
	bob, err := his.NewSession(nil)
	if err != nil {
		log.Fatal(err)
	}

	answered := make(chan error, 1)
	go func() { answered <- alice.Connect(ctx, bob.LocalPath(), msrp.Passive, nil) }()
	if err := bob.Connect(ctx, alice.LocalPath(), msrp.Active, nil); err != nil {
		log.Fatal(err)
	}
	if err := <-answered; err != nil {
		log.Fatal(err)
	}
	if _, err := bob.Send(ctx, &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: []byte("Hey Alice, are you there?")}); err != nil {
		log.Fatal(err)
	}
	message, err := alice.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", message.Body)
	// Output:
	// relay.example.com
	// alice.example.com
	// Hey Alice, are you there?
}
