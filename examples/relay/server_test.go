package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/relay"
)

// asProgram in the environment makes the test binary the program.
const asProgram = "OTRCHAT_RELAY_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	leakcheck.Main(m)
}

// command runs the program as a process.
func command(args ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asProgram+"=1")
	return cmd
}

// program is the program within the test.
type program struct {
	*server
	hangup chan os.Signal
	term   func()        // as SIGTERM
	ended  chan struct{} // with err
	err    error
}

// serve runs the program with the flags until the end of the test.
func serve(t *testing.T, args ...string) *program {
	t.Helper()
	o, err := parse(args, io.Discard)
	require.NoError(t, err)
	s, err := open(o, io.Discard)
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	p := &program{server: s, hangup: make(chan os.Signal), term: cancel, ended: make(chan struct{})}
	go func() {
		defer close(p.ended)
		defer s.close()
		p.err = s.serve(ctx, p.hangup)
	}()
	t.Cleanup(func() {
		cancel()
		<-p.ended
		assert.NoError(t, p.err)
	})
	return p
}

func (p *program) address() string { return p.listeners[0].Addr().String() }

// get asks the site of metrics and health.
func (p *program) get(t *testing.T, path string) (code int, body string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: patience}
	r, err := client.Get("http://" + p.web.Addr().String() + path)
	require.NoError(t, err)
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	require.NoError(t, err)
	return r.StatusCode, string(b)
}

// number is a metric as Prometheus would read it.
func (p *program) number(t *testing.T, name string) float64 {
	t.Helper()
	code, body := p.get(t, "/metrics")
	require.Equal(t, http.StatusOK, code)
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	require.NoError(t, err)
	require.Contains(t, families, name)
	m := families[name].Metric[0]
	if families[name].GetType() == dto.MetricType_COUNTER {
		return m.GetCounter().GetValue()
	}
	return m.GetGauge().GetValue()
}

// insecure are flags for a relay without TLS.
func insecure(t *testing.T) []string {
	return []string{"-host", "127.0.0.1", "-realm", "example.com", "-listen", "", "-listen-insecure", "127.0.0.1:0", "-metrics", "127.0.0.1:0",
		"-users", write(t, "users", []byte(alice.line(passwords[alice])))}
}

// auth tells how an AUTH of the user ends.
func (p *program) auth(t *testing.T, who user) (*msrp.Relay, error) {
	t.Helper()
	e, err := msrp.New(nil)
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	return e.DialRelay(t.Context(), &msrp.RelayOptions{URI: "msrp://" + p.address() + ";tcp", Username: who.name, Password: passwords[who], AllowTCP: true})
}

func TestFlags(t *testing.T) {
	for want, args := range map[string]string{
		"-host is required":                        "-listen-insecure :0",
		"neither -listen nor -listen-insecure":     "-host a -listen=",
		"-listen wants -certificate and -key":      "-host a",
		"-certificate and -key go together":        "-host a -certificate x",
		"-relay-authorities wants -certificate":    "-host a -listen= -listen-insecure :0 -relay-authorities x",
		`there is no command "serve"`:              "-host a serve",
		"-reload must be more than 0":              "-host a -listen= -listen-insecure :0 -reload 0s",
		"-drain is less than 0":                    "-host a -listen= -listen-insecure :0 -drain -1s",
		`invalid value "10.0.0.0" for flag -next-`: "-host a -next-hops 10.0.0.0",
		"flag provided but not defined: -password": "-password x",
		`invalid value "loud" for flag -log`:       "-log loud",
		"flag: help requested":                     "-h",
	} {
		_, err := parse(strings.Fields(args), io.Discard)
		assert.ErrorContains(t, err, want, args)
	}
}

func TestNextHops(t *testing.T) {
	o, err := parse([]string{"-host", "a", "-listen", "", "-listen-insecure", ":0", "-next-hops", "10.0.0.0/8, 2001:db8::/32"}, io.Discard)
	require.NoError(t, err)
	for hop, want := range map[string]bool{"10.1.2.3:2855": true, "[::ffff:10.1.2.3]:2855": true, "11.1.2.3:2855": false, "[2001:db8::1]:1": true, "[2001:db9::1]:1": false} {
		assert.Equal(t, want, o.settings.Permit(netip.MustParseAddrPort(hop)), hop)
	}
}

func TestWhatIsWrongIsToldBeforeTheFirstClient(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer taken.Close()
	public := write(t, "key", nil)
	require.NoError(t, os.Chmod(public, 0o644))
	for want, args := range map[string][]string{
		"no such file":                {"-users", "nowhere"},
		"line 1: not of the form":     {"-users", write(t, "users", []byte("x"))},
		"address already in use":      {"-listen-insecure", taken.Addr().String()},
		"listen tcp: address none":    {"-metrics", "none"},
		"others can read or write it": {"-listen", "127.0.0.1:0", "-certificate", public, "-key", public},
		"failed to find any PEM":      {"-listen", "127.0.0.1:0", "-certificate", public, "-key", write(t, "key", nil)},
	} {
		err := run(t.Context(), append(insecure(t), args...), nil, io.Discard, nil)
		assert.ErrorContains(t, err, want, args)
	}
}

func TestUsersAreReloaded(t *testing.T) {
	for name, flags := range map[string][]string{"when the file changes": {"-reload", "1ms"}, "on SIGHUP": {"-reload", "24h"}} {
		t.Run(name, func(t *testing.T) {
			p := serve(t, append(insecure(t), flags...)...)
			old, err := p.auth(t, alice)
			require.NoError(t, err)
			_, err = p.auth(t, bob)
			require.Error(t, err)

			before := p.users.all.Load()
			require.NoError(t, bob.add(p.usersFile, passwords[bob]))
			p.reloads(t, func() bool { return p.users.all.Load() != before })
			_, err = p.auth(t, bob)
			require.NoError(t, err)
			assert.NoError(t, old.Err(), "who was there stays")

			require.NoError(t, os.WriteFile(p.usersFile, []byte("broken"), 0o600))
			p.reloads(t, func() bool { return p.number(t, "msrp_relay_reload_failures_total") > 0 })
			_, err = p.auth(t, alice)
			assert.NoError(t, err, "the users are those that they were")
		})
	}
}

// reloads waits until what has changed is read again, after SIGHUP if the program does not look at the files by itself.
func (p *program) reloads(t *testing.T, done func() bool) {
	t.Helper()
	if p.reload == 24*time.Hour {
		p.hangup <- syscall.SIGHUP
	}
	require.Eventually(t, done, patience, time.Millisecond)
}

func TestCertificateIsReloaded(t *testing.T) {
	replace := func(chain, key string) *x509.CertPool {
		pair, roots := certtest.New(t, "example.com")
		c, k := certtest.PEM(t, pair)
		require.NoError(t, os.WriteFile(chain, c, 0o600))
		require.NoError(t, os.WriteFile(key, k, 0o600))
		return roots
	}
	chain, key := write(t, "relay.pem", nil), write(t, "relay.key", nil)
	first := replace(chain, key)
	p := serve(t, append(insecure(t), "-listen", "127.0.0.1:0", "-certificate", chain, "-key", key, "-reload", "1ms")...)
	shows := func(roots *x509.CertPool) error {
		c, err := tls.Dial("tcp", p.address(), &tls.Config{RootCAs: roots, ServerName: "example.com"})
		if err == nil {
			c.Close()
		}
		return err
	}
	require.NoError(t, shows(first))
	e, err := msrp.New(&msrp.Options{TLS: &tls.Config{RootCAs: first, ServerName: "example.com"}})
	require.NoError(t, err)
	defer e.Close()
	way, err := e.DialRelay(t.Context(), &msrp.RelayOptions{URI: "msrps://" + p.address() + ";tcp", Username: alice.name, Password: passwords[alice], Shared: true})
	require.NoError(t, err)

	second := replace(chain, key)
	require.Eventually(t, func() bool { return shows(second) == nil }, patience, 10*time.Millisecond)
	require.Error(t, shows(first))
	leaf := p.certificate.current.Load().Leaf
	assert.EqualValues(t, leaf.NotAfter.Unix(), p.number(t, "msrp_relay_certificate_expiry_seconds"))

	require.NoError(t, os.WriteFile(key, nil, 0o600))
	require.Eventually(t, func() bool { return p.number(t, "msrp_relay_reload_failures_total") > 0 }, patience, time.Millisecond)
	assert.NoError(t, shows(second), "the old one stays in use")
	converse(t, e, way)
}

// converse has two sessions of one client talk, over a connection that is still there.
func converse(t *testing.T, e *msrp.Endpoint, way *msrp.Relay) {
	t.Helper()
	var sessions [2]*msrp.Session
	for i := range sessions {
		s, err := e.NewSession(&msrp.SessionOptions{Relay: way, Secure: true})
		require.NoError(t, err)
		sessions[i] = s
	}
	connected := make(chan error, 1)
	go func() { connected <- sessions[0].Connect(t.Context(), sessions[1].LocalPath(), msrp.Passive, nil) }()
	require.NoError(t, sessions[1].Connect(t.Context(), sessions[0].LocalPath(), msrp.Active, nil))
	require.NoError(t, <-connected)
	_, err := sessions[0].Send(t.Context(), text("hello"))
	require.NoError(t, err)
	m, err := sessions[1].Receive(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "hello", string(m.Body))
}

// Other relays are asked for their certificates where there are authorities to know them by, and nobody else is.
func TestRelaysAreAskedForTheirCertificate(t *testing.T) {
	pair, roots := certtest.New(t, "example.com")
	c, k := certtest.PEM(t, pair)
	chain, key := write(t, "relay.pem", c), write(t, "relay.key", k)
	flags := append(insecure(t), "-listen", "127.0.0.1:0", "-certificate", chain, "-key", key)
	for _, more := range [][]string{nil, {"-relay-authorities", chain}} {
		asked := false
		c, err := tls.Dial("tcp", serve(t, append(flags, more...)...).address(), &tls.Config{RootCAs: roots, ServerName: "example.com",
			GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
				asked = true
				return &tls.Certificate{}, nil
			}})
		require.NoError(t, err)
		c.Close()
		assert.Equal(t, more != nil, asked)
	}
	err := run(t.Context(), append(flags, "-relay-authorities", key), nil, io.Discard, nil)
	assert.ErrorContains(t, err, key+": no certificate in it")
}

func TestEveryNumberIsPublished(t *testing.T) {
	s := &server{options: &options{}}
	fields := reflect.TypeFor[relay.Stats]()
	for i := range fields.NumField() {
		var stats relay.Stats
		v := reflect.ValueOf(&stats).Elem().Field(i)
		v.Set(reflect.ValueOf(7).Convert(v.Type()))
		var published []string
		for _, m := range s.numbers() {
			if m.value(&stats) == 7 {
				published = append(published, m.String())
			}
		}
		assert.Len(t, published, 1, fields.Field(i).Name)
	}
}

func TestMetrics(t *testing.T) {
	p := serve(t, insecure(t)...)
	_, err := p.auth(t, alice)
	require.NoError(t, err)
	assert.EqualValues(t, 1, p.number(t, "msrp_relay_sessions"))
	assert.EqualValues(t, 0, p.number(t, "msrp_relay_certificate_expiry_seconds"))
	assert.Positive(t, p.number(t, "go_goroutines"))
	_, body := p.get(t, "/metrics")
	assert.NotContains(t, body, "alice")

	problems, err := testutil.CollectAndLint(p.server)
	require.NoError(t, err)
	assert.Empty(t, problems)
	code, _ := p.get(t, "/")
	assert.Equal(t, http.StatusNotFound, code)
}

func TestDrain(t *testing.T) {
	p := serve(t, append(insecure(t), "-drain", "24h")...)
	way, err := p.auth(t, alice)
	require.NoError(t, err)
	code, body := p.get(t, "/healthz")
	assert.Equal(t, http.StatusOK, code)
	assert.Equal(t, "ok\n", body)

	p.term()
	require.Eventually(t, func() bool { code, body = p.get(t, "/healthz"); return code != http.StatusOK }, patience, time.Millisecond)
	assert.Equal(t, http.StatusServiceUnavailable, code)
	assert.Equal(t, "draining\n", body)
	require.Eventually(t, func() bool { _, err = p.auth(t, alice); return err != nil }, patience, time.Millisecond, "nobody new gets in")
	assert.NoError(t, way.Err(), "who is there may stay")
	assert.EqualValues(t, 1, p.number(t, "msrp_relay_draining"))

	require.NoError(t, way.Close())
	<-p.ended
}

func TestDrainEnds(t *testing.T) {
	p := serve(t, append(insecure(t), "-drain", "1ms")...)
	way, err := p.auth(t, alice)
	require.NoError(t, err)
	p.term()
	<-p.ended
	<-way.Done()
}

func TestExitCodes(t *testing.T) {
	out, err := command("-h").CombinedOutput()
	require.NoError(t, err)
	assert.Contains(t, string(out), "-certificate file")
	for want, args := range map[string][]string{
		"relay: -host is required; relay -h shows all flags\n": nil,
		"relay: adduser wants one name, after the flags\n":     {"adduser"},
		"relay: flag provided but not defined: -password\n":    {"adduser", "-password", "x", "alice"},
	} {
		out, err := command(args...).CombinedOutput()
		assert.Error(t, err)
		assert.Equal(t, want, string(out))
	}
}

// The signals reach the program as a process.
func TestSignals(t *testing.T) {
	site := newSite(t)
	r := site.start(t)
	require.NoError(t, os.WriteFile(site.users, []byte(alice.line("another")), 0o600))
	require.NoError(t, r.cmd.Process.Signal(syscall.SIGHUP))
	require.NoError(t, r.WaitFor("msg=reloaded files=["+site.users+"]", patience))
	require.NoError(t, r.cmd.Process.Signal(syscall.SIGTERM))
	<-r.Done()
	assert.Equal(t, 0, r.ExitCode(), r.Output())
	assert.Contains(t, r.Output(), "msg=draining")
	assert.NotContains(t, r.Output(), relay.HA1(relay.SHA256, "alice", "example.com", "another"))
}
