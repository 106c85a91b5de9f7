package notify

import "time"

const (
	burst    = 3       // deliveries of one topic that may follow each other at once
	maxPaced = 1 << 10 // topics that are remembered
)

// topic is what notifications have in common when the newer one makes the older one needless.
type topic struct {
	contact string
	kind    Kind
}

func topicOf(n Notification) (t topic, ok bool) {
	return topic{n.Contact, n.Kind}, n.Contact != "" && n.Kind != Other
}

// pace spaces out the deliveries of each topic, by the generic cell rate algorithm: one time for each topic tells how far ahead of an even pace it is.
type pace struct {
	interval time.Duration // negative: no pace is kept
	even     map[topic]time.Time
}

// due is when the next delivery about t may begin.
func (p *pace) due(t topic) time.Time { return p.even[t].Add(-(burst - 1) * p.interval) }

// delivered notes a delivery about t.
func (p *pace) delivered(t topic, now time.Time) {
	if p.interval < 0 {
		return
	}
	if _, known := p.even[t]; !known && len(p.even) >= maxPaced {
		p.forget(now)
	}
	if p.even == nil {
		p.even = map[topic]time.Time{}
	}
	from := p.even[t]
	if from.Before(now) {
		from = now
	}
	p.even[t] = from.Add(p.interval)
}

// forget makes room: of topics that are not ahead of their pace, or, where all are, of all.
func (p *pace) forget(now time.Time) {
	for t, even := range p.even {
		if !even.After(now) {
			delete(p.even, t)
		}
	}
	if len(p.even) >= maxPaced {
		clear(p.even)
	}
}
