//go:build unix

package growl

import (
	"os/exec"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/gntp"
	"github.com/otrchat/otrchat/internal/interop/foreign"
)

// What gntp-send sends says to our parser what it was told to say.
func TestGntpSend(t *testing.T) {
	program := foreign.Need(t, "gntp-send")
	for name, password := range map[string]string{"plain": "", "with a password": "open sesame"} {
		t.Run(name, func(t *testing.T) {
			address, done := Listen(t, password)
			args := []string{"-s", address, "-a", "The App", "-n", "The Kind"}
			if password != "" {
				args = append(args, "-p", password)
			}
			args = append(args, "Grüße: an alle", "Body <b>&", "http://example.org/icon.png", "http://example.org/callback")
			foreign.Run(t, patience, exec.Command(program, args...))
			all := done()
			require.Len(t, all, 2)
			require.NoError(t, all[0].Err)
			require.NoError(t, all[1].Err)
			register, notification := all[0].Message, all[1].Message
			assert.Equal(t, gntp.Register, register.Type)
			assert.Equal(t, "The App", register.Head().Value("Application-Name"))
			require.Len(t, register.Sections, 2)
			assert.Equal(t, "The Kind", register.Sections[1].Value("Notification-Name"))
			assert.Equal(t, "True", register.Sections[1].Value("Notification-Enabled"))
			assert.Equal(t, gntp.Notify, notification.Type)
			for header, want := range map[string]string{
				"Application-Name": "The App", "Notification-Name": "The Kind", "Notification-Title": "Grüße: an alle", "Notification-Text": "Body <b>&",
				"Notification-Icon": "http://example.org/icon.png", "Notification-Callback-Target": "http://example.org/callback",
			} {
				assert.Equal(t, want, notification.Head().Value(header), header)
			}
		})
	}
}

func TestGntpSendWithAnotherPassword(t *testing.T) {
	program := foreign.Need(t, "gntp-send")
	for _, args := range [][]string{{"-p", "sesame"}, nil} {
		address, done := Listen(t, "open sesame")
		cmd := exec.Command(program, append(append([]string{"-s", address}, args...), "title", "text")...)
		<-foreign.Start(t, cmd).Done() // it may not have seen the refusal, which comes before it has sent everything
		all := done()
		require.NotEmpty(t, all)
		for _, each := range all {
			require.ErrorIs(t, each.Err, gntp.ErrPassword)
		}
	}
}
