// Command msrpecho sends messages over MSRP, on loopback, and gets each of them back. It uses package msrp alone: in a chat the two paths travel in the
// SDP of a SIP call, here one half of the program tells the other.
package main

import (
	"context"
	"fmt"
	"log"
	"net"

	"github.com/otrchat/otrchat/msrp"
)

func main() {
	ctx := context.Background()
	alice, bob := open(), open()
	go echo(ctx, bob, alice.LocalPath())
	check(alice.Connect(ctx, bob.LocalPath(), msrp.Active, nil))
	for _, text := range []string{"Hello?", "Is there anybody in there?"} {
		delivery, err := alice.Send(ctx, &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: []byte(text), SuccessReport: true})
		check(err)
		answer, err := alice.Receive(ctx)
		check(err)
		check(delivery.Wait(ctx)) // for bob's report
		fmt.Printf("sent, reported and echoed: %s\n", answer.Body)
	}
	check(alice.Shutdown(ctx))
}

// open gives a session at an endpoint of its own.
func open() *msrp.Session {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	endpoint, err := msrp.New(nil)
	check(err)
	check(endpoint.Serve(listener))
	session, err := endpoint.NewSession(nil)
	check(err)
	return session
}

// echo sends back what comes, until the other side hangs up.
func echo(ctx context.Context, session *msrp.Session, peer msrp.Path) {
	check(session.Connect(ctx, peer, msrp.Passive, nil))
	for message, err := range session.Messages(ctx) {
		if err != nil {
			return
		}
		_, err = session.Send(ctx, &msrp.Message{ContentType: message.ContentType, Body: message.Body})
		check(err)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal("msrpecho: ", err)
	}
}
