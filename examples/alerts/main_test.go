package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/internal/quiet"
	"github.com/otrchat/otrchat/notify"
)

func TestMain(m *testing.M) { leakcheck.Main(m, quiet.Stdout) }

const (
	title   = "Encryption warning: new key of bob@127.0.0.1"
	nowhere = "127.0.0.1:1" // a port that no program listens on
)

// bare is a machine with nothing to tell people something.
func bare(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	t.Setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path="+filepath.Join(t.TempDir(), "bus"))
	t.Setenv("GROWL_PASSWORD", "")
}

// says runs the program to its end, and returns what it wrote and logged.
func says(t *testing.T, args ...string) (out, logs string) {
	t.Helper()
	var o, l bytes.Buffer
	require.NoError(t, run(t.Context(), append([]string{"-stay", "0"}, args...), &o, &l))
	return o.String(), l.String()
}

func TestNothingIsThere(t *testing.T) {
	bare(t)
	out, logs := says(t, "-growl", nowhere)
	assert.Regexp(t, `^desktop: unavailable: .*
speech: no synthesiser found: looked for .* in PATH
growl: no server at 127.0.0.1:1: .*
Bob calls Alice, with his key.
Bob calls Alice, with another key.
(Their chat shows: bob@127.0.0.1 has a new key\. .* The new fingerprint is ([0-9A-F]{8} ?){5}\.
|log: delivered: `+title+`
){2}$`, out)
	assert.Regexp(t, `^time=\S+ level=ERROR msg=notification kind="fingerprint changed" contact=bob@127.0.0.1 title="`+title+`" body="[^"\n]*" at=\S+\n$`, logs)
}

func TestTheVoiceInGerman(t *testing.T) {
	bare(t)
	dir := fakeVoice(t, "")
	out, logs := says(t, "-use", "speech", "-language", "de")
	assert.Regexp(t, `^speech: espeak-ng\nBob `, out)
	for _, name := range []string{"log", "speech"} {
		assert.Contains(t, out, "\n"+name+": delivered: Warnung: neuer Schlüssel von bob@127.0.0.1\n")
	}
	assert.Contains(t, out, "Their chat shows: bob@127.0.0.1 hat einen neuen Schlüssel.")
	assert.Contains(t, logs, `title="Warnung: neuer Schlüssel von bob@127.0.0.1"`)
	assert.Equal(t, "-b\x001\x00-v\x00de\x00", read(t, dir, "args"))
	assert.Regexp(t, `^Warnung. Bob .* hat einen neuen Schlüssel. .* neu überprüfen.\n$`, read(t, dir, "input"))
}

func TestTheVoiceFails(t *testing.T) {
	bare(t)
	fakeVoice(t, "echo no sound >&2; exit 1")
	out, _ := says(t, "-use", "speech")
	assert.Contains(t, out, "\nspeech: not delivered: speech: espeak-ng: exit status 1: no sound\n")
	assert.Contains(t, out, "\nlog: delivered: "+title+"\n")
}

// fakeVoice is a machine with nothing but an espeak-ng, which does what the script says.
func fakeVoice(t *testing.T, script string) (dir string) {
	path := os.Getenv("PATH")
	t.Setenv("PATH", "/usr/bin:/bin")
	dir = foreign.Fake(t, "espeak-ng", script)
	t.Setenv("PATH", dir+string(os.PathListSeparator)+path)
	return dir
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(content)
}

// Ctrl-C ends a voice that goes on for ever.
func TestInterrupt(t *testing.T) {
	bare(t)
	dir := fakeVoice(t, "echo $$ >speaking; exec sleep 1000")
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	ended := make(chan error, 1)
	go func() { ended <- run(ctx, []string{"-use", "speech"}, io.Discard, io.Discard) }()
	require.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "speaking")); return err == nil }, 20*time.Second, 10*time.Millisecond)
	interrupt()
	assert.NoError(t, <-ended, "the log has the warning")
	pid, err := strconv.Atoi(strings.TrimSpace(read(t, dir, "speaking")))
	require.NoError(t, err)
	voice, err := os.FindProcess(pid)
	require.NoError(t, err)
	assert.ErrorIs(t, voice.Signal(os.Interrupt), os.ErrProcessDone)
}

func TestWrongUse(t *testing.T) {
	for args, want := range map[string]string{
		"-unknown":             "not defined",
		"now":                  `what is "now"?`,
		"-use speech,pigeon":   `there is no "pigeon"`,
		"-language tlh":        `no texts in the language "tlh"`,
		"-growl 192.0.2.1":     "growl: Options.Address",
		"-growl 192.0.2.1:1":   "growl: Options.AllowPlaintext",
		"-h":                   "help requested",
		"-use speech -growl x": "growl: Options.Address",
	} {
		var out bytes.Buffer
		require.ErrorContains(t, run(t.Context(), strings.Fields(args), &out, io.Discard), want, args)
		assert.NotContains(t, out.String(), "Bob", args)
	}
}

// The German texts say no less than the English ones.
func TestGerman(t *testing.T) {
	var c notify.Catalogue
	require.NoError(t, json.Unmarshal(german, &c))
	require.NoError(t, c.Validate())
	english := notify.English()
	assert.ElementsMatch(t, slices.Collect(maps.Keys(english)), slices.Collect(maps.Keys(c)))
	placeholder := regexp.MustCompile(`\{\w+\}`)
	for kind, text := range c {
		for i, field := range []string{text.Title, text.Body, text.Spoken} {
			want := []string{english[kind].Title, english[kind].Body, english[kind].Spoken}[i]
			assert.ElementsMatch(t, placeholder.FindAllString(want, -1), placeholder.FindAllString(field, -1), "%v: %s", kind, field)
			assert.Equal(t, want == "", field == "", kind)
		}
	}
}
