// Command msrpecho sends messages over MSRP and gets each of them back. It uses package msrp alone. In a chat the two paths travel in the SDP of
// a SIP call; here they are handed over in the program, or by hand between two programs.
//
//	go run ./examples/msrpecho Hello                # both sides, over loopback
//	go run ./examples/msrpecho -role passive        # the echo; prints its path and reads that of the other side
//	go run ./examples/msrpecho -role active Hello   # its client; the same
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"net"

	"github.com/otrchat/otrchat/msrp"
)

func main() {
	role := flag.String("role", "both", "active, passive or both")
	address := flag.String("listen", "127.0.0.1:0", "host:port that the other side can reach")
	flag.Parse()
	log.SetFlags(0)
	words := flag.Args()
	if len(words) == 0 {
		words = []string{"Hello?", "Is there anybody in there?"}
	}
	switch s := open(*address); *role {
	case "active":
		talk(s, ask(s), words)
	case "passive":
		echo(s, ask(s))
	case "both":
		client := open(*address)
		go echo(s, client.LocalPath())
		talk(client, s.LocalPath(), words)
	default:
		log.Fatalf("msrpecho: no such role: %q", *role)
	}
}

// open gives a session with a path of its own, at an endpoint that serves it.
func open(address string) *msrp.Session {
	l, err := net.Listen("tcp", address)
	check(err)
	e, err := msrp.New(nil)
	check(err)
	check(e.Serve(l))
	s, err := e.NewSession(nil)
	check(err)
	return s
}

func ask(s *msrp.Session) msrp.Path {
	fmt.Print("My path is ", s.LocalPath(), "\nThe path of the other side? ")
	var text string
	_, err := fmt.Scanln(&text)
	check(err)
	p, err := msrp.ParsePath(text)
	check(err)
	return p
}

// talk dials, sends each text and waits for its echo.
func talk(s *msrp.Session, peer msrp.Path, texts []string) {
	ctx := context.Background()
	check(s.Connect(ctx, peer, msrp.Active, nil))
	for _, text := range texts {
		d, err := s.Send(ctx, &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: []byte(text), SuccessReport: true})
		check(err)
		m, err := s.Receive(ctx)
		check(err)
		check(d.Wait(ctx)) // the other side's report
		fmt.Printf("sent, reported and echoed: %s\n", m.Body)
	}
	check(s.Shutdown(ctx))
}

// echo waits to be dialled and sends back what comes, until the other side hangs up.
func echo(s *msrp.Session, peer msrp.Path) {
	ctx := context.Background()
	check(s.Connect(ctx, peer, msrp.Passive, nil))
	for m, err := range s.Messages(ctx) {
		if errors.Is(err, io.EOF) {
			return
		}
		check(err)
		_, err = s.Send(ctx, &msrp.Message{ContentType: m.ContentType, Body: m.Body})
		check(err)
	}
}

func check(err error) {
	if err != nil {
		log.Fatal("msrpecho: ", err)
	}
}
