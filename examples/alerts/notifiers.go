package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log"
	"os"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/desktop"
	"github.com/otrchat/otrchat/notify/growl"
	"github.com/otrchat/otrchat/notify/speech"
)

const (
	appName  = "alerts"
	patience = 10 * time.Second // to find out what is there
)

var names = []string{"desktop", "speech", "growl"}

// german has all texts in another language. A program can have any number of such files.
//
//go:embed german.json
var german []byte

type options struct {
	use             []string
	growl, language string
	texts           notify.Catalogue
	stay            time.Duration
}

func parse(args []string, out io.Writer) (*options, error) {
	var o options
	f := flag.NewFlagSet("alerts", flag.ContinueOnError)
	f.SetOutput(out)
	use := f.String("use", strings.Join(names, ","), "which of these to use, where they are found")
	f.StringVar(&o.growl, "growl", "127.0.0.1:23053", "host and port of a Growl server, whose password stands in GROWL_PASSWORD")
	f.StringVar(&o.language, "language", "en", "en or de: the language of the texts and of the voice")
	f.DurationVar(&o.stay, "stay", 5*time.Second, "how long to go on when all is told: some desktops take away what they show with the program that it came from")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	if f.NArg() > 0 {
		return nil, fmt.Errorf("what is %q?", f.Arg(0))
	}
	for name := range strings.FieldsFuncSeq(*use, func(r rune) bool { return r == ',' }) {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("-use: there is no %q", name)
		}
		o.use = append(o.use, name)
	}
	switch o.language {
	case "en": // the texts that are built in
		return &o, nil
	case "de":
		return &o, json.Unmarshal(german, &o.texts)
	}
	return nil, fmt.Errorf("there are no texts in the language %q", o.language)
}

// A finder is a notifier that can say what on this machine delivers for it, or why nothing does.
type finder interface {
	notify.Notifier
	Name(context.Context) (string, error)
}

// find returns the notifiers that were asked for and have something to deliver with. done is to be called when they are not needed any more.
func (o *options) find(ctx context.Context, out *log.Logger) (found []notify.Notifier, done func(), err error) {
	screen, err := desktop.New(&desktop.Options{AppName: appName})
	if err != nil {
		return nil, nil, err
	}
	voice, err := speech.New(&speech.Options{Language: o.language})
	if err != nil {
		return nil, nil, err
	}
	server, err := growl.New(&growl.Options{AppName: appName, Address: o.growl, Password: os.Getenv("GROWL_PASSWORD")})
	if err != nil {
		return nil, nil, err
	}
	all := map[string]finder{"desktop": screen, "speech": voice, "growl": server}
	for _, name := range o.use {
		if search(ctx, name, all[name], out) {
			found = append(found, &reporter{Notifier: all[name], name: name, out: out})
		}
	}
	return found, func() { _, _ = screen.Close(), voice.Close() }, nil
}

// search says what delivers for f, or why nothing does.
func search(ctx context.Context, name string, f finder, out *log.Logger) bool {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	what, err := f.Name(ctx)
	if err != nil {
		what = strings.TrimPrefix(err.Error(), name+": ")
	}
	out.Printf("%s: %s", name, what)
	return err == nil
}

// A reporter says what becomes of each notification.
type reporter struct {
	notify.Notifier
	name      string
	out       *log.Logger
	delivered atomic.Bool // at least one
}

func (r *reporter) Notify(ctx context.Context, n notify.Notification) error {
	if err := r.Notifier.Notify(ctx, n); err != nil {
		r.out.Printf("%s: not delivered: %v", r.name, err)
		return err
	}
	r.delivered.Store(true)
	r.out.Printf("%s: delivered: %s", r.name, n.Title)
	return nil
}
