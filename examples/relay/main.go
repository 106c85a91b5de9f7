// Command relay runs an MSRP relay (RFC 4976): clients behind NATs and firewalls authenticate with it, and chat through it.
//
//	relay adduser -users users -realm example.com alice       # asks for the password
//	relay -host relay1.example.com -realm example.com -users users -certificate relay.pem -key relay.key
//	relay -h                                                  # all flags
//
// Users and certificate are read again when their files change, and on SIGHUP; sessions go on. SIGTERM and SIGINT drain: no new client is taken, and those
// that are there have -drain to finish; a second signal ends the program at once. With -metrics there are /metrics for Prometheus and /healthz, which
// says 503 from the moment that the relay drains. docs/scaling.md of this repository tells how to run many relays.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // the second signal is not caught
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP)
	if err := run(ctx, os.Args[1:], os.Stdin, os.Stderr, hangup); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "relay:", err)
		os.Exit(1)
	}
}

// run is the program without what a process has only once. It returns when ctx ends and the relay has drained.
func run(ctx context.Context, args []string, stdin *os.File, stderr io.Writer, hangup <-chan os.Signal) error {
	if len(args) > 0 && args[0] == "adduser" {
		return addUser(ctx, args[1:], stdin, stderr)
	}
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	s, err := open(o, stderr)
	if err != nil {
		return err
	}
	defer s.close()
	return s.serve(ctx, hangup)
}
