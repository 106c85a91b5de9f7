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

	dir  string // of its files
	args []string
}

// StartProxy runs Kamailio as a registrar and proxy, until the end of the test at the latest. The definitions are for proxy.cfg, such as MIN_EXPIRES=120.
func StartProxy(t testing.TB, definitions ...string) *Proxy {
	t.Helper()
	cert, roots := certtest.New(t, "127.0.0.1", Domain)
	certificate, key := certtest.PEM(t, cert)
	p := &Proxy{Address: freeAddress(t), TLS: freeAddress(t), Roots: roots, dir: t.TempDir()}
	write(t, filepath.Join(p.dir, "certificate.pem"), certificate)
	write(t, filepath.Join(p.dir, "key.pem"), key)
	p.args = []string{"-l", "udp:" + p.Address, "-l", "tcp:" + p.Address, "-l", "tls:" + p.TLS, "-A", "WITH_TLS"}
	for _, d := range definitions {
		p.args = append(p.args, "-A", d)
	}
	p.Process = start(t, p.dir, proxyConfig, p.Address, p.args...)
	return p
}

// StartEdge runs Kamailio as an edge proxy, which the clients of a Proxy know alone.
func StartEdge(t testing.TB, registrar *Proxy) *Proxy {
	t.Helper()
	return StartProxy(t, "NEXT="+registrar.Address)
}

// Again runs a Proxy that has been stopped once more, at the same addresses. It has forgotten all.
func (p *Proxy) Again(t testing.TB) {
	t.Helper()
	p.Process = start(t, p.dir, proxyConfig, p.Address, p.args...)
}

// URI is how a client names it for a network: udp, tcp, tls, ws or wss.
func (p *Proxy) URI(network string) string {
	address := p.Address
	if network == "tls" || network == "wss" {
		address = p.TLS
	}
	return "sip:" + address + ";transport=" + network
}
