package nat

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"

	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/relay"
)

const programVariable = "OTRCHAT_NAT_PROGRAM"

// The test binary is also the program on the machines. It and the test write JSON to each other.
func TestMain(m *testing.M) {
	programs := map[string]func(context.Context, *json.Decoder, *json.Encoder) error{"relay": runRelay, "client": runClient, "router": runNothing}
	run := programs[os.Getenv(programVariable)]
	if run == nil {
		leakcheck.Main(m)
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := run(ctx, json.NewDecoder(os.Stdin), json.NewEncoder(os.Stdout)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// relayOrder is what the test tells the relay. The relay tells it where each connection comes from.
type relayOrder struct {
	Certificate, Key []byte
	Users            relay.Users
}

func runRelay(_ context.Context, in *json.Decoder, out *json.Encoder) error {
	var o relayOrder
	if err := in.Decode(&o); err != nil {
		return err
	}
	cert, err := tls.X509KeyPair(o.Certificate, o.Key)
	if err != nil {
		return err
	}
	r, err := relay.New(&relay.Options{Host: relayAddress, Authenticator: o.Users})
	if err != nil {
		return err
	}
	defer r.Close()
	l, err := net.Listen("tcp", relayAddress+":2855")
	if err != nil {
		return err
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}, DynamicRecordSizingDisabled: true}
	if err := r.Serve(tls.NewListener(witness{l, out}, config)); err != nil {
		return err
	}
	if err := out.Encode(l.Addr().String()); err != nil {
		return err
	}
	return untilEnd(in)
}

// witness tells the test who connects.
type witness struct {
	net.Listener
	out *json.Encoder
}

func (w witness) Accept() (net.Conn, error) {
	c, err := w.Listener.Accept()
	if err == nil {
		err = w.out.Encode(c.RemoteAddr().String())
	}
	return c, err
}

// runNothing is for a machine whose kernel does all the work.
func runNothing(_ context.Context, in *json.Decoder, _ *json.Encoder) error { return untilEnd(in) }

// untilEnd waits until the test wants no more.
func untilEnd(in *json.Decoder) error {
	var more any
	if err := in.Decode(&more); err != io.EOF {
		return fmt.Errorf("more to read: %v, %w", more, err)
	}
	return nil
}

// clientOrder is what the test tells a client, which answers with its address.
type clientOrder struct {
	User, Password string
	Roots          []byte
}

// address is what a client would tell its peer in SDP, and where it accepts connections on its own machine.
type address struct{ Path, Listener string }

// callOrder is what the test tells a client of its peer: its path, and addresses at which it might be reached without the relay. The client answers with a call.
type callOrder struct {
	Role   msrp.Role
	Path   string
	Direct []string
}

// call is what became of the dials to the peer's addresses, and what the peer has said.
type call struct {
	Dials []string // errors, empty for a dial that succeeded
	Heard []string
}

func runClient(ctx context.Context, in *json.Decoder, out *json.Encoder) error {
	var o clientOrder
	if err := in.Decode(&o); err != nil {
		return err
	}
	l, err := net.Listen("tcp4", ":0")
	if err != nil {
		return err
	}
	defer l.Close()
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(o.Roots)
	e, err := msrp.New(&msrp.Options{TLS: &tls.Config{RootCAs: roots}})
	if err != nil {
		return err
	}
	defer e.Close()
	r, err := e.DialRelay(ctx, &msrp.RelayOptions{URI: "msrps://" + relayAddress + ":2855;tcp", Username: o.User, Password: o.Password})
	if err != nil {
		return err
	}
	s, err := e.NewSession(&msrp.SessionOptions{Relay: r, Secure: true})
	if err != nil {
		return err
	}
	if err := out.Encode(address{s.LocalPath().String(), l.Addr().String()}); err != nil {
		return err
	}
	c, err := runCall(ctx, s, in, o.User)
	if err != nil {
		return err
	}
	if err := out.Encode(c); err != nil {
		return err
	}
	return untilEnd(in)
}

func runCall(ctx context.Context, s *msrp.Session, in *json.Decoder, user string) (c call, err error) {
	var o callOrder
	if err := in.Decode(&o); err != nil {
		return c, err
	}
	for _, address := range o.Direct {
		c.Dials = append(c.Dials, dial(ctx, address))
	}
	remote, err := msrp.ParsePath(o.Path)
	if err != nil {
		return c, err
	}
	if err := s.Connect(ctx, remote, o.Role, nil); err != nil {
		return c, err
	}
	c.Heard, err = chat(ctx, s, user)
	return c, err
}

// dial says what goes wrong when dialling.
func dial(ctx context.Context, address string) string {
	nc, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err.Error()
	}
	nc.Close()
	return ""
}

// says is what each user says: a line, and something that takes many chunks.
func says(user string) []string {
	return []string{"hello, this is " + user, strings.Repeat(user+" tells a long story. ", 10_000)}
}

// chat says what the user says until each of it is reported as received, and hears as much.
func chat(ctx context.Context, s *msrp.Session, user string) (heard []string, err error) {
	said := make(chan error, 1)
	go func() { said <- say(ctx, s, says(user)) }()
	for range says(user) {
		m, err := s.Receive(ctx)
		if err != nil {
			return nil, errors.Join(err, <-said)
		}
		heard = append(heard, string(m.Body))
	}
	return heard, <-said
}

func say(ctx context.Context, s *msrp.Session, texts []string) error {
	for _, text := range texts {
		d, err := s.Send(ctx, &msrp.Message{ContentType: "text/plain;charset=utf-8", Body: []byte(text), SuccessReport: true})
		if err == nil {
			err = d.Wait(ctx)
		}
		if err != nil {
			return err
		}
	}
	return nil
}
