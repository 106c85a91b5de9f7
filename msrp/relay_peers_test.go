package msrp

import (
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
)

// agRelay behaves like AG Projects' msrprelay 1.4, which SIP2SIP runs.
func agRelay(t *testing.T, nc net.Conn, seen func(f *Frame)) {
	r := &rawRelay{TB: t, nc: nc, d: NewDecoder(nc, nil)}
	bound := "" // the From-Path of the AUTH, which is that of all further requests
	for n := 1; ; n++ {
		f, _, err := readFrame(r.d)
		if err != nil {
			return
		}
		seen(f)
		to, nonce := string(f.ToPath), fmt.Sprint("nonce", n)
		value := string(f.Value("Authorization"))
		params := map[string]string{}
		for p := range strings.SplitSeq(strings.TrimPrefix(value, "Digest "), ", ") { // and no other separator
			name, v, _ := strings.Cut(p, "=")
			params[name] = strings.Trim(v, `"`)
		}
		asked, _ := strconv.Atoi(string(f.Value("Expires")))
		c, _ := digest.ParseCredentials(value)
		switch {
		case bound != "" && (string(f.FromPath) != bound || to == rawURI):
			r.answer(f, "481 Indicated session does not exist, please terminate")
		case string(f.Method) == MethodSend:
			r.answerFrom(f, rawUse, "200 OK")
		case value == "":
			r.answer(f, "401 Unauthenticated", `WWW-Authenticate: Digest realm="relay", qop="auth", nonce="`+nonce+`", opaque="x"`)
		case params["uri"] != "": // never answered
		case params["qop"] != "auth" || params["realm"] != "relay" || params["opaque"] != "x" || c == nil || !c.Verify(MethodAuth, to, ha1(c)):
			r.answer(f, "403 Unauthorized: Login failed")
		case params["nonce"] != fmt.Sprint("nonce", n-1): // they live 15 s
			r.answer(f, "403 Unauthorized: Login failed: This challenge has expired")
		case asked > 0 && asked < 60:
			r.answer(f, "423 Parameter out of bounds", "Min-Expires: 60")
		case asked > 3600:
			r.answer(f, "423 Parameter out of bounds", "Max-Expires: 3600")
		default:
			bound = string(f.FromPath)
			if asked == 0 {
				asked = 600
			}
			r.answer(f, "200 OK", "Use-Path: "+rawUse, fmt.Sprint("Expires: ", asked), "Authentication-Info: "+c.Info(to, ha1(c), ""))
		}
	}
}

// kamailioRelay behaves like the msrp module of Kamailio 5.6 with the usual script.
func kamailioRelay(t *testing.T, nc net.Conn, seen func(f *Frame)) {
	r := &rawRelay{TB: t, nc: nc, d: NewDecoder(nc, nil)}
	for n := 1; ; n++ {
		f, _, err := readFrame(r.d)
		if err != nil {
			return
		}
		seen(f)
		c, _ := digest.ParseCredentials(string(f.Value("Authorization")))
		use := fmt.Sprintf("msrp://127.0.0.1:2855/msrp-6b045a16-3ceb-%d;tcp", n)
		switch {
		case string(f.Method) == MethodSend:
			r.answerFrom(f, strings.Fields(string(f.ToPath))[0], "200 OK", "Message-ID: "+string(f.MessageID))
		case c == nil || c.URI == "" || !c.Verify(MethodAuth, c.URI, ha1(c)):
			r.answer(f, "401 Unauthorized", fmt.Sprintf(`WWW-Authenticate: Digest realm="relay", nonce="nonce%d", qop="auth"`, n))
		case f.Value("Expires") != nil:
			r.answer(f, "423 Interval Out Of Bounds", "1234\x00\x00\xc0")
		default:
			r.answer(f, "200 OK", "Use-Path: "+use, "Expires: 3600")
		}
	}
}

// throughPeer dials a relay of this kind, and connects a session through it.
func throughPeer(t *testing.T, o *RelayOptions, serve func(*testing.T, net.Conn, func(*Frame))) (s *Session, seen func() []string) {
	frames := make(chan string, 100)
	e, err := New(&Options{Host: "client.example.com:2855", Dialer: pipeDialer(func(nc net.Conn) {
		go serve(t, nc, func(f *Frame) { frames <- fmt.Sprintf("%s %s", f.Method, strings.Fields(string(f.ToPath))[0]) })
	})})
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	relay, err := e.DialRelay(ctx, o)
	require.NoError(t, err)
	s, err = e.NewSession(&SessionOptions{Relay: relay})
	require.NoError(t, err)
	require.NoError(t, s.Connect(ctx, mustPath(rawPeerPath), Active, nil))
	return s, func() (all []string) {
		for {
			select {
			case f := <-frames:
				all = append(all, f)
			default:
				return all
			}
		}
	}
}

func TestRelayLikeAGProjects(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := byAlice()
		o.Expires = 30 * time.Second // it wants 60
		s, seen := throughPeer(t, o, agRelay)
		require.Equal(t, []string{"AUTH " + rawURI, "AUTH " + rawURI, "AUTH " + rawURI, "AUTH " + rawURI, "SEND " + rawUse}, seen())
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		require.NoError(t, s.Err())
		renewals := seen()
		require.Greater(t, len(renewals), 20)
		for _, f := range renewals {
			require.Equal(t, "AUTH "+rawUse, f)
		}
		d, err := s.Send(ctx, text("hello"))
		require.NoError(t, err)
		require.NoError(t, d.Wait(ctx))
	})
	synctest.Test(t, func(t *testing.T) {
		s, seen := throughPeer(t, byAlice(), agRelay)
		seen()
		time.Sleep(time.Hour)
		synctest.Wait()
		require.NoError(t, s.Err())
	})
}

func TestRelayLikeKamailio(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		begun := time.Now()
		s, seen := throughPeer(t, byAlice(), kamailioRelay)
		require.Equal(t, []string{"AUTH " + rawURI, "AUTH " + rawURI, "SEND msrp://127.0.0.1:2855/msrp-6b045a16-3ceb-2;tcp"}, seen())
		d, err := s.Send(ctx, text("hello"))
		require.NoError(t, err)
		require.NoError(t, d.Wait(ctx))
		<-s.Done() // it gives new URIs and prolongs none
		require.ErrorIs(t, s.Err(), ErrExpired)
		require.Equal(t, time.Hour, time.Since(begun))
		require.LessOrEqual(t, len(seen()), 6)
	})
	synctest.Test(t, func(t *testing.T) { // and it does not take an Expires
		o := byAlice()
		o.Expires = time.Minute
		e, err := New(&Options{Host: "client.example.com:2855", Dialer: pipeDialer(func(nc net.Conn) { go kamailioRelay(t, nc, func(*Frame) {}) })})
		require.NoError(t, err)
		defer e.Close()
		_, err = e.DialRelay(ctx, o)
		require.ErrorIs(t, err, ErrMalformed)
		require.NotErrorIs(t, err, io.EOF)
	})
}
