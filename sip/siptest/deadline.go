package siptest

import (
	"sync"
	"time"
)

// A deadline is that of the reads or of the writes of a connection. It is used with the lock of changed held.
type deadline struct {
	at    time.Time // zero: none
	timer *time.Timer
}

// passed reports whether the time is over.
func (d *deadline) passed() bool { return !d.at.IsZero() && !time.Now().Before(d.at) }

// set replaces the deadline and lets whoever waits look at it, now and when it has come.
func (d *deadline) set(at time.Time, changed *sync.Cond) {
	if d.timer != nil {
		d.timer.Stop()
	}
	d.at, d.timer = at, nil
	if wait := time.Until(at); !at.IsZero() && wait > 0 {
		d.timer = time.AfterFunc(wait, func() {
			changed.L.Lock() // not between a look and the waiting that follows it
			defer changed.L.Unlock()
			changed.Broadcast()
		})
	}
	changed.Broadcast()
}
