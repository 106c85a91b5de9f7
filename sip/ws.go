package sip

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
)

const (
	subprotocol  = "sip"    // RFC 7118 §4.1
	maxUpgrade   = 16 << 10 // bytes of an HTTP head
	maxWSMessage = 64 << 10
	goodbyeTime  = 250 * time.Millisecond // for what is said when a connection is closed
)

var (
	errSubprotocol = errors.New("sip: the WebSocket server does not speak SIP")
	errWSMessage   = errors.New("sip: malformed WebSocket message")
)

func usesWS(network string) bool { return network == "ws" || network == "wss" }

// shakeWS upgrades the connection to WebSocket. Both sides must agree on the subprotocol (RFC 7118 §4). A server of ours does not look at
// the path and the origin: what SIP lets a peer do does not depend on the page that it comes from.
func shakeWS(c *stream, host string) error {
	head := struct {
		io.Reader
		io.Writer
	}{io.LimitReader(c.Conn, maxUpgrade), c.Conn}
	w := &wsConn{Conn: c.Conn, client: c.dialled, pong: c.ponged}
	var rest []byte
	var err error
	if c.dialled {
		rest, err = upgradeClient(head, host)
	} else {
		err = upgradeServer(head)
	}
	w.r = bufio.NewReader(io.MultiReader(bytes.NewReader(rest), c.Conn))
	c.Conn = w
	return err
}

// upgradeClient returns what the server wrote behind its answer.
func upgradeClient(conn io.ReadWriter, host string) ([]byte, error) {
	d := ws.Dialer{Protocols: []string{subprotocol}}
	r, hs, err := d.Upgrade(conn, &url.URL{Scheme: "ws", Host: host, Path: "/"})
	if err != nil {
		return nil, fmt.Errorf("sip: WebSocket: %w", err)
	}
	var rest []byte
	if r != nil {
		waiting, _ := r.Peek(r.Buffered()) // they are there
		rest = bytes.Clone(waiting)
		ws.PutReader(r)
	}
	if hs.Protocol != subprotocol {
		return nil, errSubprotocol
	}
	return rest, nil
}

func upgradeServer(conn io.ReadWriter) error {
	agreed := false
	u := ws.Upgrader{
		Protocol: func(p []byte) bool {
			agreed = agreed || string(p) == subprotocol
			return string(p) == subprotocol
		},
		OnBeforeUpgrade: func() (ws.HandshakeHeader, error) {
			if !agreed {
				return nil, ws.RejectConnectionError(ws.RejectionStatus(http.StatusBadRequest),
					ws.RejectionReason("the subprotocol must be sip"))
			}
			return nil, nil
		},
	}
	_, err := u.Upgrade(conn)
	return err
}

// A wsConn reads as a stream of SIP messages what comes as WebSocket messages, and writes each Write as one message (RFC 7118 §4.2).
type wsConn struct {
	net.Conn
	client  bool // we are, and mask what we write
	r       *bufio.Reader
	partial []byte // of a message that comes in fragments, nil between messages
	waiting []byte // of a message that Read has not handed over yet
	pong    func() // called when one comes

	writing sync.Mutex
}

// Read implements net.Conn.
func (w *wsConn) Read(b []byte) (int, error) {
	for len(w.waiting) == 0 {
		m, err := w.next()
		switch {
		case err == nil && string(m) == doubleCRLF: // the ping of RFC 5626 §3.5.1, as browsers send it
			_, err = w.Write([]byte("\r\n"))
		case err == nil:
			w.waiting, err = framed(m)
		}
		if err != nil {
			return 0, err
		}
	}
	n := copy(b, w.waiting)
	w.waiting = w.waiting[n:]
	return n, nil
}

// next reads frames up to the end of a message.
func (w *wsConn) next() ([]byte, error) {
	for {
		h, err := ws.ReadHeader(w.r)
		if err != nil {
			return nil, err
		}
		if err := ws.CheckHeader(h, w.state()); err != nil {
			return nil, err
		}
		if h.Length > int64(maxWSMessage-len(w.partial)) {
			return nil, errWSMessage
		}
		payload := make([]byte, h.Length) // at most maxWSMessage
		if _, err := io.ReadFull(w.r, payload); err != nil {
			return nil, err
		}
		if h.Masked {
			ws.Cipher(payload, h.Mask, 0)
		}
		if h.OpCode.IsControl() {
			if err := w.control(h.OpCode, payload); err != nil {
				return nil, err
			}
			continue
		}
		w.partial = append(w.partial, payload...)
		if w.partial == nil {
			w.partial = []byte{} // an empty first fragment
		}
		if h.Fin {
			m := w.partial
			w.partial = nil
			return m, nil
		}
	}
}

func (w *wsConn) state() ws.State {
	s := ws.StateServerSide
	if w.client {
		s = ws.StateClientSide
	}
	if w.partial != nil {
		s = s.Set(ws.StateFragmented)
	}
	return s
}

func (w *wsConn) control(op ws.OpCode, payload []byte) error {
	switch op {
	case ws.OpPing:
		return w.write(ws.NewPongFrame(payload))
	case ws.OpPong:
		if w.pong != nil {
			w.pong()
		}
		return nil
	}
	return io.EOF // close, which Close answers
}

// framed makes a message of a stream of a message that has a frame of its own: there Content-Length may be missing (RFC 7118 §4.2), here
// it says where the message ends. What a peer writes behind the length that it gives is cut off, as in a datagram (RFC 3261 §18.3).
func framed(m []byte) ([]byte, error) {
	m = bytes.TrimLeft(m, "\r\n")
	if len(m) == 0 {
		return nil, nil // a keep-alive
	}
	head, body, ok := bytes.Cut(m, []byte("\r\n\r\n"))
	if !ok {
		return nil, errWSMessage
	}
	length := len(body)
	lines := strings.Split(string(head), "\r\n")
	kept := lines[:0]
	for n := 0; n < len(lines); n++ {
		name, value, _ := strings.Cut(lines[n], ":")
		if n == 0 || !isContentLength(name) {
			kept = append(kept, lines[n])
			continue
		}
		for n+1 < len(lines) && strings.HasPrefix(lines[n+1], " ") || n+1 < len(lines) && strings.HasPrefix(lines[n+1], "\t") {
			n++
			if value += lines[n]; len(value) > maxLengthLine {
				return nil, errWSMessage
			}
		}
		claimed, err := strconv.Atoi(strings.TrimSpace(value))
		if err != nil || claimed < 0 || claimed > length {
			return nil, errWSMessage
		}
		length = claimed
	}
	return fmt.Appendf(nil, "%s\r\nContent-Length: %d\r\n\r\n%s", strings.Join(kept, "\r\n"), length, body[:length]), nil
}

func isContentLength(name string) bool {
	name = strings.TrimSpace(name)
	return strings.EqualFold(name, "Content-Length") || strings.EqualFold(name, "l")
}

// Write implements net.Conn: b is a whole message.
func (w *wsConn) Write(b []byte) (int, error) {
	f := ws.NewTextFrame(b)
	if !utf8.Valid(b) {
		f = ws.NewBinaryFrame(b)
	}
	if err := w.write(f); err != nil {
		return 0, err
	}
	return len(b), nil
}

func (w *wsConn) write(f ws.Frame) error {
	w.writing.Lock()
	defer w.writing.Unlock()
	return w.writeLocked(f)
}

func (w *wsConn) writeLocked(f ws.Frame) error {
	if w.client {
		f = ws.MaskFrame(f)
	}
	b, err := ws.CompileFrame(f)
	if err == nil {
		_, err = w.Conn.Write(b)
	}
	return err
}

// Close says goodbye, unless a message is being written, and closes the connection.
func (w *wsConn) Close() error {
	if w.writing.TryLock() {
		_ = w.SetWriteDeadline(time.Now().Add(goodbyeTime))
		_ = w.writeLocked(ws.NewCloseFrame(ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))) // nothing depends on it
		w.writing.Unlock()
	}
	return w.Conn.Close()
}
