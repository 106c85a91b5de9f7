package speech

import (
	"errors"
	"time"
)

const day = 24 * time.Hour

// Hours is a part of each day by the clock on the wall, so the days on which clocks are changed are no exception. From 22 h to 7 h is a night. Where
// From equals To it is empty.
type Hours struct {
	// From is the first moment, counted from midnight as the clock shows it, at least 0 and less than 24 h. Default: 0, midnight.
	From time.Duration
	// To is the end, which does not belong to it; one before From is of the next day. The same bounds hold. Default: 0, midnight.
	To time.Duration
}

func (h Hours) check() error {
	for _, d := range []time.Duration{h.From, h.To} {
		if d < 0 || d >= day {
			return errors.New("speech: Options.Quiet is not within a day")
		}
	}
	return nil
}

// Contains tells whether h holds the time of day of t, in t's own time zone.
func (h Hours) Contains(t time.Time) bool {
	hour, minute, second := t.Clock()
	clock := time.Duration(hour)*time.Hour + time.Duration(minute)*time.Minute + time.Duration(second)*time.Second + time.Duration(t.Nanosecond())
	if h.From <= h.To {
		return h.From <= clock && clock < h.To
	}
	return clock >= h.From || clock < h.To
}
