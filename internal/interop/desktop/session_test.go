//go:build unix

package desktop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/notify/desktop"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const patience = 20 * time.Second

const busConfig = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN" "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:path=%s</listen>
  <auth>EXTERNAL</auth>
  <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/></policy>
</busconfig>
`

// dunstConfig writes the urgency before the title, so that it stands in the history.
const dunstConfig = `[global]
idle_threshold = 0
markup = %s
[urgency_low]
timeout = 7
format = "LOW %%s|%%b"
[urgency_normal]
timeout = 8
format = "NORMAL %%s|%%b"
[urgency_critical]
timeout = 9
format = "CRITICAL %%s|%%b"
`

// session is a desktop session: an X server and a message bus.
type session struct {
	t       *testing.T
	dir     string
	display string
	address string
	bus     service
}

func newSession(t *testing.T) *session {
	for _, program := range []string{"Xvfb", "dbus-daemon", "dunst"} {
		foreign.Need(t, program)
	}
	dir := t.TempDir()
	s := &session{t: t, dir: dir, address: "unix:path=" + dbus.EscapeBusAddressValue(filepath.Join(dir, "bus"))}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "bus.conf"), fmt.Appendf(nil, busConfig, filepath.Join(dir, "bus")), 0o600))
	s.startBus()
	return s
}

func (s *session) startBus() {
	cmd := exec.Command(foreign.Need(s.t, "dbus-daemon"), "--config-file="+filepath.Join(s.dir, "bus.conf"), "--nofork", "--nopidfile", "--print-address")
	s.bus = service{foreign.Start(s.t, cmd), cmd}
	require.NoError(s.t, s.bus.WaitFor("guid=", patience))
}

// service is a program of the session that runs.
type service struct {
	*foreign.Process
	cmd *exec.Cmd
}

// startDunst starts dunst and waits until it answers. Markup is "full" or "no".
func (s *session) startDunst(markup string) service {
	if s.display == "" {
		s.display = foreign.StartX(s.t)
	}
	config := filepath.Join(s.dir, "dunstrc")
	require.NoError(s.t, os.WriteFile(config, fmt.Appendf(nil, dunstConfig, markup), 0o600))
	cmd := exec.Command(foreign.Need(s.t, "dunst"), "-config", config)
	cmd.Env = append(os.Environ(), "DISPLAY="+s.display, "DBUS_SESSION_BUS_ADDRESS="+s.address, "WAYLAND_DISPLAY=")
	p := foreign.Start(s.t, cmd)
	n := s.notifier(desktop.Options{AppName: "probe"})
	answers := func() bool { _, err := n.Name(s.t.Context()); return err == nil }
	if !assert.Eventually(s.t, answers, patience, 10*time.Millisecond) {
		s.t.Fatalf("dunst wrote: %s", p.Output())
	}
	require.NoError(s.t, n.Close())
	return service{p, cmd}
}

func (s *session) notifier(o desktop.Options) *desktop.Notifier {
	o.Bus = s.address
	n, err := desktop.New(&o)
	require.NoError(s.t, err)
	s.t.Cleanup(func() { _ = n.Close() })
	return n
}

// entry is one notification of dunst's history.
type entry struct {
	AppName, Summary, Body, Message, Category, Icon string
	ID                                              int32
	Timeout                                         int64 // in microseconds
}

// shown closes all notifications and returns them, by the name of the program and the summary.
func (s *session) shown() map[string]entry {
	conn, err := dbus.Connect(s.address)
	require.NoError(s.t, err)
	defer conn.Close()
	dunst := conn.Object("org.freedesktop.Notifications", "/org/freedesktop/Notifications")
	require.NoError(s.t, dunst.CallWithContext(s.t.Context(), "org.dunstproject.cmd0.NotificationCloseAll", 0).Err)
	var history []map[string]dbus.Variant
	require.NoError(s.t, dunst.CallWithContext(s.t.Context(), "org.dunstproject.cmd0.NotificationListHistory", 0).Store(&history))
	all := make(map[string]entry)
	for _, h := range history {
		var e entry
		for field, to := range map[string]any{
			"appname": &e.AppName, "summary": &e.Summary, "body": &e.Body, "message": &e.Message, "category": &e.Category, "icon_path": &e.Icon,
			"id": &e.ID, "timeout": &e.Timeout,
		} {
			require.NoError(s.t, h[field].Store(to), field)
		}
		name := e.AppName + ": " + e.Summary
		require.NotContains(s.t, all, name)
		all[name] = e
	}
	return all
}
