package relay

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/msrptest"
)

// A new connection is always taken in: the oldest one that has not authenticated makes room.
func TestOldestStrangerMakesRoom(t *testing.T) {
	abused(t, &Options{MaxUnauthenticated: 3}, func(t *testing.T, g *rig, alice, bob *client) {
		strangers := []*client{g.stranger(), g.stranger(), g.stranger()}
		require.Equal(t, 3, g.holds().Unauthenticated)
		carol := g.client("carol")
		strangers[0].gone()
		require.Equal(t, 2, g.holds().Unauthenticated)
		require.Equal(t, int64(1), g.r.Stats().Evicted)
		g.serves(carol, selfOf(carol))
	})
}

// A stranger has so many AUTH requests, however well formed; a client may go on.
func TestAttemptsAreBounded(t *testing.T) {
	abused(t, nil, func(t *testing.T, g *rig, alice, bob *client) {
		s := g.stranger()
		for range maxAttempts {
			s.challenge()
		}
		s.request("onemore", msrp.MethodAuth, bareHost.String(), s.Path.String())
		s.gone()
		for range 2 * maxAttempts {
			alice.challenge()
		}
	})
}

// selfOf has a client talk to itself, which takes one connection.
func selfOf(c *client) *client {
	c.talkTo(c)
	return c
}

// When there are too many connections, the least recently used goes that is no client's; clients stay.
func TestLeastRecentlyUsedMakesRoom(t *testing.T) {
	abused(t, &Options{MaxConnections: 5}, func(t *testing.T, g *rig, alice, bob *client) {
		var peers []*client
		for i := range 3 {
			p := g.stranger()
			p.talkTo(alice)
			p.send("first1", "hello")
			p.expect("first1", msrp.StatusOK)
			alice.answer(alice.next(), msrp.StatusOK)
			peers = append(peers, p)
			time.Sleep(time.Duration(i+1) * time.Second)
		}
		peers[0].send("second", "hello") // used again
		peers[0].expect("second", msrp.StatusOK)
		alice.answer(alice.next(), msrp.StatusOK)
		carol := g.client("carol")
		peers[1].gone()
		g.client("carol")
		peers[2].gone()
		g.client("carol")
		peers[0].gone()
		refused := g.stranger()
		refused.gone()
		require.Equal(t, Stats{Connections: 5, Sessions: 5, Users: 3}, g.holds())
		require.Equal(t, int64(1), g.r.Stats().RefusedConnections)
		require.NoError(t, carol.Conn.Close())
		synctest.Wait()
		g.client("carol")
	})
}

// A user's clients have no more connections dialled for them than they may have sessions.
func TestDialsOfAUserAreBounded(t *testing.T) {
	abused(t, &Options{MaxSessions: 2}, func(t *testing.T, g *rig, alice, bob *client) {
		carol := g.client("carol")
		peers := []*msrptest.Peer{msrptest.NewPeer(t, g.n), msrptest.NewPeer(t, g.n), msrptest.NewPeer(t, g.n)}
		reach := func(p *msrptest.Peer) (code int) {
			carol.Remote = join(carol.use, p.Path)
			carol.send("first1", "hello")
			f := carol.expect("first1", msrp.StatusOK)
			if p.Accept(within(t)) == nil {
				return f.Status
			}
			return 0
		}
		require.Equal(t, msrp.StatusOK, reach(peers[0]))
		require.Equal(t, msrp.StatusOK, reach(peers[1]))
		carol.Remote = join(carol.use, peers[2].Path)
		carol.send("third1", "hello")
		carol.expect("third1", msrp.StatusTimeout)
		require.NoError(t, peers[0].Conn.Close())
		synctest.Wait()
		require.Equal(t, msrp.StatusOK, reach(peers[2]))
	})
}

// A connection that dials is bounded in time, TLS handshake included, and what waits for it is reported.
func TestDialIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newRig(t, &Options{TLS: &tls.Config{}})
		l, err := g.n.Listen("deaf.example.com:2855")
		require.NoError(t, err)
		defer l.Close()
		alice := g.client("alice")
		alice.Remote = join(alice.use, mustPath("msrps://deaf.example.com:2855/x;tcp"))
		begun := time.Now()
		alice.send("first1", "hello")
		alice.expect("first1", msrp.StatusOK)
		require.Equal(t, "000 408 Timeout", string(alice.next().StatusHeader))
		require.Equal(t, 30*time.Second, time.Since(begun))
		g.r.Close()
	})
}

func TestPermitPublic(t *testing.T) {
	for address, want := range map[string]bool{
		"8.8.8.8:2855": true, "8.8.8.8:1024": true, "8.8.8.8:1023": false, "8.8.8.8:25": false, "[2600::1]:2855": true, "[::ffff:8.8.8.8]:2855": true,
		"127.0.0.1:2855": false, "10.1.2.3:2855": false, "172.16.0.1:2855": false, "192.168.1.1:2855": false, "169.254.169.254:2855": false, "0.0.0.0:2855": false,
		"0.1.2.3:2855": false, "100.64.0.1:2855": false, "224.0.0.1:2855": false, "255.255.255.255:2855": false, "240.0.0.1:2855": false, "198.18.0.1:2855": false,
		"[::1]:2855": false, "[::]:2855": false, "[fe80::1]:2855": false, "[fc00::1]:2855": false, "[ff02::1]:2855": false, "[::ffff:127.0.0.1]:2855": false,
		"[::ffff:10.0.0.1]:2855": false, "[64:ff9b::7f00:1]:2855": false, "[2002:7f00:1::]:2855": false, "[2001:db8::1]:2855": false, "[fec0::1]:2855": false,
		"[::127.0.0.1]:2855": false, "[64:ff9b:1::a00:1]:2855": false, "[2001:0:7f00:1::1]:2855": false, "[fe80::1%eth0]:2855": false, "[fd00:ec2::254]:8080": false, "[::ffff:0.0.0.0]:2855": false,
	} {
		require.Equal(t, want, permitPublic(netip.MustParseAddrPort(address)), address)
	}
}

// Permit is asked for the address that a name has led to, by the default Dialer and by a net.Dialer of the caller's, which keeps its own Control.
func TestPermitIsAskedForTheAddress(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	require.NoError(t, err)
	controlled := 0
	for _, d := range []msrp.Dialer{nil, &net.Dialer{Control: func(string, string, syscall.RawConn) error { controlled++; return nil }}} {
		r, err := New(&Options{Host: "relay.example.com", Authenticator: users, Dialer: d})
		require.NoError(t, err)
		_, err = r.o.Dialer.DialContext(t.Context(), "tcp", "localhost:"+port)
		require.ErrorIs(t, err, errForbidden)
		var asked []netip.AddrPort
		r, err = New(&Options{Host: "relay.example.com", Authenticator: users, Dialer: d, Permit: func(a netip.AddrPort) bool {
			asked = append(asked, a)
			return true
		}})
		require.NoError(t, err)
		nc, err := r.o.Dialer.DialContext(t.Context(), "tcp4", "localhost:"+port)
		require.NoError(t, err)
		require.NoError(t, nc.Close())
		require.Equal(t, l.Addr().String(), asked[len(asked)-1].String())
	}
	require.Equal(t, 1, controlled)
}

func TestOptions(t *testing.T) {
	for want, change := range map[string]func(*Options){
		"Options.Authenticator is not set":                func(o *Options) { o.Authenticator = nil },
		"Options.Host":                                    func(o *Options) { o.Host = "two words" },
		"Options.Realm and Options.Host are both not set": func(o *Options) { o.Host = "" },
		"Options.MinExpires is under a second":            func(o *Options) { o.MinExpires = time.Millisecond },
		"Options.MaxExpires is under MinExpires":          func(o *Options) { o.MaxExpires = time.Second },
		"Options.IdleTimeout is under a second":           func(o *Options) { o.IdleTimeout = -1 },
		"Options.MaxConnections is under 1":               func(o *Options) { o.MaxConnections = -1 },
		"Options.MaxUnauthenticated is under 1":           func(o *Options) { o.MaxUnauthenticated = -1 },
		"Options.MaxSessions is under 1":                  func(o *Options) { o.MaxSessions = -1 },
		"Options.QueueBytes is under 131072":              func(o *Options) { o.QueueBytes = 1 },
		"Options.MaxQueueBytes is under 131072":           func(o *Options) { o.MaxQueueBytes = 1 },
		"Options.Rate is under 1024":                      func(o *Options) { o.Rate = 1 },
		`Options.Algorithms: "SHA-1" is not known`:        func(o *Options) { o.Algorithms = []Algorithm{"SHA-1"} },
	} {
		o := &Options{Host: "relay.example.com", Authenticator: users}
		_, err := New(o)
		require.NoError(t, err)
		change(o)
		_, err = New(o)
		require.ErrorContains(t, err, want)
	}
	_, err := New(nil)
	require.ErrorContains(t, err, "Options.")
}

// writes has the Writes on a connection, each by itself.
type writes struct {
	net.Conn
	all chan string
}

// sum is the size of the next Write. Where one of several larger frames is no system call, it is a Write for each of them.
func (w *writes) sum(n int) (sum int) {
	for sum = len(<-w.all); n > 1 && len(w.all) > 0; n-- {
		sum += len(<-w.all)
	}
	return sum
}

func (w *writes) Write(b []byte) (int, error) {
	w.all <- string(b)
	return w.Conn.Write(b)
}

// Over TLS each frame is a Write, and so a record, of its own. Without TLS small frames share one while they fit into a segment. Options.Coalesce has all share.
func TestFramesThatShareAWrite(t *testing.T) {
	frames := func(sizes ...int) (batch []queued) {
		for _, n := range sizes {
			batch = append(batch, queued{frame: make([]byte, n)})
		}
		return batch
	}
	for name, tt := range map[string]struct {
		secure, coalesce bool
		sizes, want      []int
	}{
		"TLS":                {true, false, []int{100, 100, 100}, []int{1, 1, 1}},
		"TCP":                {false, false, []int{700, 700, 1, 1400, 1401, 5, 5}, []int{2, 1, 1, 1, 2}},
		"TCP, large":         {false, false, []int{5, 10000, 10000, 50000, 10000, 5, 10000}, []int{1, 2, 2, 1, 1}},
		"TCP, coalesced":     {false, true, []int{30000, 30000, 5000, 72000, 10, 10}, []int{3, 1, 2}},
		"TLS, coalesced":     {true, true, []int{100, 100, 100}, []int{3}},
		"nothing but itself": {false, false, []int{5000}, []int{1}},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := New(&Options{Host: "relay.example.com", Authenticator: users, Coalesce: tt.coalesce})
			require.NoError(t, err)
			ours, theirs := net.Pipe()
			go io.Copy(io.Discard, theirs)
			defer ours.Close()
			c := newConn(r)
			c.nc, c.secure = &writes{ours, make(chan string, 10)}, tt.secure
			batch := frames(tt.sizes...)
			var got []int
			for len(batch) > 0 {
				n, err := c.writeSome(batch)
				require.NoError(t, err)
				sum := 0
				for _, q := range batch[:n] {
					sum += len(q.frame)
				}
				require.Equal(t, sum, c.nc.(*writes).sum(n))
				got, batch = append(got, n), batch[n:]
			}
			require.Equal(t, tt.want, got)
		})
	}
}
