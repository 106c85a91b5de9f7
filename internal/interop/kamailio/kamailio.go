package kamailio

import (
	"crypto/x509"
	_ "embed"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/internal/interop/foreign"
)

// What a client needs to AUTH, with any user name.
const (
	Realm    = "kamailio.test"
	Password = "1234"
)

const patience = 10 * time.Second

//go:embed kamailio.cfg
var config []byte

// Relay is a running Kamailio.
type Relay struct {
	Address string         // where it listens, "127.0.0.1:" and a port
	URI     string         // what a client names in AUTH
	Roots   *x509.CertPool // what its certificate is trusted by, nil without TLS

	*foreign.Process // Kamailio itself, with all its connections
}

// Start runs Kamailio as a relay on plain TCP, until the end of the test at the latest. The definitions are for kamailio.cfg, such as EXPIRES=60.
func Start(t testing.TB, definitions ...string) *Relay {
	t.Helper()
	address := freeAddress(t)
	args := []string{"-l", "tcp:" + address}
	for _, d := range definitions {
		args = append(args, "-A", d)
	}
	return &Relay{Address: address, URI: "msrp://" + address + ";tcp", Process: start(t, t.TempDir(), config, address, args...)}
}

// StartTLS runs Kamailio as a relay on TLS, with a certificate for 127.0.0.1 and for the names.
func StartTLS(t testing.TB, names ...string) *Relay {
	t.Helper()
	cert, roots := certtest.New(t, append(names, "127.0.0.1")...)
	certificate, key := certtest.PEM(t, cert)
	address, dir := freeAddress(t), t.TempDir()
	write(t, filepath.Join(dir, "certificate.pem"), certificate)
	write(t, filepath.Join(dir, "key.pem"), key)
	process := start(t, dir, config, address, "-l", "tls:"+address, "-A", "WITH_TLS")
	return &Relay{Address: address, URI: "msrps://" + address + ";tcp", Roots: roots, Process: process}
}

// start runs Kamailio and returns when it takes connections at the address.
func start(t testing.TB, dir string, config []byte, address string, args ...string) *foreign.Process {
	t.Helper()
	file := filepath.Join(dir, "kamailio.cfg")
	write(t, file, config)
	// It stays in the foreground and writes to the standard error; 1 GiB at most is shared by its processes, 64 KiB of it for each connection, and 16
	// MiB belong to each.
	args = append([]string{"-f", file, "-DD", "-E", "-m", "1024", "-M", "16", "-Y", dir, "-w", dir}, args...)
	p := foreign.Start(t, exec.Command(foreign.Need(t, "kamailio"), args...))
	deadline := time.After(patience)
	for {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
			return p
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatalf("kamailio: does not listen: %v\n%s", err, p.Output())
		case <-p.Done():
			if _, module, found := strings.Cut(p.Output(), "could not find module <"); found {
				module, _, _ = strings.Cut(module, ">")
				foreign.Missing(t, "Kamailio's module "+module)
			}
			t.Fatalf("kamailio: ended:\n%s", p.Output())
		}
	}
}

// freeAddress finds a port that nobody uses at the moment, neither for TCP nor for UDP.
func freeAddress(t testing.TB) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatalf("kamailio: %v", err)
		}
		c, err := net.ListenPacket("udp", l.Addr().String())
		l.Close()
		if err == nil {
			c.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("kamailio: no free port")
	return ""
}

func write(t testing.TB, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatalf("kamailio: %v", err)
	}
}
