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

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/notify/desktop"
)

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

// Session is a desktop session: an X server and a message bus. It belongs to one goroutine.
type Session struct {
	Address string // of the bus, as in DBUS_SESSION_BUS_ADDRESS

	t       testing.TB
	dir     string
	display string
	bus     Service
}

// NewSession starts the bus of a session. It lasts as long as the test. The X server comes with the first dunst.
func NewSession(t testing.TB) *Session {
	t.Helper()
	for _, program := range []string{"Xvfb", "dbus-daemon", "dunst"} {
		foreign.Need(t, program)
	}
	dir := t.TempDir()
	s := &Session{t: t, dir: dir, Address: "unix:path=" + dbus.EscapeBusAddressValue(filepath.Join(dir, "bus"))}
	s.check(os.WriteFile(filepath.Join(dir, "bus.conf"), fmt.Appendf(nil, busConfig, filepath.Join(dir, "bus")), 0o600))
	s.startBus()
	return s
}

func (s *Session) startBus() {
	cmd := exec.Command(foreign.Need(s.t, "dbus-daemon"), "--config-file="+filepath.Join(s.dir, "bus.conf"), "--nofork", "--nopidfile", "--print-address")
	s.bus = Service{foreign.Start(s.t, cmd), cmd}
	s.check(s.bus.WaitFor("guid=", patience))
}

// Service is a program of the session that runs.
type Service struct {
	*foreign.Process
	cmd *exec.Cmd
}

// StartDunst starts dunst and waits until it answers. Markup is "full" or "no".
func (s *Session) StartDunst(markup string) Service {
	if s.display == "" {
		s.display = foreign.StartX(s.t)
	}
	config := filepath.Join(s.dir, "dunstrc")
	s.check(os.WriteFile(config, fmt.Appendf(nil, dunstConfig, markup), 0o600))
	cmd := exec.Command(foreign.Need(s.t, "dunst"), "-config", config)
	cmd.Env = append(os.Environ(), "DISPLAY="+s.display, "DBUS_SESSION_BUS_ADDRESS="+s.Address, "WAYLAND_DISPLAY=")
	p := foreign.Start(s.t, cmd)
	n := s.notifier(desktop.Options{AppName: "probe"})
	answers := func() bool { _, err := n.Name(s.t.Context()); return err == nil }
	for deadline := time.After(patience); !answers(); {
		select {
		case <-time.After(10 * time.Millisecond):
		case <-deadline:
			s.t.Fatalf("desktop: dunst does not answer; it wrote: %s", p.Output())
		}
	}
	s.check(n.Close())
	return Service{p, cmd}
}

func (s *Session) notifier(o desktop.Options) *desktop.Notifier {
	o.Bus = s.Address
	n, err := desktop.New(&o)
	s.check(err)
	s.t.Cleanup(func() { _ = n.Close() })
	return n
}

// Entry is one notification of dunst's history.
type Entry struct {
	AppName, Summary, Body, Message, Category, Icon string
	ID                                              int32
	Timeout                                         int64 // in microseconds
}

// Shown closes all notifications and returns them, by the name of the program and the summary, as in "Chat: New key".
func (s *Session) Shown() map[string]Entry {
	conn, err := dbus.Connect(s.Address)
	s.check(err)
	defer conn.Close()
	dunst := conn.Object("org.freedesktop.Notifications", "/org/freedesktop/Notifications")
	s.check(dunst.CallWithContext(s.t.Context(), "org.dunstproject.cmd0.NotificationCloseAll", 0).Err)
	var history []map[string]dbus.Variant
	s.check(dunst.CallWithContext(s.t.Context(), "org.dunstproject.cmd0.NotificationListHistory", 0).Store(&history))
	all := make(map[string]Entry)
	for _, h := range history {
		var e Entry
		for field, to := range map[string]any{
			"appname": &e.AppName, "summary": &e.Summary, "body": &e.Body, "message": &e.Message, "category": &e.Category, "icon_path": &e.Icon,
			"id": &e.ID, "timeout": &e.Timeout,
		} {
			s.check(h[field].Store(to))
		}
		name := e.AppName + ": " + e.Summary
		if _, twice := all[name]; twice {
			s.t.Fatalf("desktop: two notifications %q", name)
		}
		all[name] = e
	}
	return all
}

func (s *Session) check(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatalf("desktop: %v", err)
	}
}
