package msrptest

import "time"

// deadline is that of Read or of Write on a Line, under its lock.
type deadline struct {
	at     time.Time // zero: none
	timer  *time.Timer
	turn   int // counts the timers
	passed bool
}

// over tells whether the deadline has passed. The timer wakes whoever waits; at that very moment another may be faster than it.
func (d *deadline) over() bool {
	return d.passed || !d.at.IsZero() && !time.Now().Before(d.at)
}

// set replaces the deadline; the zero time means none.
func (d *deadline) set(l *Line, t time.Time) {
	d.stop()
	d.at, d.passed = t, false
	if wait := time.Until(t); !t.IsZero() && wait > 0 {
		turn := d.turn
		d.timer = time.AfterFunc(wait, func() { d.expire(l, turn) })
	}
	l.changed.Broadcast()
}

// expire is for a timer, unless set or stop was faster.
func (d *deadline) expire(l *Line, turn int) {
	l.wire.mu.Lock()
	defer l.wire.mu.Unlock()
	if d.turn == turn {
		d.passed = true
		l.changed.Broadcast()
	}
}

func (d *deadline) stop() {
	d.turn++
	if d.timer != nil {
		d.timer.Stop()
	}
}
