package sipp

import (
	"context"
	"net"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/sip"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const patience = 20 * time.Second

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func newAgent(t *testing.T, network string) (agent *sip.Agent, addr string) {
	t.Helper()
	a, err := sip.New(&sip.Options{Address: "sip:alice@example.com", Password: "secret"})
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, a.Close()) })
	l, err := a.Listen(testContext(t), network, "127.0.0.1:0")
	require.NoError(t, err)
	return a, l.String()
}

func media() *sip.Media {
	return &sip.Media{Path: []string{"msrp://127.0.0.1:2855/alice;tcp"}, AcceptTypes: []string{"message/cpim", "text/plain"}}
}

// start plays a scenario once.
func start(t *testing.T, network, scenario, port string, args ...string) *foreign.Process {
	t.Helper()
	file, err := filepath.Abs(filepath.Join("testdata", scenario+".xml"))
	require.NoError(t, err)
	args = append([]string{
		"-sf", file, "-i", "127.0.0.1", "-p", port, "-t", map[string]string{"tcp": "t1", "udp": "u1"}[network],
		"-m", "1", "-nostdin", "-timeout", strconv.Itoa(int(patience.Seconds())), "-timeout_error", "-trace_err",
	}, args...)
	cmd := exec.Command(foreign.Need(t, "sipp"), args...)
	cmd.Dir = t.TempDir() // where it writes its error file
	return foreign.Start(t, cmd)
}

// freePort finds a port that nobody uses at the moment, on both transports.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		require.NoError(t, err)
		_, port, err := net.SplitHostPort(l.Addr().String())
		require.NoError(t, err)
		u, err := net.ListenPacket("udp", "127.0.0.1:"+port)
		require.NoError(t, l.Close())
		if err == nil {
			require.NoError(t, u.Close())
			return port
		}
	}
	require.Fail(t, "no free port")
	return ""
}

// callee starts a scenario that waits for a call, and returns where to call it.
func callee(t *testing.T, network, scenario string) (p *foreign.Process, target string) {
	t.Helper()
	port := freePort(t)
	p = start(t, network, scenario, port)
	if network == "tcp" {
		require.Eventually(t, func() bool {
			c, err := net.Dial("tcp", "127.0.0.1:"+port)
			if err == nil {
				_ = c.Close()
			}
			return err == nil
		}, patience, 10*time.Millisecond)
	}
	return p, "sip:bob@127.0.0.1:" + port + ";transport=" + network
}

// played fails the test unless the scenario went to its end as written.
func played(t *testing.T, p *foreign.Process) {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(patience):
		require.Fail(t, "sipp does not end", p.Output())
	}
	require.Equal(t, 0, p.ExitCode(), p.Output())
}

func networks(t *testing.T, f func(t *testing.T, network string)) {
	foreign.Need(t, "sipp")
	for _, network := range []string{"tcp", "udp"} {
		t.Run(network, func(t *testing.T) { f(t, network) })
	}
}

func TestCallFocus(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		a, _ := newAgent(t, network)
		p, target := callee(t, network, "uas_focus")
		c, err := a.Invite(testContext(t), target, media())
		require.NoError(t, err)
		assert.True(t, c.Focus())
		assert.Equal(t, &sip.Media{
			Path:               []string{"msrp://127.0.0.1:2856/room;tcp"},
			AcceptTypes:        []string{"message/cpim"},
			AcceptWrappedTypes: []string{"text/plain"},
			Setup:              sip.SetupPassive,
		}, c.Remote())
		assert.Equal(t, sip.SetupActive, c.Local().Setup)
		require.NoError(t, c.Bye(testContext(t)))
		played(t, p)
	})
}

func TestCalleeHangsUp(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		a, _ := newAgent(t, network)
		p, target := callee(t, network, "uas_bye")
		c, err := a.Invite(testContext(t), target, media())
		require.NoError(t, err)
		assert.False(t, c.Focus())
		select {
		case <-c.Done():
		case <-time.After(patience):
			require.Fail(t, "no BYE")
		}
		assert.ErrorIs(t, c.Err(), sip.ErrEnded)
		played(t, p)
	})
}

// sipp checks the digest response by itself.
func TestDigestAndBusy(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		a, _ := newAgent(t, network)
		p, target := callee(t, network, "uas_busy")
		_, err := a.Invite(testContext(t), target, media())
		var status *sip.StatusError
		require.ErrorAs(t, err, &status)
		assert.Equal(t, 486, status.Code, "403 where the password was found wrong")
		played(t, p)
	})
}

func TestCaller(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		a, addr := newAgent(t, network)
		p := start(t, network, "uac", freePort(t), addr, "-s", "alice")
		i, err := a.Accept(testContext(t))
		require.NoError(t, err)
		assert.Equal(t, "sipp", i.RemoteDisplayName())
		assert.False(t, i.Focus())
		require.NoError(t, i.Ring(testContext(t)))
		c, err := i.Answer(testContext(t), media())
		require.NoError(t, err)
		assert.Equal(t, sip.SetupPassive, c.Local().Setup)
		select {
		case <-c.Done():
		case <-time.After(patience):
			require.Fail(t, "no BYE", p.Output())
		}
		assert.ErrorIs(t, c.Err(), sip.ErrEnded)
		played(t, p)
	})
}

func TestCallerGivesUp(t *testing.T) {
	networks(t, func(t *testing.T, network string) {
		a, addr := newAgent(t, network)
		p := start(t, network, "uac_cancel", freePort(t), addr, "-s", "alice")
		i, err := a.Accept(testContext(t))
		require.NoError(t, err)
		assert.Nil(t, i.Offer())
		assert.True(t, i.Focus())
		require.NoError(t, i.Ring(testContext(t)))
		select {
		case <-i.Done():
		case <-time.After(patience):
			require.Fail(t, "no CANCEL", p.Output())
		}
		assert.ErrorIs(t, i.Err(), sip.ErrCanceled)
		played(t, p)
	})
}
