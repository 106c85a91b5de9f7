package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/contacts/filestore"
	"github.com/otrchat/otrchat/notify"
)

// options are the command line's.
type options struct {
	verbose bool
	answer  string // Bob's, to Alice's question
	port    int    // the first to listen on; 0 for any
	relay   bool   // between all of them
}

// story is what the steps have in common.
type story struct {
	out      io.Writer
	options  options
	nextPort int
	contacts string                   // the file in which Alice's program keeps her contacts
	warnings chan notify.Notification // what Alice's program would show on her desktop

	hub          *hub // nil without -relay
	alice, bob   *person
	alices, bobs *otrchat.EncryptedChat // the two ends of the chat between them
	whenItIsOver []func() error
}

// tell runs every step, and ends with the first one that does not come out as it should.
func tell(ctx context.Context, out io.Writer, o options) (err error) {
	s := &story{out: &sharedWriter{w: out}, options: o, nextPort: o.port, warnings: make(chan notify.Notification, 8)}
	defer func() { err = errors.Join(err, s.close()) }()
	s.say("Alice and Bob talk off the record, over real sockets of this machine. SIP sets up the call, MSRP carries the messages, OTR encrypts them.")
	if err := s.begin(ctx); err != nil {
		return err
	}
	steps := []step{
		{"Alice calls Bob, and the chat encrypts itself", s.call},
		{"A message, as typed and as it stood on the wire", s.message},
		{"Do both see each other's real key?", s.fingerprints},
		{"A question that only Bob can answer", s.question},
		{"Somebody calls as Bob, with another key", s.newKey},
		{"A call to a program that knows no encryption", s.plain},
		{"A call to a conference", s.conference},
	}
	if s.hub != nil {
		steps = append(steps, step{"What the relay saw", s.relayed})
	}
	for i, step := range steps {
		fmt.Fprintf(s.out, "\n%d. %s\n", i+1, step.title)
		if err := step.run(ctx); err != nil {
			return fmt.Errorf("step %d, %q: %w", i+1, step.title, err)
		}
	}
	fmt.Fprint(s.out, "\nAll steps came out as they should.\n")
	return nil
}

type step struct {
	title string
	run   func(context.Context) error
}

// begin opens the sockets of Alice and Bob. Alice's contacts are kept in a file, so that a new key is noticed after a restart, too; Bob's
// program forgets them with the process, which is the default.
func (s *story) begin(ctx context.Context) error {
	folder, err := os.MkdirTemp("", "otrchat-quickstart-")
	if err != nil {
		return err
	}
	s.atEnd(func() error { return os.RemoveAll(folder) })
	s.contacts = filepath.Join(folder, "contacts.json")
	store, err := filestore.New(&filestore.Options{Path: s.contacts})
	if err != nil {
		return err
	}
	if s.options.relay {
		if s.hub, err = s.newHub(ctx); err != nil {
			return err
		}
		s.say("Between them stands an MSRP relay, which they reach over TLS and log in to.")
	}
	if s.alice, err = s.newPerson(ctx, "Alice", otrchat.Options{Contacts: store, Notifier: notify.Func(s.notify)}); err != nil {
		return err
	}
	s.bob, err = s.newPerson(ctx, "Bob", otrchat.Options{})
	return err
}

// notify is Alice's notifier. A program for people would take notify.Multi and one for the desktop; here the story shows it in its place.
func (s *story) notify(ctx context.Context, n notify.Notification) error {
	select {
	case s.warnings <- n:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// atEnd remembers what to clean up.
func (s *story) atEnd(f func() error) { s.whenItIsOver = append(s.whenItIsOver, f) }

// close cleans up, the last first. Closing what is closed already does no harm.
func (s *story) close() (err error) {
	for i := len(s.whenItIsOver) - 1; i >= 0; i-- {
		err = errors.Join(err, s.whenItIsOver[i]())
	}
	return err
}

const width = 76 // of a line, at most

// say writes a sentence or more, in lines of readable length.
func (s *story) say(text string) {
	fmt.Fprintln(s.out, "   "+strings.Join(wrap(text, width), "\n   "))
}

// show writes a value with its name.
func (s *story) show(name string, value any) {
	lines := wrap(fmt.Sprint(value), width-20)
	fmt.Fprintf(s.out, "   %-19s %s\n", name, strings.Join(lines, "\n"+strings.Repeat(" ", 23)))
}

func wrap(text string, width int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimPrefix(line+" "+word, " ")
	}
	return append(lines, line)
}

// check tells what is not as it should be.
func check[T comparable](what string, got, want T) error {
	if got != want {
		return fmt.Errorf("%s: got %v, want %v", what, got, want)
	}
	return nil
}

// sharedWriter takes lines of the story and, with -v, of the traffic, from any goroutine.
type sharedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sharedWriter) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.w.Write(b)
}
