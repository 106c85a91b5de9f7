package desktop

import (
	"math"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/leakcheck"
	"github.com/otrchat/otrchat/notify"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

var changed = notify.Notification{
	Kind: notify.FingerprintChanged, Urgency: notify.Critical, Contact: "bob@example.org",
	Title: "Encryption warning: new key of bob@example.org", Body: "bob@example.org has a new key.\nVerify it again.",
}

func TestOptions(t *testing.T) {
	for field, bad := range map[string][]Options{
		"AppName": {{}, {AppName: "a\nb"}, {AppName: "a\x00"}, {AppName: " a"}, {AppName: "\xff"}, {AppName: strings.Repeat("a", 257)}, {AppName: "\u202ea"}},
		"AppID":   {{AppName: "a", AppID: "a b"}, {AppName: "a", AppID: "a/b"}, {AppName: "a", AppID: "'"}, {AppName: "a", AppID: "a\n"}, {AppName: "a", AppID: strings.Repeat("a", 257)}},
		"Icon":    {{AppName: "a", Icon: "../x.png"}, {AppName: "a", Icon: "x/y.png"}, {AppName: "a", Icon: "\x00"}, {AppName: "a", Icon: "/" + strings.Repeat("a", 1024)}},
		"Expire":  {{AppName: "a", Expire: -1}, {AppName: "a", Expire: (math.MaxInt32 + 1) * time.Millisecond}},
	} {
		for _, o := range bad {
			_, err := New(&o)
			assert.ErrorContains(t, err, "desktop: Options."+field+" ", "%.80v", o)
		}
	}
	_, err := New(nil)
	assert.ErrorContains(t, err, "desktop: Options.AppName ")
	for _, o := range []Options{
		{AppName: "a"}, {AppName: strings.Repeat("a", 256), AppID: "org.example.Chat", Icon: "mail-unread", Expire: math.MaxInt32 * time.Millisecond},
		{AppName: "Käse & <b>", AppID: "Example.Chat!App", Icon: "/usr/share/x y.png"},
	} {
		n, err := New(&o)
		require.NoError(t, err)
		require.NoError(t, n.Close())
	}
}

func TestMediumOfEachSystem(t *testing.T) {
	for goos, want := range map[string]any{"linux": &freedesktop{}, "freebsd": &freedesktop{}, "darwin": &program{}, "windows": &program{}} {
		assert.IsType(t, want, mediumOf(goos, Options{}), goos)
	}
	assert.Equal(t, "osascript", mediumOf("darwin", Options{}).(*program).file)
	assert.Equal(t, "powershell", mediumOf("windows", Options{}).(*program).file)
}
