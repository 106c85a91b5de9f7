package iscomposing_test

import (
	"context"
	"fmt"
	"log"
	"mime"
	"net"
	"time"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/iscomposing"
)

// Alice types, and Bob sees it until her message comes.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	alice, bob := connect(ctx)
	defer alice.Close()
	defer bob.Close()

	// Alice's program: one loop sends the documents ...
	sender, err := iscomposing.NewSender(&iscomposing.SenderOptions{ContentType: "text/plain"})
	check(err)
	go func() {
		for {
			document, err := sender.Next(ctx)
			if err != nil {
				return
			}
			body, err := iscomposing.Append(nil, document)
			if err != nil {
				return
			}
			m := &msrp.Message{ContentType: iscomposing.MediaType, Body: body, FailureReport: msrp.No}
			if _, err := alice.Send(ctx, m); err != nil {
				return
			}
		}
	}()
	sender.Composing() // ... and this is called at each of her keystrokes.

	// Bob's program: the loop that receives messages hands them to the Receiver ...
	receiver := iscomposing.NewReceiver()
	go func() {
		for {
			m, err := bob.Receive(ctx)
			if err != nil {
				return
			}
			if mediaType, _, _ := mime.ParseMediaType(m.ContentType); mediaType != iscomposing.MediaType {
				receiver.Content("Alice")
				continue
			}
			if document, err := iscomposing.Parse(m.Body); err == nil {
				receiver.Status("Alice", document)
			}
		}
	}()
	change, err := receiver.Next(ctx) // ... and another one shows the changes.
	check(err)
	fmt.Println(change.From, change.Active, change.ContentType)

	sender.ContentSent()
	_, err = alice.Send(ctx, &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: []byte("Shall we meet at noon?")})
	check(err)
	change, err = receiver.Next(ctx)
	check(err)
	fmt.Println(change.From, change.Active)
	// Output:
	// Alice true text/plain
	// Alice false
}

// connect makes two sessions that are connected over loopback. In a real chat the paths travel in the SDP of a SIP call.
func connect(ctx context.Context) (alice, bob *msrp.Session) {
	endpoint, err := msrp.New(nil)
	check(err)
	context.AfterFunc(ctx, func() { _ = endpoint.Close() })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	check(endpoint.Serve(listener))
	alice, err = endpoint.NewSession(nil)
	check(err)
	bob, err = endpoint.NewSession(nil)
	check(err)
	answered := make(chan error, 1)
	go func() { answered <- bob.Connect(ctx, alice.LocalPath(), msrp.Passive, nil) }()
	check(alice.Connect(ctx, bob.LocalPath(), msrp.Active, nil))
	check(<-answered)
	return alice, bob
}

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

func ExampleAppend() {
	wire, err := iscomposing.Append(nil, &iscomposing.Document{Active: true, ContentType: "text/plain", Refresh: 90 * time.Second})
	check(err)
	fmt.Printf("%s", wire)
	// Output:
	// <?xml version="1.0" encoding="UTF-8"?>
	// <isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">
	//   <state>active</state>
	//   <contenttype>text/plain</contenttype>
	//   <refresh>90</refresh>
	// </isComposing>
}
