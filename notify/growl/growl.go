package growl

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/otrchat/otrchat/internal/gntp"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/internal/plain"
)

const (
	patience       = 10 * time.Second
	maxResponse    = 16 << 10
	maxDescription = 200
)

// ErrUnavailable is the error when no server could be reached. The text of the error has the address and the reason.
var ErrUnavailable = errors.New("growl: no server")

// ErrProtocol is the error when what answers speaks no GNTP, or breaks its rules.
var ErrProtocol = errors.New("growl: not a GNTP server")

// ServerError is a request that the server has refused.
type ServerError struct {
	Code        int    // GNTP's Error-Code, such as 400 for a wrong password; 0 where the server gives none, as growl-for-linux
	Description string // one line of at most 200 bytes, in the server's words, "…" for those of the notification; it may be empty
}

// GNTP's codes for a program or a kind of notification that was not registered.
const (
	unknownApplication  = 401
	unknownNotification = 402
)

// Error quotes the description.
func (e *ServerError) Error() string {
	return fmt.Sprintf("growl: the server refused with code %d: %q", e.Code, e.Description)
}

// Notifier is a [notify.Notifier] that hands notifications to a Growl server.
type Notifier struct {
	o          Options
	turn       chan struct{} // full while a call is at work
	registered bool          // guarded by turn
}

// Notify has n shown, and returns when the server has said that it took it, which takes at most 10 seconds. Title and Body are cleaned and cut as the
// package comment says; a notification without a Title has its Kind for one. Errors: [ErrUnavailable], [ErrProtocol], ctx's, context.DeadlineExceeded, a
// [*ServerError], or that of the connection.
func (g *Notifier) Notify(ctx context.Context, n notify.Notification) error {
	return g.work(ctx, func(ctx context.Context) error {
		request := g.notification(n)
		known := g.registered
		if err := g.register(ctx); err != nil {
			return err
		}
		_, err := g.do(ctx, request)
		if !known || !unregistered(err) {
			return err
		}
		g.registered = false // the server has been started anew, or its user has deleted us
		if err := g.register(ctx); err != nil {
			return err
		}
		_, err = g.do(ctx, request)
		return err
	})
}

// Name registers with the server, and says in words who it is and where. The errors are those of Notify.
func (g *Notifier) Name(ctx context.Context) (name string, err error) {
	err = g.work(ctx, func(ctx context.Context) error {
		answer, err := g.do(ctx, g.registration())
		if err != nil {
			return err
		}
		g.registered = true
		software := plain.Line(answer.Head().Value("Origin-Software-Name")+" "+answer.Head().Value("Origin-Software-Version"), maxName)
		if software == "" {
			software = "a Growl server"
		}
		name = software + " at " + g.o.Address
		return nil
	})
	return name, err
}

// work runs f when no other call runs, within the time that a call has.
func (g *Notifier) work(ctx context.Context, f func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
	case <-ctx.Done():
	}
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("growl: %w", err)
	}
	return f(ctx)
}

func (g *Notifier) register(ctx context.Context) error {
	if g.registered {
		return nil
	}
	_, err := g.do(ctx, g.registration())
	g.registered = err == nil
	return err
}

func unregistered(err error) bool {
	var refused *ServerError
	return errors.As(err, &refused) && (refused.Code == unknownApplication || refused.Code == unknownNotification)
}

// do sends a request over a connection of its own, and returns the answer if it is -OK.
func (g *Notifier) do(ctx context.Context, m *gntp.Message) (*gntp.Message, error) {
	conn, err := g.o.Dialer.DialContext(ctx, "tcp", g.o.Address)
	if err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("growl: %s: %w", g.o.Address, ctx.Err())
		}
		return nil, fmt.Errorf("%w at %s: %w", ErrUnavailable, g.o.Address, err)
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	answer, err := g.exchange(conn, m)
	switch {
	case err == nil:
		return g.judge(m, answer)
	case ctx.Err() != nil:
		err = ctx.Err()
	case errors.Is(err, gntp.ErrMalformed) || errors.Is(err, gntp.ErrTooLong):
		return nil, fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return nil, fmt.Errorf("growl: %s: %w", g.o.Address, err)
}

// exchange writes the request and reads the answer. A server may answer before it has read everything, so an error in writing counts only
// where there is no answer.
func (g *Notifier) exchange(conn net.Conn, m *gntp.Message) (*gntp.Message, error) {
	var k *gntp.Key
	if g.o.Password != "" {
		var err error
		if k, err = gntp.NewKey(string(g.o.Hash), string(g.o.Cipher), g.o.Password); err != nil {
			return nil, err
		}
	}
	request, err := m.Append(nil, k)
	if err != nil {
		return nil, err
	}
	_, failed := conn.Write(request)
	answer, err := gntp.ReadResponse(conn, maxResponse, k)
	if err != nil && failed != nil {
		err = failed
	}
	return answer, err
}

// judge returns an answer that says that the request was taken.
func (g *Notifier) judge(m, answer *gntp.Message) (*gntp.Message, error) {
	head := answer.Head()
	action := head.Value("Response-Action")
	switch {
	case answer.Type == gntp.OK && (action == "" || action == m.Type):
		return answer, nil
	case answer.Type != gntp.Error:
		return nil, fmt.Errorf("%w: an answer to another request", ErrProtocol)
	}
	code, err := strconv.ParseUint(head.Value("Error-Code"), 10, 16)
	if err != nil {
		code = 0
	}
	// A server may quote what it was to show.
	description := plain.Hide(head.Value("Error-Description"), m.Head().Value("Notification-Title"), m.Head().Value("Notification-Text"))
	return nil, &ServerError{Code: int(code), Description: plain.Line(description, maxDescription)}
}
