package otrchat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"

	"github.com/otrchat/otrchat/msrp"
	"github.com/otrchat/otrchat/msrp/cpim"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/otrsession"
	"github.com/otrchat/otrchat/sip"
)

// Client places and takes chats for one user. It is safe for concurrent use.
type Client struct {
	o      Options
	agent  *sip.Agent
	msrp   *msrp.Endpoint
	ctx    context.Context // ends with the Client
	cancel context.CancelFunc
	wg     sync.WaitGroup
	queue  *notify.Queue // nil without Options.Notifier
	secure bool          // our side of every chat has TLS, to the relay or to the peer

	mu       sync.Mutex
	chats    map[*EncryptedChat]struct{}
	watching *watching    // nil while there are no chats, or the store cannot tell of changes
	shared   *sharedRelay // nil before the first chat
	closed   bool
}

const (
	maxInbox = 1024
	// maxMessage is what we take of a peer: the most that OTR takes, and the head of a message/cpim.
	maxMessage = otrsession.DefaultMaxMessage + cpim.MaxHeaderBytes
)

// Statuses of SIP that an invitation gets without the application.
const (
	statusUnavailable   = 480
	statusNotAcceptable = 488
)

// New checks o and makes a Client. It does no I/O; call Listen next. The error names the option that is wrong.
func New(o *Options) (*Client, error) {
	opts, err := o.withDefaults()
	if err != nil {
		return nil, err
	}
	agent, err := sip.New(opts.agent())
	if err != nil {
		return nil, fmt.Errorf("otrchat: %w", err)
	}
	endpoint, err := msrp.New(opts.endpoint())
	if err != nil {
		return nil, fmt.Errorf("otrchat: %w", err)
	}
	c := &Client{o: opts, agent: agent, msrp: endpoint, chats: map[*EncryptedChat]struct{}{}}
	if opts.Relay != nil {
		u, _ := msrp.ParseURI(opts.Relay.URI) // checked before
		c.secure = u.Secure
	} else {
		c.secure = opts.MSRPCertificate != nil
	}
	if opts.Notifier != nil {
		o := notify.QueueOptions{Notifier: notify.Func(c.deliver), Parallel: maxDeliveries, Logger: opts.Logger}
		if c.queue, err = notify.NewQueue(&o); err != nil {
			return nil, fmt.Errorf("otrchat: %w", err)
		}
	}
	c.ctx, c.cancel = context.WithCancel(context.Background())
	return c, nil
}

// Listen opens the two sockets that chats need: one for SIP over network, one of those of sip.Agent.Listen, and one for MSRP over TCP. Both addresses are as
// for net.Listen; port 0 chooses one. With Options.Relay no socket is opened for MSRP, and msrpAddress does not count. It returns the SIP address. ctx
// bounds the call, not the listening. A Client that has a relay and is registered over TCP or TLS needs no sockets at all: what is for it comes
// over the connections that it opened.
func (c *Client) Listen(ctx context.Context, network, sipAddress, msrpAddress string) (net.Addr, error) {
	if c.o.Relay != nil {
		addr, err := c.agent.Listen(ctx, network, sipAddress)
		return addr, c.wrap(err)
	}
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", msrpAddress)
	if err != nil {
		return nil, fmt.Errorf("otrchat: %w", err)
	}
	addr, err := c.agent.Listen(ctx, network, sipAddress)
	if err != nil {
		l.Close()
		return nil, c.wrap(err)
	}
	return addr, c.wrap(c.serveMSRP(l))
}

// ListenOn serves two TCP listeners of the caller's, which the Client owns from then on. The first may be nil where the Client is registered, the
// second with Options.Relay.
func (c *Client) ListenOn(sip, msrp net.Listener) error {
	var err error
	if msrp != nil {
		err = c.serveMSRP(msrp)
	}
	if sip != nil {
		err = errors.Join(err, c.agent.ListenOn("tcp", sip))
	}
	return c.wrap(err)
}

// Register tells a registrar where we are, so that others can call our address, and keeps it told until the Client is closed; Shutdown takes
// it back. A nil o means the registrar of our domain. The Registration says how it goes, and can end it sooner. Errors are those of sip.Agent.Register.
func (c *Client) Register(ctx context.Context, o *sip.RegisterOptions) (*sip.Registration, error) {
	r, err := c.agent.Register(ctx, o)
	return r, c.wrap(err)
}

// Fingerprint is that of our own key, for the user to tell the peer.
func (c *Client) Fingerprint() Fingerprint { return c.o.Key.Fingerprint() }

// Call invites target, a SIP URI, and returns when the chat is up; encryption starts by itself where the policy says so. ctx bounds the call
// alone: when it ends first, the invitation is cancelled. Errors: *sip.StatusError for a refusal, ErrClosed, one wrapping ErrRelay, or what the
// layers below say.
func (c *Client) Call(ctx context.Context, target string) (*EncryptedChat, error) {
	m, offer, err := c.offer(ctx)
	if err != nil {
		return nil, err
	}
	call, err := c.agent.Invite(ctx, target, offer)
	if err != nil {
		m.Close()
		return nil, c.wrap(err)
	}
	return c.connect(ctx, call, m)
}

// Invitation is a chat that a peer asks for. It waits for Answer or Reject, three minutes at most. It is safe for concurrent use.
type Invitation struct {
	c *Client
	i *sip.Invitation
}

// Accept returns the next invitation. Callers who want TLS up to themselves are refused meanwhile (488), unless Options.Relay gives our side TLS, too. The
// error is ErrClosed or ctx's.
func (c *Client) Accept(ctx context.Context) (*Invitation, error) {
	for {
		i, err := c.agent.Accept(ctx)
		switch {
		case err != nil:
			return nil, c.wrap(err)
		case c.suits(i.Offer()):
			return &Invitation{c, i}, nil
		}
		i.Reject(c.ctx, statusNotAcceptable, "") // it fails if the caller has given up
	}
}

// RemoteAddress is who calls, "sip:bob@example.com", by the caller's own word. Only encryption with a verified key proves it.
func (i *Invitation) RemoteAddress() string { return i.i.RemoteAddress() }

// RemoteDisplayName is what the caller calls itself; it may be empty.
func (i *Invitation) RemoteDisplayName() string { return i.i.RemoteDisplayName() }

// Focus tells whether the caller is a conference.
func (i *Invitation) Focus() bool { return i.i.Focus() }

// Done is closed when the invitation is over: answered, rejected, cancelled or timed out.
func (i *Invitation) Done() <-chan struct{} { return i.i.Done() }

// Reject refuses the chat with a SIP status from 300 to 699: 486 for busy, 603 for declined.
func (i *Invitation) Reject(ctx context.Context, code int) error {
	return i.c.wrap(i.i.Reject(ctx, code, ""))
}

// Answer takes the chat. It returns when the chat is up; see Client.Call. Where our side cannot be opened, as without a way through the relay, the caller
// is refused with 480, and with 488 where it takes nothing that we write.
func (i *Invitation) Answer(ctx context.Context) (*EncryptedChat, error) {
	m, answer, err := i.media(ctx)
	if err != nil {
		i.i.Reject(i.c.ctx, statusUnavailable, "") // it fails if the caller has given up
		return nil, err
	}
	call, err := i.i.Answer(ctx, answer)
	if err != nil {
		m.Close()
		if errors.Is(err, sip.ErrMedia) { // else the caller would go on waiting
			i.i.Reject(i.c.ctx, statusNotAcceptable, "")
		}
		return nil, i.c.wrap(err)
	}
	return i.c.connect(ctx, call, m)
}

// media opens our end, unless the caller gives up first.
func (i *Invitation) media(ctx context.Context) (media, *sip.Media, error) {
	ctx, cancel := until(ctx, i.i.Done())
	defer cancel()
	m, answer, err := i.c.offer(ctx)
	if err != nil {
		if over := i.i.Err(); over != nil {
			err = i.c.wrap(over)
		}
		return m, nil, err
	}
	answer.Setup = i.c.setup(i.i.Offer())
	return m, answer, nil
}

// add starts the chat's work, unless the Client is closed.
func (c *Client) add(chat *EncryptedChat) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	c.chats[chat] = struct{}{}
	c.watchContacts()
	c.markStale(chat.address) // it may have changed after it was loaded
	c.wg.Add(3)
	chat.wg.Add(3)
	go chat.pump()
	go chat.watch()
	go chat.follow()
	return nil
}

func (c *Client) remove(chat *EncryptedChat) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.chats, chat)
	c.unwatchContacts()
}

// Shutdown ends every chat properly (see EncryptedChat.Shutdown), waits until Options.Notifier has been told what there is to tell, and closes. The error is
// ctx's if it ended first; the Client is closed in any case.
func (c *Client) Shutdown(ctx context.Context) error {
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs error
	for _, chat := range c.all() {
		wg.Go(func() {
			err := chat.Shutdown(ctx)
			mu.Lock()
			defer mu.Unlock()
			errs = errors.Join(errs, err)
		})
	}
	wg.Wait()
	if err := c.agent.Shutdown(ctx); err != nil {
		errs = errors.Join(errs, fmt.Errorf("otrchat: %w", err))
	}
	if c.queue != nil {
		if err := c.queue.Shutdown(ctx); err != nil && c.ctx.Err() == nil { // else Close came first
			errs = errors.Join(errs, fmt.Errorf("otrchat: %w", err))
		}
	}
	return errors.Join(errs, c.Close())
}

func (c *Client) all() []*EncryptedChat {
	c.mu.Lock()
	defer c.mu.Unlock()
	chats := make([]*EncryptedChat, 0, len(c.chats))
	for chat := range c.chats {
		chats = append(chats, chat)
	}
	return chats
}

// Close ends every chat and closes all sockets at once; what Options.Notifier has not been told yet is dropped, but for changed keys: those are told of
// again when they are met again. It is idempotent and safe from any goroutine. After it returns no goroutine of the Client runs, but for those of a Notifier
// that has not returned yet.
func (c *Client) Close() error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.cancel()
	for _, chat := range c.all() {
		chat.end(ErrClosed)
	}
	err := errors.Join(c.agent.Close(), c.msrp.Close())
	if c.queue != nil {
		c.queue.Close()
	}
	c.wg.Wait()
	return err
}

// Done is closed when Close has been called.
func (c *Client) Done() <-chan struct{} { return c.ctx.Done() }

// Err is nil until the Client is closed, then ErrClosed.
func (c *Client) Err() error {
	if c.ctx.Err() != nil {
		return ErrClosed
	}
	return nil
}

// wrap gives the errors of the layers below the words of this one.
func (c *Client) wrap(err error) error {
	switch {
	case err == nil:
		return nil
	case c.ctx.Err() != nil, errors.Is(err, ErrClosed), errors.Is(err, sip.ErrClosed), errors.Is(err, msrp.ErrClosed):
		return ErrClosed
	case errors.Is(err, ErrEnded):
		return ErrEnded
	case errors.Is(err, ErrRelay):
		return err
	}
	return fmt.Errorf("otrchat: %w", err)
}
