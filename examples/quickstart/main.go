// Command quickstart lets Alice and Bob talk off the record. Both live in this one process, but everything between them goes over real
// sockets of this machine: SIP sets up the call, MSRP carries the messages, OTR encrypts them. Each step is checked, and the program exits
// with status 1 if one does not come out as it should.
//
//	go run ./examples/quickstart             # the story
//	go run ./examples/quickstart -v          # with the SIP and MSRP traffic
//	go run ./examples/quickstart -relay      # through an MSRP relay, with TLS
//	go run ./examples/quickstart -answer x   # Bob gives a wrong answer
//
// A program of your own can use everything shown here but two packages, which are conveniences of this repository: internal/tap records what
// passes the sockets (pass plain listeners instead, or call Client.Listen), and internal/quiet drops a few lines that the OTR library
// writes to standard output.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/otrchat/otrchat/internal/quiet"
)

const timeLimit = 30 * time.Second

func main() {
	var o options
	flag.BoolVar(&o.verbose, "v", false, "show the SIP and MSRP traffic as it passes")
	flag.StringVar(&o.answer, "answer", secret, "what Bob answers to Alice's question")
	flag.IntVar(&o.port, "port", 0, fmt.Sprintf("the first of the %d ports to listen on, %d with -relay; 0 lets the system choose them", ports, ports+1))
	flag.BoolVar(&o.relay, "relay", false, "send all messages through an MSRP relay, with TLS, and tell what it saw")
	flag.Parse()

	restore := quiet.Stdout()
	err := run(o)
	restore() // not deferred: os.Exit would not wait for it
	if err != nil {
		fmt.Fprintln(os.Stderr, "quickstart:", err)
		os.Exit(1)
	}
}

// run tells the story. It cleans up also after Ctrl-C, and when nobody reads on ("quickstart | head").
func run(o options) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGPIPE)
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	return tell(ctx, os.Stdout, o)
}
