//go:build unix

package desktop

import (
	"context"
	"fmt"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/desktop"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var changed = notify.Notification{
	Kind: notify.FingerprintChanged, Urgency: notify.Critical, Contact: "bob@example.org",
	Title: "Encryption warning: new key of bob@example.org", Body: "bob@example.org has a new key.\nVerify the contact again.",
}

const warning = "Chat: Encryption warning: new key of bob@example.org"

func TestWarningIsShown(t *testing.T) {
	s := NewSession(t)
	s.StartDunst("full")
	icon := filepath.Join(s.dir, "an icon & more.png")
	f, err := os.Create(icon)
	require.NoError(t, err)
	require.NoError(t, png.Encode(f, image.NewRGBA(image.Rect(0, 0, 32, 32))))
	require.NoError(t, f.Close())

	n := s.notifier(desktop.Options{AppName: "Chat", AppID: "org.example.Chat", Icon: icon, Expire: 3 * time.Second})
	name, err := n.Name(t.Context())
	require.NoError(t, err)
	assert.Regexp(t, `^dunst \d+\.\d+\.\d+.* \(freedesktop\.org notifications 1\.2\)$`, name)

	require.NoError(t, n.Notify(t.Context(), changed))
	for _, u := range []notify.Urgency{notify.Low, notify.Normal} {
		require.NoError(t, n.Notify(t.Context(), notify.Notification{Urgency: u, Contact: u.String(), Title: u.String()}))
	}
	shown := s.Shown()
	require.Len(t, shown, 3)
	got := shown[warning]
	got.ID = 0
	assert.Equal(t, Entry{
		AppName: "Chat", Summary: changed.Title, Body: changed.Body, Category: "im.error", Icon: icon,
		Message: "CRITICAL " + changed.Title + "|" + changed.Body, Timeout: 0,
	}, got)
	assert.Equal(t, "LOW low|", shown["Chat: low"].Message)
	assert.Equal(t, "NORMAL normal|", shown["Chat: normal"].Message)
	assert.Equal(t, 3*time.Second.Microseconds(), shown["Chat: normal"].Timeout)
}

// Without Options.Expire the user's configuration decides, but a Critical one stays.
func TestExpiry(t *testing.T) {
	s := NewSession(t)
	s.StartDunst("full")
	n := s.notifier(desktop.Options{AppName: "Chat"})
	for _, u := range []notify.Urgency{notify.Low, notify.Normal, notify.Critical} {
		require.NoError(t, n.Notify(t.Context(), notify.Notification{Urgency: u, Title: u.String()}))
	}
	shown := s.Shown()
	for title, seconds := range map[string]time.Duration{"low": 7, "normal": 8, "critical": 0} {
		assert.Equal(t, (seconds * time.Second).Microseconds(), shown["Chat: "+title].Timeout, title)
	}
}

// What a peer chose is shown letter for letter, without and with markup.
func TestHostileText(t *testing.T) {
	texts := []string{
		"<b>Bob</b> &amp; <img src='/etc/passwd'/> <a href=\"x\">y</a>", "&#x41; &unknown; < > &", "</span></b>]]>", "--help", "'; $(echo x) `echo x` \" \\n %s %b",
	}
	escape := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	for markup, encoded := range map[string]func(string) string{"full": escape.Replace, "no": func(s string) string { return s }} {
		t.Run("markup "+markup, func(t *testing.T) {
			s := NewSession(t)
			s.StartDunst(markup)
			n := s.notifier(desktop.Options{AppName: "Chat"})
			for _, text := range texts {
				require.NoError(t, n.Notify(t.Context(), notify.Notification{Contact: text, Title: text, Body: text}))
			}
			cleaned := notify.Notification{Title: "a\x1b[2J\nb\x00\u202ec\xff", Body: strings.Repeat("<u>", 1<<18)}
			require.NoError(t, n.Notify(t.Context(), cleaned))
			shown := s.Shown()
			require.Len(t, shown, len(texts)+1)
			for _, text := range texts {
				assert.Equal(t, encoded(text), shown["Chat: "+text].Body)
			}
			long := shown["Chat: a[2J bc\uFFFD"].Body
			assert.True(t, strings.HasPrefix(long, encoded("<u><u><u>")) && strings.HasSuffix(long, "…"), long)
		})
	}
}

// A notification takes the place of the last of its kind and contact on the screen, and of nobody else's.
func TestReplaced(t *testing.T) {
	s := NewSession(t)
	s.StartDunst("full")
	n, other := s.notifier(desktop.Options{AppName: "Chat"}), s.notifier(desktop.Options{AppName: "Other"})
	require.NoError(t, other.Notify(t.Context(), changed))
	ended, carol := changed, changed
	ended.Kind, ended.Title = notify.EncryptionEnded, "ended"
	carol.Contact, carol.Title = "carol@example.org", "carol"
	for _, each := range []notify.Notification{changed, ended, carol} {
		require.NoError(t, n.Notify(t.Context(), each))
	}
	for i := range 20 {
		again := changed
		again.Title = fmt.Sprint("key number ", i)
		require.NoError(t, n.Notify(t.Context(), again))
	}
	shown := s.Shown()
	assert.Len(t, shown, 4)
	for _, name := range []string{"Other: " + changed.Title, "Chat: ended", "Chat: carol", "Chat: key number 19"} {
		assert.Contains(t, shown, name)
	}
}

// A service that was started anew counts from the beginning: our numbers are then those of other programs.
func TestServiceIsStartedAnew(t *testing.T) {
	s := NewSession(t)
	dunst := s.StartDunst("full")
	n, other := s.notifier(desktop.Options{AppName: "Chat"}), s.notifier(desktop.Options{AppName: "Other"})
	require.NoError(t, n.Notify(t.Context(), changed))
	before := s.Shown()[warning].ID

	dunst.Stop()
	err := n.Notify(t.Context(), changed)
	require.ErrorIs(t, err, desktop.ErrUnavailable)
	assert.ErrorContains(t, err, "no org.freedesktop.Notifications on the session bus")

	s.StartDunst("full")
	for i := range before + 2 {
		require.NoError(t, other.Notify(t.Context(), notify.Notification{Title: fmt.Sprint(i)}))
	}
	require.NoError(t, n.Notify(t.Context(), changed))
	shown := s.Shown()
	assert.Len(t, shown, int(before)+3, "nothing of the other program's was replaced")
	assert.Contains(t, shown, warning)
}

func TestBusIsStartedAnew(t *testing.T) {
	s := NewSession(t)
	s.StartDunst("full")
	n := s.notifier(desktop.Options{AppName: "Chat"})
	require.NoError(t, n.Notify(t.Context(), changed))
	s.bus.Stop()
	require.ErrorIs(t, n.Notify(t.Context(), changed), desktop.ErrUnavailable)
	s.startBus()
	s.StartDunst("full")
	require.NoError(t, n.Notify(t.Context(), changed))
	assert.Contains(t, s.Shown(), warning)
}

// A program that hangs, the service or the bus, is given up with the context. When it goes on, so do we.
func TestHanging(t *testing.T) {
	for _, what := range []string{"service", "bus"} {
		t.Run(what, func(t *testing.T) {
			s := NewSession(t)
			dunst := s.StartDunst("full")
			n := s.notifier(desktop.Options{AppName: "Chat"})
			require.NoError(t, n.Notify(t.Context(), changed))
			stopped := dunst.cmd.Process
			if what == "bus" {
				stopped = s.bus.cmd.Process
			}
			require.NoError(t, stopped.Signal(syscall.SIGSTOP))
			t.Cleanup(func() { _ = stopped.Signal(syscall.SIGCONT) }) // a program that is stopped does not end when it is asked to
			for range 2 {
				ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
				err := n.Notify(ctx, changed)
				cancel()
				require.ErrorIs(t, err, context.DeadlineExceeded)
			}
			require.NoError(t, stopped.Signal(syscall.SIGCONT))
			require.NoError(t, n.Notify(t.Context(), changed))
			assert.Contains(t, s.Shown(), warning)
		})
	}
}

// Many peers, each with warnings: dunst takes them all.
func TestManyAtOnce(t *testing.T) {
	s := NewSession(t)
	s.StartDunst("full")
	n := s.notifier(desktop.Options{AppName: "Chat"})
	errs := make(chan error)
	for i := range 100 {
		go func() {
			each := changed
			each.Contact = fmt.Sprint("contact", i%10)
			each.Title = each.Contact
			errs <- n.Notify(t.Context(), each)
		}()
	}
	for range 100 {
		assert.NoError(t, <-errs)
	}
	assert.Len(t, s.Shown(), 10)
}
