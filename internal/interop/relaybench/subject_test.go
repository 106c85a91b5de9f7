package relaybench

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/interop/kamailio"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

const patience = 20 * time.Second

// subject is what is measured: how to connect two clients through it.
type subject func(t *testing.T) *pair

// run starts this test binary in another role, and returns where that listens.
func run(t *testing.T, role string, env ...string) (address string, p *foreign.Process, stdin io.Writer) {
	t.Helper()
	program, err := os.Executable()
	require.NoError(t, err)
	cmd := exec.Command(program)
	cmd.Env = append(append(os.Environ(), roleVariable+"="+role), env...)
	stdin, err = cmd.StdinPipe()
	require.NoError(t, err)
	p = foreign.Start(t, cmd)
	require.NoError(t, p.WaitFor("\n", patience))
	_, address, ok := strings.Cut(p.Output(), "listening on ")
	require.True(t, ok, p.Output())
	return strings.TrimSpace(address), p, stdin
}

// relayAt is a relay that listens on address, with TLS where roots are given.
type relayAt struct {
	address string
	roots   *x509.CertPool
	memory  func() (int64, error) // in bytes
	collect func(t *testing.T)    // gives back what is not used, if need be
}

func ours(t *testing.T, secure bool) relayAt {
	t.Helper()
	var env []string
	var roots *x509.CertPool
	if secure {
		var cert tls.Certificate
		cert, roots = certtest.New(t, "127.0.0.1")
		certificate, key := certtest.PEM(t, cert)
		env = []string{certificateVariable + "=" + string(certificate), keyVariable + "=" + string(key)}
	}
	address, p, stdin := run(t, "relay", env...)
	return relayAt{address, roots, p.Memory, func(t *testing.T) {
		_, err := io.WriteString(stdin, "\n")
		require.NoError(t, err)
		require.NoError(t, p.WaitFor(collected, patience))
	}}
}

func theirs(t *testing.T, secure bool) relayAt {
	t.Helper()
	var k *kamailio.Relay
	if secure {
		k = kamailio.StartTLS(t)
	} else {
		k = kamailio.Start(t)
	}
	return relayAt{k.Address, k.Roots, k.Memory, func(*testing.T) {}}
}

// both has a way through the relay for each of two clients.
func (r relayAt) both(t *testing.T) *pair {
	t.Helper()
	from, to := r.client(t), r.client(t)
	return &pair{from: from.Conn, to: to.Conn, ways: [2]string{r.use(t, from) + " " + r.use(t, to) + " " + to.Path.String(), from.Path.String()}}
}

// one has a way for the receiver alone: the sender's first hop is the receiver's relay.
func (r relayAt) one(t *testing.T) *pair {
	t.Helper()
	from, to := r.client(t), r.client(t)
	return &pair{from: from.Conn, to: to.Conn, ways: [2]string{r.use(t, to) + " " + to.Path.String(), from.Path.String()}}
}

func (r relayAt) client(t *testing.T) *msrptest.Peer {
	t.Helper()
	nc := dial(t, r.address)
	own := uri(nc, "client", r.roots != nil)
	if r.roots != nil {
		nc = tls.Client(nc, &tls.Config{RootCAs: r.roots, ServerName: "127.0.0.1", DynamicRecordSizingDisabled: true})
	}
	p := msrptest.PeerOn(nc)
	p.Path = path(t, own)
	return p
}

// use asks for a way through the relay.
func (r relayAt) use(t *testing.T, p *msrptest.Peer) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	scheme, _, _ := strings.Cut(p.Path.String(), ":")
	f, err := p.Auth(ctx, path(t, scheme+"://"+r.address+";tcp"), user, password)
	require.NoError(t, err)
	require.Equal(t, msrp.StatusOK, f.Status)
	way, err := f.UsePath()
	require.NoError(t, err)
	return way.String()
}

// spliced joins two clients byte by byte. With TLS they speak it with each other.
func spliced(t *testing.T, secure bool) subject {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	address, _, _ := run(t, "splice", targetVariable+"="+l.Addr().String())
	cert, roots := certtest.New(t, "127.0.0.1")
	return func(t *testing.T) *pair {
		t.Helper()
		from := dial(t, address)
		to, err := l.Accept()
		require.NoError(t, err)
		p := &pair{from: from, to: to, ways: [2]string{uri(to, "to", secure), uri(from, "from", secure)}}
		if secure {
			p.from = tls.Client(from, &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", DynamicRecordSizingDisabled: true})
			p.to = tls.Server(to, &tls.Config{Certificates: []tls.Certificate{cert}, DynamicRecordSizingDisabled: true})
		}
		return p
	}
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	nc, err := net.DialTimeout("tcp", address, patience)
	require.NoError(t, err)
	return nc
}

func uri(nc net.Conn, session string, secure bool) string {
	scheme := "msrp"
	if secure {
		scheme = "msrps"
	}
	return scheme + "://" + nc.LocalAddr().String() + "/" + session + ";tcp"
}

func path(t *testing.T, uri string) msrp.Path {
	t.Helper()
	p, err := msrp.ParsePath(uri)
	require.NoError(t, err)
	return p
}
