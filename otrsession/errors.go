package otrsession

import (
	"errors"
	"fmt"
	"io/fs"
)

// What a call can refuse. None of these errors, nor any error that wraps one
// of them, ever holds plaintext, a key or an SMP secret.
var (
	// ErrNotEncrypted says that there is no encrypted conversation: State is
	// Plaintext.
	ErrNotEncrypted = errors.New("otrsession: not encrypted")

	// ErrFinished says that the peer ended the encrypted conversation: State
	// is Finished. Nothing can be sent until End is called or a new AKE
	// succeeds.
	ErrFinished = errors.New("otrsession: the peer ended the encrypted conversation")

	// ErrNUL refuses plaintext with a NUL byte: OTR ends the text of a data
	// message at its first NUL byte.
	ErrNUL = errors.New("otrsession: NUL byte in the text")

	// ErrNotUTF8 refuses text that is not UTF-8.
	ErrNotUTF8 = errors.New("otrsession: the text is not UTF-8")

	// ErrTooLarge refuses a message over Options.MaxMessage.
	ErrTooLarge = errors.New("otrsession: message too large")

	// ErrSMPInProgress refuses to start SMP while another run is going on.
	ErrSMPInProgress = errors.New("otrsession: SMP is in progress")

	// ErrNoSMP says that there is no SMP run to answer or to abort.
	ErrNoSMP = errors.New("otrsession: no SMP to answer or abort")

	// ErrEmptySecret refuses SMP with an empty secret, which proves nothing.
	ErrEmptySecret = errors.New("otrsession: empty SMP secret")

	// ErrNoCommonVersion says that the peer speaks only versions of OTR that
	// we do not.
	ErrNoCommonVersion = errors.New("otrsession: no common OTR version")

	// ErrMalformed says that a message of the peer's breaks the OTR format.
	ErrMalformed = errors.New("otrsession: malformed OTR message")

	// ErrUnreadable says that a message of the peer's could not be decrypted
	// or authenticated with the keys of this conversation.
	ErrUnreadable = errors.New("otrsession: unreadable OTR message")

	// ErrBroken says that the OTR library failed inside. The session refuses
	// everything from then on.
	ErrBroken = errors.New("otrsession: the session is broken")

	// ErrKeyFormat says that a text is not a private key in libotr's format.
	ErrKeyFormat = errors.New("otrsession: not an OTR private key")

	// ErrKeyPermissions says that a key file can be read or written by others
	// than its owner.
	ErrKeyPermissions = errors.New("otrsession: the key file is open to other users (want mode 0600)")

	// ErrKeyExists says that SaveKey found a file in its way. It wraps
	// fs.ErrExist.
	ErrKeyExists = fmt.Errorf("otrsession: the key file is there already: %w", fs.ErrExist)

	// ErrFingerprint says that a text is not a fingerprint.
	ErrFingerprint = errors.New("otrsession: not a fingerprint (want 40 hexadecimal digits)")
)
