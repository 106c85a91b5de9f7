package dnstest_test

import (
	"fmt"
	"testing"

	"github.com/otrchat/otrchat/internal/dnstest"
)

// A domain whose servers for TCP cannot be looked up, while those for UDP can.
func ExampleServe() {
	_ = func(t *testing.T) []string {
		s := dnstest.Serve(t, `
_sip._tcp.example.test. SRV 10 0 5060 one.example.test.
_sip._udp.example.test. SRV 10 0 5060 one.example.test.
one.example.test.       A   127.0.0.1
`)
		s.Break("SRV _sip._tcp.example.test.", dnstest.ServerFailure)
		return []string{s.Addr} // for sip.DNS
	}
	fmt.Println("some answers fail")
	// Output: some answers fail
}
