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

func keyOf(n notify.Notification) key {
	return sha256.Sum256([]byte(n.Kind.String() + "\x00" + n.Contact))
}

// replaces is the number of what n takes the place of, or 0. What is about no contact replaces nothing.
func (s shown) replaces(n notify.Notification) uint32 {
	k := keyOf(n)
	if i := slices.IndexFunc(s, func(e numbered) bool { return e.key == k }); i >= 0 && n.Contact != "" {
		return s[i].id
	}
	return 0
}

// add remembers n, and forgets what it has replaced and the oldest when there are too many.
func (s *shown) add(n notify.Notification, id uint32) {
	if n.Contact == "" {
		return
	}
	k := keyOf(n)
	*s = append(slices.DeleteFunc(*s, func(e numbered) bool { return e.key == k }), numbered{k, id})
	if len(*s) > maxShown {
		*s = slices.Delete(*s, 0, 1)
	}
}
