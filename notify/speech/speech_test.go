package speech

import (
	"context"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/internal/command"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var warning = notify.Notification{Urgency: notify.Critical, Title: "Encryption warning", Body: "Bob has a new key."}

const spoken = "Encryption warning. Bob has a new key."

// fakes are programs that stand for synthesisers, alone on PATH: what each does, by its name.
func fakes(t *testing.T, scripts map[string]string) (dirs map[string]string) {
	t.Helper()
	dirs = make(map[string]string)
	for name, script := range scripts {
		dirs[name] = foreign.Fake(t, name, script) // needs the shell of the PATH that there was
	}
	t.Setenv("PATH", strings.Join(slices.Collect(maps.Values(dirs)), string(os.PathListSeparator)))
	return dirs
}

func read(t *testing.T, path ...string) string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(content)
}

func newNotifier(t *testing.T, o *Options) *Notifier {
	t.Helper()
	s, err := New(o)
	require.NoError(t, err)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestOptions(t *testing.T) {
	for _, o := range []*Options{nil, {}, {Program: "say", Language: "pt-BR", Quiet: Hours{From: day - 1, To: 0}}, {Language: "zh-Hant-TW"}} {
		_, err := New(o)
		require.NoError(t, err)
	}
	tests := []struct {
		name, want string
		options    Options
	}{
		{"program", "speech: Options.Program is none of spd-say, espeak-ng, espeak, say, powershell", Options{Program: "/bin/sh"}},
		{"language", "speech: Options.Language is not a language tag", Options{Language: "German" + "\n"}},
		{"language that is an option", "speech: Options.Language is not a language tag", Options{Language: "-w/tmp/x"}},
		{"language that is a path", "speech: Options.Language is not a language tag", Options{Language: "en/../x"}},
		{"long language", "speech: Options.Language is not a language tag", Options{Language: "en" + strings.Repeat("-x", 100)}},
		{"end of a day", "speech: Options.Quiet is not within a day", Options{Quiet: Hours{From: 24 * time.Hour}}},
		{"negative", "speech: Options.Quiet is not within a day", Options{Quiet: Hours{From: -1}}},
		{"a whole day", "speech: Options.Quiet is not within a day", Options{Quiet: Hours{To: 24 * time.Hour}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := New(&tt.options)
			require.EqualError(t, err, tt.want)
		})
	}
}

// What each program is told: the text on its standard input, everything else in its arguments.
func TestPrograms(t *testing.T) {
	powershellArgs := strings.Join(command.PowerShellArgs(sapi), "|") + "|"
	tests := []struct {
		program, args, input string
		urgency              notify.Urgency
	}{
		{"spd-say", "--pipe-mode|--wait|--application-name|otrchat|--priority|important|--language|pt-BR|", spoken + "\n", notify.Critical},
		{"spd-say", "--pipe-mode|--wait|--application-name|otrchat|--priority|message|--language|pt-BR|", spoken + "\n", notify.Normal},
		{"spd-say", "--pipe-mode|--wait|--application-name|otrchat|--priority|message|--language|pt-BR|", spoken + "\n", notify.Low},
		{"espeak-ng", "-b|1|-v|pt-BR|", spoken + "\n", 0},
		{"espeak", "-b|1|-v|pt-BR|", spoken + "\n", 0},
		{"say", "-f|-|", spoken + "\n", 0},
		{"powershell", powershellArgs, "RW5jcnlwdGlvbiB3YXJuaW5nLiBCb2IgaGFzIGEgbmV3IGtleS4=\n", 0},
	}
	for _, tt := range tests {
		t.Run(tt.program+" "+tt.urgency.String(), func(t *testing.T) {
			dir := fakes(t, map[string]string{tt.program: `echo "$OTRCHAT_LANGUAGE" >language`})[tt.program]
			n := warning
			n.Urgency = tt.urgency
			require.NoError(t, newNotifier(t, &Options{Program: tt.program, Language: "pt-BR"}).Notify(t.Context(), n))
			assert.Equal(t, tt.args, strings.ReplaceAll(read(t, dir, "args"), "\x00", "|"))
			assert.Equal(t, tt.input, read(t, dir, "input"))
			assert.Equal(t, "pt-BR\n", read(t, dir, "language"))
		})
	}
	assert.NotContains(t, sapi, `"`)
}

func TestProgramsOf(t *testing.T) {
	for goos, want := range map[string]string{
		"linux": "spd-say, espeak-ng, espeak", "freebsd": "spd-say, espeak-ng, espeak", "darwin": "say, espeak-ng, espeak", "windows": "powershell, espeak-ng, espeak",
	} {
		assert.Equal(t, want, names(programsOf(goos)), goos)
	}
}

func TestUnavailable(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	s := newNotifier(t, nil)
	s.programs = programsOf("linux")
	err := s.Notify(t.Context(), warning)
	require.ErrorIs(t, err, ErrUnavailable)
	require.EqualError(t, err, "speech: no synthesiser found: looked for spd-say, espeak-ng, espeak in PATH")
	_, err = s.Name(t.Context())
	require.ErrorIs(t, err, ErrUnavailable)
	require.ErrorIs(t, newNotifier(t, &Options{Program: "say"}).Notify(t.Context(), warning), ErrUnavailable)
}

// The next program speaks where one fails, and is the first to be tried from then on.
func TestNextProgram(t *testing.T) {
	dirs := fakes(t, map[string]string{
		"spd-say": "echo 'no daemon for Bob' >&2; exit 1", "espeak-ng": "echo 'error: no device' >&2; test -e silent || exit 0", "espeak": "test ! -e silent",
	})
	s := newNotifier(t, nil)
	s.programs = programsOf("linux")
	name, err := s.Name(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "spd-say, espeak-ng, espeak", name)

	require.NoError(t, s.Notify(t.Context(), warning))
	require.NoError(t, s.Notify(t.Context(), warning))
	for name, times := range map[string]int{"spd-say": 1, "espeak-ng": 1, "espeak": 2} {
		assert.Equal(t, strings.Repeat(spoken+"\n", times), read(t, dirs[name], "input"), name)
	}

	require.NoError(t, os.WriteFile(filepath.Join(dirs["espeak"], "silent"), nil, 0o600))
	err = s.Notify(t.Context(), warning)
	require.EqualError(t, err, "speech: espeak: exit status 1\nspeech: spd-say: exit status 1: no daemon for …\nspeech: espeak-ng: failed: error: no device")
}

// What a program complains of does not tell whose key it was.
func TestErrorsTellNoText(t *testing.T) {
	for _, program := range []string{"spd-say", "espeak-ng", "espeak", "say", "powershell"} {
		t.Run(program, func(t *testing.T) {
			fakes(t, map[string]string{program: "echo 'cannot say: Encryption warning. Bob has a new key.' >&2; exit 1"})
			err := newNotifier(t, &Options{Program: program}).Notify(t.Context(), warning)
			require.EqualError(t, err, "speech: "+program+": exit status 1: cannot say: … …. … … … … ….")
		})
	}
}

// A program that hangs has its time, then the next one speaks. What spd-say began is stopped.
func TestProgramHangs(t *testing.T) {
	dirs := fakes(t, map[string]string{"spd-say": `test "$1" = -S || exec sleep 1000`, "espeak-ng": ""})
	s := newNotifier(t, nil)
	s.programs = programsOf("linux")
	require.NoError(t, s.speak(t.Context(), utterance{text: "Hello", language: "en", limit: 5 * time.Second}))
	assert.Equal(t, "Hello\n", read(t, dirs["espeak-ng"], "input"))
	assert.True(t, strings.HasSuffix(read(t, dirs["spd-say"], "args"), "\x00en\x00-S\x00"))
	assert.Equal(t, 5*time.Second, limit(""))
	assert.Equal(t, 95*time.Second, limit(strings.Repeat("x", maxSpoken)))
}

// hangs is a program that goes on for ever, with a child of its own.
const hangs = "echo >>runs; test -p started || mkfifo started; sleep 1000 & echo >started; sleep 1000"

// begun waits until such a program runs.
func begun(t *testing.T, dir string) {
	fifo := filepath.Join(dir, "started")
	assert.Eventually(t, func() bool { _, err := os.Stat(fifo); return err == nil }, time.Minute, time.Millisecond)
	_, _ = os.ReadFile(fifo)
}

// A program that has failed has begun nothing that goes on, and most that are killed neither: they are not run again to stop it.
func TestNothingToStop(t *testing.T) {
	dirs := fakes(t, map[string]string{"spd-say": "echo >>runs; exit 1", "espeak-ng": hangs})
	s := newNotifier(t, nil)
	s.programs = programsOf("linux")
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		begun(t, dirs["espeak-ng"])
		cancel()
	}()
	require.ErrorIs(t, s.Notify(ctx, warning), context.Canceled)
	for _, dir := range dirs {
		assert.Equal(t, "\n", read(t, dir, "runs"))
	}
}

// speaking returns a notifier whose spd-say goes on for ever.
func speaking(t *testing.T) (s *Notifier, dirs map[string]string) {
	t.Helper()
	dirs = fakes(t, map[string]string{"spd-say": `test "$1" != -S || exit 0; ` + hangs, "espeak-ng": ""})
	s = newNotifier(t, nil)
	s.programs = programsOf("linux")
	return s, dirs
}

// When the context ends the program is killed with its children, and none is tried after it.
func TestContext(t *testing.T) {
	s, dirs := speaking(t)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() {
		begun(t, dirs["spd-say"])
		cancel()
	}()
	require.ErrorIs(t, s.Notify(ctx, warning), context.Canceled)
	assert.NoFileExists(t, filepath.Join(dirs["espeak-ng"], "input"))
	assert.True(t, strings.HasSuffix(read(t, dirs["spd-say"], "args"), "-S\x00"))

	require.ErrorIs(t, s.Notify(ctx, warning), context.Canceled)
	assert.Equal(t, spoken+"\n", read(t, dirs["spd-say"], "input"), "nothing was run")
}

// Close ends what is spoken and what waits, whoever calls it and how often, and nothing is spoken afterwards.
func TestClose(t *testing.T) {
	s, dirs := speaking(t)
	errs := make(chan error)
	for range maxWaiting + 1 {
		go func() { errs <- s.Notify(t.Context(), warning) }()
	}
	begun(t, dirs["spd-say"])
	for range 3 {
		go func() { errs <- s.Close() }()
	}
	require.NoError(t, s.Close())
	assert.True(t, strings.HasSuffix(read(t, dirs["spd-say"], "args"), "-S\x00"), "it is silent")
	var closed int
	for range maxWaiting + 1 + 3 {
		if err := <-errs; err != nil {
			require.Equal(t, ErrClosed, err)
			closed++
		}
	}
	assert.Equal(t, maxWaiting+1, closed)
	require.ErrorIs(t, s.Notify(t.Context(), warning), net.ErrClosed)
	require.NoError(t, s.Close())
	assert.NoFileExists(t, filepath.Join(dirs["espeak-ng"], "input"))
	assert.Equal(t, spoken+"\n", read(t, dirs["spd-say"], "input"))
}

func TestQuietHours(t *testing.T) {
	dir := fakes(t, map[string]string{"say": ""})["say"]
	hour := time.Duration(time.Now().Hour()) * time.Hour
	quiet := Hours{From: (hour + 23*time.Hour) % day, To: (hour + 2*time.Hour) % day} // an hour may begin meanwhile
	require.NoError(t, newNotifier(t, &Options{Program: "say", Quiet: quiet}).Notify(t.Context(), warning))
	assert.NoFileExists(t, filepath.Join(dir, "input"))
	require.NoError(t, newNotifier(t, &Options{Program: "say", Quiet: Hours{From: quiet.To, To: quiet.From}}).Notify(t.Context(), warning))
	assert.Equal(t, spoken+"\n", read(t, dir, "input"))
}

func TestNothingToSay(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	require.NoError(t, newNotifier(t, nil).Notify(t.Context(), notify.Notification{Title: "🔥", Body: "…\x00!?"}))
}

// Two voices at the same time could not be understood.
func TestOneAtATime(t *testing.T) {
	dir := fakes(t, map[string]string{"say": "mkdir speaking && echo once >>log && rmdir speaking"})["say"]
	s := newNotifier(t, &Options{Program: "say"})
	errs := make(chan error)
	for range maxWaiting {
		go func() { errs <- s.Notify(t.Context(), warning) }()
	}
	for range maxWaiting {
		require.NoError(t, <-errs)
	}
	assert.Equal(t, strings.Repeat("once\n", maxWaiting), read(t, dir, "log"))
}
