package otrchat

import (
	"errors"
	"fmt"
	"net"
)

// Conditions that an application can test with errors.Is.
var (
	// ErrClosed is returned for anything done with a closed Client or chat. It wraps net.ErrClosed.
	ErrClosed = fmt.Errorf("otrchat: closed: %w", net.ErrClosed)
	// ErrEnded says that the peer ended the chat.
	ErrEnded = errors.New("otrchat: the peer ended the chat")
	// ErrRelay is wrapped by what Call and Answer return when there is no way through Options.Relay, and by what a chat ends with when that is lost. Beside it
	// stands the reason, an *msrp.StatusError with code 401 or 403 for a wrong password.
	ErrRelay = errors.New("otrchat: no way through the relay")
	// ErrEncryptionRequired says that the policy is Always and the chat is not encrypted: nothing was sent.
	ErrEncryptionRequired = errors.New("otrchat: encryption is required and not there; nothing was sent")
	// ErrEncryptionEnded says that the peer ended encryption. Nothing is sent until the user starts encryption again, or confirms by
	// EncryptedChat.StopEncryption to go on in plain text.
	ErrEncryptionEnded = errors.New("otrchat: the peer ended encryption; nothing was sent")
	// ErrEncryptionUnavailable says that OTR cannot be used in this chat: one side is a conference, or the policy is Never.
	ErrEncryptionUnavailable = errors.New("otrchat: no encryption in this chat")
	// ErrNotEncrypted says that there is no encrypted conversation to do this in.
	ErrNotEncrypted = errors.New("otrchat: the chat is not encrypted")
	// ErrText refuses a text that cannot be sent: empty, not UTF-8, with a NUL byte, or one in plain text that the peer would take for a
	// message of the OTR protocol.
	ErrText = errors.New("otrchat: this text cannot be sent")
	// ErrTooLarge refuses a text over what the peer takes (the SDP attribute "max-size") or OTR can carry.
	ErrTooLarge = errors.New("otrchat: the text is too large")
)
