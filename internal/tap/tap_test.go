package tap

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// accept returns both ends of a connection through a tapped listener.
func accept(t *testing.T, rec *Recorder) (dialled, tapped net.Conn) {
	t.Helper()
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	l := Listener(plain, rec)
	defer l.Close()
	dialled, err = net.Dial("tcp", l.Addr().String())
	require.NoError(t, err)
	tapped, err = l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { _ = dialled.Close(); _ = tapped.Close() })
	return dialled, tapped
}

func send(t *testing.T, from, to net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(from, text)
	require.NoError(t, err)
	_, err = io.ReadFull(to, make([]byte, len(text)))
	require.NoError(t, err)
}

func TestRecorder(t *testing.T) {
	var live bytes.Buffer
	rec := New(&Options{Local: "Bob", Remote: "Alice", Live: &live})
	alice, bob := accept(t, rec)
	send(t, alice, bob, "hel")
	send(t, bob, alice, "who\r\nis there?")
	send(t, alice, bob, "lo\x1b[2J\xff é")
	alice2, bob2 := accept(t, rec)
	send(t, alice2, bob2, "again")

	assert.Equal(t, []Stream{
		{Conn: 1, From: "Alice", To: "Bob", Data: []byte("hello\x1b[2J\xff é")},
		{Conn: 1, From: "Bob", To: "Alice", Data: []byte("who\r\nis there?")},
		{Conn: 2, From: "Alice", To: "Bob", Data: []byte("again")},
	}, rec.Streams())
	assert.Contains(t, string(rec.Bytes()), "hello", "found though it came in two pieces")
	assert.Zero(t, rec.Lost())
	assert.Equal(t, "Alice → Bob\n    hel\n\nBob → Alice\n    who\n    is there?\n\n"+
		"Alice → Bob\n    lo.[2J. é\n\nAlice → Bob\n    again\n\n", live.String())
}

func TestUnnamedSidesAreAddresses(t *testing.T) {
	rec := New(nil)
	a, b := accept(t, rec)
	send(t, b, a, "x")
	assert.Equal(t, b.LocalAddr().String(), rec.Streams()[0].From)
	assert.Equal(t, a.LocalAddr().String(), rec.Streams()[0].To)
}

// Inside TLS the words are seen that the wire does not show, and the connection still tells that it is one of TLS.
func TestTLS(t *testing.T) {
	cert, roots := certtest.New(t, "example.com")
	inside, outside := New(nil), New(nil)
	a, b := net.Pipe()
	dialled := tls.Client(a, &tls.Config{RootCAs: roots, ServerName: "example.com"})
	tapped := Conn(tls.Server(Conn(b, outside), &tls.Config{Certificates: []tls.Certificate{cert}}), inside)
	t.Cleanup(func() { _ = a.Close(); _ = b.Close() })
	go func() { _, _ = io.WriteString(dialled, "hello") }()
	_, err := io.ReadFull(tapped, make([]byte, 5))
	require.NoError(t, err)
	assert.Equal(t, "hello", string(inside.Bytes()))
	assert.NotEmpty(t, outside.Bytes())
	assert.NotContains(t, string(outside.Bytes()), "hello")
	assert.True(t, tapped.(stater).ConnectionState().HandshakeComplete)
	_, ok := Conn(b, outside).(stater)
	assert.False(t, ok)
}

func TestLimit(t *testing.T) {
	rec := New(&Options{Limit: 10})
	a, b := accept(t, rec)
	send(t, a, b, "1234567")
	send(t, b, a, "1234567")
	send(t, a, b, "more")
	assert.Equal(t, "1234567123", string(rec.Bytes()))
	assert.Equal(t, 8, rec.Lost())
}

func TestFailedWriteIsRecorded(t *testing.T) {
	rec := New(nil)
	_, b := accept(t, rec)
	require.NoError(t, b.Close())
	_, err := io.WriteString(b, "secret")
	require.Error(t, err)
	assert.Equal(t, "secret", string(rec.Bytes()))
}

type brokenWriter struct{ calls int }

func (w *brokenWriter) Write([]byte) (int, error) {
	w.calls++
	return 0, errors.New("broken")
}

func TestBrokenLiveViewDisturbsNothing(t *testing.T) {
	w := &brokenWriter{}
	rec := New(&Options{Live: w})
	a, b := accept(t, rec)
	send(t, a, b, "one")
	send(t, a, b, "two")
	assert.Equal(t, 1, w.calls)
	assert.Equal(t, "onetwo", string(rec.Bytes()))
}

func TestManyConnectionsAtOnce(t *testing.T) {
	rec := New(&Options{Live: io.Discard})
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			a, b := net.Pipe()
			defer a.Close()
			b = Conn(b, rec)
			defer b.Close()
			go func() { _, _ = io.WriteString(a, strings.Repeat("x", 100)) }()
			_, err := io.ReadFull(b, make([]byte, 100))
			assert.NoError(t, err)
			_ = rec.Bytes()
		})
	}
	wg.Wait()
	assert.Len(t, rec.Streams(), 8)
	assert.Len(t, rec.Bytes(), 800)
}
