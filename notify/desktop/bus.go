package desktop

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/godbus/dbus/v5"

	"github.com/otrchat/otrchat/notify/internal/plain"
)

// Error is what the desktop's notification service, or the bus, refused with.
type Error struct {
	// Name is that of the D-Bus error, such as "org.freedesktop.DBus.Error.LimitsExceeded". What the service says besides may hold the text of the
	// notification, so it is not kept.
	Name string
}

// Error is one line of text.
func (e *Error) Error() string { return "desktop: refused with " + plain.Line(e.Name, maxName) }

// bus is a connection to the session's message bus. A context that ends during a call ends the connection: the library's writes know no contexts.
type bus struct {
	raw  net.Conn
	conn *dbus.Conn
}

func dialUnix(ctx context.Context, socket string) (net.Conn, error) {
	var d net.Dialer
	return d.DialContext(ctx, "unix", socket)
}

// open makes a connection of raw, which it closes when it fails. File descriptors are not agreed on, so none can be sent to us.
func open(ctx context.Context, raw net.Conn) (*bus, error) {
	defer context.AfterFunc(ctx, func() { _ = raw.Close() })()
	conn, err := dbus.NewConn(raw)
	if err != nil {
		_ = raw.Close()
		return nil, err
	}
	b := &bus{raw, conn}
	err = conn.Auth([]dbus.Auth{dbus.AuthExternal(strconv.Itoa(os.Getuid()))})
	if err == nil {
		err = refusal(conn.Hello())
	}
	if err != nil {
		b.close()
		return nil, err
	}
	return b, nil
}

// close ends raw first: a write that hangs keeps the library's Close waiting.
func (b *bus) close() {
	_ = b.raw.Close()
	_ = b.conn.Close()
}

// call calls a method and stores its results. The error is an *Error when the other side gave one; otherwise the connection is of no more use.
func (b *bus) call(ctx context.Context, to dbus.BusObject, method string, args []any, results ...any) error {
	defer context.AfterFunc(ctx, func() { _ = b.raw.Close() })()
	err := to.CallWithContext(ctx, method, 0, args...).Store(results...)
	return refusal(err)
}

// refusal makes an *Error of an error that came from the other side.
func refusal(err error) error {
	var refused dbus.Error
	switch {
	case errors.As(err, &refused):
		return &Error{Name: refused.Name}
	case err != nil:
		return fmt.Errorf("desktop: %w", err)
	}
	return nil
}

// address is the one of the session's bus. None is ever started.
func address(configured string) (string, error) {
	if configured != "" {
		return configured, nil
	}
	if a := os.Getenv("DBUS_SESSION_BUS_ADDRESS"); a != "" {
		return a, nil
	}
	if dir := os.Getenv("XDG_RUNTIME_DIR"); dir != "" {
		return "unix:path=" + dbus.EscapeBusAddressValue(filepath.Join(dir, "bus")), nil
	}
	return "", fmt.Errorf("%w: no session bus: neither DBUS_SESSION_BUS_ADDRESS nor XDG_RUNTIME_DIR is set", ErrUnavailable)
}

// sockets are the Unix sockets of an address (D-Bus specification, "Server Addresses"), abstract ones with "@" as package net has them.
func sockets(address string) (names []string) {
	for one := range strings.SplitSeq(address, ";") {
		pairs, ok := strings.CutPrefix(one, "unix:")
		if !ok {
			continue
		}
		for pair := range strings.SplitSeq(pairs, ",") {
			key, escaped, _ := strings.Cut(pair, "=")
			value, err := dbus.UnescapeBusAddressValue(escaped)
			switch {
			case err != nil || value == "":
			case key == "path":
				names = append(names, value)
			case key == "abstract":
				names = append(names, "@"+value)
			}
		}
	}
	return names
}

// connect takes the first socket of the session's bus that answers.
func (f *freedesktop) connect(ctx context.Context) (*bus, error) {
	at, err := address(f.o.Bus)
	if err != nil {
		return nil, err
	}
	err = errors.New("the address has no Unix socket")
	for _, socket := range sockets(at) {
		var raw net.Conn
		if raw, err = f.dial(ctx, socket); err != nil {
			continue
		}
		if err = checkPeer(raw); err != nil {
			_ = raw.Close()
			continue
		}
		var b *bus
		if b, err = open(ctx, raw); err == nil {
			return b, nil
		}
	}
	return nil, fmt.Errorf("%w: no session bus at %q: %w", ErrUnavailable, at, err)
}
