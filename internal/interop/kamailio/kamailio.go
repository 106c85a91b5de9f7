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

	process *foreign.Process
}

// Start runs Kamailio as a relay on plain TCP, until the end of the test at the latest. The definitions are for kamailio.cfg, such as EXPIRES=60.
func Start(t testing.TB, definitions ...string) *Relay {
	t.Helper()
	address := freeAddress(t)
	args := []string{"-l", "tcp:" + address}
	for _, d := range definitions {
		args = append(args, "-A", d)
	}
	return start(t, t.TempDir(), &Relay{Address: address, URI: "msrp://" + address + ";tcp"}, args...)
}

// StartTLS runs Kamailio as a relay on TLS, with a certificate for 127.0.0.1 and for the names.
func StartTLS(t testing.TB, names ...string) *Relay {
	t.Helper()
	cert, roots := certtest.New(t, append(names, "127.0.0.1")...)
	certificate, key := certtest.PEM(t, cert)
	address, dir := freeAddress(t), t.TempDir()
	write(t, filepath.Join(dir, "certificate.pem"), certificate)
	write(t, filepath.Join(dir, "key.pem"), key)
	return start(t, dir, &Relay{Address: address, URI: "msrps://" + address + ";tcp", Roots: roots}, "-l", "tls:"+address, "-A", "WITH_TLS")
}

// Stop ends Kamailio with all its connections, and returns when it is gone. It is idempotent.
func (r *Relay) Stop() { r.process.Stop() }

// Memory is how many bytes of memory its processes take.
func (r *Relay) Memory() (int64, error) { return r.process.Memory() }

// Output is what Kamailio has logged.
func (r *Relay) Output() string { return r.process.Output() }

func start(t testing.TB, dir string, r *Relay, args ...string) *Relay {
	t.Helper()
	file := filepath.Join(dir, "kamailio.cfg")
	write(t, file, config)
	// It stays in the foreground and writes to the standard error; 1 GiB at most is shared by its processes, 64 KiB of it for each connection, and 16
	// MiB belong to each.
	args = append([]string{"-f", file, "-DD", "-E", "-m", "1024", "-M", "16", "-Y", dir, "-w", dir}, args...)
	r.process = foreign.Start(t, exec.Command(foreign.Need(t, "kamailio"), args...))
	r.ready(t)
	return r
}

// ready waits until Kamailio takes connections.
func (r *Relay) ready(t testing.TB) {
	t.Helper()
	deadline := time.After(patience)
	for {
		c, err := net.Dial("tcp", r.Address)
		if err == nil {
			c.Close()
			return
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			t.Fatalf("kamailio: does not listen: %v\n%s", err, r.Output())
		case <-r.process.Done():
			if strings.Contains(r.Output(), "could not find module <tls>") {
				foreign.Missing(t, "Kamailio's module tls")
			}
			t.Fatalf("kamailio: ended:\n%s", r.Output())
		}
	}
}

// freeAddress finds a port that nobody uses at the moment.
func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("kamailio: %v", err)
	}
	defer l.Close()
	return l.Addr().String()
}

func write(t testing.TB, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatalf("kamailio: %v", err)
	}
}
