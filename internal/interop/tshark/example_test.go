package tshark_test

import (
	"fmt"
	"testing"

	"github.com/otrchat/otrchat/internal/interop/tshark"
)

// A test captures the traffic of a conversation and asks for a verdict on every frame of it.
func Example() {
	_ = func(t *testing.T, talk func() (sipPort, msrpPort int)) {
		rec := tshark.Capture(t)
		sipPort, msrpPort := talk()
		for _, f := range tshark.Dissect(t, rec.Stop(), tshark.Ports{SIP: []int{sipPort}, MSRP: []int{msrpPort}}) {
			t.Log(f.Protocol, f.Source, "to", f.Destination, f.Method, f.Status)
		}
	}
	fmt.Println("a malformed frame fails the test")
	// Output: a malformed frame fails the test
}
