package relay_test

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
	"github.com/otrchat/otrchat/msrp/relay"
)

// inBubble runs a test with a relay on a network in memory.
func inBubble(t *testing.T, change func(*relay.Options), test func(t *testing.T, n *msrptest.Network, r *relay.Relay)) {
	synctest.Test(t, func(t *testing.T) {
		n := &msrptest.Network{}
		test(t, n, start(t, n, relayHost, change))
	})
}

// A connection has 30 s for a request that succeeds; failures do not prolong that, and an AUTH that is granted ends it.
func TestRFC4976_6_1_ThirtySeconds(t *testing.T) {
	for name, test := range map[string]struct {
		request func(e *end)
		closed  bool
	}{
		"nothing":         {func(*end) {}, true},
		"half a request":  {func(e *end) { e.raw("MSRP abcd AUTH\r\nTo-Path: ") }, true},
		"a challenge":     {func(e *end) { e.write("abcd", "AUTH", relayURI, e.uri) }, true},
		"no such session": {func(e *end) { e.send("abcd", "msrp://relay.example.com:2855/none;tcp "+bobURI, "x", msrp.Complete) }, true},
		"granted":         {func(e *end) { e.auth("alice", relayURI) }, false},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, nil, func(t *testing.T, _ *msrptest.Network, r *relay.Relay) {
				e := dial(t, r, aliceURI)
				time.Sleep(10 * time.Second)
				test.request(e)
				time.Sleep(20*time.Second - time.Nanosecond)
				require.False(t, e.closed())
				time.Sleep(time.Nanosecond)
				require.Equal(t, test.closed, e.closed())
			})
		})
	}
}

// Several requests that fail, and none that succeeds: the connection is closed.
func TestRFC4976_6_1_FailedRequests(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *msrptest.Network, r *relay.Relay) {
		e := dial(t, r, aliceURI)
		for range 10 {
			if !e.closed() {
				e.send("abcd", "msrp://relay.example.com:2855/none;tcp "+bobURI, "x", msrp.Complete)
			}
		}
		require.True(t, e.closed())
		require.LessOrEqual(t, len(e.frames()), 5)
	})
}

// Whatever is not for the relay costs the connection at once, and has no answer.
func TestRFC4976_6_2_NotForTheRelay(t *testing.T) {
	for _, to := range []string{
		"msrp://other.example.com:2855;tcp", "msrp://other.example.com:2855/x;tcp " + bobURI, "msrp://relay.example.com:2856/x;tcp " + bobURI, bobURI,
		"msrp://other.example.com:2855/ID;tcp " + bobURI, // with the session-id of its own URI
	} {
		for _, method := range []string{"SEND", "AUTH", "REPORT", "NICKNAME", "HUG"} {
			inBubble(t, nil, func(t *testing.T, _ *msrptest.Network, r *relay.Relay) {
				e := dial(t, r, aliceURI)
				e.auth("alice", relayURI)
				own, err := msrp.ParseURI(e.path)
				require.NoError(t, err)
				e.write("abcd", method, strings.Replace(to, "ID", own.SessionID, 1), e.uri, "Message-ID: msg1")
				require.True(t, e.closed(), "%s %s", method, to)
				e.quiet()
			})
		}
	}
}

// An AUTH without Authorization is challenged. The response goes all the way back, and its challenges are as section 9.1 demands.
func TestRFC4976_5_1_ChallengeOnTheWire(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *msrptest.Network, r *relay.Relay) {
		const asUser = "msrp://alice@relay.example.com:2855;tcp" // the RFC's example has a user name there
		e := dial(t, r, aliceURI)
		e.write("49fh", "AUTH", asUser, e.uri)
		f := e.next()
		require.Equal(t, "49fh", string(f.TransactionID))
		require.Equal(t, 401, f.Status)
		require.Equal(t, "Unauthorized", string(f.Comment))
		require.Equal(t, aliceURI, string(f.ToPath))
		require.Equal(t, asUser, string(f.FromPath))
		challenges := 0
		for _, h := range f.Header {
			require.Equal(t, "WWW-Authenticate", string(h.Name))
			c, err := digest.ParseChallenge(string(h.Value))
			require.NoError(t, err)
			require.Equal(t, "relay.example.com", c.Realm)
			require.Regexp(t, `^Digest .*qop="auth"`, string(h.Value))
			require.NotRegexp(t, `(?i)auth-int|-sess|domain=|Basic`, string(h.Value))
			challenges++
		}
		require.Equal(t, 2, challenges, "SHA-256 and MD5")
		require.Equal(t, msrp.StatusOK, e.respond(f, "alice", asUser).Status)
	})
}

// A 200 has Use-Path, Expires and Authentication-Info, whose rspauth proves that the relay knows the password.
func TestRFC4976_6_3_Granted(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *msrptest.Network, r *relay.Relay) {
		e := dial(t, r, aliceURI)
		e.write("abcd", "AUTH", relayURI, e.uri)
		challenge, err := digest.ParseChallenge(string(e.next().Value("WWW-Authenticate")))
		require.NoError(t, err)
		client := digest.NewClient(challenge, "alice", "secret")
		e.write("abce", "AUTH", relayURI, e.uri, "Authorization: "+client.Authorization(msrp.MethodAuth, relayURI))
		f := e.next()
		require.Equal(t, msrp.StatusOK, f.Status)
		require.Equal(t, aliceURI, string(f.ToPath))
		require.Equal(t, relayURI, string(f.FromPath))
		info := string(f.Value("Authentication-Info"))
		for _, want := range []string{`rspauth="`, `cnonce="`, "nc=00000001", "qop=auth"} {
			require.Contains(t, info, want)
		}
		require.NoError(t, client.Verify(info))
		expires, ok, err := f.Expires()
		require.NoError(t, err)
		require.True(t, ok)
		require.Positive(t, expires)
		path, err := f.UsePath()
		require.NoError(t, err)
		require.Len(t, path, 1)
		require.Equal(t, "relay.example.com", path[0].Host, "a name, not an address")
		require.Equal(t, uint16(2855), path[0].Port)

		// the nextnonce is good for the next AUTH, here for another session
		e.write("abcf", "AUTH", relayURI, "msrp://alice.example.com:9892/another;tcp", "Authorization: "+client.Authorization(msrp.MethodAuth, relayURI))
		f = e.next()
		require.Equal(t, msrp.StatusOK, f.Status)
		another, err := f.UsePath()
		require.NoError(t, err)
		require.NotEqual(t, path, another, "a URI for each session")
	})
}

// Session-ids have 64 random bits at least: no two are alike, and none has a part in common with the one before.
func TestRFC4976_6_3_RandomURIs(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *msrptest.Network, r *relay.Relay) {
		seen := map[string]bool{}
		for range 50 {
			e := dial(t, r, aliceURI)
			e.auth("alice", relayURI)
			u, err := msrp.ParseURI(e.path)
			require.NoError(t, err)
			require.GreaterOrEqual(t, len(u.SessionID), 11, "64 bits in base 64")
			for i := 0; i+4 <= len(u.SessionID); i += 4 { // 20 bits each
				part := u.SessionID[i:i+4] + " at " + string(rune('0'+i/4))
				require.False(t, seen[u.SessionID])
				if seen[part] {
					require.Less(t, len(seen), 50*7, "parts are nearly always new")
				}
				seen[part] = true
			}
			seen[u.SessionID] = true
			e.nc.Close()
		}
	})
}

// A time that the relay does not accept is refused with the nearest that it does; one that it accepts is what it grants, never more.
func TestRFC4976_6_3_ExpiresOnTheWire(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *msrptest.Network, r *relay.Relay) {
		for expires, want := range map[string]string{"59": "Min-Expires: 60", "0": "Min-Expires: 60", "3601": "Max-Expires: 3600", "2147483647": "Max-Expires: 3600"} {
			e := dial(t, r, aliceURI)
			e.write("abcd", "AUTH", relayURI, e.uri, "Expires: "+expires)
			f := e.next()
			if f.Status == 401 {
				f = e.respond(f, "alice", relayURI, "Expires: "+expires)
			}
			require.Equal(t, msrp.StatusOutOfBounds, f.Status, expires)
			require.Contains(t, text(t, f), want+"\n")
			require.Nil(t, f.Value("Use-Path"))
			require.Nil(t, f.Value("Expires"))
		}
		for _, expires := range []string{"60", "61", "3600"} {
			f := dial(t, r, aliceURI).auth("alice", relayURI, "Expires: "+expires)
			require.Equal(t, expires, string(f.Value("Expires")))
			require.Nil(t, f.Value("Min-Expires"))
			require.Nil(t, f.Value("Max-Expires"))
		}
		require.NotNil(t, dial(t, r, aliceURI).auth("alice", relayURI).Value("Expires"), "who asks for none is told one")
	})
}

// Wrong credentials are a 401 with a challenge again, without stale; several of them end the connection.
func TestRFC4976_6_3_FailedAUTHs(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *msrptest.Network, r *relay.Relay) {
		e := dial(t, r, aliceURI)
		e.write("abcd", "AUTH", relayURI, e.uri)
		challenge := e.next()
		tries := 0
		for ; !e.closed(); tries++ {
			require.Less(t, tries, 10)
			if next := e.wrong(challenge, relayURI); next != nil {
				challenge = next
			}
		}
		require.Greater(t, tries, 1)
	})
}

// A client's URI is worth something on the connection of its AUTH alone: over another one nothing of the client's goes out, not even of the same user's.
func TestRFC4976_6_3_OnItsConnectionAlone(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, n *msrptest.Network, r *relay.Relay) {
		l, err := n.Listen("bob.example.com:8145")
		require.NoError(t, err)
		defer l.Close()
		alice, other := dial(t, r, aliceURI), dial(t, r, aliceURI)
		alice.auth("alice", relayURI)
		other.auth("alice", relayURI)
		other.send("abcd", alice.path+" "+bobURI, "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
		synctest.Wait()
		require.Empty(t, n.Wires(), "the relay has dialled nobody")
	})
}

// Once the connection is closed the URI is no good, over a new one neither.
func TestRFC4976_6_3_ReconnectedClient(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, n *msrptest.Network, r *relay.Relay) {
		l, err := n.Listen("bob.example.com:8145")
		require.NoError(t, err)
		defer l.Close()
		alice := dial(t, r, aliceURI)
		alice.auth("alice", relayURI)
		require.NoError(t, alice.nc.Close())
		synctest.Wait()
		again := dial(t, r, aliceURI)
		again.auth("alice", relayURI)
		again.send("abcd", alice.path+" "+bobURI, "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
		require.Equal(t, msrp.StatusNoSession, again.next().Status)
		bob := dial(t, r, bobURI)
		bob.send("abcd", alice.path+" "+aliceURI, "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
		require.Equal(t, msrp.StatusNoSession, bob.next().Status)
		again.quiet()
		require.Empty(t, n.Wires())
	})
}

// A URI is good to the end of the time that the 200 has told, and not after; a message for it is discarded then, with a 481 unless its sender wants to hear nothing.
func TestRFC4976_6_3_ExpiredURIs(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, n *msrptest.Network, r *relay.Relay) {
		alice, bob := dial(t, r, aliceURI), dial(t, r, bobURI)
		alice.auth("alice", relayURI, "Expires: 60")
		bob.auth("bob", relayURI)
		to := alice.path + " " + aliceURI
		time.Sleep(time.Minute - time.Millisecond)
		bob.send("abcd", to, "x", msrp.Complete, "Message-ID: msg1", "Byte-Range: 1-1/1")
		require.Equal(t, msrp.StatusOK, bob.next().Status)
		alice.answer(alice.next(), "200 OK")
		time.Sleep(2 * time.Millisecond)
		bob.send("abcd", to, "x", msrp.Complete, "Message-ID: msg2", "Byte-Range: 1-1/1")
		require.Equal(t, msrp.StatusNoSession, bob.next().Status)
		bob.send("abce", to, "x", msrp.Complete, "Message-ID: msg3", "Byte-Range: 1-1/1", "Failure-Report: partial")
		require.Equal(t, msrp.StatusNoSession, bob.next().Status)
		bob.send("abcf", to, "x", msrp.Complete, "Message-ID: msg4", "Byte-Range: 1-1/1", "Failure-Report: no")
		bob.quiet()
		alice.quiet()
	})
}

// A connection that nobody uses is closed after an hour, or an eighth of that more, not before.
func TestRFC4976_6_5_IdleConnections(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *msrptest.Network, r *relay.Relay) {
		e := dial(t, r, aliceURI)
		e.auth("alice", relayURI, "Expires: 60")
		time.Sleep(time.Hour - time.Minute)
		require.False(t, e.closed())
		time.Sleep(time.Minute + time.Hour/8)
		require.True(t, e.closed())
	})
}

// A relay that has all the connections that it may have makes room for a new one.
func TestRFC4976_6_5_OutOfConnections(t *testing.T) {
	inBubble(t, func(o *relay.Options) { o.MaxConnections = 4 }, func(t *testing.T, _ *msrptest.Network, r *relay.Relay) {
		client := dial(t, r, aliceURI)
		client.auth("alice", relayURI)
		var strangers []*end
		for range 3 {
			time.Sleep(time.Second)
			strangers = append(strangers, dial(t, r, aliceURI))
		}
		newcomer := dial(t, r, bobURI)
		newcomer.auth("bob", relayURI)
		require.True(t, strangers[0].closed(), "the oldest that has not authenticated")
		require.False(t, strangers[1].closed())
		require.False(t, client.closed())
	})
}

// Credentials other than Digest with qop=auth get nobody in.
func TestRFC4976_9_1_OtherSchemes(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *msrptest.Network, r *relay.Relay) {
		for name, change := range map[string]func(string) string{
			"Basic":      func(string) string { return "Basic YWxpY2U6c2VjcmV0" },
			"auth-int":   func(s string) string { return strings.Replace(s, "qop=auth", "qop=auth-int", 1) },
			"no qop":     func(s string) string { return strings.Replace(s, "qop=auth, ", "", 1) },
			"no nc":      func(s string) string { return strings.Replace(s, "nc=00000001, ", "", 1) },
			"no cnonce":  func(s string) string { return strings.Replace(s, "cnonce=", "x=", 1) },
			"MD5-sess":   func(s string) string { return s + ", algorithm=MD5-sess" },
			"other URI":  func(s string) string { return strings.Replace(s, `uri="msrp://relay`, `uri="msrp://other`, 1) },
			"other user": func(s string) string { return strings.Replace(s, `"alice"`, `"bob"`, 1) },
		} {
			e := dial(t, r, aliceURI)
			e.write("abcd", "AUTH", relayURI, e.uri)
			c, err := digest.ParseChallenge(string(e.next().Value("WWW-Authenticate")))
			require.NoError(t, err)
			if name == "MD5-sess" {
				c.Algorithm = ""
			}
			e.write("abce", "AUTH", relayURI, e.uri, "Authorization: "+change(digest.NewClient(c, "alice", "secret").Authorization("AUTH", relayURI)))
			time.Sleep(5 * time.Second)
			f := e.next()
			require.Contains(t, []int{400, 401, 403}, f.Status, name)
			require.Nil(t, f.Value("Use-Path"))
		}
	})
}

// The URI that is digested is the rightmost of To-Path, with its user name if it has one; a uri parameter may be left out.
func TestRFC4976_9_1_DigestURI(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, _ *msrptest.Network, r *relay.Relay) {
		for _, to := range []string{relayURI, "msrp://alice@relay.example.com:2855;tcp", "msrp://RELAY.example.com:2855;tcp"} {
			for _, omit := range []bool{false, true} {
				e := dial(t, r, aliceURI)
				e.write("abcd", "AUTH", to, e.uri)
				c, err := digest.ParseChallenge(string(e.next().Value("WWW-Authenticate")))
				require.NoError(t, err)
				client := digest.NewClient(c, "alice", "secret")
				client.OmitURI = omit
				e.write("abce", "AUTH", to, e.uri, "Authorization: "+client.Authorization("AUTH", to))
				f := e.next()
				require.Equal(t, msrp.StatusOK, f.Status, to)
				require.NoError(t, client.Verify(string(f.Value("Authentication-Info"))))
			}
		}
	})
}
