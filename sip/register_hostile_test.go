package sip

import (
	"context"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"
	"time"

	gosip "github.com/emiago/sipgo/sip"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whatever header fields a registrar puts into its 200, what we take over is bounded and can stand in our own header fields.
func FuzzRegistered(f *testing.F) {
	f.Add("Contact: <sip:bob@192.0.2.1:5060>;expires=10;+sip.instance=\"<" + instance + ">\";reg-id=1;pub-gruu=\"" + pubGRUU + "\"")
	f.Add("Contact: *\r\nm: \"a\\\"b\" <sip:bob@192.0.2.1:5060;x>;q=1;temp-gruu=\"sip:x@y;gr\";;=;\"")
	f.Add("Contact: <sip:bob@192.0.2.1:5060>\r\nService-Route: <sip:a;lr>, \"x, <\" <sip:b@c;lr>\r\nFlow-Timer: 120\r\nRequire: outbound\r\nExpires: 4294967296")
	ours := &gosip.ContactHeader{Address: gosip.Uri{Scheme: "sip", User: "bob", Host: "192.0.2.1", Port: 5060}, Params: gosip.HeaderParams{{K: "reg-id", V: "1"}}}
	req := gosip.NewRequest(gosip.REGISTER, gosip.Uri{Scheme: "sip", Host: "192.0.2.9"})
	req.AppendHeader(&gosip.CSeqHeader{SeqNo: 1, MethodName: gosip.REGISTER})
	req.AppendHeader(ours)
	f.Fuzz(func(t *testing.T, fields string) {
		text := "SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 192.0.2.1;branch=z9hG4bKx\r\nFrom: <sip:b@x>;tag=1\r\nTo: <sip:b@x>;tag=2\r\n" +
			"Call-ID: 1\r\nCSeq: 1 REGISTER\r\n" + fields + "\r\nContent-Length: 0\r\n\r\n"
		msg, err := gosip.NewParser().ParseSIP([]byte(text))
		if err != nil {
			return
		}
		res, ok := msg.(*gosip.Response)
		if !ok {
			return
		}
		b, err := (&registering{request: req, response: res}).binding(time.Hour, instance)
		if err != nil {
			return
		}
		require.True(t, b.granted > 0 && b.granted <= time.Hour)
		require.LessOrEqual(t, len(b.routes), maxServiceRoutes)
		taken := []string{b.gruu, b.temporaryGRUU}
		for _, u := range b.routes {
			taken = append(taken, u.String())
		}
		for _, s := range taken {
			require.False(t, strings.ContainsFunc(s, notURIChar), s)
		}
	})
}

// Shutdown and Close of registration and agent, and the end of Register's context, at any moment: each returns, and nothing of ours runs on.
func TestRegistrationEndsAtAnyMoment(t *testing.T) {
	for n := range 60 {
		bubble(t, func(t *testing.T, ctx context.Context) {
			r := newRegistrar(t, (&guard{nonce: "n"}).answer)
			a := r.dialler(t, &Options{Password: "secret"})
			brief, cancel := context.WithTimeout(ctx, time.Duration(rand.N(3))*time.Second)
			defer cancel()
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				reg, err := a.Register(brief, &RegisterOptions{Registrar: overTCP, Expires: time.Minute})
				if err != nil {
					return
				}
				go func() { _ = reg.Shutdown(ctx) }()
				for range rand.N(3) {
					select {
					case <-reg.Changed():
					case <-reg.Done():
					}
				}
				assert.NoError(t, reg.Close())
				<-reg.Done()
				assert.ErrorIs(t, reg.Err(), ErrClosed)
				assert.False(t, reg.State().Registered)
			}()
			for range rand.N(300) {
				runtime.Gosched()
			}
			if n%3 == 0 {
				r.network.Host("192.0.2.1").Cut()
			}
			if n%2 == 0 {
				assert.NoError(t, a.Close())
			} else {
				assert.NoError(t, a.Shutdown(ctx))
			}
			<-ended
		})
	}
}
