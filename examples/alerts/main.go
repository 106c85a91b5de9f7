// Command alerts shows how a warning reaches a person. It says what this machine has to tell people something: a desktop, a voice, a Growl server. Then Bob
// calls Alice twice, within this one process, and has another key the second time. Her program warns her in every way that was found, and in the log.
//
//	go run ./examples/alerts                           # all that is found
//	go run ./examples/alerts -use speech -language de  # the voice, in German
//	GROWL_PASSWORD=secret go run ./examples/alerts -growl 192.0.2.1:23053
//
// The log goes to standard error. The status is 0 if the warning has reached at least the log. Ctrl-C ends it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/otrsession"
)

func main() {
	out := os.Stdout
	os.Stdout, _ = os.Open(os.DevNull) // the OTR library writes lines to it that nobody wants; see "A note on standard output" in README.md
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:], out, os.Stderr)
	stop()
	if err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "alerts:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stdout)
	if err != nil {
		return err
	}
	out := log.New(stdout, "", 0) // for several goroutines
	found, done, err := o.find(ctx, out)
	if err != nil {
		return err
	}
	defer done()
	logger := &reporter{Notifier: notify.Slog(slog.New(slog.NewTextHandler(stderr, nil))), name: "log", out: out}

	// A program that wants its user warned needs no more than Options.Notifier. It can leave out the looking for what is there: each notifier looks
	// by itself, whenever there is something to tell.
	err = warn(ctx, otrchat.Options{Address: "sip:alice@127.0.0.1", Notifier: notify.Multi(append(found, logger)...), Texts: o.texts}, out)
	if !logger.delivered.Load() {
		return errors.Join(errors.New("the warning has not reached the log"), err)
	}
	if len(found) > 0 {
		select {
		case <-time.After(o.stay):
		case <-ctx.Done():
		}
	}
	return nil
}

// warn has Bob call Alice, whose program has the options, with one key and then with another. When it returns without an error, all her notifiers have
// been told.
func warn(ctx context.Context, o otrchat.Options, out *log.Logger) error {
	alice, at, err := listen(ctx, o)
	if err != nil {
		return err
	}
	defer alice.Close()
	for _, which := range []string{"his", "another"} {
		out.Printf("Bob calls Alice, with %s key.", which)
		if err := meet(ctx, alice, at, out); err != nil {
			return err
		}
	}
	return alice.Shutdown(ctx)
}

// listen starts the program of a user, who gets a new key, and says where others can call it.
func listen(ctx context.Context, o otrchat.Options) (client *otrchat.Client, at string, err error) {
	if o.Key, err = otrsession.GenerateKey(); err != nil { // otrsession.SaveKey and LoadKey keep it
		return nil, "", err
	}
	if client, err = otrchat.New(&o); err != nil {
		return nil, "", err
	}
	addr, err := client.Listen(ctx, "tcp", "127.0.0.1:0", "127.0.0.1:0")
	if err != nil {
		return nil, "", errors.Join(err, client.Close())
	}
	return client, fmt.Sprintf("sip:%s;transport=tcp", addr), nil
}

// meet has Bob, with a new key, call Alice. It returns when their chat is encrypted: then Alice's program has learned his key.
func meet(ctx context.Context, alice *otrchat.Client, at string, out *log.Logger) error {
	bob, _, err := listen(ctx, otrchat.Options{Address: "sip:bob@127.0.0.1", DisplayName: "Bob"})
	if err != nil {
		return err
	}
	var calling sync.WaitGroup
	defer calling.Wait()
	defer bob.Close()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	calling.Go(func() {
		if _, err := bob.Call(ctx, at); err != nil {
			cancel(err)
		}
	})
	invitation, err := alice.Accept(ctx)
	if err != nil {
		return context.Cause(ctx)
	}
	chat, err := invitation.Answer(ctx)
	if err != nil {
		return err
	}
	for {
		event, err := chat.Receive(ctx)
		if err != nil {
			return err
		}
		switch e := event.(type) {
		case otrchat.SystemMessage:
			out.Print("Their chat shows: ", e.Text)
		case otrchat.SecurityChange:
			if e.Security.Encrypted() {
				return nil
			}
		}
	}
}
