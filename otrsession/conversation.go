package otrsession

import (
	"crypto/rand"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"

	"github.com/coyim/otr3"
)

// conversation is the seam: everything that this package does with otr3, but
// for keys (key.go) and the reach into its fields (reach.go), goes through it.
// It is used for one AKE and the encrypted conversation that comes of it. Texts
// in clear, errors and fragments never get to it, and it sends nothing in clear.
type conversation struct {
	otr     *otr3.Conversation
	guard   guard
	version int
	smp     []smpNews
}

// smpNews is an SMP event of otr3's.
type smpNews struct {
	event    otr3.SMPEvent
	question string
}

// errBadSMP is a message whose SMP part was refused.
var errBadSMP = fmt.Errorf("%w: SMP", ErrMalformed)

func newConversation(key *Key, version int, tag uint32) *conversation {
	c := &conversation{otr: new(otr3.Conversation), version: version}
	if version == 2 {
		c.otr.Policies.AllowV2()
	} else {
		c.otr.Policies.AllowV3()
	}
	c.otr.SetOurKeys([]otr3.PrivateKey{key.private})
	c.otr.InitializeInstanceTag(tag)
	c.otr.SetSMPEventHandler(c)
	return c
}

// HandleSMPEvent collects what otr3 reports of SMP. It is called while one of
// the methods below runs.
func (c *conversation) HandleSMPEvent(event otr3.SMPEvent, _ int, question string) {
	c.smp = append(c.smp, smpNews{event, question})
}

// commit answers a query with a D-H Commit message.
func (c *conversation) commit() ([][]byte, error) {
	return c.receive(fmt.Appendf(nil, "?OTRv%d?", c.version))
}

// receive hands on a message of the AKE, and returns the answers.
func (c *conversation) receive(message []byte) ([][]byte, error) {
	_, send, err := c.pass(message)
	return send, err
}

// open decrypts a data message. quiet tells, with an error, that the peer asks
// not to make a fuss about it.
func (c *conversation) open(m encoded) (text []byte, send [][]byte, quiet bool, err error) {
	var o opened
	var keys keyring
	err = protect(func() (err error) {
		keys = keysOf(c.otr)
		o, err = c.guard.open(m, keys)
		return err
	})
	if err == nil {
		text, send, err = c.pass(o.message)
	}
	if !c.encrypted() {
		keys.wipe() // otr3 only lets go of them
	}
	return text, send, o.quiet, err
}

func (c *conversation) pass(message []byte) (text []byte, send [][]byte, err error) {
	send, err = c.do(func() (out []otr3.ValidMessage, err error) {
		plain, out, err := c.otr.Receive(message)
		text = plain
		return out, err
	})
	if err != nil && !errors.Is(err, ErrBroken) {
		err = fmt.Errorf("%w: %v", ErrUnreadable, err) // otr3's errors are fixed texts
	}
	return text, send, err
}

func (c *conversation) encrypt(text []byte) ([][]byte, error) {
	return c.do(func() ([]otr3.ValidMessage, error) { return c.otr.Send(text) })
}

func (c *conversation) end() ([][]byte, error) {
	defer c.wipe()
	return c.do(c.otr.End)
}

// wipe overwrites the private keys of a conversation that nobody needs.
func (c *conversation) wipe() {
	c.guard.wipe()
	keysOf(c.otr).wipe()
}

func (c *conversation) startSMP(question string, secret []byte) ([][]byte, error) {
	return c.do(func() ([]otr3.ValidMessage, error) { return c.otr.StartAuthenticate(question, secret) })
}

func (c *conversation) answerSMP(secret []byte) ([][]byte, error) {
	return c.do(func() ([]otr3.ValidMessage, error) { return c.otr.ProvideAuthenticationSecret(secret) })
}

func (c *conversation) abortSMP() ([][]byte, error) {
	return c.do(c.otr.AbortAuthentication)
}

func (c *conversation) encrypted() bool     { return c.otr.IsEncrypted() }
func (c *conversation) remoteTag() uint32   { return c.otr.GetTheirInstanceTag() }
func (c *conversation) ssid() [8]byte       { return c.otr.GetSSID() }
func (c *conversation) remote() Fingerprint { return Fingerprint(c.otr.GetTheirKey().Fingerprint()) }
func (c *conversation) smpNews() []smpNews  { news := c.smp; c.smp = nil; return news }

// do runs one operation of otr3 and cleans up behind it.
func (c *conversation) do(operation func() ([]otr3.ValidMessage, error)) (send [][]byte, err error) {
	err = protect(func() error {
		out, err := operation()
		for _, m := range out {
			send = append(send, m)
		}
		forget(c.otr)
		return err
	})
	return send, err
}

// protect turns a panic inside otr3 into an error. Of what it said only the Go
// runtime's own words are passed on, which hold no contents.
func protect(f func() error) (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case runtime.Error:
			err = fmt.Errorf("%w: %w", ErrBroken, r)
		default:
			err = ErrBroken
		}
	}()
	return f()
}

// newTag draws an instance tag.
func newTag() uint32 {
	var b [4]byte
	for {
		rand.Read(b[:]) // never fails: it ends the process instead
		if tag := binary.BigEndian.Uint32(b[:]); tag >= minTag {
			return tag
		}
	}
}
