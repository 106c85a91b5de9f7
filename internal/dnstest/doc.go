// Package dnstest is a DNS server for tests, whose answers fail where the test wants them to.
//
//	s := dnstest.Serve(t, `example.test. NAPTR 10 10 "s" "SIP+D2T" "" _sip._tcp.example.test.`)
//	s.Break("SRV _sip._tcp.example.test.", dnstest.ServerFailure)
//
// Programs of ours are pointed at it by sip.DNS{Servers: []string{s.Addr}}.
//
// # Concurrency
//
// All methods may be called from any goroutine.
//
// # Limits
//
// It knows no zones: a name exists where it has a record, and a CNAME is followed over what the server has, eight times at most.
//
// # Security
//
// It listens on the loopback address alone.
package dnstest
