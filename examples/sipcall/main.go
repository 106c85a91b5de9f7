// Command sipcall registers at a SIP server and places a call, or waits for calls. It uses package sip alone: it shows what is agreed for the MSRP
// session and opens none.
//
//	SIP_PASSWORD=secret sipcall -address sip:alice@example.com -register -to sip:bob@example.com
//	SIP_PASSWORD=secret sipcall -address sip:bob@example.com -register
//
// Ctrl-C hangs up, unregisters and ends it.
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"io"
	"log"
	"os"
	"os/signal"
	"strings"
	"time"

	"github.com/otrchat/otrchat/sip"
)

const patience = 10 * time.Second // with a registrar, and with those to whom we say goodbye

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil && ctx.Err() == nil && !errors.Is(err, flag.ErrHelp) {
		log.Fatal("sipcall: ", err)
	}
}

// A program is one run of it.
type program struct {
	agent      *sip.Agent
	log        *log.Logger
	listen, to string
	register   bool
}

func run(ctx context.Context, args []string, out io.Writer) error {
	p, err := parse(args, out)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		defer cancel()
		_ = p.agent.Shutdown(ctx) // hangs up and unregisters, as far as the others answer
	}()
	if p.listen != "" {
		network, address, _ := strings.Cut(p.listen, ":")
		addr, err := p.agent.Listen(ctx, network, address)
		if err != nil {
			return err
		}
		p.log.Printf("listening on %s %s", network, addr)
	}
	if p.register {
		if err := p.stayRegistered(ctx); err != nil {
			return err
		}
	}
	if p.to == "" {
		return p.answerCalls(ctx)
	}
	call, err := p.agent.Invite(ctx, p.to, media())
	if err != nil {
		return err
	}
	p.follow(ctx, call)
	return nil
}

func parse(args []string, out io.Writer) (*program, error) {
	p := &program{log: log.New(out, "", log.Ltime)}
	o := &sip.Options{Password: os.Getenv("SIP_PASSWORD")}
	f := flag.NewFlagSet("sipcall", flag.ContinueOnError)
	f.SetOutput(out)
	f.StringVar(&o.Address, "address", "", "our address, such as sip:alice@example.com")
	f.StringVar(&o.DisplayName, "name", "", "our name, shown to the other side")
	f.StringVar(&o.OutboundProxy, "proxy", "", "where everything goes first, such as \"sip:proxy.example.com;transport=tls\"")
	f.StringVar(&p.listen, "listen", "", "udp, tcp or ws, and an address, such as udp:192.0.2.1:5060")
	f.StringVar(&p.to, "to", "", "whom to call; without it, wait for calls")
	f.BoolVar(&p.register, "register", false, "register, with the password in SIP_PASSWORD")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if p.listen == "" && !p.register && p.to == "" {
		return nil, errors.New("nobody can call without -register or -listen, and -to says whom to call")
	}
	var err error
	p.agent, err = sip.New(o)
	return p, err
}

// media is our side of an MSRP session that nobody holds.
func media() *sip.Media {
	path := []string{"msrp://127.0.0.1:2855/" + rand.Text() + ";tcp"}
	return &sip.Media{Path: path, AcceptTypes: []string{"message/cpim", "text/plain"}}
}

// stayRegistered registers, and shows from then on how that stands.
func (p *program) stayRegistered(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	r, err := p.agent.Register(ctx, nil)
	if err != nil {
		return err
	}
	go func() {
		for {
			changed := r.Changed()
			if s := r.State(); s.Registered {
				p.log.Printf("registered until %s as %s", s.Expires.Format(time.TimeOnly), s.Contact)
			} else {
				p.log.Print("not registered: ", s.Err)
			}
			select {
			case <-changed:
			case <-r.Done(): // the agent is shut down, or the registrar refuses
				return
			}
		}
	}()
	return nil
}

// answerCalls takes every call until ctx ends.
func (p *program) answerCalls(ctx context.Context) error {
	for {
		invitation, err := p.agent.Accept(ctx)
		if err != nil {
			return err
		}
		p.log.Printf("%s %q calls", invitation.RemoteAddress(), invitation.RemoteDisplayName())
		go func() {
			if call, err := invitation.Answer(ctx, media()); err == nil {
				p.follow(ctx, call)
			}
		}()
	}
}

// follow shows what is agreed in a call, until it is over or ctx ends.
func (p *program) follow(ctx context.Context, call *sip.Call) {
	for {
		changed := call.Changed()
		who := "peer connects"
		if call.Local().Setup == sip.SetupActive {
			who = "we connect"
		}
		p.log.Printf("in a call with %s: focus %t, %s, path %s", call.RemoteAddress(), call.Focus(), who, strings.Join(call.Remote().Path, " "))
		select {
		case <-changed:
		case <-call.Done():
			p.log.Print("the call is over: ", call.Err())
			return
		case <-ctx.Done():
			return // Shutdown hangs up
		}
	}
}
