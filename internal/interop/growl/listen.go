package growl

import (
	"errors"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/otrchat/otrchat/internal/gntp"
)

const patience = 20 * time.Second

// Received is one request to a listener.
type Received struct {
	Message *gntp.Message
	Err     error // why it was refused
}

// Listen answers requests as a server with the password does, empty for none. done closes it and returns what came.
func Listen(t testing.TB, password string) (address string, done func() []Received) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("growl: %v", err)
	}
	var all []Received
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all = append(all, answer(t, conn, password))
		}
	})
	stop := func() []Received {
		_ = l.Close() // it may be closed already
		running.Wait()
		return all
	}
	t.Cleanup(func() { stop() })
	return l.Addr().String(), stop
}

func answer(t testing.TB, conn net.Conn, password string) Received {
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(patience)) // the reading says if it failed
	m, k, err := gntp.ReadRequest(conn, 1<<20, password)
	reply := &gntp.Message{Type: gntp.Error, Sections: []gntp.Section{{{Name: "Error-Code", Value: "400"}}}}
	if err == nil {
		reply = &gntp.Message{Type: gntp.OK, Sections: []gntp.Section{{{Name: "Response-Action", Value: m.Type}}}}
	}
	b, errAppend := reply.Append(nil, k)
	_, errWrite := conn.Write(b)
	if err == nil && errors.Join(errAppend, errWrite) != nil { // whoever was refused may have gone
		t.Errorf("growl: %v", errors.Join(errAppend, errWrite))
	}
	return Received{m, err}
}
