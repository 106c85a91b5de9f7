//go:build unix

package speech

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/speech"
)

// headerSize is what a WAV file has before its samples.
const headerSize = 44

// rendered is how espeak-ng says a text when it is asked to write a WAV file.
func rendered(t *testing.T, text string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.wav")
	cmd := exec.Command(foreign.Need(t, "espeak-ng"), "-v", "en", "-w", file, "--", text)
	foreign.Run(t, patience, cmd)
	wav, err := os.ReadFile(file)
	require.NoError(t, err)
	return wav[headerSize:]
}

// assertSaid checks that what was played are the words of text, and no more.
func assertSaid(t *testing.T, text string, played []byte) {
	t.Helper()
	want := rendered(t, text)
	assert.Equal(t, len(want), len(played))
	assert.True(t, bytes.Equal(want, played), "these are other words than %q", text)
}

// heardWarning checks that the warning was played to the sound card, as loud as a voice and as long as its words take.
func heardWarning(t *testing.T, card string) (played []byte) {
	t.Helper()
	played, err := os.ReadFile(card)
	require.NoError(t, err)
	heard := Measure(t, played)
	t.Logf("%.2f s, peak %.2f, RMS %.3f", heard.Seconds, heard.Peak, heard.RMS)
	assert.True(t, heard.Audible())
	assert.Greater(t, heard.Seconds, 6.0)
	assert.Less(t, heard.Seconds, 15.0)
	return played
}

// The warning is played, and it is exactly those words: not the forty digits of the fingerprint.
func TestEspeakSaysTheWarning(t *testing.T) {
	v := voice(t, "espeak-ng")
	file := SoundCard(t)
	require.NoError(t, v.Notify(t.Context(), changed))
	played := heardWarning(t, file)
	assertSaid(t, said, played)
	assert.Less(t, len(played), len(rendered(t, said+" 0A1B2C3D")))
}

// What means something to espeak-ng, or to a shell, is said as words or not at all, and takes no time to speak of.
func TestEspeakAndHostileText(t *testing.T) {
	v := voice(t, "espeak-ng")
	for _, c := range []struct{ name, text, said string }{
		{"options", "--version -w /tmp/x --help", "version -w /tmp/x --help"},
		{"quotes", `a "b" 'c' \`, "a b 'c'"},
		{"lines", "a\nb\r\n\nc", "a b c"},
		{"phonemes", "a [[h@'loU]] b", "a h@'loU b"},
		{"markup", `<speak>a <break time="3600s"/> b</speak>`, "speak a break time 3600s / b /speak"},
		{"commands", "a $(sleep 1000) `sleep 1000` %n%s", "a (sleep 1000) sleep 1000 %n%s"},
		{"embedded commands of espeak", "a \x01200S b", "a 200S b"},
		{"1 MiB", strings.Repeat("a ", 1<<19), strings.TrimSpace(strings.Repeat("a ", 299))},
		{"1 MiB in one word", strings.Repeat("a", 1<<20), strings.Repeat("a", 597)},
		{"1 MiB of digits", strings.Repeat("9", 1<<20), strings.Repeat("9", 597)},
		{"not UTF-8", "a\xff\xfeb", "a b"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := SoundCard(t)
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			require.NoError(t, v.Notify(ctx, notify.Notification{Body: c.text}))
			played, err := os.ReadFile(file)
			require.NoError(t, err)
			assertSaid(t, c.said, played)
			assert.Less(t, len(played), 600*rate*2, "ten minutes")
		})
	}
}

// espeak-ng ends with status 0 where it could not play a sound. For us that is a failure.
func TestEspeakWithoutSound(t *testing.T) {
	v := voice(t, "espeak-ng")
	setSound(t, "")
	require.ErrorContains(t, v.Notify(t.Context(), changed), "speech: espeak-ng: failed: ")
	name, err := v.Name(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "espeak-ng", name)
}

func TestEspeakWithoutTheLanguage(t *testing.T) {
	foreign.Need(t, "espeak-ng")
	SoundCard(t)
	v, err := speech.New(&speech.Options{Program: "espeak-ng", Language: "tlh"})
	require.NoError(t, err)
	require.ErrorContains(t, v.Notify(t.Context(), changed), "speech: espeak-ng: exit status 1: ")
}

// A sound card that takes nothing more keeps espeak-ng speaking for ever. The context ends it.
func TestEspeakIsStopped(t *testing.T) {
	v := voice(t, "espeak-ng")
	card := slowCard(t)
	stop := speaking(t, v, card)
	stop()
	assert.NotEmpty(t, rendered(t, said)[64<<10:], "not all of it went into the pipe")
}

// speaking returns when the warning has begun to be heard. stop ends its context.
func speaking(t *testing.T, v *speech.Notifier, card *os.File) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- v.Notify(ctx, changed) }()
	_, err := card.Read(make([]byte, 1000))
	require.NoError(t, err)
	return func() {
		t.Helper()
		cancel()
		require.ErrorIs(t, <-done, context.Canceled)
	}
}

// slowCard is a sound card that takes as much sound as is read from it, and 64 KiB.
func slowCard(t *testing.T) *os.File {
	t.Helper()
	fifo := filepath.Join(t.TempDir(), "card")
	require.NoError(t, syscall.Mkfifo(fifo, 0o600))
	playTo(t, fifo, "")
	card, err := os.OpenFile(fifo, os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { _ = card.Close() })
	return card
}
