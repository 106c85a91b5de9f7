package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/internal/tap"
	"github.com/otrchat/otrchat/otrsession"
)

const (
	host  = "127.0.0.1"
	ports = 10 // two for each of Alice, Bob, Bob's second program, Carol and the conference; the relay has one more
)

// person is somebody with a chat program made with this SDK.
type person struct {
	*otrchat.Client
	at   string        // where to call
	wire *tap.Recorder // all that passes the person's sockets
}

// newPerson makes a chat program with a key of its own, and lets it listen. This is all that a program does before it can chat; it would
// load its key with otrsession.LoadKey, and make one only the first time.
func (s *story) newPerson(ctx context.Context, name string, o otrchat.Options) (*person, error) {
	key, err := otrsession.GenerateKey()
	if err != nil {
		return nil, err
	}
	o.Address, o.DisplayName, o.Key = address(name), name, key
	o.OTRTimeout = time.Second // on one machine a program that can encrypt answers much sooner
	if s.hub != nil {
		s.hub.through(name, &o)
	}
	client, err := otrchat.New(&o)
	if err != nil {
		return nil, err
	}
	s.atEnd(client.Close)
	sockets, err := s.listen(ctx, name)
	if err != nil {
		return nil, err
	}
	return &person{client, sockets.at(name), sockets.wire}, client.ListenOn(sockets.sip, sockets.msrp)
}

// address is who somebody is, wherever the program runs.
func address(name string) string { return "sip:" + strings.ToLower(name) + "@" + host }

// sockets are the two that a chat needs, with a tap on both.
type sockets struct {
	sip, msrp net.Listener
	wire      *tap.Recorder
}

func (s *story) listen(ctx context.Context, name string) (*sockets, error) {
	sip, err := s.listenTCP(ctx)
	if err != nil {
		return nil, err
	}
	msrp, err := s.listenTCP(ctx)
	if err != nil {
		return nil, errors.Join(err, sip.Close())
	}
	wire := tap.New(s.tapOptions(name, "the other side"))
	return &sockets{tap.Listener(sip, wire), tap.Listener(msrp, wire), wire}, nil
}

func (s *story) tapOptions(local, remote string) *tap.Options {
	o := &tap.Options{Local: local, Remote: remote}
	if s.options.verbose {
		o.Live = s.out
	}
	return o
}

func (s *story) listenTCP(ctx context.Context) (net.Listener, error) {
	port := s.nextPort
	if port != 0 {
		s.nextPort++
	}
	var lc net.ListenConfig
	return lc.Listen(ctx, "tcp", net.JoinHostPort(host, strconv.Itoa(port)))
}

// at is the SIP URI of who listens there. A provider's server would find the port by the address alone.
func (k *sockets) at(name string) string {
	return fmt.Sprintf("sip:%s@%s;transport=tcp", strings.ToLower(name), k.sip.Addr())
}

// answer takes the next call.
func (p *person) answer(ctx context.Context) (*otrchat.EncryptedChat, error) {
	invitation, err := p.Accept(ctx)
	if err != nil {
		return nil, err
	}
	return invitation.Answer(ctx)
}

// connect brings up the two ends of a chat. Both are at work at the same time: Call returns when the call has been answered.
func connect[Answered any](ctx context.Context, from *person, to string, answer func(context.Context) (Answered, error)) (
	caller *otrchat.EncryptedChat, called Answered, err error,
) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answered := make(chan error, 1)
	go func() {
		var err error
		called, err = answer(ctx)
		answered <- err
	}()
	caller, err = from.Call(ctx, to)
	if err != nil {
		cancel() // nobody will call any more
	}
	err = errors.Join(err, <-answered)
	return caller, called, err
}

// next waits for the next event of one kind. A program for people has one loop instead, `for event, err := range chat.Events(ctx)`, with a
// switch over the kinds.
func next[E otrchat.Event](ctx context.Context, chat *otrchat.EncryptedChat) (E, error) {
	for {
		event, err := chat.Receive(ctx)
		if err != nil {
			var none E
			return none, err
		}
		if e, ok := event.(E); ok {
			return e, nil
		}
	}
}

// lock waits until the lock beside a chat changes, shows it, and checks what it shows.
func (s *story) lock(ctx context.Context, name string, chat *otrchat.EncryptedChat, want otrchat.Security) error {
	change, err := next[otrchat.SecurityChange](ctx, chat)
	if err != nil {
		return fmt.Errorf("waiting for %s's lock to say %q: %w", name, want, err)
	}
	s.show(name+"'s lock", change.Security)
	return check(name+"'s lock", change.Security, want)
}
