package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/otrchat/otrchat/internal/interop/foreign"
)

func TestPasswordAtATerminal(t *testing.T) {
	for name, tt := range map[string]struct {
		typed []string
		want  string
	}{
		"twice the same": {[]string{"wonderland\n", "wonderland\n"}, ""},
		"another":        {[]string{"wonderland\n", "Wonderland\n"}, "the two passwords differ"},
		"nothing":        {[]string{"\n", "\n"}, "an empty password"},
	} {
		t.Run(name, func(t *testing.T) {
			keyboard, tty := terminal(t)
			path := filepath.Join(t.TempDir(), "users")
			ended, questions := make(chan error, 1), &questions{}
			go func() {
				ended <- addUser(t.Context(), []string{"-users", path, "-realm", "example.com", "alice"}, tty, questions)
			}()
			for i, line := range tt.typed {
				require.Eventually(t, func() bool { return questions.n.Load() == int32(i+1) && !echoes(t, tty) }, patience, time.Millisecond)
				_, err := keyboard.WriteString(line)
				require.NoError(t, err)
			}
			if err := <-ended; tt.want != "" {
				require.ErrorContains(t, err, tt.want)
				assert.NoFileExists(t, path)
			} else {
				require.NoError(t, err)
				text, err := os.ReadFile(path)
				require.NoError(t, err)
				assert.Equal(t, alice.line("wonderland"), string(text))
			}
			assert.NotContains(t, screen(t, keyboard, tty), "onderland")
		})
	}
}

// Ctrl-C at the question ends the program, and the terminal shows again what is typed.
func TestPasswordIsNotGiven(t *testing.T) {
	_, tty := terminal(t)
	cmd := command("adduser", "-users", filepath.Join(t.TempDir(), "users"), "-realm", "example.com", "alice")
	cmd.Stdin = tty
	p := foreign.Start(t, cmd)
	require.Eventually(t, func() bool { return !echoes(t, tty) }, patience, time.Millisecond)
	p.Interrupt()
	<-p.Done()
	assert.Equal(t, 1, p.ExitCode())
	assert.True(t, echoes(t, tty))
}

// questions counts them.
type questions struct{ n atomic.Int32 }

func (q *questions) Write(b []byte) (int, error) {
	if bytes.HasSuffix(b, []byte(": ")) {
		q.n.Add(1)
	}
	return len(b), nil
}

// terminal is a pair of pseudo terminals: what is written to keyboard is typed at tty, and read from it what tty's screen shows.
func terminal(t *testing.T) (keyboard, tty *os.File) {
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR, 0)
	require.NoError(t, err)
	t.Cleanup(func() { keyboard.Close() })
	require.NoError(t, unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0))
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	require.NoError(t, err)
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	require.NoError(t, err)
	t.Cleanup(func() { tty.Close() })
	return keyboard, tty
}

// echoes tells whether the terminal shows what is typed.
func echoes(t *testing.T, tty *os.File) bool {
	state, err := unix.IoctlGetTermios(int(tty.Fd()), unix.TCGETS)
	require.NoError(t, err)
	return state.Lflag&unix.ECHO != 0
}

// screen is what the terminal has shown so far.
func screen(t *testing.T, keyboard, tty *os.File) string {
	_, err := tty.WriteString("the end")
	require.NoError(t, err)
	var shown []byte
	for !bytes.HasSuffix(shown, []byte("the end")) {
		b := make([]byte, 1024)
		n, err := keyboard.Read(b)
		require.NoError(t, err)
		shown = append(shown, b[:n]...)
	}
	return string(shown)
}
