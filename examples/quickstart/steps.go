package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/otrchat/otrchat"
	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/contacts/filestore"
	"github.com/otrchat/otrchat/internal/tap"
	"github.com/otrchat/otrchat/notify"
)

const (
	words  = "Meet me at nine, at the old bridge."
	asks   = "In which city did we meet?"
	secret = "Prague"
)

// call is step 1. Nobody asks for encryption: with the policy Opportunistic, the default, both programs do it by themselves.
func (s *story) call(ctx context.Context) (err error) {
	s.say("Each has a key, known by its fingerprint, which is short enough to compare.")
	s.show("Alice's fingerprint", s.alice.Fingerprint())
	s.show("Bob's fingerprint", s.bob.Fingerprint())
	s.show("Alice calls", s.bob.at)
	if s.alices, s.bobs, err = connect(ctx, s.alice, s.bob.at, s.bob.answer); err != nil {
		return err
	}
	s.say("A lock beside each chat tells how safe it is:")
	return errors.Join(
		s.lock(ctx, "Alice", s.alices, otrchat.Unverified),
		s.lock(ctx, "Bob", s.bobs, otrchat.Unverified))
}

// message is step 2.
func (s *story) message(ctx context.Context) error {
	s.show("Alice types", words)
	delivery, err := s.alices.Send(ctx, words)
	if err != nil {
		return err
	}
	message, err := next[otrchat.Message](ctx, s.bobs)
	if err != nil {
		return err
	}
	if err := delivery.Wait(ctx); err != nil { // until Bob's program reports that it has understood
		return err
	}
	wires := []*tap.Recorder{s.alice.wire, s.bob.wire}
	wire, from := s.alice.wire, "Alice"
	if s.hub != nil {
		wires, wire, from = append(wires, s.hub.wire), s.hub.wire, aClient
	}
	frame, err := sent(wire, from, delivery.ID())
	if err != nil {
		return err
	}
	s.say("On the wire it is an MSRP message. What comes after ?OTR: is encrypted.")
	for line := range strings.Lines(frame) {
		fmt.Fprintln(s.out, shortened(strings.TrimSpace("| "+line)))
	}
	s.show("Bob reads", message.Text)
	found, recorded := seen(words, wires...)
	s.show("Her words in clear", times(found, recorded))
	return errors.Join(
		check("what Bob reads", message.Text, words),
		check("sent encrypted", delivery.Encrypted, true),
		check("received encrypted", message.Encrypted, true),
		check("?OTR: in the message on the wire", strings.Contains(frame, "?OTR:"), true),
		check("Alice's words in clear on the wire", found, 0),
		check("bytes that were not recorded", s.alice.wire.Lost()+s.bob.wire.Lost(), 0))
}

// fingerprints is step 3: what two people do on the telephone.
func (s *story) fingerprints(context.Context) error {
	bob, _ := s.alices.RemoteFingerprint()
	alice, _ := s.bobs.RemoteFingerprint()
	s.show("Alice sees Bob's", bob)
	s.show("Bob sees Alice's", alice)
	err := errors.Join(
		check("Bob's fingerprint, as Alice sees it", bob, s.bob.Fingerprint()),
		check("Alice's fingerprint, as Bob sees it", alice, s.alice.Fingerprint()))
	if err == nil {
		s.say("Both are those of step 1, so nobody sits in between.")
	}
	return err
}

// question is step 4: the socialist millionaires' protocol (SMP) finds out whether two people know the same secret, and tells neither of
// them, nor anybody else, more than that.
func (s *story) question(ctx context.Context) error {
	s.say("Comparing 40 digits is tedious. A secret that both know proves the same, and never leaves their machines (SMP).")
	if err := s.alices.StartSMP(ctx, asks, secret); err != nil {
		return err
	}
	asked, err := next[otrchat.SMP](ctx, s.bobs)
	if err != nil {
		return err
	}
	s.show("Alice asks", asked.Question)
	s.show("Bob answers", s.options.answer)
	if err := s.bobs.AnswerSMP(ctx, s.options.answer); err != nil {
		return err
	}
	result := otrchat.SMP{Progress: otrchat.SMPAnswered}
	for result.Progress == otrchat.SMPAnswered { // the result follows
		if result, err = next[otrchat.SMP](ctx, s.alices); err != nil {
			return err
		}
	}
	if result.Progress != otrchat.SMPSucceeded || !result.Verified {
		return errors.New("the answers differ, so Bob is not verified")
	}
	s.show("Alice's lock", s.alices.Security())
	s.show("Bob's lock", s.bobs.Security())
	s.say("Alice chose the question, so Bob has learned nothing about her. To verify her he asks one of his own.")
	return errors.Join(
		check("Alice's lock", s.alices.Security(), otrchat.Verified),
		check("Bob's lock", s.bobs.Security(), otrchat.Unverified),
		s.saved(ctx))
}

// saved reads Alice's contacts as her program does after a restart.
func (s *story) saved(ctx context.Context) error {
	store, err := filestore.New(&filestore.Options{Path: s.contacts})
	if err != nil {
		return err
	}
	bob, err := store.Load(ctx, address("Bob"))
	if err != nil {
		return err
	}
	key, _ := bob.Key(contacts.Fingerprint(s.bob.Fingerprint()))
	s.show("Alice's contacts", fmt.Sprintf("%s is %s", bob.Address, key.Trust))
	return check("the trust saved for Bob's key", key.Trust, contacts.VerifiedSMP)
}

// newKey is step 5. It may be Bob with a new telephone, or somebody else: the address proves nothing.
func (s *story) newKey(ctx context.Context) (err error) {
	if err := s.bob.Shutdown(ctx); err != nil {
		return err
	}
	if s.bob, err = s.newPerson(ctx, "Bob", otrchat.Options{}); err != nil {
		return err
	}
	s.show("The new fingerprint", s.bob.Fingerprint())
	if s.bobs, s.alices, err = connect(ctx, s.bob, s.alice.at, s.alice.answer); err != nil {
		return err
	}
	warning := otrchat.SystemMessage{}
	for !warning.Warning { // others are for the record
		if warning, err = next[otrchat.SystemMessage](ctx, s.alices); err != nil {
			return err
		}
	}
	s.show("Alice's chat warns", warning.Text)
	if err := s.lock(ctx, "Alice", s.alices, otrchat.Changed); err != nil {
		return err
	}
	n := notify.Notification{}
	for !n.Kind.IsFingerprintChange() { // another one said that Bob ended encryption
		select {
		case n = <-s.warnings:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	s.show("Alice's desktop", n.Title)
	return errors.Join(check("the contact of the notification", n.Contact, s.alices.Contact()), s.alices.Shutdown(ctx))
}

// sent finds the MSRP message with that Message-ID among the bytes that one side wrote.
func sent(wire *tap.Recorder, from, id string) (string, error) {
	for _, stream := range wire.Streams() {
		at := bytes.Index(stream.Data, []byte("Message-ID: "+id+"\r\n"))
		if stream.From != from || at < 0 {
			continue
		}
		// A message begins with "MSRP abc SEND" and ends with a line "-------abc$".
		frame := string(stream.Data[bytes.LastIndex(stream.Data[:at], []byte("MSRP ")):])
		frame, _, whole := strings.Cut(frame, "\r\n-------"+strings.Fields(frame)[1])
		if whole {
			return frame, nil
		}
	}
	return "", fmt.Errorf("no message with the ID %s was recorded", id)
}

// seen counts a text in what was recorded, and what was recorded.
func seen(text string, wires ...*tap.Recorder) (times, recorded int) {
	for _, wire := range wires {
		all := wire.Bytes()
		times += bytes.Count(all, []byte(text))
		recorded += len(all)
	}
	return times, recorded
}

// shortened indents a line, and cuts it where it is too long for a terminal.
func shortened(line string) string {
	if runes := []rune(line); len(runes) > width {
		line = string(runes[:width-1]) + "…"
	}
	return "   " + line
}
