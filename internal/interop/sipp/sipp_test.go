package sipp

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
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
	return newAgentOf(t, network, &sip.Options{})
}

func newAgentOf(t *testing.T, network string, o *sip.Options) (agent *sip.Agent, addr string) {
	t.Helper()
	o.Address, o.Password = "sip:alice@example.com", "secret"
	a, err := sip.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, a.Close()) })
	l, err := a.Listen(testContext(t), transport(network), net.JoinHostPort(host(network), "0"))
	require.NoError(t, err)
	return a, l.String()
}

func media() *sip.Media {
	return &sip.Media{Path: []string{"msrp://127.0.0.1:2855/alice;tcp"}, AcceptTypes: []string{"message/cpim", "text/plain"}}
}

// path is that of sipp's side.
func path(network, id string) []string {
	return []string{"msrp://" + net.JoinHostPort(host(network), "2856") + "/" + id + ";tcp"}
}

// A program is a running sipp.
type program struct {
	*foreign.Process
	script, dir string
}

// start plays a scenario once.
func start(t *testing.T, network, script, port string, args ...string) *program {
	t.Helper()
	dir := t.TempDir() // where sipp writes its error file
	file := filepath.Join(dir, "scenario.xml")
	require.NoError(t, os.WriteFile(file, []byte(script), 0o600))
	args = append([]string{
		"-sf", file, "-i", host(network), "-p", port, "-t", transport(network)[:1] + "1", "-m", "1", "-nostdin",
		"-timeout", strconv.Itoa(int(patience.Seconds())), "-timeout_error", "-trace_err", "-trace_msg", "-message_file", filepath.Join(dir, "messages"),
	}, args...)
	cmd := exec.Command(foreign.Need(t, "sipp"), args...)
	cmd.Dir = dir
	return &program{foreign.Start(t, cmd), script, dir}
}

// freePort finds a port that nobody uses at the moment, on both transports; it is taken to be free for IPv6 too. It is none of those that the system gives to
// sockets that ask for any, which could take it before sipp does.
func freePort(t *testing.T) string {
	t.Helper()
	for range 100 {
		port := strconv.Itoa(20_000 + rand.IntN(10_000))
		l, err := net.Listen("tcp", "127.0.0.1:"+port)
		if err != nil {
			continue
		}
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

// callee starts a sipp that waits for a call, and returns where to call it.
func callee(t *testing.T, network string, steps func(s *scenario)) (p *program, target string) {
	t.Helper()
	port := freePort(t)
	return calleeAt(t, network, port, steps), "sip:bob@" + net.JoinHostPort(host(network), port) + ";transport=" + transport(network)
}

func calleeAt(t *testing.T, network, port string, steps func(s *scenario)) *program {
	t.Helper()
	p := start(t, network, play(false, steps), port)
	for !listens(t, network, port) {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-p.Done():
			require.Fail(t, "sipp ended", p)
		}
	}
	return p
}

// listens reports whether somebody has a socket at a port. It never binds the port itself: sipp would find it taken.
func listens(t *testing.T, network, port string) bool {
	t.Helper()
	if transport(network) == "udp" {
		return udpTaken(t, network, port)
	}
	c, err := net.Dial("tcp", net.JoinHostPort(host(network), port))
	if err == nil {
		_ = c.Close()
	}
	return err == nil
}

// udpTaken asks Linux for the UDP sockets that there are: "sl local_address rem_address ...", the port in hexadecimal.
func udpTaken(t *testing.T, network, port string) bool {
	t.Helper()
	table, err := os.ReadFile("/proc/net/" + network)
	require.NoError(t, err, "which UDP ports are taken only Linux tells")
	n, err := strconv.Atoi(port)
	require.NoError(t, err)
	for line := range strings.Lines(string(table)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasSuffix(f[1], fmt.Sprintf(":%04X", n)) {
			return true
		}
	}
	return false
}

// caller starts a sipp that calls addr.
func caller(t *testing.T, network, addr string, steps func(s *scenario), args ...string) *program {
	t.Helper()
	return start(t, network, play(true, steps), freePort(t), append([]string{addr, "-s", "alice"}, args...)...)
}

// played fails the test unless the scenario went to its end as written.
func (p *program) played(t *testing.T) {
	t.Helper()
	p.wait(t, p.Done(), "sipp does not end")
	require.Equal(t, 0, p.ExitCode(), p)
}

// saw waits until a text stands so often in the messages that sipp has sent and got.
func (p *program) saw(t *testing.T, text string, times int) {
	t.Helper()
	require.Eventually(t, func() bool {
		return strings.Count(p.messages(), text) >= times
	}, patience, 10*time.Millisecond, p)
}

// String is the scenario, what sipp sent and got, and its own words about what went wrong.
func (p *program) String() string {
	text := p.script + p.messages()
	files, _ := filepath.Glob(filepath.Join(p.dir, "*_errors.log")) // the pattern is well formed
	for _, f := range files {
		errors, _ := os.ReadFile(f)
		text += string(errors)
	}
	return text + p.Output()[:min(len(p.Output()), 1000)]
}

func (p *program) messages() string {
	text, _ := os.ReadFile(filepath.Join(p.dir, "messages")) // there is none before the first one
	return string(text)
}

func (p *program) wait(t *testing.T, done <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-done:
	case <-time.After(patience):
		require.Fail(t, what, p)
	}
}

func networks(t *testing.T, f func(t *testing.T, network string)) {
	foreign.Need(t, "sipp")
	for _, network := range []string{"tcp", "udp", "tcp6", "udp6"} {
		t.Run(network, func(t *testing.T) { f(t, network) })
	}
}

// transport is tcp for tcp and tcp6.
func transport(network string) string { return strings.TrimSuffix(network, "6") }

func host(network string) string {
	if strings.HasSuffix(network, "6") {
		return "::1"
	}
	return "127.0.0.1"
}
