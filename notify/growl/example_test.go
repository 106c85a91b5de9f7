package growl_test

import (
	"context"
	"errors"
	"fmt"
	"net"

	"github.com/otrchat/otrchat/internal/gntp"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/growl"
)

func Example() {
	alerts, err := growl.New(&growl.Options{AppName: "Example", Password: "a long random one", Address: "192.0.2.1:23053", Dialer: inMemory{}})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = alerts.Notify(context.Background(), notify.Notification{
		Kind: notify.FingerprintChanged, Urgency: notify.Critical, Contact: "bob@example.org",
		Title: "Bob uses a new key", Body: "Compare fingerprints before you write on.",
	})
	var refused *growl.ServerError
	switch {
	case errors.Is(err, growl.ErrUnavailable):
		fmt.Println("no Growl here")
	case errors.As(err, &refused):
		fmt.Println("refused:", refused.Description)
	default:
		fmt.Println(err)
	}
	// Output:
	// REGISTER ""
	// NOTIFY "Bob uses a new key"
	// <nil>
}

// inMemory stands for the network, with a server on the other side.
type inMemory struct{}

func (inMemory) DialContext(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		request, key, err := gntp.ReadRequest(server, 1<<20, "a long random one")
		if err != nil {
			fmt.Println(err)
		}
		fmt.Printf("%s %q\n", request.Type, request.Head().Value("Notification-Title"))
		answer, _ := (&gntp.Message{Type: gntp.OK, Sections: []gntp.Section{{{Name: "Response-Action", Value: request.Type}}}}).Append(nil, key)
		server.Write(answer)
	}()
	return client, nil
}
