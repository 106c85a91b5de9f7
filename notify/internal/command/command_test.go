package command

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

// shell runs a script that lies in a file, so its words are no arguments.
func shell(t *testing.T, script string, args ...string) *Command {
	t.Helper()
	file := filepath.Join(t.TempDir(), "script")
	require.NoError(t, os.WriteFile(file, []byte(script), 0o600))
	return &Command{Path: foreign.Need(t, "sh"), Args: append([]string{file}, args...)}
}

func TestFind(t *testing.T) {
	sh := foreign.Need(t, "sh")
	path, err := Find("sh")
	require.NoError(t, err)
	assert.Equal(t, sh, path)
	path, err = Find(sh)
	require.NoError(t, err)
	assert.Equal(t, sh, path)

	_, err = Find("no-such-program")
	require.ErrorIs(t, err, exec.ErrNotFound)

	here := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(here, "speaker"), []byte("#!/bin/sh\n"), 0o700))
	t.Chdir(here)
	for _, path := range []string{"", ".", ":", "./"} {
		t.Setenv("PATH", path)
		_, err = Find("speaker")
		require.Error(t, err, "PATH=%q", path)
	}
	_, err = Find("./speaker")
	require.ErrorIs(t, err, exec.ErrDot)
	_, err = (&Command{Path: "./speaker"}).Run(t.Context())
	require.ErrorIs(t, err, exec.ErrDot)
	_, err = (&Command{Path: filepath.Join(here, "absent")}).Run(t.Context())
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestRun(t *testing.T) {
	c := shell(t, `read -r line; printf '%s|' "$line" "$@" "$ADDED"; pwd`, "-n", "a b'\"$(id)`id`\n;c")
	c.Stdin = "-e $(id) `id` \\n \"'\nsecond"
	c.Env = []string{"ADDED=yes"}
	out, err := c.Run(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "-e $(id) `id` \\n \"'|-n|a b'\"$(id)`id`\n;c|yes|"+filepath.Dir(c.Path)+"\n", out)
}

func TestInputThatNobodyReads(t *testing.T) {
	c := shell(t, "exec 0<&-; exit 0")
	c.Stdin = strings.Repeat("x", 1<<20)
	_, err := c.Run(t.Context())
	require.NoError(t, err)
}

func TestRunFails(t *testing.T) {
	tests := []struct{ name, script, input, want string }{
		{"status", "exit 3", "", "sh: exit status 3"},
		{"reason", "echo 'no voice: xx-YY' >&2; exit 1", "", "sh: exit status 1: no voice: xx-YY"},
		{"one line without control characters", `printf 'a\n\033[2J\tb\342\200\256c\377\n' >&2; exit 1`, "", "sh: exit status 1: a [2J bc\uFFFD"},
		{"the text is not told", "cat >&2; echo 'could never say: \"Bób Bobby\"!' >&2; exit 1", "Bób's number is 4711.\n", "sh: exit status 1: …'… … … …. could never say: \"… Bobby\"!"},
		{"an argument is not told", `echo "bad: $1" >&2; exit 1`, "", "sh: exit status 1: bad: …"},
		{"what is encoded is not told", "echo 'bad: hidden hiddens' >&2; exit 1", "", "sh: exit status 1: bad: … hiddens"},
		{"the standard output is no reason", "echo no; exit 1", "", "sh: exit status 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := shell(t, tt.script, "argument")
			c.Stdin, c.Hide = tt.input, "hidden"
			out, err := c.Run(t.Context())
			assert.Empty(t, out)
			var failed *Error
			require.ErrorAs(t, err, &failed)
			assert.Equal(t, tt.want, err.Error())
			var exit *exec.ExitError
			require.ErrorAs(t, err, &exit)
		})
	}
}

// For some programs the exit status says nothing.
func TestFailsWith(t *testing.T) {
	for output, fails := range map[string]bool{
		"": false, "no such error: here": false, "ALSA lib: error: none": false, "error:": false, "error: no device": true, "ALSA lib: noise\\nerror: no device\\n": true,
	} {
		c := shell(t, "printf '"+output+"' >&2")
		_, err := c.Run(t.Context())
		require.NoError(t, err)
		c.FailsWith = "error: "
		_, err = c.Run(t.Context())
		if fails {
			require.ErrorContains(t, err, "sh: failed: ")
			require.ErrorContains(t, err, "error: no device")
		} else {
			require.NoError(t, err)
		}
	}
	c := shell(t, "echo 'error: no device' >&2; exit 3")
	c.FailsWith = "error: "
	_, err := c.Run(t.Context())
	require.EqualError(t, err, "sh: exit status 3: error: no device", "where it tells, too, that counts")
}

func TestOutputIsBounded(t *testing.T) {
	c := shell(t, `i=0; while [ $i -lt 1000 ]; do echo "out $i out out"; echo "err $i password err" >&2; i=$((i+1)); done; exit $1`, "0")
	out, err := c.Run(t.Context())
	require.NoError(t, err)
	assert.Len(t, out, 4<<10)
	assert.True(t, strings.HasPrefix(out, "out 0 out out\nout 1 out"))

	c.Args[1] = "1"
	c.Stdin = "password"
	_, err = c.Run(t.Context())
	var failed *Error
	require.ErrorAs(t, err, &failed)
	assert.LessOrEqual(t, len(failed.Output), 4<<10)
	assert.True(t, strings.HasSuffix(failed.Output, "err 998 … err err 999 … err"), failed.Output)
	for _, w := range strings.Fields(failed.Output) {
		assert.NotContains(t, "password", w, "a word that was cut")
	}
}

func TestTail(t *testing.T) {
	for _, size := range []int{1, 7, maxOutput - 1, maxOutput, maxOutput + 1, 3 * maxOutput} {
		var got tail
		write := func(all string) {
			for rest := all; rest != ""; {
				n, err := got.Write([]byte(rest[:min(size, len(rest))]))
				require.NoError(t, err)
				require.LessOrEqual(t, len(got.kept), maxOutput)
				rest = rest[n:]
			}
		}
		whole := strings.Repeat("0123456789abcde ", maxOutput/16)
		write(whole)
		require.Equal(t, whole, got.String(), "writes of %d bytes", size)
		got = tail{}
		all := strings.Repeat(whole, 3) + "x"
		write(all)
		assert.Equal(t, all[len(all)-maxOutput:], string(got.kept), "writes of %d bytes", size)
		assert.Equal(t, all[len(all)-maxOutput+15:], got.String(), "it begins with a whole word")
	}
}

func TestContext(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	mark := filepath.Join(t.TempDir(), "mark")
	_, err := shell(t, `: > "$1"`, mark).Run(ended)
	require.ErrorIs(t, err, context.Canceled)
	assert.NoFileExists(t, mark, "nothing was run")

	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	_, err = shell(t, "exec sleep 1000").Run(ctx)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	var failed *Error
	require.ErrorAs(t, err, &failed)
	assert.Equal(t, "sh: context deadline exceeded", err.Error())
}

func TestPowerShell(t *testing.T) {
	args := PowerShellArgs("$a = $text\n$a")
	assert.Equal(t, []string{"-NoLogo", "-NoProfile", "-NonInteractive", "-Command"}, args[:4])
	assert.Regexp(t, `^[^"\n]+; \$text = [^"\n]+; \$a = \$text; \$a$`, args[4], "one line, in which nothing would have to be quoted")
	assert.Equal(t, "w6QK\n", PowerShellInput("ä\n"))
}
