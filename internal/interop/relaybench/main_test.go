package relaybench

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"runtime/debug"
	"testing"

	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/msrp/relay"
)

// With the first of these variables the test binary is not a test but a subject; the others say what that needs to know.
const (
	roleVariable        = "RELAYBENCH_ROLE"
	targetVariable      = "RELAYBENCH_TARGET"
	certificateVariable = "RELAYBENCH_CERTIFICATE"
	keyVariable         = "RELAYBENCH_KEY"
)

var roles = map[string]func(l net.Listener) error{"splice": splice, "relay": serve}

func TestMain(m *testing.M) {
	role, ok := roles[os.Getenv(roleVariable)]
	if !ok {
		leakcheck.Main(m)
		return
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err == nil {
		fmt.Println("listening on", l.Addr())
		err = role(l)
	}
	fmt.Println(err)
	os.Exit(1)
}

// splice joins each connection with one of its own to the target, byte by byte.
func splice(l net.Listener) error {
	for {
		in, err := l.Accept()
		if err != nil {
			return err
		}
		out, err := net.Dial("tcp", os.Getenv(targetVariable))
		if err != nil {
			return err
		}
		go join(in, out)
		go join(out, in)
	}
}

func join(from, to net.Conn) {
	_, _ = io.Copy(to, from) // the kernel moves the bytes, where it can
	from.Close()
	to.Close()
}

const (
	user     = "user"
	password = "1234" // Kamailio's too
)

// serve is our relay, with TLS if there is a certificate. Its limits on one user are out of the way, for all clients are one here, and so is that on connections.
func serve(l net.Listener) error {
	r, err := relay.New(&relay.Options{
		Host: l.Addr().String(), Authenticator: relay.Users{user: password}, AllowTCP: true,
		MaxSessions: math.MaxInt32, Rate: math.MaxInt32, MaxConnections: math.MaxInt32,
	})
	if err != nil {
		return err
	}
	if pem := os.Getenv(certificateVariable); pem != "" {
		cert, err := tls.X509KeyPair([]byte(pem), []byte(os.Getenv(keyVariable)))
		if err != nil {
			return err
		}
		l = tls.NewListener(l, &tls.Config{Certificates: []tls.Certificate{cert}, DynamicRecordSizingDisabled: true})
	}
	if err := r.Serve(l); err != nil {
		return err
	}
	go collect()
	<-r.Done()
	return r.Err()
}

const collected = "collected"

// collect gives memory that is not used back to the system, whenever a line is read.
func collect() {
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); fmt.Println(collected) {
		debug.FreeOSMemory()
	}
}
