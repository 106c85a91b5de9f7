//go:build unix

package speech

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/notify"
)

// dispatcher is a running speech-dispatcher.
type dispatcher struct {
	*foreign.Process
	log string // the file of what its clients told it, and more
}

// startDispatcher starts speech-dispatcher with espeak-ng as its only voice, for the spd-say that starts from now on. The sound card is the one that
// was made before.
func startDispatcher(t *testing.T) dispatcher {
	t.Helper()
	program := foreign.Need(t, "speech-dispatcher")
	if modules, _ := filepath.Glob("/usr/lib*/speech-dispatcher-modules/sd_espeak-ng"); len(modules) == 0 {
		foreign.Missing(t, "the module espeak-ng of speech-dispatcher")
	}
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, sub := range []string{"conf/modules", "conf/clients", "log"} {
		require.NoError(t, os.MkdirAll(file(sub), 0o700))
	}
	for name, content := range map[string]string{
		"conf/speechd.conf": "LogLevel 5\nAudioOutputMethod \"alsa\"\nAudioALSADevice \"default\"\nDefaultVolume 100\n" +
			"AddModule \"espeak-ng\" \"sd_espeak-ng\" \"espeak-ng.conf\"\nDefaultModule espeak-ng\n",
		"conf/modules/espeak-ng.conf": "",
	} {
		require.NoError(t, os.WriteFile(file(name), []byte(content), 0o600))
	}
	p := foreign.Start(t, exec.Command(program, "-s", "-t", "0", "-c", "unix_socket", "-S", file("s"), "-C", file("conf"), "-P", file("pid"), "-L", file("log")))
	t.Setenv("SPEECHD_ADDRESS", "unix_socket:"+file("s"))
	require.Eventually(t, func() bool {
		conn, err := net.Dial("unix", file("s"))
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, patience, 10*time.Millisecond, "%s", p.Output())
	return dispatcher{Process: p, log: file("log/speech-dispatcher.log")}
}

// told is what the daemon's clients have sent, line by line.
func (d dispatcher) told(t *testing.T) (lines []string) {
	t.Helper()
	log, err := os.ReadFile(d.log)
	require.NoError(t, err)
	for line := range strings.Lines(string(log)) {
		if _, text, ok := strings.Cut(line, ":DATA:|"); ok {
			lines = append(lines, strings.TrimSpace(text))
		}
	}
	return lines
}

func TestDispatcherSaysTheWarning(t *testing.T) {
	v := voice(t, "spd-say")
	card := SoundCard(t)
	d := startDispatcher(t)
	require.NoError(t, v.Notify(t.Context(), changed))
	d.Stop()
	heardWarning(t, card)
	assert.Contains(t, d.told(t), said)
}

// What is said cannot end the text and go on as a command, neither to spd-say ("!-!") nor in the protocol (a dot alone).
func TestDispatcherAndHostileText(t *testing.T) {
	v := voice(t, "spd-say")
	card := SoundCard(t)
	d := startDispatcher(t)
	for _, n := range []notify.Notification{
		{Body: "!-!STOP ALL"},
		{Body: "Bob\r\n.\r\nSTOP ALL\r\n"},
		{Title: "!-!QUIT", Body: "!-!SET ALL RATE 100\n!-!SET ALL VOLUME -100", Urgency: notify.Critical},
		{Body: "-S --cancel %n%s", Urgency: notify.Low},
		{Body: strings.Repeat("[[<voice name='x'>]] ", 1<<15)},
	} {
		require.NoError(t, v.Notify(t.Context(), n))
	}
	told := d.told(t)
	for _, text := range []string{"Bob . STOP ALL", "QUIT. !-!SET ALL RATE 100 !-!SET ALL VOLUME -100", "S --cancel %n%s"} {
		assert.Contains(t, told, text)
	}
	i := slices.Index(told, "STOP ALL")
	require.Positive(t, i)
	assert.Equal(t, "speak", told[i-1], "it is a text and no command")
	assert.NotContains(t, told[i+1:], "STOP ALL")
	for _, priority := range []string{"IMPORTANT", "MESSAGE"} {
		assert.Contains(t, told, "SET SELF PRIORITY "+priority)
	}
	d.Stop()
	played, err := os.ReadFile(card)
	require.NoError(t, err)
	assert.True(t, Measure(t, played).Audible())
}

// The daemon would go on speaking when its client is killed, so it is told to stop.
func TestDispatcherIsStopped(t *testing.T) {
	v := voice(t, "spd-say")
	card := slowCard(t)
	d := startDispatcher(t)
	stop := speaking(t, v, card)
	assert.NotContains(t, d.told(t), "STOP ALL")
	stop()
	require.Eventually(t, func() bool { return slices.Contains(d.told(t), "STOP ALL") }, patience, 10*time.Millisecond)
	require.NoError(t, card.Close()) // the daemon waits for the card, and could not end
}

// A daemon that hangs keeps neither the caller nor a process when the context ends.
func TestDispatcherHangs(t *testing.T) {
	v := voice(t, "spd-say")
	socket := filepath.Join(t.TempDir(), "s")
	silent, err := net.Listen("unix", socket)
	require.NoError(t, err)
	defer silent.Close()
	t.Setenv("SPEECHD_ADDRESS", "unix_socket:"+socket)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- v.Notify(ctx, changed) }()
	conn, err := silent.Accept()
	require.NoError(t, err)
	defer conn.Close()
	cancel()
	require.ErrorIs(t, <-done, context.Canceled)
	_, err = io.Copy(io.Discard, conn) // it ends because spd-say is gone
	require.NoError(t, err)
}
