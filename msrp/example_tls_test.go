package msrp_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"log"
	"net"
	"time"

	"github.com/otrchat/otrchat/msrp"
)

// phone is one side of a chat over TLS, without an authority that would certify it.
type phone struct {
	endpoint *msrp.Endpoint
	session  *msrp.Session
	print    string // for the SDP attribute "fingerprint"
}

func newPhone() phone {
	cert, err := msrp.SelfSigned()
	if err != nil {
		log.Fatal(err)
	}
	certs := []tls.Certificate{cert}
	endpoint, err := msrp.New(&msrp.Options{TLS: &tls.Config{Certificates: certs}})
	if err != nil {
		log.Fatal(err)
	}
	listener, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: certs, ClientAuth: tls.RequireAnyClientCert, DynamicRecordSizingDisabled: true,
	})
	if err != nil {
		log.Fatal(err)
	}
	if err := endpoint.Serve(listener); err != nil {
		log.Fatal(err)
	}
	session, err := endpoint.NewSession(&msrp.SessionOptions{Secure: true})
	if err != nil {
		log.Fatal(err)
	}
	return phone{endpoint, session, msrp.Fingerprint(cert.Leaf)}
}

// Two people chat over TLS with certificates of their own making. Path and fingerprint travel in the SDP, which must come by a way that nobody can change it on.
func ExampleSelfSigned() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	alice, bob := newPhone(), newPhone()
	defer alice.endpoint.Close()
	defer bob.endpoint.Close()

	answered := make(chan error, 1)
	go func() {
		answered <- bob.session.Connect(ctx, alice.session.LocalPath(), msrp.Passive, &msrp.ConnectOptions{Fingerprints: []string{alice.print}})
	}()
	err := alice.session.Connect(ctx, bob.session.LocalPath(), msrp.Active, &msrp.ConnectOptions{Fingerprints: []string{bob.print}})
	if err != nil {
		log.Fatal(err)
	}
	if err := <-answered; err != nil {
		log.Fatal(err)
	}
	if _, err := alice.session.Send(ctx, &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: []byte("between us")}); err != nil {
		log.Fatal(err)
	}
	message, err := bob.session.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", message.Body)
	// Output: between us
}

// A peer behind a session border controller: the SDP's c= and m= lines tell the controller's address, and both sides have said that they know CEMA (RFC 6714).
func ExampleConnectOptions() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	peer, err := msrp.New(&msrp.Options{Host: "10.0.0.7:2855"}) // its address at home
	if err != nil {
		log.Fatal(err)
	}
	defer peer.Close()
	if err := peer.Serve(listener); err != nil {
		log.Fatal(err)
	}
	theirs, err := peer.NewSession(nil)
	if err != nil {
		log.Fatal(err)
	}
	endpoint, err := msrp.New(&msrp.Options{Host: "192.0.2.1:2855"})
	if err != nil {
		log.Fatal(err)
	}
	defer endpoint.Close()
	ours, err := endpoint.NewSession(nil)
	if err != nil {
		log.Fatal(err)
	}

	go theirs.Connect(ctx, ours.LocalPath(), msrp.Passive, nil)
	if err := ours.Connect(ctx, theirs.LocalPath(), msrp.Active, &msrp.ConnectOptions{Address: listener.Addr().String()}); err != nil {
		log.Fatal(err)
	}
	fmt.Println("connected to", ours.RemotePath()[0].Host)
	// Output: connected to 10.0.0.7
}
