package otrsession

import (
	"bytes"
	"errors"
)

// maxAKE bounds a message of the key exchange, decoded, in bytes. With the
// keys of OTR the largest has about 600; what is more only costs time to verify.
const maxAKE = 4096

// exchange is an AKE in progress. It has a conversation of its own, which takes
// the place of the encrypted one when, and only when, it has succeeded: until
// then a stranger's half of a key exchange changes nothing.
type exchange struct {
	*conversation

	// commit is our D-H Commit message while we wait for the answer, and hash
	// the hash in it.
	commit, hash []byte
}

// query answers "?OTRv3?" with a D-H Commit message.
func (s *Session) query(step *Step, message []byte) error {
	version := queryVersions(message).best(s.opts.AllowV2)
	if version == 0 || s.downgrade(version) {
		step.fail(EventAKEFailed, ErrNoCommonVersion)
		return nil
	}
	if s.live != nil && s.opts.Now().Sub(s.since) < requery {
		return nil
	}
	x := &exchange{conversation: newConversation(s.opts.Key, version, s.tag)}
	send, err := x.conversation.commit()
	if err != nil || len(send) != 1 {
		return s.akeFailed(step, err)
	}
	if m, err := parseEncoded(send[0]); err == nil {
		x.commit, x.hash = send[0], commitHash(m)
	}
	s.exchange = x
	return s.put(step, send, nil)
}

// ake acts on a message of the key exchange.
func (s *Session) ake(step *Step, m encoded) error {
	switch {
	case m.kind != typeDHCommit && m.kind != typeDHKey && m.kind != typeRevealSig && m.kind != typeSignature:
		step.event(EventUnrecognized)
		return nil
	case s.downgrade(m.version):
		step.fail(EventAKEFailed, ErrNoCommonVersion)
		return nil
	case len(m.raw) > maxAKE:
		step.fail(EventAKEFailed, ErrTooLarge)
		return nil
	case m.kind == typeDHCommit:
		if done, err := s.dhCommit(step, m); done || err != nil {
			return err
		}
	case s.exchange == nil:
		return nil // left over from an exchange that was given up
	case !s.exchange.with(m):
		step.event(EventOtherInstance)
		return nil
	}
	return s.advance(step, m)
}

// downgrade tells whether a version is older than the one that is in use.
func (s *Session) downgrade(version int) bool {
	return s.live != nil && version < s.live.version
}

// with tells whether the exchange is the one that a message belongs to.
func (x *exchange) with(m encoded) bool {
	tag := x.remoteTag()
	return x.version == m.version && (m.version == 2 || tag == 0 || tag == m.sender)
}

// dhCommit makes an exchange for a D-H Commit message, or, when it crossed ours
// on the way, decides whose counts: the one with the higher hash (version 3
// specification, "Receiving a D-H Commit Message"). done says that it is ours,
// and that there is nothing more to do.
//
// otr3 decides alike but then waits for the wrong message, so it must not see
// the one that lost.
func (s *Session) dhCommit(step *Step, m encoded) (done bool, err error) {
	x := s.exchange
	if x == nil || !x.with(m) {
		s.exchange = &exchange{conversation: newConversation(s.opts.Key, m.version, s.tag)}
		return false, nil
	}
	if x.commit == nil {
		return false, nil
	}
	hash := commitHash(m)
	switch bytes.Compare(x.hash, hash) {
	case 1:
		if hash == nil {
			step.fail(EventAKEFailed, ErrMalformed)
			return true, nil
		}
		return true, s.put(step, [][]byte{x.commit}, nil)
	case 0:
		step.event(EventOtherInstance) // our own message, sent back
		return true, nil
	}
	x.commit = nil
	return false, nil
}

// advance hands a message to the exchange, and takes the new conversation over
// when it has come about.
func (s *Session) advance(step *Step, m encoded) error {
	x := s.exchange
	send, err := x.receive(m.message())
	if err != nil {
		return s.akeFailed(step, err)
	}
	if m.kind == typeDHKey && len(send) > 0 {
		x.commit = nil
	}
	if err := s.put(step, send, nil); err != nil {
		return err
	}
	if !x.encrypted() {
		return nil
	}
	if err := protect(func() error { s.takeOver(step, x.conversation); return nil }); err != nil {
		return s.failed(err)
	}
	return nil
}

func (s *Session) akeFailed(step *Step, err error) error {
	if errors.Is(err, ErrBroken) {
		return s.failed(err)
	}
	step.fail(EventAKEFailed, err)
	return nil
}

// takeOver makes an exchange that succeeded the encrypted conversation.
func (s *Session) takeOver(step *Step, c *conversation) {
	s.dropSMP(step)
	again := s.live != nil
	if again {
		s.live.wipe()
	}
	s.live, s.exchange, s.state = c, nil, Encrypted
	s.remote, s.ssid, s.since = c.remote(), c.ssid(), s.opts.Now()
	step.Events = append(step.Events, Event{
		Type: EventEncrypted, Fingerprint: s.remote, SSID: s.ssid, Version: c.version, Again: again,
	})
}
