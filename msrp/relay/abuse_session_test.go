package relay

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// A client that knows another's URI gets through it to that client and nowhere else, and never in that client's name.
func TestAbuseAnothersURI(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		victim := msrptest.NewPeer(t, g.n)
		for name, mallory := range map[string]*client{"client": g.client("carol"), "stranger": g.stranger()} {
			for place, to := range map[string]msrp.Path{
				"an endpoint":           join(alice.use, victim.Path, victim.Path),
				"another relay":         join(alice.use, mustPath("msrps://extra.example.com:2855;tcp msrp://x.example.com:2855/x;tcp")),
				"her peer":              join(alice.use, bob.sdp()),
				"her peer, in her name": join(alice.use, bob.sdp()),
				"her peer and further":  join(bob.use, alice.use, bob.Path),
			} {
				from := mallory.Path
				if strings.HasSuffix(place, "name") {
					from = alice.Path
				}
				mallory.request("through", msrp.MethodSend, to.String(), from.String())
				mallory.expect("through", msrp.StatusForbidden)
				alice.quiet()
				bob.quiet()
				if name == "stranger" {
					require.NoError(t, mallory.Conn.Close())
					mallory = g.stranger()
				}
			}
			// As the first hop to an endpoint it leads to its owner all the same, who has no such session.
			mallory.request("toalice", msrp.MethodSend, join(alice.use, victim.Path).String(), mallory.Path.String())
			mallory.expect("toalice", msrp.StatusOK)
			f := alice.next()
			require.Equal(t, join(alice.use, mallory.Path).String(), string(f.FromPath))
			alice.answer(f, msrp.StatusNoSession)
			require.Equal(t, "REPORT", string(mallory.next().Method))
		}
		require.Len(t, g.n.Wires(), 2+1+5+1, "nobody was dialled")
	})
}

// A client can renew its own URIs only, and the AUTH of another user on its connection is not for them.
func TestAbuseRenewsAnothersURI(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		mallory := g.client("carol")
		for _, from := range []msrp.Path{mallory.Path, alice.Path} {
			f, err := (&client{Peer: mallory.Peer, g: g}).authAt(alice.use, from, "carol")
			require.NoError(t, err)
			require.Equal(t, msrp.StatusNoSession, f.Status)
			require.Nil(t, f.Value("Use-Path"))
		}
		f, err := mallory.authAt(alice.use, alice.Path, "alice") // even with her password
		require.NoError(t, err)
		require.Equal(t, msrp.StatusNoSession, f.Status)

		f, err = mallory.authAt(mallory.use, mallory.Path, "bob") // another user's
		require.NoError(t, err)
		require.Equal(t, msrp.StatusOK, f.Status)
		use, err := f.UsePath()
		require.NoError(t, err)
		require.False(t, use.Equal(mallory.use))
		require.Equal(t, Stats{Connections: 3, Sessions: 4, Users: 3}, g.holds())
	})
}

// authAt asks for a URI at a path of relays, with a From-Path.
func (c *client) authAt(relays, from msrp.Path, user string) (*msrptest.Frame, error) {
	own := c.Path
	c.Path = from
	defer func() { c.Path = own }()
	return c.Auth(within(c.g), relays, user, users[user])
}

// Session URIs cannot be guessed at: each guess is refused, the third ends the connection of a stranger.
func TestAbuseGuessedURIs(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		own := alice.use[0].SessionID
		for _, guess := range []string{
			flip(own, len(own)-1), own[:len(own)-1], own + "a", strings.ToUpper(own), own + "/", "x", own + "%00", "%" + own,
		} {
			mallory, begun := g.stranger(), time.Now()
			u := alice.use[0]
			u.SessionID = guess
			for range maxFailures {
				mallory.request("guess1", msrp.MethodSend, join(msrp.Path{u}, alice.Path).String(), mallory.Path.String())
				mallory.expect("guess1", msrp.StatusNoSession)
			}
			mallory.gone()
			require.LessOrEqual(t, time.Since(begun), lingerTimeout)
		}
		alice.quiet()
	})
}

// A URI is good for as long as was granted, whatever is done with it meanwhile, and for no connection but its own.
func TestAbuseExpires(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		carol := g.stranger()
		for value, code := range map[string]int{
			"0": msrp.StatusOutOfBounds, "59": msrp.StatusOutOfBounds, "3601": msrp.StatusOutOfBounds, "2147483647": msrp.StatusOutOfBounds,
			"2147483648": msrp.StatusBadRequest, "99999999999999999999": msrp.StatusBadRequest, "-60": msrp.StatusBadRequest, "60s": msrp.StatusBadRequest, "": msrp.StatusBadRequest,
			"6 0": msrp.StatusBadRequest,
		} {
			f, err := carol.Auth(within(t), bareHost, "carol", users["carol"], msrp.Header{Name: []byte("Expires"), Value: []byte(value)})
			require.NoError(t, err)
			require.Equal(t, code, f.Status, value)
			require.NoError(t, carol.Conn.Close())
			carol = g.stranger()
		}
		expires := func(seconds string) {
			f, err := carol.Auth(within(t), bareHost, "carol", users["carol"], msrp.Header{Name: []byte("Expires"), Value: []byte(seconds)})
			require.NoError(t, err)
			require.Equal(t, msrp.StatusOK, f.Status)
			require.Equal(t, seconds, string(f.Value("Expires")))
			carol.use, err = f.UsePath()
			require.NoError(t, err)
		}
		expires("3600")
		expires("60") // the last word counts
		for range 59 {
			carol.talkTo(carol) // using it prolongs nothing
			carol.request("toself", msrp.MethodReport, carol.Remote.String(), carol.Path.String())
			require.Equal(t, "REPORT", string(carol.next().Method))
			time.Sleep(time.Second)
		}
		time.Sleep(2 * time.Second)
		synctest.Wait()
		require.Equal(t, 2, g.r.Stats().Sessions)
		carol.request("toself", msrp.MethodSend, carol.Remote.String(), carol.Path.String())
		carol.expect("toself", msrp.StatusNoSession)
	})
}

// A user has no more URIs than it may have, on however many connections, and its own failing costs nobody else theirs.
func TestAbuseManySessions(t *testing.T) {
	abused(t, &Options{MaxSessions: 8}, func(t *testing.T, g *rig, alice, bob *client) {
		var all []*client
		for i := range 8 {
			c := g.stranger()
			if i%2 == 1 {
				own := c.Path
				c = &client{Peer: all[i-1].Peer, g: g}
				c.Path = own
			}
			c.auth("carol")
			all = append(all, c)
		}
		before := g.r.Stats()
		require.Equal(t, 10, before.Sessions)
		f, err := g.stranger().Auth(within(t), bareHost, "carol", users["carol"])
		require.NoError(t, err)
		require.Equal(t, msrp.StatusForbidden, f.Status)
		for range maxFailures {
			f, err = all[0].authAt(bareHost, mustPath("msrp://client99.example.com:2855/x;tcp"), "carol")
			require.NoError(t, err)
			require.Equal(t, msrp.StatusForbidden, f.Status)
		}
		synctest.Wait()
		all[0].gone() // two URIs with it
		require.Equal(t, 8, g.r.Stats().Sessions)
		g.client("carol")
		all[2].auth("carol") // has one
		require.Equal(t, 9, g.r.Stats().Sessions)
	})
}
