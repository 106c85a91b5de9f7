package otrchat_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/tap"
	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/cpim"
	"github.com/otrchat/otrchat/otrsession"
	"github.com/otrchat/otrchat/sip"
)

// peer is a program that does with SIP and MSRP what a test tells it, and knows OTR only where the test does.
type peer struct {
	t     testing.TB
	agent *sip.Agent
	msrp  *msrp.Endpoint
	at    string
	cpim  bool
	setup sip.Setup // of its answers
	box   string    // what its SDP says in c= and m=, of a middlebox; empty for its own address
	cema  bool

	secure bool     // its sessions have TLS
	prints []string // what it says of its certificate
}

// newPeer listens on loopback. It takes message/cpim, as Blink does, unless told to be plain.
func newPeer(t testing.TB, o *sip.Options, rec *tap.Recorder) *peer {
	t.Helper()
	opts := sip.Options{}
	if o != nil {
		opts = *o
	}
	opts.Address = "sip:bob@127.0.0.1"
	agent, err := sip.New(&opts)
	require.NoError(t, err)
	t.Cleanup(func() { agent.Close() })
	endpoint, err := msrp.New(&msrp.Options{ManualReports: true})
	require.NoError(t, err)
	t.Cleanup(func() { endpoint.Close() })
	l := listener(t, rec)
	require.NoError(t, agent.ListenOn("tcp", l))
	require.NoError(t, endpoint.Serve(listener(t, rec)))
	return &peer{t: t, agent: agent, msrp: endpoint, at: "sip:bob@" + l.Addr().String() + ";transport=tcp", cpim: true, setup: sip.SetupPassive}
}

// line is a chat of a peer's. Its otr speaks only when a test hands it something.
type line struct {
	t       testing.TB
	call    *sip.Call
	session *msrp.Session
	otr     *otrsession.Session
	cpim    bool
}

func (p *peer) media(s *msrp.Session, setup sip.Setup) *sip.Media {
	types := []string{"text/*"}
	if p.cpim {
		types = []string{"message/cpim", "text/*", "image/*", "application/im-iscomposing+xml"}
	}
	return &sip.Media{Path: s.LocalPath().Strings(), AcceptTypes: types, AcceptWrappedTypes: []string{"*"}, Setup: setup, Address: p.box, CEMA: p.cema,
		TLS: s.LocalPath()[0].Secure, Fingerprints: p.prints}
}

// answer takes the next call and connects, passive as Blink does unless told otherwise.
func (p *peer) answer(ctx context.Context) (*line, error) {
	i, err := p.agent.Accept(ctx)
	if err != nil {
		return nil, err
	}
	s, err := p.msrp.NewSession(&msrp.SessionOptions{Secure: p.secure})
	if err != nil {
		return nil, err
	}
	c, err := i.Answer(ctx, p.media(s, p.setup))
	if err != nil {
		return nil, err
	}
	role := msrp.Passive
	if p.setup == sip.SetupActive {
		role = msrp.Active
	}
	return p.connect(ctx, c, s, role)
}

func (p *peer) connect(ctx context.Context, c *sip.Call, s *msrp.Session, role msrp.Role) (*line, error) {
	path, err := msrp.ParsePath(strings.Join(c.Remote().Path, " "))
	if err != nil {
		return nil, err
	}
	otr, err := otrsession.New(&otrsession.Options{Key: key(p.t, bobKey)})
	return &line{p.t, c, s, otr, p.cpim}, errors.Join(err, s.Connect(ctx, path, role, nil))
}

// meet lets a user call a peer.
func meet(t testing.TB, u user, p *peer) (*otrchat.EncryptedChat, *line) {
	t.Helper()
	type result struct {
		l   *line
		err error
	}
	answered := make(chan result, 1)
	go func() {
		l, err := p.answer(limited(t))
		answered <- result{l, err}
	}()
	c, err := u.Call(limited(t), p.at)
	require.NoError(t, err)
	r := <-answered
	require.NoError(t, r.err)
	return c, r.l
}

// wrap writes message/cpim as Blink does: the inner headers end with a bare LF, and so does the blank line after them.
func (l *line) wrap(text string) (contentType string, body []byte) {
	if !l.cpim {
		return "text/plain", []byte(text)
	}
	return "message/cpim", []byte("From: Bob <sip:bob@127.0.0.1>\r\nTo: <sip:alice@127.0.0.1>\r\nDateTime: 2026-11-23T10:00:00+01:00\r\n\r\n" +
		"MIME-Version: 1.0\nContent-Type: text/plain; charset=\"utf8\"\nContent-Transfer-Encoding: \n\n" + text)
}

// says sends what a user wrote, as it stands, with reports.
func (l *line) says(text string) *msrp.Delivery {
	l.t.Helper()
	contentType, body := l.wrap(text)
	d, err := l.session.Send(limited(l.t), &msrp.Message{ContentType: contentType, Body: body, SuccessReport: true})
	require.NoError(l.t, err)
	return d
}

// speaks sends what OTR has to say, without reports.
func (l *line) speaks(step otrsession.Step, err error) otrsession.Step {
	l.t.Helper()
	require.NoError(l.t, err)
	for _, m := range step.Send {
		contentType, body := l.wrap(string(m))
		_, err := l.session.Send(limited(l.t), &msrp.Message{ContentType: contentType, Body: body, FailureReport: msrp.No})
		require.NoError(l.t, err)
	}
	return step
}

// encrypts sends what a user wrote, encrypted.
func (l *line) encrypts(text string) *msrp.Delivery {
	l.t.Helper()
	step, err := l.otr.Encrypt([]byte(text))
	require.NoError(l.t, err)
	require.Len(l.t, step.Send, 1)
	return l.says(string(step.Send[0]))
}

// hears returns the next message and its text, and reports that it was understood.
func (l *line) hears() (*msrp.Message, string) {
	l.t.Helper()
	m, err := l.session.Receive(limited(l.t))
	require.NoError(l.t, err)
	require.NoError(l.t, l.session.Report(m, msrp.StatusOK))
	if m.ContentType != "message/cpim" {
		return m, string(m.Body)
	}
	inner, err := cpim.Parse(m.Body)
	require.NoError(l.t, err)
	require.Equal(l.t, "text/plain;charset=utf-8", inner.ContentType)
	return m, string(inner.Body)
}

// understands hands the next message to OTR and gives OTR's answer.
func (l *line) understands() otrsession.Step {
	l.t.Helper()
	_, text := l.hears()
	return l.speaks(l.otr.Decrypt([]byte(text)))
}

// reads returns the next text that comes, which is encrypted.
func (l *line) reads() string {
	l.t.Helper()
	for {
		if step := l.understands(); step.HasMessage {
			require.True(l.t, step.Encrypted)
			return string(step.Plaintext)
		}
	}
}

// turns goes on with OTR until it is in a state.
func (l *line) turns(s otrsession.State) {
	l.t.Helper()
	for l.otr.State() != s {
		l.understands()
	}
}

// waits checks what a delivery comes to: nil, or a status.
func waits(t testing.TB, d *msrp.Delivery, code int) {
	t.Helper()
	err := d.Wait(limited(t))
	if code == 0 {
		require.NoError(t, err)
		return
	}
	var status *msrp.StatusError
	require.ErrorAs(t, err, &status)
	require.Equal(t, code, status.Code)
}
