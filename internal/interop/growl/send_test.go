//go:build unix

package growl

import (
	"net"
	"os/exec"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/gntp"
	"github.com/otrchat/otrchat/internal/interop/foreign"
)

// received is one request of gntp-send.
type received struct {
	m   *gntp.Message
	err error
}

// listen answers requests as a server with the password, and tells of them once the test is done with the listener.
func listen(t *testing.T, password string) (address string, done func() []received) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var all []received
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			all = append(all, answer(t, conn, password))
		}
	})
	stop := func() []received {
		_ = l.Close() // it may be closed already
		running.Wait()
		return all
	}
	t.Cleanup(func() { stop() })
	return l.Addr().String(), stop
}

func answer(t *testing.T, conn net.Conn, password string) received {
	defer conn.Close()
	assert.NoError(t, conn.SetDeadline(time.Now().Add(patience)))
	m, k, err := gntp.ReadRequest(conn, 1<<20, password)
	reply := &gntp.Message{Type: gntp.OK}
	if err != nil {
		reply = &gntp.Message{Type: gntp.Error, Sections: []gntp.Section{{{Name: "Error-Code", Value: "400"}}}}
	}
	b, errAppend := reply.Append(nil, k)
	assert.NoError(t, errAppend)
	_, _ = conn.Write(b) // whoever was refused may have gone
	return received{m, err}
}

// What gntp-send sends says to our parser what it was told to say.
func TestGntpSend(t *testing.T) {
	program := foreign.Need(t, "gntp-send")
	for name, password := range map[string]string{"plain": "", "with a password": "open sesame"} {
		t.Run(name, func(t *testing.T) {
			address, done := listen(t, password)
			args := []string{"-s", address, "-a", "The App", "-n", "The Kind"}
			if password != "" {
				args = append(args, "-p", password)
			}
			args = append(args, "Grüße: an alle", "Body <b>&", "http://example.org/icon.png", "http://example.org/callback")
			foreign.Run(t, patience, exec.Command(program, args...))
			all := done()
			require.Len(t, all, 2)
			require.NoError(t, all[0].err)
			require.NoError(t, all[1].err)
			register, notification := all[0].m, all[1].m
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
		address, done := listen(t, "open sesame")
		cmd := exec.Command(program, append(append([]string{"-s", address}, args...), "title", "text")...)
		<-foreign.Start(t, cmd).Done() // it may not have seen the refusal, which comes before it has sent everything
		all := done()
		require.NotEmpty(t, all)
		for _, each := range all {
			require.ErrorIs(t, each.err, gntp.ErrPassword)
		}
	}
}
