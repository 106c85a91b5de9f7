package growl_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/gntp"
	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/notify/growl"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const limit = 1 << 20

// server is a GNTP server in memory, and the network to it.
type server struct {
	t        *testing.T
	password string
	answer   func(*gntp.Message) *gntp.Message // default: -OK

	mu       sync.Mutex
	requests []*gntp.Message
	wire     bytes.Buffer // what came, all connections
	running  sync.WaitGroup
}

func newServer(t *testing.T, password string) *server {
	s := &server{t: t, password: password}
	t.Cleanup(s.running.Wait)
	return s
}

func (s *server) DialContext(_ context.Context, network, address string) (net.Conn, error) {
	assert.Equal(s.t, "tcp", network)
	client, conn := net.Pipe()
	s.running.Go(func() {
		defer conn.Close()
		s.serve(conn)
	})
	return client, nil
}

func (s *server) serve(conn net.Conn) {
	var raw bytes.Buffer
	m, k, err := gntp.ReadRequest(io.TeeReader(conn, &raw), limit, s.password)
	s.mu.Lock()
	s.wire.Write(raw.Bytes())
	s.requests = append(s.requests, m)
	s.mu.Unlock()
	answer := &gntp.Message{Type: gntp.OK}
	switch {
	case err == gntp.ErrPassword:
		answer = refusal("400", "wrong password")
	case !assert.NoError(s.t, err):
		return
	case s.answer != nil:
		answer = s.answer(m)
	default:
		answer.Sections = []gntp.Section{{{Name: "Response-Action", Value: m.Type}, {Name: "Notification-ID", Value: m.Head().Value("Notification-ID")}}}
	}
	b, err := answer.Append(nil, k)
	assert.NoError(s.t, err)
	_, _ = conn.Write(b) // the client may have gone
}

func refusal(code, description string) *gntp.Message {
	return &gntp.Message{Type: gntp.Error, Sections: []gntp.Section{{{Name: "Error-Code", Value: code}, {Name: "Error-Description", Value: description}}}}
}

// heard returns the types of the requests so far.
func (s *server) heard() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var types []string
	for _, m := range s.requests {
		if m != nil {
			types = append(types, m.Type)
		} else {
			types = append(types, "?")
		}
	}
	return strings.Join(types, " ")
}

// last returns the last request.
func (s *server) last() *gntp.Message {
	s.mu.Lock()
	defer s.mu.Unlock()
	require.NotEmpty(s.t, s.requests)
	return s.requests[len(s.requests)-1]
}

// notifier makes one that talks to s; o adds to what it needs.
func (s *server) notifier(o growl.Options) *growl.Notifier {
	o.AppName, o.Dialer = "Test", s
	if o.Address == "" {
		o.Password = s.password
	}
	n, err := growl.New(&o)
	require.NoError(s.t, err)
	return n
}
