package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"github.com/otrchat/otrchat/msrp/relay"
)

// options are the flags.
type options struct {
	settings                            relay.Options
	listenTLS, listenInsecure, metrics  string // addresses
	usersFile, certificateFile, keyFile string
	relayAuthorities                    string // a file
	reload, drain                       time.Duration
	level                               slog.Level
}

// parse reads the command line. What it complains of names the flag.
func parse(args []string, stderr io.Writer) (*options, error) {
	o := &options{}
	flags := flag.NewFlagSet("relay", flag.ContinueOnError)
	flags.StringVar(&o.listenTLS, "listen", ":2855", "`address` for TLS; empty for none")
	flags.StringVar(&o.listenInsecure, "listen-insecure", "", "`address` without TLS, where passwords can be guessed and texts without OTR read by whoever is on the way; default none")
	flags.StringVar(&o.settings.Host, "host", "", "`name` of this relay in the URIs that it gives out, with :port if it is another than that of -listen: clients and other relays must reach it there. Required")
	flags.StringVar(&o.settings.Realm, "realm", "", "the `realm` of the users; default the host")
	flags.StringVar(&o.usersFile, "users", "users", "the users `file`, see relay adduser")
	flags.StringVar(&o.certificateFile, "certificate", "", "PEM `file` with the certificate and its chain")
	flags.StringVar(&o.keyFile, "key", "", "PEM `file` with its key")
	flags.StringVar(&o.relayAuthorities, "relay-authorities", "", "PEM `file` with the authorities by whose certificates other relays are known, in both directions; default none, and next hops are verified with the system's alone")
	flags.Func("next-hops", "`networks` that the relay may connect to, such as 10.0.0.0/8,::/0; default all public addresses, and ports from 1024 on", o.permit)
	flags.DurationVar(&o.settings.MaxExpires, "max-expires", 0, "the longest `time` that a client may have its URI without renewing it, at least 1m; default 1h")
	flags.IntVar(&o.settings.MaxConnections, "max-connections", 0, "`connections` at a time; default 16384")
	flags.IntVar(&o.settings.MaxUnauthenticated, "max-unauthenticated", 0, "`connections` without a successful request yet; default 1024")
	flags.IntVar(&o.settings.MaxSessions, "max-sessions", 0, "`sessions` of one user; default 64")
	flags.IntVar(&o.settings.QueueBytes, "queue-bytes", 0, "`bytes` that may wait for one connection; default 1 MiB")
	flags.IntVar(&o.settings.MaxQueueBytes, "max-queue-bytes", 0, "`bytes` that may wait on all connections together; default 512 MiB")
	flags.IntVar(&o.settings.Rate, "rate", 0, "`bytes` a second that one user may send; default 32 MiB")
	flags.DurationVar(&o.settings.IdleTimeout, "idle-timeout", 0, "`time` without a frame after which a connection is closed; default 1h")
	flags.StringVar(&o.metrics, "metrics", "", "`address` of /metrics and /healthz, for HTTP without TLS: keep it to yourself; default none")
	flags.DurationVar(&o.reload, "reload", 10*time.Second, "`time` between two looks whether files have changed")
	flags.DurationVar(&o.drain, "drain", 30*time.Second, "`time` that sessions get to end after SIGTERM")
	flags.TextVar(&o.level, "log", slog.LevelInfo, "`level` of the log: debug, info, warn or error")
	if err := parseFlags(flags, args, stderr, usage); err != nil {
		return nil, err
	}
	return o, o.check(flags.Args())
}

const usage = `relay -host NAME -certificate FILE -key FILE [flags]
relay adduser -realm REALM NAME      adds a user to the users file; relay adduser -h

`

// parseFlags shows usage and the flags to who asks for them and leaves errors to the caller.
func parseFlags(flags *flag.FlagSet, args []string, stderr io.Writer, usage string) error {
	flags.SetOutput(io.Discard)
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stderr, usage)
		flags.SetOutput(stderr)
		flags.PrintDefaults()
	}
	return err
}

func (o *options) check(rest []string) error {
	switch {
	case len(rest) > 0:
		return fmt.Errorf("there is no command %q", rest[0])
	case o.settings.Host == "":
		return errors.New("-host is required; relay -h shows all flags")
	case o.listenTLS == "" && o.listenInsecure == "":
		return errors.New("neither -listen nor -listen-insecure")
	case (o.certificateFile == "") != (o.keyFile == ""):
		return errors.New("-certificate and -key go together")
	case o.listenTLS != "" && o.certificateFile == "":
		return errors.New("-listen wants -certificate and -key")
	case o.relayAuthorities != "" && o.certificateFile == "":
		return errors.New("-relay-authorities wants -certificate and -key")
	case o.reload <= 0:
		return errors.New("-reload must be more than 0")
	case o.drain < 0:
		return errors.New("-drain is less than 0")
	}
	return nil
}

// permit makes Options.Permit of a list of networks.
func (o *options) permit(list string) error {
	var networks []netip.Prefix
	for _, s := range strings.Split(list, ",") {
		network, err := netip.ParsePrefix(strings.TrimSpace(s))
		if err != nil {
			return err
		}
		networks = append(networks, network)
	}
	o.settings.Permit = func(hop netip.AddrPort) bool {
		for _, network := range networks {
			if network.Contains(hop.Addr().Unmap()) {
				return true
			}
		}
		return false
	}
	return nil
}
