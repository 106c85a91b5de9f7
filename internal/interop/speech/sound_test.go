//go:build unix

package speech

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/speech"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const patience = 20 * time.Second

// rate is how many samples of 16 bits make a second of espeak-ng's sound.
const rate = 22050

// changed is the warning as the facade gives it to notifiers, and said is what a person should hear of it.
var changed = notify.English().Fill(notify.Notification{
	Kind: notify.FingerprintChanged, Urgency: notify.Critical, Contact: "bob@example.org", DisplayName: "Bob",
	Fingerprint: "0A1B2C3D 00000000 00000000 00000000 00000000",
})

const said = "Encryption warning. Bob (bob@example.org) has a new key. This can be a new device, or somebody in the middle: verify the contact again."

// soundCard makes all sound of the programs that start from now on go to a file, without a header. A player that opens the card once more writes into
// another file of its name and a number.
func soundCard(t *testing.T) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "sound.raw")
	playTo(t, file, "truncate false")
	return file
}

// playTo makes ALSA's default device one that takes any format and writes into file.
func playTo(t *testing.T, file, option string) {
	t.Helper()
	setSound(t, fmt.Sprintf("pcm.!default { type plug slave.pcm { type file slave.pcm { type null } format raw file %q %s } }\n", file, option))
}

// setSound makes config the whole configuration of ALSA, and leaves no PulseAudio to be found.
func setSound(t *testing.T, config string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "asound.conf")
	require.NoError(t, os.WriteFile(path, []byte(config), 0o600))
	t.Setenv("ALSA_CONFIG_PATH", path)
	t.Setenv("PULSE_SERVER", "unix:/nonexistent")
}

func voice(t *testing.T, program string) *speech.Notifier {
	t.Helper()
	foreign.Need(t, program)
	v, err := speech.New(&speech.Options{Program: program})
	require.NoError(t, err)
	t.Cleanup(func() { _ = v.Close() })
	return v
}

// sound is what sox measures.
type sound struct {
	seconds   float64
	peak, rms float64 // 1 is the loudest that there can be
}

// audible tells whether somebody in the room would have heard words.
func (s sound) audible() bool { return s.seconds > 0.5 && s.peak > 0.1 && s.rms > 0.02 }

func measure(t *testing.T, raw []byte) sound {
	t.Helper()
	cmd := exec.Command(foreign.Need(t, "sox"), "-t", "raw", "-r", strconv.Itoa(rate), "-e", "signed", "-b", "16", "-c", "1", "-", "-n", "stat")
	cmd.Stdin = bytes.NewReader(raw)
	var report bytes.Buffer
	cmd.Stderr = &report
	foreign.Run(t, patience, cmd)
	number := func(name string) float64 {
		found := regexp.MustCompile(`(?m)^` + name + `:\s+(\S+)$`).FindStringSubmatch(report.String())
		require.NotNil(t, found, "%s in %q", name, report.String())
		value, err := strconv.ParseFloat(found[1], 64)
		require.NoError(t, err)
		return value
	}
	return sound{number(`Length \(seconds\)`), number(`Maximum amplitude`), number(`RMS     amplitude`)}
}

func TestSilenceIsNoSound(t *testing.T) {
	silence := measure(t, make([]byte, 4*rate))
	assert.Equal(t, sound{seconds: 2}, silence)
	assert.False(t, silence.audible())
	noise := bytes.Repeat([]byte{0, 0x20, 0, 0xe0}, 1000)
	assert.InDelta(t, 0.25, measure(t, noise).rms, 0.001)
	assert.False(t, measure(t, noise).audible(), "a click is no word")
	assert.True(t, measure(t, bytes.Repeat(noise, 20)).audible())
}
