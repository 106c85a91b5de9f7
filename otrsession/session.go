package otrsession

import (
	"bytes"
	"encoding/base64"
	"errors"
	"fmt"
	"sync"
	"time"
	"unicode/utf8"
)

// Defaults and bounds of Options.
const (
	// DefaultMaxMessage is the default of Options.MaxMessage: 4 MiB.
	DefaultMaxMessage = 4 << 20
	// MinFragmentSize is the least Options.FragmentSize other than 0.
	MinFragmentSize = 128
	// DefaultFragmentTimeout is the default of Options.FragmentTimeout.
	DefaultFragmentTimeout = 2 * time.Minute
)

// Options configure a Session.
type Options struct {
	// Key is our long-term key. Required, no default.
	Key *Key

	// AllowV2 also speaks OTR version 2, whose messages carry no instance
	// tags. Version 3 goes first where the peer knows both, but somebody on the
	// way who changes the queries can make two peers meet at version 2.
	// Default: version 3 only.
	AllowV2 bool

	// FragmentSize is the size in bytes, MinFragmentSize or more, that no
	// message we send exceeds: longer ones go out as OTR fragments. Leave it
	// unset for transports that split messages themselves, as MSRP does; some
	// MSRP clients break the connection on a fragment. Default: 0, never.
	FragmentSize int

	// MaxMessage bounds, in bytes, one OTR message as it stands on the wire,
	// in both directions, put together from fragments or not. A text takes 4/3
	// of its size and about 500 bytes more. Default: DefaultMaxMessage.
	MaxMessage int

	// FragmentTimeout is how long an incomplete message may wait for its next
	// fragment. Default: DefaultFragmentTimeout.
	FragmentTimeout time.Duration

	// Now tells the time. Default: time.Now.
	Now func() time.Time
}

// check validates the options and fills in the defaults.
func (o Options) check() (Options, error) {
	switch {
	case o.Key.Fingerprint().IsZero():
		return o, errors.New("otrsession: Options.Key is missing")
	case o.FragmentSize != 0 && o.FragmentSize < MinFragmentSize:
		return o, fmt.Errorf("otrsession: Options.FragmentSize is %d, want 0 or at least %d", o.FragmentSize, MinFragmentSize)
	case o.MaxMessage < 0:
		return o, errors.New("otrsession: Options.MaxMessage is negative")
	case o.FragmentTimeout < 0:
		return o, errors.New("otrsession: Options.FragmentTimeout is negative")
	}
	if o.MaxMessage == 0 {
		o.MaxMessage = DefaultMaxMessage
	}
	if o.FragmentTimeout == 0 {
		o.FragmentTimeout = DefaultFragmentTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o, nil
}

// State is the message state of a Session, in the words of the OTR version 3
// specification, "Message state".
type State int

const (
	// Plaintext: nothing is encrypted. The caller may send text in clear, by
	// itself: a Session never does.
	Plaintext State = iota
	// Encrypted: Encrypt and Decrypt work.
	Encrypted
	// Finished: the peer ended the encrypted conversation. Nothing the user
	// types may be sent until End, or until a new AKE succeeds.
	Finished
)

// String names the state.
func (s State) String() string {
	switch s {
	case Plaintext:
		return "Plaintext"
	case Encrypted:
		return "Encrypted"
	case Finished:
		return "Finished"
	}
	return fmt.Sprintf("State(%d)", int(s))
}

// Session is one OTR conversation with one instance of one peer. It takes and
// gives chat messages and does no I/O: it owns no socket, no goroutine and no
// timer, and needs no Close.
//
// All methods are safe for concurrent use. A call that sends or receives takes
// milliseconds of processor time, an SMP step tens of them. Messages have to
// reach the wire in the order in which the calls returned them, so a caller
// with several goroutines makes the call and the hand-over to its transport one
// step, under a lock of its own.
type Session struct {
	mu        sync.Mutex
	opts      Options
	tag       uint32 // our instance tag
	state     State
	live      *conversation // the encrypted one, in state Encrypted
	exchange  *exchange     // the AKE in progress
	fragments fragments
	remote    Fingerprint // of the last AKE that succeeded
	ssid      [8]byte
	since     time.Time // when that was
	smp       smpState
	broken    error
}

// New makes a Session in state Plaintext. It does no I/O. An error names the
// option that is wrong, or says that the coyim/otr3 which the program was built
// with is one that this package does not support.
func New(o *Options) (*Session, error) {
	if o == nil {
		o = new(Options)
	}
	opts, err := o.check()
	if err != nil {
		return nil, err
	}
	if err := layout(); err != nil {
		return nil, err
	}
	return &Session{opts: opts, tag: newTag()}, nil
}

// Start asks the peer for an encrypted conversation, with a query message. In
// state Encrypted it asks to renew the keys. The peer's answers go through
// Decrypt as usual, until EventEncrypted; a peer without OTR answers nothing.
func (s *Session) Start() (Step, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return Step{}, s.broken
	}
	query := "?OTRv3?"
	if s.opts.AllowV2 {
		query = "?OTRv23?"
	}
	return Step{Send: [][]byte{[]byte(query)}}, nil
}

// Encrypt makes an encrypted message of a text: UTF-8 without NUL bytes, or
// the error is ErrNotUTF8 or ErrNUL. Where nothing is encrypted the error is
// ErrNotEncrypted in state Plaintext, ErrFinished in state Finished; where it
// would get too long, ErrTooLarge. With an error there is nothing to send. An
// empty text is what OTR calls a heartbeat: it gets there, and says nothing.
func (s *Session) Encrypt(text []byte) (Step, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.encryptable(); err != nil {
		return Step{}, err
	}
	switch {
	case bytes.IndexByte(text, 0) >= 0:
		return Step{}, ErrNUL
	case !utf8.Valid(text):
		return Step{}, ErrNotUTF8
	case base64.StdEncoding.EncodedLen(len(text)) > s.opts.MaxMessage:
		return Step{}, ErrTooLarge
	}
	return s.sendLive(s.live.encrypt(text))
}

// encryptable tells why nothing can be encrypted now, or nil.
func (s *Session) encryptable() error {
	switch {
	case s.broken != nil:
		return s.broken
	case s.state == Finished:
		return ErrFinished
	case s.live == nil:
		return ErrNotEncrypted
	}
	return nil
}

// End leaves the encrypted conversation and tells the peer. From then on State
// is Plaintext: it is how a user confirms to go on in clear after Finished. An
// AKE in progress is given up. In state Plaintext there is nothing to send.
func (s *Session) End() (Step, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken != nil {
		return Step{}, s.broken
	}
	var step Step
	s.dropSMP(&step)
	live := s.live
	s.live, s.exchange, s.state = nil, nil, Plaintext
	if live == nil {
		return step, nil
	}
	send, err := live.end()
	if err := s.put(&step, send, err); err != nil {
		return Step{}, err
	}
	return step, nil
}

// sendLive is the Step of an operation of the encrypted conversation.
func (s *Session) sendLive(send [][]byte, err error) (Step, error) {
	var step Step
	if err := s.put(&step, send, err); err != nil {
		return Step{}, err
	}
	return step, nil
}

// put adds messages to a step, as fragments where they have to be. An error
// of otr3's that is not ours ends up as one that is.
func (s *Session) put(step *Step, send [][]byte, err error) error {
	if err != nil {
		return s.failed(err)
	}
	for _, m := range send {
		parts, err := s.split(m)
		if err != nil {
			return err
		}
		step.Send = append(step.Send, parts...)
	}
	return nil
}

// failed makes the session unusable after a panic inside otr3. It turns
// Finished, so that nobody goes on in clear without the user's word.
func (s *Session) failed(err error) error {
	if errors.Is(err, ErrBroken) {
		s.broken, s.state = err, Finished
		s.live, s.exchange = nil, nil
		return err
	}
	return fmt.Errorf("otrsession: %v", err)
}

// State tells where the conversation stands.
func (s *Session) State() State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state
}

// RemoteFingerprint tells whose key the peer showed in the AKE of this
// conversation, or of the one that it ended in state Finished. It is false in
// state Plaintext.
func (s *Session) RemoteFingerprint() (Fingerprint, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state == Plaintext || s.since.IsZero() {
		return Fingerprint{}, false
	}
	return s.remote, true
}

// SSID is the secure session ID, by which two people who hear each other can
// make sure that they share one encrypted conversation. It is false unless the
// state is Encrypted.
func (s *Session) SSID() ([8]byte, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil {
		return [8]byte{}, false
	}
	return s.ssid, true
}

// Version is the OTR version of the encrypted conversation, 2 or 3; it is 0
// unless the state is Encrypted.
func (s *Session) Version() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.live == nil {
		return 0
	}
	return s.live.version
}
