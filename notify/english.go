package notify

import "maps"

// English returns the built-in texts, for an application to change some of them, or a translator to begin with.
func English() Catalogue { return maps.Clone(english) }

const (
	verifyAgain = "This can be a new device, or somebody in the middle: verify the contact again."
	unnoticed   = "The contacts could not be read or saved, so a changed key may go unnoticed."
)

var english = Catalogue{
	FingerprintChanged: {
		Title:  "Encryption warning: new key of {contact}",
		Body:   "{contact} has a new key. A key was known for this contact before. " + verifyAgain + " The new fingerprint is {fingerprint}.",
		Spoken: "Encryption warning. {name} has a new key. " + verifyAgain,
	},
	VerifiedFingerprintChanged: {
		Title:  "Encryption warning: new key of {contact}",
		Body:   "{contact} has a new key. A verified key was known for this contact before. " + verifyAgain + " The new fingerprint is {fingerprint}.",
		Spoken: "Encryption warning. {name} has a new key, and another was verified. " + verifyAgain,
	},
	RevokedKeyUsed: {
		Title:  "Encryption warning: revoked key of {contact}",
		Body:   "{contact} uses a key that was revoked: {fingerprint}.",
		Spoken: "Encryption warning. {name} uses a key that was revoked.",
	},
	EncryptionEnded: {
		Title: "Encryption ended: {contact}",
		Body:  "The other side ended encryption. Nothing is sent until you start it again or confirm to go on unencrypted.",
	},
	ConferenceEndedEncryption: {
		Title: "Encryption ended: {contact}",
		Body:  "The other side has become a conference, which ended encryption. Nothing is sent until you confirm to go on unencrypted.",
	},
	EncryptionDisabled: {
		Title: "Encryption ended: {contact}",
		Body:  "Encryption was switched off for this contact elsewhere. Nothing is sent until you confirm to go on unencrypted.",
	},
	EncryptionUnanswered: {
		Title: "No encryption: {contact}",
		Body:  "The other side did not answer the request for encryption. Nothing will be sent without it.",
	},
	PlaintextFallback: {
		Title: "No encryption: {contact}",
		Body:  "The other side did not answer the request for encryption. Messages are not encrypted.",
	},
	UnencryptedReceived: {
		Title: "Unencrypted message: {contact}",
		Body:  "The next message came unencrypted. Somebody else may have written it.",
	},
	UndecryptableReceived: {
		Title: "Lost message: {contact}",
		Body:  "A message came that could not be decrypted. It is lost.",
	},
	UnrecognizedReceived: {
		Title: "Lost message: {contact}",
		Body:  "A message came that is of no known kind. It is lost.",
	},
	PeerError: {
		Title: "Report from the program of {contact}",
		Body:  "The other side's program reports: {text}",
	},
	ContactsUnavailable: {
		Title:  "Encryption warning: contacts could not be read or saved",
		Body:   unnoticed + " The key is {fingerprint}.",
		Spoken: "Encryption warning for {name}. " + unnoticed,
	},
	VerificationAsked: {
		Title: "Verification: {contact}",
		Body:  "{contact} wants to verify that it is you, by a secret that both of you know.",
	},
	VerificationNotSaved: {
		Title: "Verification not saved: {contact}",
		Body:  "The verification succeeded, but it could not be saved.",
	},
	MessageReceived: {
		Title: "Message from {name}",
		Body:  "{text}",
	},
}
