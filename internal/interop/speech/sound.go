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

	"github.com/otrchat/otrchat/internal/interop/foreign"
)

const patience = 20 * time.Second

// rate is how many samples of 16 bits make a second of espeak-ng's sound.
const rate = 22050

// SoundCard makes all sound of the programs that start from now on go to a file, without a header. A player that opens the card once more writes into
// another file of its name and a number.
func SoundCard(t testing.TB) (file string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "sound.raw")
	playTo(t, file, "truncate false")
	return file
}

// playTo makes ALSA's default device one that takes any format and writes into file.
func playTo(t testing.TB, file, option string) {
	t.Helper()
	setSound(t, fmt.Sprintf("pcm.!default { type plug slave.pcm { type file slave.pcm { type null } format raw file %q %s } }\n", file, option))
}

// setSound makes config the whole configuration of ALSA, and leaves no PulseAudio to be found.
func setSound(t testing.TB, config string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "asound.conf")
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatalf("speech: %v", err)
	}
	t.Setenv("ALSA_CONFIG_PATH", path)
	t.Setenv("PULSE_SERVER", "unix:/nonexistent")
}

// Sound is what sox measures.
type Sound struct {
	Seconds   float64
	Peak, RMS float64 // 1 is the loudest that there can be
}

// Audible tells whether somebody in the room would have heard words.
func (s Sound) Audible() bool { return s.Seconds > 0.5 && s.Peak > 0.1 && s.RMS > 0.02 }

// Measure has sox listen to what was played to a SoundCard.
func Measure(t testing.TB, raw []byte) Sound {
	t.Helper()
	cmd := exec.Command(foreign.Need(t, "sox"), "-t", "raw", "-r", strconv.Itoa(rate), "-e", "signed", "-b", "16", "-c", "1", "-", "-n", "stat")
	cmd.Stdin = bytes.NewReader(raw)
	var report bytes.Buffer
	cmd.Stderr = &report
	foreign.Run(t, patience, cmd)
	number := func(name string) float64 {
		found := regexp.MustCompile(`(?m)^` + name + `:\s+(\S+)$`).FindStringSubmatch(report.String())
		if found == nil {
			t.Fatalf("speech: no %s in %q", name, report.String())
		}
		value, err := strconv.ParseFloat(found[1], 64)
		if err != nil {
			t.Fatalf("speech: %v", err)
		}
		return value
	}
	return Sound{number(`Length \(seconds\)`), number(`Maximum amplitude`), number(`RMS     amplitude`)}
}
