package dnstest_test

import (
	"testing"
	"time"

	"github.com/miekg/dns"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/dnstest"
	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

func TestServe(t *testing.T) {
	s := dnstest.Serve(t, `
one.example.test. A 192.0.2.1
two.example.test. CNAME one.example.test.
`)
	ask := func(network, name string) (*dns.Msg, error) {
		res, _, err := (&dns.Client{Net: network, Timeout: 5 * time.Second}).Exchange(new(dns.Msg).SetQuestion(name, dns.TypeA), s.Addr)
		return res, err
	}
	for _, tt := range []struct {
		name    string
		code    int
		answers int
	}{
		{"one.example.test.", dns.RcodeSuccess, 1},
		{"ONE.example.test.", dns.RcodeSuccess, 1},
		{"two.example.test.", dns.RcodeSuccess, 2},
		{"three.example.test.", dns.RcodeNameError, 0},
	} {
		for _, network := range []string{"udp", "tcp"} {
			res, err := ask(network, tt.name)
			require.NoError(t, err)
			assert.Equal(t, tt.code, res.Rcode, tt.name)
			assert.Len(t, res.Answer, tt.answers, tt.name)
		}
	}
	assert.Equal(t, []string{"A one.example.test.", "A one.example.test.", "A one.example.test."}, s.Asked()[:3])

	s.Break("A one.example.test.", dnstest.ServerFailure)
	res, err := ask("udp", "one.example.test.")
	require.NoError(t, err)
	assert.Equal(t, dns.RcodeServerFailure, res.Rcode)
	s.Break("A one.example.test.", dnstest.Truncation)
	res, err = ask("udp", "one.example.test.")
	require.NoError(t, err)
	assert.True(t, res.Truncated)
	assert.Empty(t, res.Answer)
	res, err = ask("tcp", "one.example.test.")
	require.NoError(t, err)
	assert.Len(t, res.Answer, 1)
}
