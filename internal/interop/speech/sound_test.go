//go:build unix

package speech

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/speech"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// changed is the warning as the facade gives it to notifiers, and said is what a person should hear of it.
var changed = notify.English().Fill(notify.Notification{
	Kind: notify.FingerprintChanged, Urgency: notify.Critical, Contact: "bob@example.org", DisplayName: "Bob",
	Fingerprint: "0A1B2C3D 00000000 00000000 00000000 00000000",
})

const said = "Encryption warning. Bob (bob@example.org) has a new key. This can be a new device, or somebody in the middle: verify the contact again."

func voice(t *testing.T, program string) *speech.Notifier {
	t.Helper()
	foreign.Need(t, program)
	v, err := speech.New(&speech.Options{Program: program})
	require.NoError(t, err)
	t.Cleanup(func() { _ = v.Close() })
	return v
}

func TestSilenceIsNoSound(t *testing.T) {
	silence := Measure(t, make([]byte, 4*rate))
	assert.Equal(t, Sound{Seconds: 2}, silence)
	assert.False(t, silence.Audible())
	noise := bytes.Repeat([]byte{0, 0x20, 0, 0xe0}, 1000)
	assert.InDelta(t, 0.25, Measure(t, noise).RMS, 0.001)
	assert.False(t, Measure(t, noise).Audible(), "a click is no word")
	assert.True(t, Measure(t, bytes.Repeat(noise, 20)).Audible())
}
