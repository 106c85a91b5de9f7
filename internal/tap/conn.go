package tap

import (
	"crypto/tls"
	"errors"
	"net"
)

// Listener returns l with every accepted connection recorded. Closing it closes l.
func Listener(l net.Listener, rec *Recorder) net.Listener { return &listener{l, rec} }

type listener struct {
	net.Listener
	rec *Recorder
}

func (l *listener) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return Conn(c, l.rec), nil
}

// Conn returns c with all that is read from it and written to it recorded; of a TLS connection that is what TLS carries.
// Bytes given to a Write that fails are recorded too: they may have left. The result has the methods of net.Conn, CloseWrite
// and, if c has it, ConnectionState, whatever c has besides.
func Conn(c net.Conn, rec *Recorder) net.Conn {
	local, remote := rec.o.Local, rec.o.Remote
	if local == "" {
		local = c.LocalAddr().String()
	}
	if remote == "" {
		remote = c.RemoteAddr().String()
	}
	n := rec.newConn()
	tapped := &conn{
		Conn: c,
		rec:  rec,
		in:   direction{Stream: Stream{Conn: n, From: remote, To: local}},
		out:  direction{Stream: Stream{Conn: n, From: local, To: remote}},
	}
	if s, ok := c.(stater); ok {
		return secureConn{tapped, s}
	}
	return tapped
}

// stater tells a TLS connection from others.
type stater interface{ ConnectionState() tls.ConnectionState }

type secureConn struct {
	*conn
	stater
}

// CloseWrite closes the writing side, where the connection has one of its own, as TCP does.
func (c *conn) CloseWrite() error {
	if half, ok := c.Conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return errors.ErrUnsupported
}

type conn struct {
	net.Conn
	rec     *Recorder
	in, out direction
}

// direction is a stream that is not there before its first byte; the Recorder's lock guards it.
type direction struct {
	Stream
	begun bool
}

func (c *conn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.rec.add(&c.in, b[:n])
	return n, err
}

func (c *conn) Write(b []byte) (int, error) {
	c.rec.add(&c.out, b)
	return c.Conn.Write(b)
}
