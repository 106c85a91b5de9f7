package growl_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/gntp"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/growl"
)

var changed = notify.Notification{
	Kind: notify.FingerprintChanged, Urgency: notify.Critical, Contact: "bob@example.org",
	Title: "Bob has a new key", Body: "Verify it again.", Time: time.Date(2026, 11, 23, 8, 30, 0, 0, time.UTC),
}

func TestGNTP_Register(t *testing.T) {
	s := newServer(t, "")
	n := s.notifier(growl.Options{})
	require.NoError(t, n.Notify(t.Context(), changed))
	m := s.requests[0]
	assert.Equal(t, gntp.Register, m.Type)
	assert.Equal(t, "Test", m.Head().Value("Application-Name"))
	assert.Empty(t, m.Resources)
	kinds := make(map[string]bool)
	for _, kind := range m.Sections[1:] {
		kinds[kind.Value("Notification-Name")] = true
		assert.Equal(t, "True", kind.Value("Notification-Enabled"))
	}
	assert.Equal(t, strconv.Itoa(len(kinds)), m.Head().Value("Notifications-Count"))
	for k := notify.Kind(0); !strings.HasPrefix(k.String(), "unknown"); k++ {
		assert.True(t, kinds[k.String()], k)
		require.NoError(t, n.Notify(t.Context(), notify.Notification{Kind: k}))
		assert.Equal(t, k.String(), s.last().Head().Value("Notification-Name"))
	}
	require.NoError(t, n.Notify(t.Context(), notify.Notification{Kind: 9999}))
	assert.Equal(t, "other", s.last().Head().Value("Notification-Name"))
	assert.Equal(t, 1, strings.Count(s.heard(), gntp.Register), "once")
}

func TestGNTP_Notify(t *testing.T) {
	s := newServer(t, "")
	n := s.notifier(growl.Options{})
	require.NoError(t, n.Notify(t.Context(), changed))
	head := s.last().Head()
	for name, want := range map[string]string{
		"Application-Name": "Test", "Notification-Name": "fingerprint changed", "Notification-Title": "Bob has a new key", "Notification-Text": "Verify it again.",
		"Notification-Priority": "2", "Notification-Sticky": "True", "Notification-Icon": "",
	} {
		assert.Equal(t, want, head.Value(name), name)
	}
	assert.NotContains(t, s.wire.String(), "bob@", "the address stays here")
	assert.NotContains(t, s.wire.String(), "Callback")

	for urgency, want := range map[notify.Urgency][2]string{-9: {"-1", "False"}, notify.Low: {"-1", "False"}, notify.Normal: {"0", "False"}, notify.Critical: {"2", "True"}, 9: {"2", "True"}} {
		require.NoError(t, n.Notify(t.Context(), notify.Notification{Urgency: urgency}))
		assert.Equal(t, want, [2]string{s.last().Head().Value("Notification-Priority"), s.last().Head().Value("Notification-Sticky")})
		assert.Equal(t, "other", s.last().Head().Value("Notification-Title"), "a title is required")
	}
}

// One of the same kind and contact replaces the last one; others do not.
func TestGNTP_Coalescing(t *testing.T) {
	s := newServer(t, "")
	n := s.notifier(growl.Options{})
	ids := func(x notify.Notification) (id, replaces string) {
		require.NoError(t, n.Notify(t.Context(), x))
		return s.last().Head().Value("Notification-ID"), s.last().Head().Value("Notification-Coalescing-ID")
	}
	first, replaces := ids(changed)
	assert.Equal(t, first, replaces)
	assert.Len(t, first, 32)
	again := changed
	again.Title, again.Time = "once more", time.Time{}
	id, _ := ids(again)
	assert.Equal(t, first, id)
	for _, change := range []func(*notify.Notification){
		func(x *notify.Notification) { x.Contact = "alice@example.org" },
		func(x *notify.Notification) { x.Kind = notify.EncryptionEnded },
	} {
		other := changed
		change(&other)
		id, replaces := ids(other)
		assert.Equal(t, id, replaces)
		assert.NotEqual(t, first, id)
	}
	other, err := growl.New(&growl.Options{AppName: "Other", Dialer: s})
	require.NoError(t, err)
	require.NoError(t, other.Notify(t.Context(), changed))
	assert.NotEqual(t, first, s.last().Head().Value("Notification-ID"), "of another program")
	for _, alone := range []notify.Notification{{Kind: notify.PeerError}, {Contact: "bob@example.org"}} {
		one, replaces := ids(alone)
		assert.Empty(t, replaces, "what has no topic replaces nothing")
		two, _ := ids(alone)
		assert.NotEqual(t, one, two)
	}
}

func TestGNTP_Icons(t *testing.T) {
	icon := []byte("\x89PNG\r\n\x1a\n\x00\r\n\r\n")
	for _, password := range []string{"", "secret"} {
		s := newServer(t, password)
		given := bytes.Clone(icon)
		n := s.notifier(growl.Options{Icon: given})
		clear(given) // the Notifier has its own
		require.NoError(t, n.Notify(t.Context(), changed))
		for i, header := range []string{"Application-Icon", "Notification-Icon"} {
			require.Len(t, s.requests[i].Resources, 1)
			assert.Equal(t, icon, s.requests[i].Resources[0].Data)
			assert.Equal(t, gntp.ResourceScheme+s.requests[i].Resources[0].ID, s.requests[i].Head().Value(header))
		}
	}
	s := newServer(t, "")
	require.NoError(t, s.notifier(growl.Options{IconURL: "https://example.org/icon.png"}).Notify(t.Context(), changed))
	assert.Equal(t, "https://example.org/icon.png", s.requests[0].Head().Value("Application-Icon"))
	assert.Equal(t, "https://example.org/icon.png", s.requests[1].Head().Value("Notification-Icon"))
}

// The server was started anew, or its user has deleted the program: it is told again, once.
func TestGNTP_RegistersAgain(t *testing.T) {
	for _, code := range []string{"401", "402"} {
		s := newServer(t, "")
		n := s.notifier(growl.Options{})
		forgotten := false
		s.answer = func(m *gntp.Message) *gntp.Message {
			if m.Type == gntp.Register {
				forgotten = false
			} else if forgotten {
				return refusal(code, "unknown")
			}
			return &gntp.Message{Type: gntp.OK}
		}
		require.NoError(t, n.Notify(t.Context(), changed))
		forgotten = true
		require.NoError(t, n.Notify(t.Context(), changed))
		assert.Equal(t, "REGISTER NOTIFY NOTIFY REGISTER NOTIFY", s.heard())

		s.requests = nil
		s.answer = func(m *gntp.Message) *gntp.Message {
			if m.Type == gntp.Register {
				return &gntp.Message{Type: gntp.OK}
			}
			return refusal(code, "unknown")
		}
		var refused *growl.ServerError
		require.ErrorAs(t, n.Notify(t.Context(), changed), &refused)
		assert.Equal(t, code, strconv.Itoa(refused.Code))
		assert.Equal(t, "NOTIFY REGISTER NOTIFY", s.heard(), "and not for ever")

		s.requests = nil
		require.ErrorAs(t, s.notifier(growl.Options{}).Notify(t.Context(), changed), &refused)
		assert.Equal(t, "REGISTER NOTIFY", s.heard(), "nor if it was told just now")
	}
}

func TestRegistrationFails(t *testing.T) {
	s := newServer(t, "")
	n := s.notifier(growl.Options{})
	s.answer = func(*gntp.Message) *gntp.Message { return refusal("500", "busy") }
	require.EqualError(t, n.Notify(t.Context(), changed), `growl: the server refused with code 500: "busy"`)
	assert.Equal(t, "REGISTER", s.heard(), "what is not registered is not sent")
	s.answer = nil
	require.NoError(t, n.Notify(t.Context(), changed))
	assert.Equal(t, "REGISTER REGISTER NOTIFY", s.heard())
}

func TestGNTP_PasswordNeverDowngraded(t *testing.T) {
	for _, o := range []growl.Options{
		{}, {Cipher: growl.AES, Hash: growl.SHA512}, {Cipher: growl.TripleDES}, {Cipher: growl.DES, Hash: growl.MD5}, {Cipher: growl.DES, Hash: growl.SHA1},
		{Cipher: growl.Unencrypted}, {Cipher: growl.Unencrypted, Hash: growl.MD5},
	} {
		s := newServer(t, "secret")
		require.NoError(t, s.notifier(o).Notify(t.Context(), changed))
		line, _, _ := strings.Cut(s.wire.String(), "\r\n")
		if o.Hash == "" {
			o.Hash = growl.SHA256
		}
		if o.Cipher == "" {
			o.Cipher = growl.AES
		}
		assert.True(t, strings.HasPrefix(line, "GNTP/1.0 REGISTER "+string(o.Cipher)), line)
		assert.Contains(t, line, " "+string(o.Hash)+":")
		assert.Equal(t, o.Cipher == growl.Unencrypted, strings.Contains(s.wire.String(), "Bob"))
		assert.NotContains(t, s.wire.String(), "secret")
	}
	for _, code := range []string{"300", "400"} {
		s := newServer(t, "secret")
		s.answer = func(*gntp.Message) *gntp.Message { return refusal(code, "no encryption here") }
		require.Error(t, s.notifier(growl.Options{}).Notify(t.Context(), changed))
		assert.Equal(t, "REGISTER", s.heard())
		assert.True(t, strings.HasPrefix(s.wire.String(), "GNTP/1.0 REGISTER AES:"))
	}
}

func TestGNTP_WrongPassword(t *testing.T) {
	s := newServer(t, "secret")
	n, err := growl.New(&growl.Options{AppName: "Test", Password: "hunter2", Dialer: s})
	require.NoError(t, err)
	err = n.Notify(t.Context(), changed)
	var refused *growl.ServerError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, growl.ServerError{Code: 400, Description: "wrong password"}, *refused)
	assert.NotContains(t, err.Error(), "hunter2")
}

func TestName(t *testing.T) {
	s := newServer(t, "")
	n := s.notifier(growl.Options{})
	name, err := n.Name(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "a Growl server at 127.0.0.1:23053", name)
	require.NoError(t, n.Notify(t.Context(), changed))
	assert.Equal(t, "REGISTER NOTIFY", s.heard())

	s.answer = func(*gntp.Message) *gntp.Message {
		return &gntp.Message{Type: gntp.OK, Sections: []gntp.Section{{{Name: "Origin-Software-Name", Value: "Growl/Win\x1b\u202e"}, {Name: "Origin-Software-Version", Value: "2.0"}}}}
	}
	name, err = n.Name(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "Growl/Win 2.0 at 127.0.0.1:23053", name)

	s.answer = func(*gntp.Message) *gntp.Message { return refusal("400", "no") }
	name, err = n.Name(t.Context())
	require.Error(t, err)
	assert.Empty(t, name)
}

func TestHostileText(t *testing.T) {
	for _, hostile := range []string{
		"x\r\nNotification-Callback-Target: http://evil.example", "x\n\nIdentifier: y", "\r\n\r\nGNTP/1.0 REGISTER NONE", "\x00\x1b[2J", "\u202eevil\u2066", "\xff\xfe", "<b>&amp;",
		"x-growl-resource://0", " X-Growl-Resource:0", "x-growl-resource:", "x-growl-resource:" + strings.Repeat("x", 5000), "%s%n", "-rf", `"'`, strings.Repeat("ä", 1<<19), strings.Repeat("\u202e", 1<<20), strings.Repeat("\n", 1<<20),
	} {
		s := newServer(t, "")
		n := s.notifier(growl.Options{})
		require.NoError(t, n.Notify(t.Context(), notify.Notification{Kind: notify.PeerError, Title: hostile, Body: hostile, Contact: hostile}))
		m := s.last()
		names := make([]string, 0, len(m.Head()))
		for _, h := range m.Head() {
			names = append(names, h.Name)
			assert.True(t, utf8.ValidString(h.Value))
			assert.False(t, strings.ContainsFunc(h.Value, func(r rune) bool {
				return unicode.IsControl(r) && (r != '\n' || h.Name != "Notification-Text") || unicode.Is(unicode.Bidi_Control, r)
			}), "%s: %q", h.Name, h.Value)
			assert.False(t, strings.HasPrefix(strings.ToLower(h.Value), "x-growl-resource:"))
		}
		assert.Equal(t, []string{"Origin-Software-Name", "Application-Name", "Notification-Name", "Notification-Title", "Notification-Text", "Notification-Priority",
			"Notification-Sticky", "Notification-ID", "Notification-Coalescing-ID"}, names)
		assert.LessOrEqual(t, len(m.Head().Value("Notification-Title")), 256)
		assert.LessOrEqual(t, len(m.Head().Value("Notification-Text")), 4096)
		assert.NotEmpty(t, m.Head().Value("Notification-Title"))
	}
}

// dial is a network where the server's side of each connection is played by a function.
type dial func(conn net.Conn)

func (d dial) DialContext(context.Context, string, string) (net.Conn, error) {
	client, server := net.Pipe()
	go func() {
		defer server.Close()
		_, _, _ = gntp.ReadRequest(server, limit, "")
		d(server)
	}()
	return client, nil
}

func TestHostileServer(t *testing.T) {
	says := func(text string) dial { return func(c net.Conn) { _, _ = io.WriteString(c, text) } }
	for name, tt := range map[string]struct {
		server dial
		want   error
	}{
		"nothing":          {says(""), io.ErrUnexpectedEOF},
		"half an answer":   {says("GNTP/1.0 -OK NONE\r\n"), io.ErrUnexpectedEOF},
		"another protocol": {says("HTTP/1.1 400 Bad Request\r\n\r\n"), growl.ErrProtocol},
		"a request":        {says("GNTP/1.0 NOTIFY NONE\r\nA: b\r\n\r\n"), growl.ErrProtocol},
		"a callback":       {says("GNTP/1.0 -CALLBACK NONE\r\nA: b\r\n\r\n"), growl.ErrProtocol},
		"another's answer": {says("GNTP/1.0 -OK NONE\r\nResponse-Action: SUBSCRIBE\r\n\r\n"), growl.ErrProtocol},
		"encrypted":        {says("GNTP/1.0 -OK AES:00112233445566778899AABBCCDDEEFF\r\n0123456789ABCDEF\r\n\r\n"), growl.ErrProtocol},
		"no header":        {says("GNTP/1.0 -OK NONE\r\nsecret text\r\n\r\n"), growl.ErrProtocol},
		"a line without end": {func(c net.Conn) {
			for {
				if _, err := io.WriteString(c, "GNTP/1.0 "); err != nil {
					return
				}
			}
		}, growl.ErrProtocol},
	} {
		t.Run(name, func(t *testing.T) {
			n, err := growl.New(&growl.Options{AppName: "Test", Dialer: tt.server})
			require.NoError(t, err)
			err = n.Notify(t.Context(), changed)
			require.ErrorIs(t, err, tt.want)
			assert.NotContains(t, err.Error(), "secret text")
		})
	}
}

// Of 1 GiB that a server wants to answer, 16 KiB are read.
func TestLongAnswer(t *testing.T) {
	written := make(chan int, 1)
	n, err := growl.New(&growl.Options{AppName: "Test", Dialer: dial(func(c net.Conn) {
		total, text := 0, "GNTP/1.0 -OK NONE\r\n"
		for total < 1<<30 {
			n, err := io.WriteString(c, text)
			total += n
			if err != nil {
				break
			}
			text = "X-Header: " + strings.Repeat("x", 4000) + "\r\n"
		}
		written <- total
	})})
	require.NoError(t, err)
	require.ErrorIs(t, n.Notify(t.Context(), changed), growl.ErrProtocol)
	assert.Equal(t, 16<<10, <-written)
}

// An error may end in a log: what a server quotes of the notification does not, not even where the description is cut.
func TestServerErrorQuotesNothing(t *testing.T) {
	s := newServer(t, "")
	s.answer = func(m *gntp.Message) *gntp.Message {
		if m.Type == gntp.Register {
			return &gntp.Message{Type: gntp.OK}
		}
		return refusal("500", "cannot show "+m.Head().Value("Notification-Title")+": "+m.Head().Value("Notification-Text"))
	}
	err := s.notifier(growl.Options{}).Notify(t.Context(), notify.Notification{Title: "Bob", Body: "<meet> " + strings.Repeat("midnight", 40)})
	var refused *growl.ServerError
	require.ErrorAs(t, err, &refused)
	assert.Equal(t, "cannot show …: <…> …", refused.Description)
}

func TestServerErrorIsCleaned(t *testing.T) {
	for text, want := range map[string]growl.ServerError{
		"GNTP/1.0 -ERROR Invalid request\r\nError-Description: Invalid request\r\n\r\n":               {Code: 0, Description: "Invalid request"},
		"GNTP/1.0 -ERROR NONE\r\nError-Code: 99999999\r\n\r\n":                                        {},
		"GNTP/1.0 -ERROR NONE\r\nError-Code: -1\r\nError-Description: a\n\x1b]0;b\u202ec\xff\r\n\r\n": {Description: "a ]0;bc\uFFFD"},
		"GNTP/1.0 -ERROR NONE\r\nError-Description: " + strings.Repeat("x", 9000) + "\r\n\r\n":        {Description: strings.Repeat("x", 197) + "…"},
	} {
		n, err := growl.New(&growl.Options{AppName: "Test", Dialer: dial(func(c net.Conn) { _, _ = io.WriteString(c, text) })})
		require.NoError(t, err)
		var refused *growl.ServerError
		require.ErrorAs(t, n.Notify(t.Context(), changed), &refused)
		assert.Equal(t, want, *refused)
		assert.NotContains(t, refused.Error(), "\n")
	}
}
