package otrsession

import (
	"errors"
	"math/big"
	"reflect"
	"sync"

	"github.com/coyim/otr3"
)

// otr3 keeps three things that it offers no way to get rid of, and does not
// show the keys that a check in front of it needs. This file reaches into the
// Conversation for them, by field name, through reflection:
//
//   - a copy of every text ever sent, for a resend that we never want;
//   - one MAC key per message, the same one again and again while no key
//     changes, all of which it publishes in one later message;
//   - one counter per pair of key IDs that ever stood in a message.
//
// layout checks names and types once, and New refuses to work with an otr3
// in which they differ.

// reach returns a struct field, unexported ones too, as a value that can be
// read and set. The zero Value comes back where a name leads nowhere.
func reach(v reflect.Value, path ...string) reflect.Value {
	for _, name := range path {
		if v.Kind() != reflect.Struct {
			return reflect.Value{}
		}
		if v = v.FieldByName(name); !v.IsValid() || !v.CanAddr() {
			return reflect.Value{}
		}
		v = reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem()
	}
	return v
}

func inside(c *otr3.Conversation) reflect.Value { return reflect.ValueOf(c).Elem() }

// keyring is otr3's current set of session key material. The big numbers and
// slices are otr3's own: to be read, under the session's lock, and not kept.
type keyring struct {
	ourID, theirID         uint32
	ours, oursBefore       dhKey
	theirs, theirsPrevious *big.Int
}

// dhKey is one of our Diffie-Hellman key pairs.
type dhKey struct {
	public  *big.Int
	private []byte
}

// keysOf reads the keys of an encrypted conversation.
func keysOf(c *otr3.Conversation) keyring {
	keys := reach(inside(c), "keys")
	pair := func(name string) dhKey {
		return dhKey{
			public:  reach(keys, name, "pub").Interface().(*big.Int),
			private: reach(keys, name, "priv").Bytes(),
		}
	}
	return keyring{
		ourID:          uint32(reach(keys, "ourKeyID").Uint()),
		theirID:        uint32(reach(keys, "theirKeyID").Uint()),
		ours:           pair("ourCurrentDHKeys"),
		oursBefore:     pair("ourPreviousDHKeys"),
		theirs:         reach(keys, "theirCurrentDHPubKey").Interface().(*big.Int),
		theirsPrevious: reach(keys, "theirPreviousDHPubKey").Interface().(*big.Int),
	}
}

// wipe overwrites the private halves.
func (k keyring) wipe() {
	clear(k.ours.private)
	clear(k.oursBefore.private)
}

// current tells whether a pair of key IDs can still decrypt anything.
func (k keyring) current(our, their uint32) bool {
	return (our == k.ourID || our+1 == k.ourID) && (their == k.theirID || their+1 == k.theirID)
}

// forget drops what otr3 would keep for ever.
func forget(c *otr3.Conversation) {
	forgetSent(reach(inside(c), "resend", "messages", "m"))
	keys := keysOf(c)
	keep(reach(inside(c), "keys", "counterHistory", "counters"), func(counter reflect.Value) bool {
		return keys.current(keyIDs(counter.Elem()))
	})
	type pair struct{ our, their uint32 }
	seen := make(map[pair]bool)
	keep(reach(inside(c), "keys", "macKeyHistory", "items"), func(used reflect.Value) bool {
		our, their := keyIDs(used)
		first := !seen[pair{our, their}]
		seen[pair{our, their}] = true
		return first
	})
}

func keyIDs(v reflect.Value) (our, their uint32) {
	return uint32(reach(v, "ourKeyID").Uint()), uint32(reach(v, "theirKeyID").Uint())
}

// forgetSent wipes and drops the texts kept for a resend.
func forgetSent(sent reflect.Value) {
	for i := range sent.Len() {
		clear(reach(sent.Index(i), "m").Bytes())
	}
	sent.SetZero()
}

// keep leaves in a slice the elements that the test approves, in their order.
func keep(slice reflect.Value, approve func(reflect.Value) bool) {
	n := 0
	for i := range slice.Len() {
		if approve(slice.Index(i)) {
			slice.Index(n).Set(slice.Index(i))
			n++
		}
	}
	for i := n; i < slice.Len(); i++ {
		slice.Index(i).SetZero()
	}
	slice.SetLen(n)
}

// layout tells, once, whether this otr3 is built as this file expects.
var layout = sync.OnceValue(func() error {
	err := protect(checkLayout)
	if err != nil {
		return errors.New("otrsession: this version of github.com/coyim/otr3 is not supported")
	}
	return nil
})

// checkLayout looks up every field that is used above. What is missing or of
// another type makes reflect panic.
func checkLayout() error {
	c := inside(new(otr3.Conversation))
	keys := reach(c, "keys")
	for _, f := range []struct {
		value reflect.Value
		kind  reflect.Kind
		names []string
	}{
		{reach(c, "resend", "messages", "m"), reflect.Slice, []string{"m"}},
		{reach(keys, "counterHistory", "counters"), reflect.Slice, []string{"ourKeyID", "theirKeyID"}},
		{reach(keys, "macKeyHistory", "items"), reflect.Slice, []string{"ourKeyID", "theirKeyID"}},
	} {
		element := f.value.Type().Elem()
		if element.Kind() == reflect.Pointer {
			element = element.Elem()
		}
		for _, name := range f.names {
			field := reach(reflect.New(element).Elem(), name)
			if field.Kind() == reflect.Slice {
				field.Bytes()
			} else {
				field.Uint()
			}
		}
	}
	keysOf(new(otr3.Conversation))
	return nil
}
