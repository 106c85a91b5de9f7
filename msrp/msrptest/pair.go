package msrptest

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/otrchat/otrchat/msrp"
)

const patience = time.Minute // for what happens in memory

// Pair returns two connected sessions and the wire between them. Each has an Endpoint of its own, which is made with the options given for it and
// closed at the end of the test; nil means the defaults, and Host and Dialer are filled in. What goes wrong ends the test. For faults while
// connecting, or TLS, make the endpoints on a Network.
func Pair(t testing.TB, active, passive *msrp.Options) (a, p *msrp.Session, wire *Wire) {
	t.Helper()
	n := &Network{}
	a, _ = open(t, n, active, "active.example.com:2855")
	p, e := open(t, n, passive, "passive.example.com:2855")
	l, err := n.Listen("passive.example.com:2855")
	if err == nil {
		err = e.Serve(l)
	}
	if err == nil {
		err = connect(a, p)
	}
	if err != nil {
		t.Fatal("msrptest: ", err)
	}
	return a, p, n.Wires()[0]
}

func open(t testing.TB, n *Network, o *msrp.Options, host string) (*msrp.Session, *msrp.Endpoint) {
	t.Helper()
	var opts msrp.Options
	if o != nil {
		opts = *o
	}
	opts.Host, opts.Dialer = host, n
	e, err := msrp.New(&opts)
	if err != nil {
		t.Fatal("msrptest: ", err)
	}
	t.Cleanup(func() { e.Close() })
	s, err := e.NewSession(nil)
	if err != nil {
		t.Fatal("msrptest: ", err)
	}
	return s, e
}

func connect(a, p *msrp.Session) error {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	passive := make(chan error, 1)
	go func() { passive <- p.Connect(ctx, a.LocalPath(), msrp.Passive, nil) }()
	err := a.Connect(ctx, p.LocalPath(), msrp.Active, nil)
	if err != nil {
		cancel()
		<-passive
		return fmt.Errorf("connect: %w", err)
	}
	return <-passive
}
