package kamailio

import (
	"crypto/x509"
	_ "embed"
	"path/filepath"
	"testing"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/internal/interop/foreign"
)

// Domain is the SIP domain of a Proxy and its digest realm. Any user of it may register with Password.
const Domain = "sip.test"

//go:embed proxy.cfg
var proxyConfig []byte

// Proxy is a running Kamailio that is the registrar and proxy of Domain, or stands before one.
type Proxy struct {
	Address string         // where it listens for UDP, TCP and WebSockets, "127.0.0.1:" and a port
	TLS     string         // where it listens for TLS and for WebSockets over TLS
	Roots   *x509.CertPool // what its certificate for 127.0.0.1 and Domain is trusted by

	*foreign.Process // Kamailio itself
}

// StartProxy runs Kamailio as a registrar and proxy, until the end of the test at the latest. The definitions are for proxy.cfg, such as MIN_EXPIRES=120.
func StartProxy(t testing.TB, definitions ...string) *Proxy {
	t.Helper()
	return startProxy(t, freeAddress(t), freeAddress(t), definitions)
}

// StartEdge runs Kamailio as an edge proxy, which the clients of a Proxy know alone.
func StartEdge(t testing.TB, registrar *Proxy) *Proxy {
	t.Helper()
	return StartProxy(t, "NEXT="+registrar.Address)
}

// Again runs a Proxy that has been stopped once more, at the same addresses. It has forgotten all.
func (p *Proxy) Again(t testing.TB) *Proxy {
	t.Helper()
	return startProxy(t, p.Address, p.TLS, nil)
}

func startProxy(t testing.TB, address, tlsAddress string, definitions []string) *Proxy {
	t.Helper()
	cert, roots := certtest.New(t, "127.0.0.1", Domain)
	certificate, key := certtest.PEM(t, cert)
	dir := t.TempDir()
	write(t, filepath.Join(dir, "certificate.pem"), certificate)
	write(t, filepath.Join(dir, "key.pem"), key)
	args := []string{"-l", "udp:" + address, "-l", "tcp:" + address, "-l", "tls:" + tlsAddress, "-A", "WITH_TLS"}
	for _, d := range definitions {
		args = append(args, "-A", d)
	}
	return &Proxy{Address: address, TLS: tlsAddress, Roots: roots, Process: start(t, dir, proxyConfig, address, args...)}
}

// URI is how a client names it for a network: udp, tcp, tls, ws or wss.
func (p *Proxy) URI(network string) string {
	address := p.Address
	if network == "tls" || network == "wss" {
		address = p.TLS
	}
	return "sip:" + address + ";transport=" + network
}
