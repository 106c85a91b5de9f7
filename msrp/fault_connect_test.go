package msrp_test

import (
	"context"
	"crypto/tls"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// overTLS opens two sessions that demand each other's certificate, and connects them. It returns when both have connected or the active side has failed.
func overTLS(t *testing.T, n *msrptest.Network) (a, p *msrp.Session, err error) {
	open := func(address string) (*msrp.Session, string) {
		cert, err := msrp.SelfSigned()
		require.NoError(t, err)
		cfg := &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: tls.RequireAnyClientCert, DynamicRecordSizingDisabled: true}
		e, err := msrp.New(&msrp.Options{Dialer: n, TLS: cfg})
		require.NoError(t, err)
		t.Cleanup(func() { e.Close() })
		l, err := n.Listen(address)
		require.NoError(t, err)
		require.NoError(t, e.Serve(tls.NewListener(l, cfg)))
		s, err := e.NewSession(&msrp.SessionOptions{Secure: true})
		require.NoError(t, err)
		return s, msrp.Fingerprint(cert.Leaf)
	}
	a, mark := open("active.example.com:2855")
	p, other := open("passive.example.com:2855")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	connected := make(chan error, 1)
	go func() {
		connected <- p.Connect(ctx, a.LocalPath(), msrp.Passive, &msrp.ConnectOptions{Fingerprints: []string{mark}})
	}()
	err = a.Connect(ctx, p.LocalPath(), msrp.Active, &msrp.ConnectOptions{Fingerprints: []string{other}})
	if err != nil {
		synctest.Wait()
		cancel()
	}
	if failed := <-connected; err == nil {
		err = failed
	}
	return a, p, err
}

// A connection that is reset anywhere in the TLS handshake or the first frames ends what waits for it, and an idle one behind them too.
func TestFaultResetWithinTLS(t *testing.T) {
	var whole [2]int64
	synctest.Test(t, func(t *testing.T) {
		n := &msrptest.Network{}
		_, _, err := overTLS(t, n)
		require.NoError(t, err)
		synctest.Wait()
		whole = [2]int64{n.Wires()[0].ToPassive.Passed(), n.Wires()[0].ToActive.Passed()}
	})
	for direction, last := range whole {
		require.Greater(t, last, int64(1000))
		for cut := int64(1); cut < last-100; cut += 61 { // the lengths of signatures differ by a few bytes
			n := &msrptest.Network{ToPassive: msrptest.Faults{Cut: cut}}
			if direction == 1 {
				n = &msrptest.Network{ToActive: msrptest.Faults{Cut: cut}}
			}
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				a, p, _ := overTLS(t, n)
				<-a.Done()
				<-p.Done()
				require.NotErrorIs(t, a.Err(), msrp.ErrFingerprint)
				require.LessOrEqual(t, time.Since(begin), time.Second, "byte %d", cut)
			})
		}
	}
}

// The reset of a connection that sessions share is the end of all of them, and the next one dials anew.
func TestFaultResetOfASharedConnection(t *testing.T) {
	for cut := int64(1); cut < 3000; cut += 29 {
		synctest.Test(t, func(t *testing.T) {
			n := &msrptest.Network{ToPassive: msrptest.Faults{Cut: cut}}
			active, err := msrp.New(&msrp.Options{Host: "active.example.com:2855", Dialer: n, ShareConnections: true})
			require.NoError(t, err)
			t.Cleanup(func() { active.Close() })
			passive, err := msrp.New(nil)
			require.NoError(t, err)
			t.Cleanup(func() { passive.Close() })
			l, err := n.Listen("passive.example.com:2855")
			require.NoError(t, err)
			require.NoError(t, passive.Serve(l))

			begin := time.Now()
			connected := 0
			for range 20 {
				a, p := connectOnce(t, active, passive)
				if a == nil {
					continue
				}
				connected++
				d, err := a.Send(t.Context(), words("hello"))
				if err == nil {
					err = d.Wait(t.Context())
				}
				if err == nil {
					_, err = p.Receive(t.Context())
					require.NoError(t, err)
				} else {
					<-a.Done()
					<-p.Done()
				}
			}
			require.Zero(t, time.Since(begin), cut)
			if cut > 1000 {
				require.Positive(t, connected, cut)
			}
			require.Greater(t, len(n.Wires()), 1, "%d: every connection was reset, so there were several", cut)
			require.LessOrEqual(t, len(n.Wires()), 20)
			for _, w := range n.Wires() {
				require.LessOrEqual(t, w.ToPassive.Passed(), cut)
			}
		})
	}
}

// connectOnce connects a session of each endpoint, nil if that fails.
func connectOnce(t *testing.T, active, passive *msrp.Endpoint) (a, p *msrp.Session) {
	a, err := active.NewSession(nil)
	require.NoError(t, err)
	p, err = passive.NewSession(nil)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	connected := make(chan error, 1)
	go func() { connected <- p.Connect(ctx, a.LocalPath(), msrp.Passive, nil) }()
	failed := a.Connect(ctx, p.LocalPath(), msrp.Active, nil)
	if failed != nil {
		synctest.Wait()
		cancel()
	}
	if err := <-connected; failed != nil || err != nil {
		return nil, nil
	}
	return a, p
}
