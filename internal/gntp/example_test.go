package gntp_test

import (
	"bytes"
	"fmt"

	"github.com/otrchat/otrchat/internal/gntp"
)

// A request that is authenticated and encrypted can be read by who knows the password.
func Example() {
	k, err := gntp.NewKey("SHA256", "AES", "open sesame")
	if err != nil {
		fmt.Println(err)
		return
	}
	request := &gntp.Message{Type: gntp.Notify, Sections: []gntp.Section{{{Name: "Notification-Title", Value: "Bob has a new key"}}}}
	b, err := request.Append(nil, k)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(bytes.Contains(b, []byte("Bob")))

	got, _, err := gntp.ReadRequest(bytes.NewReader(b), 1<<10, "open sesame")
	fmt.Println(got.Type, got.Head().Value("Notification-Title"), err)
	_, _, err = gntp.ReadRequest(bytes.NewReader(b), 1<<10, "sesame")
	fmt.Println(err)
	// Output:
	// false
	// NOTIFY Bob has a new key <nil>
	// gntp: wrong password
}
