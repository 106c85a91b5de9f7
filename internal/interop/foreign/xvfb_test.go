package foreign

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
)

// Two X servers do not get in each other's way.
func TestStartX(t *testing.T) {
	one, two := StartX(t), StartX(t, "-fbdir", t.TempDir())
	assert.NotEqual(t, one, two)
	for _, display := range []string{one, two} {
		assert.FileExists(t, "/tmp/.X11-unix/X"+strings.TrimPrefix(display, ":"))
	}
}
