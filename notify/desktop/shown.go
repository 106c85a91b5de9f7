package desktop

import "slices"

// maxShown is how many notifications are remembered to be replaced.
const maxShown = 256

// shown are the notifications that a service has shown and others may replace, the newest at the end.
type shown []numbered

type numbered struct {
	topic string
	id    uint32
}

// id is the number of the notification with that topic, or 0.
func (s shown) id(topic string) uint32 {
	if i := slices.IndexFunc(s, func(e numbered) bool { return e.topic == topic }); i >= 0 {
		return s[i].id
	}
	return 0
}

// add remembers a notification in place of the last one with that topic, and forgets the oldest when there are too many.
func (s *shown) add(topic string, id uint32) {
	if topic == "" {
		return
	}
	*s = append(slices.DeleteFunc(*s, func(e numbered) bool { return e.topic == topic }), numbered{topic, id})
	if len(*s) > maxShown {
		*s = slices.Delete(*s, 0, 1)
	}
}
