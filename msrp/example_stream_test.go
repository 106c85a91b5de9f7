package msrp_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log"
	"net"
	"strings"
	"time"

	"github.com/otrchat/otrchat/msrp"
)

// A file is sent from a reader and received as it arrives, in a few hundred kilobytes of memory whatever its size.
func ExampleMessage() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	endpoint, err := msrp.New(&msrp.Options{StreamAbove: 64 << 10, InboxBytes: 512 << 10})
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
	bob, err := endpoint.NewSession(&msrp.SessionOptions{AcceptTypes: []string{"text/plain", "image/*"}})
	if err != nil {
		log.Fatal(err)
	}
	go bob.Connect(ctx, alice.LocalPath(), msrp.Passive, nil)
	if err := alice.Connect(ctx, bob.LocalPath(), msrp.Active, nil); err != nil {
		log.Fatal(err)
	}

	sent := make(chan error, 1)
	go func() {
		file := strings.NewReader(strings.Repeat("picture ", 1<<20))
		delivery, err := alice.Send(ctx, &msrp.Message{ContentType: "image/png", Reader: file, Size: file.Size(), SuccessReport: true})
		if err == nil {
			err = delivery.Wait(ctx)
		}
		sent <- err
	}()
	message, err := bob.Receive(ctx)
	if err != nil {
		log.Fatal(err)
	}
	defer message.Close()
	hash := sha256.New()
	n, err := io.Copy(hash, message.Reader)
	if err != nil { // what has come so far is not the whole file
		log.Fatal(err)
	}
	fmt.Printf("%s: %d of %d bytes, %x\n", message.ContentType, n, message.Size, hash.Sum(nil)[:4])
	fmt.Println("sent:", <-sent)
	// Output:
	// image/png: 8388608 of 8388608 bytes, f238ca5c
	// sent: <nil>
}
