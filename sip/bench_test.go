package sip

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/require"
)

// BenchmarkCall is a whole call over the loopback network: INVITE, 200, ACK, BYE, 200, with offer and answer. BenchmarkRawSipgo is what sipgo takes for
// the same five messages. Over UDP each call leaves two transactions behind for 64 times T1, so T1 is made shorter than the bound on transactions needs.
func BenchmarkCall(b *testing.B) {
	shortenT1(b)
	for _, network := range []string{"tcp", "udp"} {
		b.Run(network, func(b *testing.B) {
			alice, bob := benchAgent(b, "alice", network), benchAgent(b, "bob", network)
			go func() {
				for {
					i, err := bob.Accept(context.Background())
					if err != nil {
						return
					}
					go func() { _, _ = i.Answer(context.Background(), testMedia("bob")) }() // alice tells what came of it
				}
			}()
			ap, _ := bob.listensOn(network)
			target := "sip:bob@" + ap.String() + ";transport=" + network
			measure(b, func() error {
				c, err := alice.Invite(context.Background(), target, testMedia("alice"))
				if err != nil {
					return err
				}
				return c.Bye(context.Background())
			})
		})
	}
}

func benchAgent(b *testing.B, name, network string) *Agent {
	b.Helper()
	a, err := New(&Options{Address: "sip:" + name + "@example.com", MaxCalls: 1 << 20})
	require.NoError(b, err)
	b.Cleanup(func() { _ = a.Close() })
	_, err = a.Listen(b.Context(), network, "127.0.0.1:0")
	require.NoError(b, err)
	return a
}

func measure(b *testing.B, call func() error) {
	b.Helper()
	require.NoError(b, call()) // opens the connection
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if err := call(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "calls/s")
}

func shortenT1(b *testing.B) {
	t1, t2, t4 := gosip.T1, gosip.T2, gosip.T4
	gosip.SetTimers(10*time.Millisecond, t2, t4)
	b.Cleanup(func() { gosip.SetTimers(t1, t2, t4) })
}

func BenchmarkRawSipgo(b *testing.B) {
	shortenT1(b)
	for _, network := range []string{"tcp", "udp"} {
		b.Run(network, func(b *testing.B) {
			caller, called := newRaw(b, network), newRaw(b, network)
			measure(b, func() error { return caller.call(called.uri) })
		})
	}
}

var rawBody = appendOffer(nil, newOrigin(), testMedia("raw"))

// A raw is sipgo's transport and transactions alone, with a server that answers INVITE and BYE.
type raw struct {
	network      string
	transactions *gosip.TransactionLayer
	transport    *gosip.TransportLayer
	uri          gosip.Uri
}

func newRaw(b *testing.B, network string) *raw {
	b.Helper()
	r := &raw{network: network, transport: gosip.NewTransportLayer(net.DefaultResolver, gosip.NewParser(), nil)}
	r.transactions = gosip.NewTransactionLayer(r.transport)
	r.transactions.OnRequest(r.serve)
	var addr net.Addr
	if network == "tcp" {
		l, err := net.Listen(network, "127.0.0.1:0")
		require.NoError(b, err)
		b.Cleanup(func() { _ = l.Close() })
		go func() { _ = r.transport.ServeTCP(l) }() // ends with its listener
		addr = l.Addr()
	} else {
		c, err := net.ListenPacket(network, "127.0.0.1:0")
		require.NoError(b, err)
		b.Cleanup(func() { _ = c.Close() })
		go func() { _ = r.transport.ServeUDP(c) }() // ends with its socket
		addr = c.LocalAddr()
		require.Eventually(b, func() bool { return r.transport.Pool(network).Size() > 0 }, patience, time.Millisecond)
	}
	b.Cleanup(func() { _ = r.transport.Close(); r.transactions.Close() })
	ap := netip.MustParseAddrPort(addr.String())
	r.uri = gosip.Uri{Scheme: "sip", User: "raw", Host: ap.Addr().String(), Port: int(ap.Port())}
	return r
}

func (r *raw) serve(req *gosip.Request, tx *gosip.ServerTx) {
	switch req.Method {
	case gosip.INVITE:
		res := gosip.NewResponseFromRequest(req, 200, "OK", rawBody)
		res.AppendHeader(&gosip.ContactHeader{Address: r.uri})
		res.AppendHeader(header("Content-Type", typeSDP))
		_ = tx.Respond(res) // the client tells what came of it
	case gosip.BYE:
		_ = tx.Respond(gosip.NewResponseFromRequest(req, 200, "OK", nil)) // the client tells what came of it
	}
}

// call sends INVITE, ACK and BYE as an agent does.
func (r *raw) call(to gosip.Uri) error {
	d := dialog{
		id:     dialogID{callID: newID(), local: newID()},
		local:  party{uri: r.uri},
		remote: party{uri: to},
		target: to,
	}
	invite := d.request(gosip.INVITE, 1)
	invite.AppendHeader(&gosip.ContactHeader{Address: r.uri})
	invite.AppendHeader(header("Content-Type", typeSDP))
	invite.SetBody(rawBody)
	res, err := r.ask(invite)
	if err != nil {
		return err
	}
	d = d.confirm(res)
	ack := d.request(gosip.ACK, 1)
	r.address(ack)
	if err := r.transport.WriteMsg(ack); err != nil {
		return err
	}
	_, err = r.ask(d.request(gosip.BYE, 2))
	return err
}

func (r *raw) ask(req *gosip.Request) (*gosip.Response, error) {
	r.address(req)
	tx, err := r.transactions.Request(context.Background(), req)
	if err != nil {
		return nil, err
	}
	defer tx.Terminate()
	select {
	case res := <-tx.Responses():
		return res, nil
	case <-tx.Done():
		return nil, tx.Err()
	}
}

func (r *raw) address(req *gosip.Request) {
	if req.ContentLength() == nil {
		req.SetBody(nil)
	}
	req.PrependHeader(&gosip.ViaHeader{
		ProtocolName: "SIP", ProtocolVersion: "2.0", Transport: gosip.NetworkToLower(r.network), Host: r.uri.Host, Port: r.uri.Port,
		Params: gosip.HeaderParams{{K: "branch", V: branchMagic + newID()}, {K: "rport"}},
	})
	req.SetTransport(r.network)
	req.SetDestination(netip.AddrPortFrom(netip.MustParseAddr(req.Recipient.Host), uint16(req.Recipient.Port)).String())
	if r.network == "udp" {
		req.Laddr = gosip.Addr{IP: net.ParseIP(r.uri.Host), Port: r.uri.Port}
	}
}
