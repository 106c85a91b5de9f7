package msrp_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"time"

	"github.com/otrchat/otrchat/msrp"
)

// Two people chat over a loopback connection. In a real chat each side has an Endpoint of its own, and the paths travel in the SDP of
// a SIP call.
func Example() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	endpoint, err := msrp.New(nil)
	if err != nil {
		log.Fatal(err)
	}
	defer endpoint.Close()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	if err := endpoint.Serve(listener); err != nil {
		log.Fatal(err)
	}
	alice, err := endpoint.NewSession(nil)
	if err != nil {
		log.Fatal(err)
	}
	bob, err := endpoint.NewSession(nil)
	if err != nil {
		log.Fatal(err)
	}

	answered := make(chan error, 1)
	go func() { answered <- bob.Connect(ctx, alice.LocalPath(), msrp.Passive, nil) }()
	if err := alice.Connect(ctx, bob.LocalPath(), msrp.Active, nil); err != nil {
		log.Fatal(err)
	}
	if err := <-answered; err != nil {
		log.Fatal(err)
	}

	say := func(from, to *msrp.Session, text string) {
		delivery, err := from.Send(ctx, &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: []byte(text), SuccessReport: true})
		if err != nil {
			log.Fatal(err)
		}
		message, err := to.Receive(ctx)
		if err != nil {
			log.Fatal(err)
		}
		if err := delivery.Wait(ctx); err != nil { // the success report
			log.Fatal(err)
		}
		fmt.Printf("%s (%s)\n", message.Body, message.ContentType)
	}
	say(alice, bob, "Hey Bob, are you there?")
	say(bob, alice, "Yes, Alice.")
	// Output:
	// Hey Bob, are you there? (text/plain;charset=utf-8)
	// Yes, Alice. (text/plain;charset=utf-8)
}

// A Decoder gives the body piece by piece; here it is read whole.
func ExampleDecoder() {
	wire := strings.NewReader("MSRP d93kswow SEND\r\n" +
		"To-Path: msrp://bob.example.com:8888/9di4eae923wzd;tcp\r\n" +
		"From-Path: msrp://alicepc.example.com:7777/iau39soe2843z;tcp\r\n" +
		"Message-ID: 12339sdqwer\r\n" +
		"Byte-Range: 1-5/5\r\n" +
		"Content-Type: text/plain\r\n" +
		"\r\n" +
		"hello\r\n" +
		"-------d93kswow$\r\n")
	decoder := msrp.NewDecoder(wire, nil)
	for {
		frame, err := decoder.Next()
		if err == io.EOF {
			return
		}
		if err != nil {
			log.Fatal(err)
		}
		var body bytes.Buffer
		for {
			piece, err := decoder.Body()
			if err == io.EOF {
				break
			}
			if err != nil {
				log.Fatal(err)
			}
			body.Write(piece)
		}
		fmt.Printf("%s %s, bytes %d to %d of %d: %q, ends with %c\n",
			frame.Method, frame.MessageID, frame.ByteRange.Start, frame.ByteRange.End, frame.ByteRange.Total, body.String(), frame.Continuation)
	}
	// Output: SEND 12339sdqwer, bytes 1 to 5 of 5: "hello", ends with $
}

func ExampleAppendFrame() {
	wire, err := msrp.AppendFrame(nil, &msrp.Frame{
		TransactionID: []byte("d93kswow"),
		Status:        msrp.StatusOK,
		Comment:       []byte("OK"),
		ToPath:        []byte("msrp://alicepc.example.com:7777/iau39soe2843z;tcp"),
		FromPath:      []byte("msrp://bob.example.com:8888/9di4eae923wzd;tcp"),
		Continuation:  msrp.Complete,
	}, nil)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Print(strings.ReplaceAll(string(wire), "\r\n", "\n"))
	// Output:
	// MSRP d93kswow 200 OK
	// To-Path: msrp://alicepc.example.com:7777/iau39soe2843z;tcp
	// From-Path: msrp://bob.example.com:8888/9di4eae923wzd;tcp
	// -------d93kswow$
}

func ExampleParsePath() {
	path, err := msrp.ParsePath("msrps://relay.example.com:2855/kjf87;tcp msrps://alice.example.com:9892/98cjs;tcp")
	if err != nil {
		log.Fatal(err)
	}
	for _, uri := range path {
		fmt.Println(uri.Secure, uri.Host, uri.Port, uri.SessionID)
	}
	// Output:
	// true relay.example.com 2855 kjf87
	// true alice.example.com 9892 98cjs
}
