package otrchat

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/otrchat/otrchat/contacts"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/otrsession"
)

// learn notes the key that the peer has shown, warns if it is not the one that was known, and tells what the lock shows. The warning is given once
// for each fingerprint: contacts.Learn sees to that. A store that cannot save does not keep it away.
func (c *EncryptedChat) learn(fp Fingerprint) Security {
	var change contacts.Change
	var before contacts.Contact
	security := Unverified
	err := c.update(c.ctx, func(contact *contacts.Contact) error {
		before = contact.Clone()
		if contact.DisplayName == "" {
			name := c.RemoteDisplayName()
			contact.DisplayName = strings.ToValidUTF8(name[:min(len(name), contacts.MaxDisplayName)], "")
		}
		change = contact.Learn(contacts.Fingerprint(fp), time.Now())
		if c.client.o.Notifier == nil {
			contact.Announced(contacts.Fingerprint(fp)) // by the chat alone
		}
		security = judge(contact, contacts.Fingerprint(fp))
		return nil
	})
	if err != nil {
		c.client.o.Logger.Error("otrchat: the contact's key could not be saved", "contact", c.address, "error", err)
		c.tell(notify.Notification{Kind: notify.ContactsUnavailable, Fingerprint: fp.String()})
	}
	if change == contacts.KeyChanged {
		c.tell(notify.Notification{Kind: changedKind(&before), Fingerprint: fp.String()})
	}
	if key, _ := before.Key(contacts.Fingerprint(fp)); key.Trust == contacts.Revoked {
		c.tell(notify.Notification{Kind: notify.RevokedKeyUsed, Fingerprint: fp.String()})
	}
	return security
}

// changedKind is what to say of a new key of a contact that was known by others before.
func changedKind(before *contacts.Contact) notify.Kind {
	if slices.ContainsFunc(before.Keys, func(k contacts.Key) bool { return k.Trust.Verified() }) {
		return notify.VerifiedFingerprintChanged
	}
	return notify.FingerprintChanged
}

// SetVerified saves that the user compared the fingerprint that the chat is encrypted with, or takes that back. Errors: ErrNotEncrypted, the
// store's, the chat's or ctx's.
func (c *EncryptedChat) SetVerified(ctx context.Context, fp Fingerprint, verified bool) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	if now, ok := c.RemoteFingerprint(); !ok || now != fp {
		return ErrNotEncrypted
	}
	return c.setTrust(ctx, fp, func(contact *contacts.Contact) error {
		if verified {
			return contact.Verify(contacts.Fingerprint(fp), contacts.VerifiedManually, time.Now())
		}
		return contact.Unverify(contacts.Fingerprint(fp))
	})
}

// setTrust, under wire, saves a change of trust and shows it.
func (c *EncryptedChat) setTrust(ctx context.Context, fp Fingerprint, change func(*contacts.Contact) error) error {
	var security Security
	err := c.update(ctx, func(contact *contacts.Contact) error {
		contact.Learn(contacts.Fingerprint(fp), time.Now()) // the store may have failed at the time
		contact.Announced(contacts.Fingerprint(fp))         // the user knows it
		err := change(contact)
		security = judge(contact, contacts.Fingerprint(fp))
		return err
	})
	if err != nil {
		return err
	}
	if now, ok := c.RemoteFingerprint(); ok && now == fp {
		c.setSecurity(security, fp)
	}
	return nil
}

// StartSMP asks the peer to prove that it knows a secret that both users share (the socialist millionaires' protocol); how it goes comes as
// SMP events. The question is optional and shown to the peer. Errors: ErrNotEncrypted, otrsession's ErrSMPInProgress and ErrEmptySecret, the
// chat's or ctx's. A secret beyond ASCII fails with some clients.
func (c *EncryptedChat) StartSMP(ctx context.Context, question, secret string) error {
	return c.smp(ctx, func() (otrsession.Step, error) { return c.otr.StartSMP(question, []byte(secret)) })
}

// AnswerSMP gives the user's secret after SMPAsked. Errors: otrsession.ErrNoSMP where nobody asked, and those of StartSMP.
func (c *EncryptedChat) AnswerSMP(ctx context.Context, secret string) error {
	return c.smp(ctx, func() (otrsession.Step, error) { return c.otr.AnswerSMP([]byte(secret)) })
}

// AbortSMP gives up. Errors: otrsession.ErrNoSMP where there is nothing to abort, and those of StartSMP.
func (c *EncryptedChat) AbortSMP(ctx context.Context) error {
	return c.smp(ctx, c.otr.AbortSMP)
}

func (c *EncryptedChat) smp(ctx context.Context, do func() (otrsession.Step, error)) error {
	if err := c.lock(ctx); err != nil {
		return err
	}
	defer c.unlock()
	if !c.Security().Encrypted() {
		return ErrNotEncrypted
	}
	step, err := do()
	if err != nil {
		return c.broken(err)
	}
	for _, e := range step.Events {
		c.otrEvent(e)
	}
	return c.protocol(ctx, step)
}

// smpEvent follows the protocol, under wire. A success verifies the key, except for the one who answered a question of the peer's choosing:
// the peer may have asked what everybody knows.
func (c *EncryptedChat) smpEvent(e otrsession.Event) {
	out := SMP{}
	switch e.Type {
	case otrsession.EventSMPAsked:
		out = SMP{Progress: SMPAsked, Question: e.Question}
		c.client.notify(c.filled(notify.Notification{Kind: notify.VerificationAsked}))
		c.smpQuestion = e.HasQuestion
	case otrsession.EventSMPProgress:
		out.Progress = SMPAnswered
	case otrsession.EventSMPFailed:
		out.Progress = SMPFailed
	case otrsession.EventSMPAborted:
		out.Progress = SMPAborted
	case otrsession.EventSMPSucceeded:
		out = SMP{Progress: SMPSucceeded, Verified: c.smpSucceeded(e.Fingerprint)}
	}
	if out.Progress != SMPAsked {
		c.smpQuestion = c.smpQuestion && out.Progress == SMPAnswered
	}
	c.events.add(out)
}

// smpSucceeded saves the verification, if there is one, and tells whether the key is verified now.
func (c *EncryptedChat) smpSucceeded(fp Fingerprint) bool {
	if !c.smpQuestion {
		err := c.setTrust(c.ctx, fp, func(contact *contacts.Contact) error {
			return contact.Verify(contacts.Fingerprint(fp), contacts.VerifiedSMP, time.Now())
		})
		if err != nil {
			c.client.o.Logger.Error("otrchat: the verification could not be saved", "contact", c.address, "error", err)
			c.tell(notify.Notification{Kind: notify.VerificationNotSaved})
		}
	}
	return c.Security() == Verified
}
