package desktop

import (
	"crypto/sha256"
	"slices"

	"github.com/otrchat/otrchat/notify"
)

// maxShown is how many notifications are remembered to be replaced.
const maxShown = 256

// shown are the notifications that a service has shown, the newest at the end.
type shown []numbered

type numbered struct {
	key key
	id  uint32
}

// key is the same for notifications that replace each other, and of one size whatever a peer's address is.
type key [sha256.Size]byte

// keyOf is false for what replaces nothing: what is about no contact, and an application's own kinds, which may be different things.
func keyOf(n notify.Notification) (k key, ok bool) {
	return sha256.Sum256([]byte(n.Kind.String() + "\x00" + n.Contact)), n.Contact != "" && n.Kind != notify.Other
}

// replaces is the number of what n takes the place of, or 0.
func (s shown) replaces(n notify.Notification) uint32 {
	k, ok := keyOf(n)
	if i := slices.IndexFunc(s, func(e numbered) bool { return e.key == k }); ok && i >= 0 {
		return s[i].id
	}
	return 0
}

// add remembers n, and forgets what it has replaced and the oldest when there are too many.
func (s *shown) add(n notify.Notification, id uint32) {
	k, ok := keyOf(n)
	if !ok {
		return
	}
	*s = append(slices.DeleteFunc(*s, func(e numbered) bool { return e.key == k }), numbered{k, id})
	if len(*s) > maxShown {
		*s = slices.Delete(*s, 0, 1)
	}
}
