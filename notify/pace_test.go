package notify

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestPace(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	p := pace{interval: time.Minute}
	bob := "bob"
	var due []time.Duration
	for range 5 {
		due = append(due, max(0, p.due(bob).Sub(now)))
		p.delivered(bob, now)
	}
	assert.Equal(t, []time.Duration{0, 0, 0, time.Minute, 2 * time.Minute}, due)
	assert.False(t, p.due("another").After(now), "another topic")
	assert.False(t, p.due(bob).After(now.Add(3*time.Minute)))
	p.delivered(bob, now.Add(time.Hour))
	assert.False(t, p.due(bob).After(now.Add(time.Hour)), "what was saved up does not count beyond the burst")
}

// However many contacts there are, what is remembered of them is bounded, and those who are at rest go first.
func TestPaceForgets(t *testing.T) {
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	p := pace{interval: time.Minute}
	for i := range 10 * maxPaced {
		p.delivered(fmt.Sprint(i), now)
		require.LessOrEqual(t, len(p.even), maxPaced)
	}

	p = pace{interval: time.Minute}
	busy := "busy"
	for i := range maxPaced - 1 {
		p.delivered(fmt.Sprint(i), now.Add(-2*time.Minute))
	}
	for range 3 {
		p.delivered(busy, now)
	}
	p.delivered("new", now)
	assert.Len(t, p.even, 2)
	assert.True(t, p.due(busy).After(now))

	p.delivered("", now)
	assert.False(t, p.due("").After(now), "what stands for itself alone")

	none := pace{interval: -1}
	none.delivered(busy, now)
	assert.Empty(t, none.even)
	assert.False(t, none.due(busy).After(now))
}
