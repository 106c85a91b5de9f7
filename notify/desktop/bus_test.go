package desktop

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// fakeBus is a message bus with a notification service, over pipes in memory.
type fakeBus struct {
	capabilities []string
	owner        string
	refuse       map[string]string // D-Bus errors by method
	results      map[string][]any  // instead of the usual ones, by method
	silent       string            // the method that gets no answer
	deaf         chan struct{}     // unless nil: nothing is read after GetNameOwner until it is closed

	mu    sync.Mutex
	dials int
	conn  net.Conn // the last one
	shown []shownCall
}

// shownCall is one call of org.freedesktop.Notifications.Notify.
type shownCall struct {
	to       string
	app      string
	replaces uint32
	icon     string
	title    string
	body     string
	actions  []string
	hints    map[string]dbus.Variant
	expire   int32
}

func newFakeBus() *fakeBus {
	return &fakeBus{capabilities: []string{"body", "body-markup"}, owner: ":1.7", refuse: map[string]string{}, results: map[string][]any{}}
}

func (f *fakeBus) dial(context.Context, string) (net.Conn, error) {
	client, server := net.Pipe()
	f.mu.Lock()
	defer f.mu.Unlock()
	f.dials++
	f.conn = server
	go f.serve(server)
	return client, nil
}

func (f *fakeBus) hangUp() {
	f.mu.Lock()
	defer f.mu.Unlock()
	_ = f.conn.Close()
}

// serve is the server's half of the authentication, and then of the messages.
func (f *fakeBus) serve(conn net.Conn) {
	defer conn.Close()
	in := bufio.NewReader(conn)
	answers := map[string]string{"\x00AUTH": "REJECTED EXTERNAL", "AUTH EXTERNAL": "DATA", "DATA": "OK 1234deadbeef"}
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		if line == "BEGIN" {
			break
		}
		if _, err := conn.Write([]byte(answers[line] + "\r\n")); err != nil {
			return
		}
	}
	for {
		m, err := dbus.DecodeMessage(in)
		if err != nil {
			return
		}
		method := m.Headers[dbus.FieldMember].Value().(string)
		if method == f.silent {
			continue
		}
		if f.reply(conn, method, m) != nil {
			return
		}
		if method == "GetNameOwner" && f.deaf != nil {
			<-f.deaf
		}
	}
}

func (f *fakeBus) reply(conn net.Conn, method string, m *dbus.Message) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := &dbus.Message{Type: dbus.TypeMethodReply, Headers: map[dbus.HeaderField]dbus.Variant{dbus.FieldReplySerial: dbus.MakeVariant(m.Serial())}}
	if name := f.refuse[method]; name != "" {
		answer.Type = dbus.TypeError
		answer.Headers[dbus.FieldErrorName] = dbus.MakeVariant(name)
		answer.Body = []any{"it said: Bob's secret"}
	} else {
		answer.Body = f.answer(method, m)
	}
	answer.Headers[dbus.FieldSignature] = dbus.MakeVariant(dbus.SignatureOf(answer.Body...))
	return answer.EncodeTo(conn, binary.LittleEndian)
}

func (f *fakeBus) answer(method string, m *dbus.Message) []any {
	if results, ok := f.results[method]; ok {
		return results
	}
	switch method {
	case "Hello":
		return []any{":1.42"}
	case "GetCapabilities":
		return []any{f.capabilities}
	case "GetNameOwner":
		return []any{f.owner}
	case "GetServerInformation":
		return []any{"fake", "nobody", "7", "1.2"}
	case "Notify":
		c := shownCall{to: m.Headers[dbus.FieldDestination].Value().(string)}
		_ = dbus.Store(m.Body, &c.app, &c.replaces, &c.icon, &c.title, &c.body, &c.actions, &c.hints, &c.expire)
		f.shown = append(f.shown, c)
		if c.replaces != 0 {
			return []any{c.replaces}
		}
		return []any{uint32(100 + len(f.shown))}
	}
	panic(method)
}

func (f *fakeBus) calls() []shownCall {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.shown
}

func (f *fakeBus) set(change func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change()
}

// notifier is one of ours on the fake bus.
func (f *fakeBus) notifier(t *testing.T, o Options) *Notifier {
	if o.AppName == "" {
		o.AppName = "Chat"
	}
	o.Bus = "unix:path=/anything"
	n := newNotifier(&freedesktop{o: o, dial: f.dial})
	t.Cleanup(func() { _ = n.Close() })
	return n
}

func TestSockets(t *testing.T) {
	for address, want := range map[string][]string{
		"unix:path=/run/user/0/bus":             {"/run/user/0/bus"},
		"unix:path=/a%20b,guid=00":              {"/a b"},
		"unix:abstract=/tmp/x,guid=1":           {"@/tmp/x"},
		"tcp:host=h,port=1;unix:guid=2,path=/p": {"/p"},
		"unix:path=/a;unix:path=/b":             {"/a", "/b"},
		"autolaunch:":                           nil,
		"unixexec:path=/bin/sh,argv1=-c":        nil,
		"":                                      nil,
		";;unix:;unix:path;unix:path=;unix:path=%zz;unix:=": nil,
		"unix:path=/" + strings.Repeat("x", 1<<20):          {"/" + strings.Repeat("x", 1<<20)},
	} {
		assert.Equal(t, want, sockets(address), "%.80s", address)
	}
}

func TestAddress(t *testing.T) {
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/env")
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/a b")
	got := func(configured string) string {
		a, err := address(configured)
		assert.NoError(t, err)
		return a
	}
	assert.Equal(t, "unix:path=/mine", got("unix:path=/mine"))
	assert.Equal(t, "unix:path=/env", got(""))
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "")
	assert.Equal(t, []string{"/run/user/a b/bus"}, sockets(got("")))
	t.Setenv("XDG_RUNTIME_DIR", "")
	_, err := address("")
	assert.ErrorIs(t, err, ErrUnavailable)
	assert.EqualError(t, err, "desktop: unavailable: no session bus: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set")
}

// Nothing is there, or something that is no bus.
func TestNoBus(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	for address, why := range map[string]string{
		"unix:path=" + filepath.Join(dir, "absent"):           "no such file",
		"unix:path=" + file:                                   "connection refused",
		"unix:path=" + file + ";unix:path=" + dir + "/absent": "no such file",
		"unix:path=/" + strings.Repeat("x", 1000):             "invalid argument",
		"autolaunch:":       "the address has no Unix socket",
		"tcp:host=a,port=1": "the address has no Unix socket",
		"unix:path=" + listen(t, func(c net.Conn) { _ = c.Close() }):                                  "",
		"unix:path=" + listen(t, func(c net.Conn) { _, _ = c.Write([]byte("REJECTED\r\n\r\n\r\n")) }): "",
	} {
		n := onBus(address)
		err := n.Notify(t.Context(), changed)
		require.ErrorIs(t, err, ErrUnavailable, address)
		assert.ErrorContains(t, err, why)
		assert.True(t, strings.HasPrefix(err.Error(), "desktop: unavailable: no session bus at \""+address), err.Error())
		require.NoError(t, n.Close())
	}
}

// A bus that takes the connection and says nothing.
func TestSilentSocket(t *testing.T) {
	accepted := make(chan struct{})
	socket := listen(t, func(c net.Conn) {
		close(accepted)
		_, _ = io.Copy(io.Discard, c)
		_ = c.Close()
	})
	n := onBus("unix:path=" + socket)
	defer n.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-accepted; cancel() }()
	require.ErrorIs(t, n.Notify(ctx, changed), context.Canceled)
}

// onBus is a Notifier as Linux has it, on any system.
func onBus(address string) *Notifier {
	return newNotifier(mediumOf("linux", Options{AppName: "Chat", Bus: address}))
}

// listen serves a Unix socket until the test ends, when each connection must have ended.
func listen(t *testing.T, serve func(net.Conn)) (socket string) {
	socket = filepath.Join(t.TempDir(), "bus")
	l, err := net.Listen("unix", socket)
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { serve(c) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		wg.Wait()
	})
	return socket
}
