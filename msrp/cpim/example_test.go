package cpim_test

import (
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/otrchat/otrchat/msrp/cpim"
)

func Example() {
	wire, err := cpim.Append(nil, &cpim.Message{
		From:        cpim.Address{DisplayName: "Alice", URI: "sip:alice@example.com"},
		To:          []cpim.Address{{URI: "sip:bob@example.org"}},
		DateTime:    time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC),
		ContentType: "text/plain; charset=utf-8",
		Body:        []byte("Shall we meet at noon?"),
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Println(strings.ReplaceAll(string(wire), "\r\n", "\n") + "\n")

	m, err := cpim.Parse(wire)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	fmt.Printf("%s wrote at %s: %s\n", m.From.DisplayName, m.DateTime.Format(time.Kitchen), m.Body)
	// Output:
	// From: "Alice" <sip:alice@example.com>
	// To: <sip:bob@example.org>
	// DateTime: 2026-11-23T08:30:00Z
	//
	// Content-Type: text/plain; charset=utf-8
	//
	// Shall we meet at noon?
	//
	// Alice wrote at 8:30AM: Shall we meet at noon?
}

func ExampleMessage_Header() {
	m, err := cpim.Parse([]byte("NS: receipt <urn:ietf:params:imdn>\r\n" +
		"receipt.Message-ID: 34jk324j\r\n\r\nContent-Type: text/plain\r\n\r\nHello"))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return
	}
	id, ok := m.Header(cpim.IMDN, "Message-ID")
	fmt.Println(id, ok)
	// Output: 34jk324j true
}
