package relay

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
)

// Nobody can say that what it sends has come through this relay from somebody else, however the relay's URI is written.
func TestAbuseForgedFromPath(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		uri := alice.use.String()
		forged := map[string]string{
			"as it is":          uri,
			"host in capitals":  strings.Replace(uri, "relay.example.com", "RELAY.Example.COM", 1),
			"host encoded":      strings.Replace(uri, "relay", "%72elay", 1),
			"scheme":            strings.Replace(uri, "msrp:", "MSRP:", 1),
			"userinfo":          strings.Replace(uri, "relay", "alice@relay", 1),
			"parameter":         uri + ";x=y",
			"transport":         strings.Replace(uri, ";tcp", ";TCP", 1),
			"leading zero":      strings.Replace(uri, ":2855", ":02855", 1),
			"a session of none": strings.Replace(uri, alice.use[0].SessionID, "none", 1),
		}
		carol := g.client("carol")
		for name, first := range forged {
			for _, method := range []string{msrp.MethodSend, msrp.MethodReport, "WINK"} {
				for _, to := range []string{bob.sdp().String(), join(carol.use, bob.sdp()).String()} {
					mallory := g.stranger()
					if !strings.HasPrefix(to, bob.use.String()) {
						mallory = carol
					}
					mallory.request("forged", method, to, first+" "+alice.Path.String())
					if method != msrp.MethodReport {
						require.Equal(t, msrp.StatusForbidden, mallory.next().Status, name)
					}
					bob.quiet()
					if mallory != carol {
						require.NoError(t, mallory.Conn.Close())
					}
				}
			}
		}
	})
}

// What a client sends says through which URI it came, whatever its From-Path says.
func TestAbuseAnothersName(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		mallory := g.client("carol")
		for _, from := range []string{alice.Path.String(), bob.Path.String(), "msrp://x.example.com:2855/x;tcp"} {
			mallory.request("another", msrp.MethodSend, join(mallory.use, bob.sdp()).String(), from)
			mallory.expect("another", msrp.StatusOK)
			f := bob.next()
			require.Equal(t, join(bob.use, mallory.use).String()+" "+from, string(f.FromPath))
			bob.answer(f, msrp.StatusNoSession)
			require.Equal(t, "000 481 "+msrp.StatusText(msrp.StatusNoSession), string(mallory.next().StatusHeader))
		}
		alice.quiet()
	})
}

// Paths that only some readers would split the same way are refused, before anything is done with them.
func TestAbuseAmbiguousPaths(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		mallory := g.client("carol")
		paths := func(blank string) []string {
			a, b, own, x := alice.sdp().String(), bob.sdp().String(), mallory.use.String(), "msrp://x.example.com:2855/x;tcp"
			return []string{own + blank + b, own + " " + strings.Replace(b, " ", blank, 1), own + blank + x + " " + a, own + blank + a + " " + x, b + blank + x, strings.Replace(b, " ", blank, 1)}
		}
		for name, blank := range map[string]string{"tab": "\t", "no-break space": "\u00a0", "line separator": "\u2028", "next line": "\u0085", "two": "  ", "comma": ",", "tab and blank": "\t ", "blank and tab": " \t"} {
			for _, to := range paths(blank) {
				mallory.request("path01", msrp.MethodSend, to, mallory.Path.String())
				mallory.request("path02", msrp.MethodSend, join(mallory.use, bob.sdp()).String(), to)
				mallory.request("marker", msrp.MethodSend, mallory.use.String(), mallory.Path.String())
				f := mallory.next() // perhaps there are no paths for an answer
				for ; string(f.TransactionID) != "marker"; f = mallory.next() {
					require.Contains(t, []int{msrp.StatusBadRequest, msrp.StatusForbidden}, f.Status, "%s: %q", name, to)
				}
			}
		}
		alice.quiet()
		bob.quiet()
		require.Len(t, g.n.Wires(), 3, "nobody was dialled")
	})
}

// A path that leads through the relay again and again is refused at its first hop.
func TestAbuseLoops(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		mallory, other := g.client("carol"), g.client("carol")
		m, o := mallory.use, other.use
		for name, to := range map[string]msrp.Path{
			"thrice":              join(m, o, m, other.Path),
			"one thrice":          join(m, m, m, mallory.Path),
			"to the relay itself": join(m, o),
			"to a stale URI":      join(m, mustPath("msrp://relay.example.com:2855/gone;tcp"), other.Path),
			"16 times":            join(m, o, m, o, m, o, m, o, m, o, m, o, m, o, m, other.Path),
			"16 times one":        join(m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m),
			"through a peer":      join(m, o, other.Path, m, mallory.Path),
		} {
			for _, method := range []string{msrp.MethodSend, msrp.MethodAuth, "WINK"} {
				mallory.request("loop01", method, to.String(), mallory.Path.String())
				f := mallory.next()
				require.Equal(t, msrp.StatusNoSession, f.Status, name+" "+method)
				other.quiet()
			}
		}
		mallory.request("loop01", msrp.MethodSend, join(m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m, m).String(), mallory.Path.String())
		mallory.expect("loop01", msrp.StatusBadRequest)
		mallory.quiet()
		require.Len(t, g.n.Wires(), 4, "the relay has not dialled itself")

		mallory.request("tomyself", msrp.MethodSend, join(m, m, mallory.Path).String(), mallory.Path.String()) // twice: in and out
		mallory.expect("tomyself", msrp.StatusOK)
		f := mallory.next()
		require.Equal(t, join(m, m, mallory.Path).String(), string(f.FromPath))
		mallory.answer(f, msrp.StatusOK)
		mallory.quiet()
	})
}

// The relay's own listener has another name that it does not know: it dials itself once, and drops what comes.
func TestAbuseLoopThroughTheNetwork(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		l, err := g.n.Listen("alias.example.com:2855")
		require.NoError(t, err)
		require.NoError(t, g.r.Serve(l))
		mallory, other := g.client("carol"), g.client("carol")
		alias := func(p msrp.Path) msrp.Path {
			u := p[0]
			u.Host = "alias.example.com"
			return msrp.Path{u}
		}
		before, wires := g.holds(), len(g.n.Wires())
		for name, to := range map[string]msrp.Path{
			"once":     join(mallory.use, alias(mallory.use), other.Path),
			"twice":    join(mallory.use, alias(mallory.use), alias(mallory.use), other.Path),
			"in turn":  join(mallory.use, alias(other.use), mallory.use, alias(other.use), mallory.use, other.Path),
			"16 times": join(mallory.use, alias(mallory.use), alias(mallory.use), alias(mallory.use), alias(mallory.use), alias(mallory.use), alias(mallory.use), mallory.Path),
		} {
			for _, method := range []string{msrp.MethodSend, msrp.MethodAuth, msrp.MethodReport} {
				mallory.request("loop01", method, to.String(), mallory.Path.String())
				time.Sleep(time.Second)
				wires++
				require.Len(t, g.n.Wires(), wires, name+" "+method)
				if method == msrp.MethodSend {
					mallory.expect("loop01", msrp.StatusOK)
					require.Equal(t, "000 408 "+msrp.StatusText(msrp.StatusTimeout), string(mallory.next().StatusHeader))
				}
				mallory.quiet()
				require.Equal(t, before, g.holds())
			}
		}
	})
}
