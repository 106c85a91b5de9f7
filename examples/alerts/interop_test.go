//go:build unix

package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/gntp"
	"github.com/otrchat/otrchat/internal/interop/desktop"
	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/interop/growl"
	"github.com/otrchat/otrchat/internal/interop/speech"
)

// The warning of a changed key is seen on a desktop, heard, and shown by a Growl server, each the work of programs that we did not write but the last.
func TestEveryWay(t *testing.T) {
	alone := t.TempDir() // without spd-say, which would go first
	require.NoError(t, os.Symlink(foreign.Need(t, "espeak-ng"), filepath.Join(alone, "espeak-ng")))
	session := desktop.NewSession(t)
	session.StartDunst("full")
	sound := speech.SoundCard(t)
	server, requests := growl.Listen(t, "open sesame")

	t.Setenv("DBUS_SESSION_BUS_ADDRESS", session.Address)
	t.Setenv("GROWL_PASSWORD", "open sesame")
	path := os.Getenv("PATH")
	t.Setenv("PATH", alone)
	out, _ := says(t, "-growl", server)
	t.Setenv("PATH", path)
	assert.Regexp(t, `^desktop: dunst \d.*
speech: espeak-ng
growl: a Growl server at `+server+`
Bob calls`, out)
	for _, name := range []string{"desktop", "speech", "growl", "log"} {
		assert.Contains(t, out, "\n"+name+": delivered: "+title+"\n")
	}
	assert.NotContains(t, out, "not delivered")

	shown := session.Shown()
	assert.Len(t, shown, 1)
	assert.Contains(t, shown["alerts: "+title].Body, "bob@127.0.0.1 has a new key.")
	assert.True(t, speech.Measure(t, []byte(read(t, sound))).Audible())
	last := requests()[1:]
	require.Len(t, last, 1)
	require.NoError(t, last[0].Err)
	assert.Equal(t, gntp.Notify, last[0].Message.Type)
	assert.Equal(t, title, last[0].Message.Head().Value("Notification-Title"))
}

func TestWrongPassword(t *testing.T) {
	bare(t)
	server, _ := growl.Listen(t, "open sesame")
	t.Setenv("GROWL_PASSWORD", "sesame")
	out, _ := says(t, "-use", "growl", "-growl", server)
	assert.Regexp(t, `^growl: the server refused with code 400: .*\nBob `, out)
	assert.Contains(t, out, "\nlog: delivered: "+title+"\n")
	assert.NotContains(t, out, "sesame")
}
