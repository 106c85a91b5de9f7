package speech

import (
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

func TestHours(t *testing.T) {
	night := Hours{From: 22 * time.Hour, To: 7*time.Hour + 30*time.Minute}
	tests := []struct {
		name  string
		hours Hours
		at    string
		want  bool
	}{
		{"none", Hours{}, "2026-11-23T00:00:00Z", false},
		{"empty", Hours{From: time.Hour, To: time.Hour}, "2026-11-23T01:00:00Z", false},
		{"before", night, "2026-11-23T21:59:59.999999999Z", false},
		{"half a second before", Hours{From: 22*time.Hour + 30500*time.Millisecond, To: 23 * time.Hour}, "2026-11-23T22:00:30.499999999Z", false},
		{"half a second", Hours{From: 22*time.Hour + 30500*time.Millisecond, To: 23 * time.Hour}, "2026-11-23T22:00:30.5Z", true},
		{"first moment", night, "2026-11-23T22:00:00Z", true},
		{"midnight", night, "2026-11-24T00:00:00Z", true},
		{"last moment", night, "2026-11-24T07:29:59.999999999Z", true},
		{"after", night, "2026-11-24T07:30:00Z", false},
		{"noon", night, "2026-11-24T12:00:00Z", false},
		{"until midnight", Hours{From: 20 * time.Hour}, "2026-11-23T23:59:59Z", true},
		{"from midnight", Hours{To: 6 * time.Hour}, "2026-11-23T00:00:00Z", true},
		{"within a day", Hours{From: 12 * time.Hour, To: 14 * time.Hour}, "2026-11-23T13:00:00Z", true},
		{"outside within a day", Hours{From: 12 * time.Hour, To: 14 * time.Hour}, "2026-11-23T14:00:00Z", false},
		// In Berlin clocks went from 2 to 3 on 29 March 2026, and from 3 to 2 on 25 October.
		{"short night, its last minute", night, "2026-03-29T05:29:00Z", true},
		{"short night, its end", night, "2026-03-29T05:30:00Z", false},
		{"long night, its last minute", night, "2026-10-25T06:29:00Z", true},
		{"long night, its end", night, "2026-10-25T06:30:00Z", false},
		{"hour that comes twice, first", Hours{From: 2 * time.Hour, To: 3 * time.Hour}, "2026-10-25T00:30:00Z", true},
		{"hour that comes twice, second", Hours{From: 2 * time.Hour, To: 3 * time.Hour}, "2026-10-25T01:30:00Z", true},
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	require.NoError(t, err)
	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339Nano, tt.at)
			require.NoError(t, err)
			if i >= len(tests)-6 {
				at = at.In(berlin)
			}
			assert.Equal(t, tt.want, tt.hours.Contains(at), "%v", at)
		})
	}
}
