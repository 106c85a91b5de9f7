package notify

import "time"

const (
	burst    = 3       // deliveries of one Topic that may follow each other at once
	maxPaced = 1 << 10 // topics that are remembered
)

// pace spaces out the deliveries of each topic but "", by the generic cell rate algorithm: one time for each topic tells how far ahead of an even pace it is.
type pace struct {
	interval time.Duration // negative: no pace is kept
	even     map[string]time.Time
}

// due is when the next delivery about the topic may begin.
func (p *pace) due(topic string) time.Time { return p.even[topic].Add(-(burst - 1) * p.interval) }

// delivered notes a delivery about the topic.
func (p *pace) delivered(topic string, now time.Time) {
	if topic == "" || p.interval < 0 {
		return
	}
	if _, known := p.even[topic]; !known && len(p.even) >= maxPaced {
		p.forget(now)
	}
	if p.even == nil {
		p.even = map[string]time.Time{}
	}
	from := p.even[topic]
	if from.Before(now) {
		from = now
	}
	p.even[topic] = from.Add(p.interval)
}

// forget makes room: of topics that are not ahead of their pace, or, where all are, of all.
func (p *pace) forget(now time.Time) {
	for topic, even := range p.even {
		if !even.After(now) {
			delete(p.even, topic)
		}
	}
	if len(p.even) >= maxPaced {
		clear(p.even)
	}
}
