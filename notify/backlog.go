package notify

import (
	"fmt"
	"slices"
	"time"
)

// backlog holds the notifications that wait in a [Queue], in the order of their coming.
type backlog struct {
	items []item
	pace  pace
}

type item struct {
	Notification
	topic   string
	earlier int // how many more it stands for
}

// notification is what is delivered.
func (i item) notification() Notification {
	if i.earlier > 0 {
		i.Title = fmt.Sprintf("%s (+%d)", i.Title, i.earlier)
	}
	return i.Notification
}

// add puts n at the end, or into the place of one that it makes needless.
func (b *backlog) add(n Notification) (merged bool) {
	topic := n.Topic()
	for i := range b.items {
		if old := &b.items[i]; topic != "" && old.topic == topic {
			n.Urgency = max(n.Urgency, old.Urgency)
			*old = item{n, topic, old.earlier + 1}
			return true
		}
	}
	b.items = append(b.items, item{Notification: n, topic: topic})
	return false
}

// drop takes out the oldest of the least urgent.
func (b *backlog) drop() item {
	least := 0
	for i := range b.items {
		if b.items[i].Urgency < b.items[least].Urgency {
			least = i
		}
	}
	return b.remove(least)
}

// take takes out the oldest of the most urgent that are at least as urgent as from and, if paced, do not come too soon. Where all
// of them do, wait is how long until the first is due.
func (b *backlog) take(now time.Time, from Urgency, paced bool) (i item, wait time.Duration, ok bool) {
	most := -1
	for i := range b.items {
		n := &b.items[i]
		if n.Urgency < from || most >= 0 && n.Urgency <= b.items[most].Urgency {
			continue
		}
		if early := b.pace.due(n.topic).Sub(now); paced && early > 0 {
			if wait == 0 || early < wait {
				wait = early
			}
			continue
		}
		most = i
	}
	if most < 0 {
		return item{}, wait, false
	}
	i = b.remove(most)
	b.pace.delivered(i.topic, now)
	return i, 0, true
}

func (b *backlog) remove(i int) item {
	removed := b.items[i]
	b.items = slices.Delete(b.items, i, i+1)
	return removed
}
