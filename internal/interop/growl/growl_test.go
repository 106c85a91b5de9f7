//go:build unix

package growl

import (
	"bytes"
	"image"
	"image/color"
	"image/draw"
	"image/png"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/growl"
)

var changed = notify.Notification{
	Kind: notify.FingerprintChanged, Urgency: notify.Critical, Contact: "bob@example.org",
	Title: "Bob has a new key", Body: "bob@example.org has a new key.\nVerify it again.",
}

var magenta = [3]byte{255, 0, 255}

// icon is a square in magenta.
func icon(t *testing.T) []byte {
	square := image.NewRGBA(image.Rect(0, 0, 64, 64))
	draw.Draw(square, square.Bounds(), image.NewUniform(color.RGBA{magenta[0], magenta[1], magenta[2], 255}), image.Point{}, draw.Src)
	var b bytes.Buffer
	require.NoError(t, png.Encode(&b, square))
	return b.Bytes()
}

// A notification is taken, kept and shown, and so is its icon, which the server loads from us.
func TestWarningIsShown(t *testing.T) {
	s := newServer(t, nil)
	requests := make(chan string, 100)
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.URL.Path
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(icon(t))
	}))
	defer web.Close()
	n := s.notifier(growl.Options{AppName: "Chat", IconURL: web.URL + "/icon.png"})
	name, err := n.Name(t.Context())
	require.NoError(t, err)
	assert.Equal(t, "a Growl server at 127.0.0.1:23053", name)
	require.Zero(t, s.pixels(magenta))
	require.NoError(t, n.Notify(t.Context(), changed))
	assert.Equal(t, [][]any{{changed.Title, changed.Body, web.URL + "/icon.png"}}, s.query("select title, text, icon from notification"))
	require.Eventually(t, func() bool { return s.pixels(magenta) >= 32*32 }, patience, 50*time.Millisecond, "the icon is not on the screen")
	assert.Equal(t, "/icon.png", <-requests)

	var kinds [][]any
	for k := notify.Kind(0); !strings.HasPrefix(k.String(), "unknown"); k++ {
		kinds = append(kinds, []any{"Chat", k.String(), 1.0})
	}
	assert.ElementsMatch(t, kinds, s.query("select app_name, name, enable from application where app_name = 'Chat'"))
}

// An image that goes with the request arrives byte for byte.
func TestIconIsKept(t *testing.T) {
	s := newServer(t, nil)
	n := s.notifier(growl.Options{AppName: "Chat", Icon: icon(t)})
	require.NoError(t, n.Notify(t.Context(), changed))
	rows := s.query("select icon from notification")
	require.Len(t, rows, 1)
	id, found := strings.CutPrefix(rows[0][0].(string), "x-growl-resource://")
	require.True(t, found, rows)
	kept, err := os.ReadFile(filepath.Join(s.config, "resource", id))
	require.NoError(t, err)
	assert.Equal(t, icon(t), kept)
}

// What a peer chose arrives as text.
func TestHostileText(t *testing.T) {
	s := newServer(t, map[string]string{"default_timeout": "100"})
	n := s.notifier(growl.Options{AppName: "Chat"})
	var want [][]any
	for _, each := range [][2]string{
		{"<b>Bob</b> &amp; %s '; drop table notification; --", "'; $(echo x) `echo x` \" \\n %n"},
		{"a\r\nNotification-Text: b", "c\r\n\r\nNotification-Title: d"},
		{"a\x00\x1b[2J\u202eb\xff", "two\r\nlines"},
		{"x-growl-resource://x", "x-growl-resource://y"},
		{"long", strings.Repeat("ä", 1<<19)},
	} {
		require.NoError(t, n.Notify(t.Context(), notify.Notification{Title: each[0], Body: each[1], Contact: each[0]}))
		want = append(want, []any{each[0], each[1]})
	}
	want[1] = []any{"a Notification-Text: b", "c\n\nNotification-Title: d"}
	want[2] = []any{"a[2Jb\uFFFD", "two\nlines"}
	want[3] = []any{`"x-growl-resource://x`, `"x-growl-resource://y`}
	want[4] = []any{"long", strings.Repeat("ä", 2046) + "…"}
	assert.Equal(t, want, s.query("select title, text from notification order by rowid"))
}

// needsPassword are the settings of a server that takes nothing without the password.
var needsPassword = map[string]string{"password": "pässword", "require_password_for_local_apps": "1", "require_password_for_lan_apps": "1", "default_timeout": "100"}

func TestPasswords(t *testing.T) {
	s := newServer(t, needsPassword)
	for _, o := range []growl.Options{
		{}, {Cipher: growl.TripleDES}, {Cipher: growl.DES}, {Cipher: growl.DES, Hash: growl.SHA1}, {Cipher: growl.DES, Hash: growl.MD5},
		{Cipher: growl.Unencrypted}, {Cipher: growl.Unencrypted, Hash: growl.SHA1}, {Cipher: growl.Unencrypted, Hash: growl.MD5},
	} {
		o.AppName, o.Password = "Chat", needsPassword["password"]
		n := s.notifier(o)
		title := "cipher " + string(o.Cipher) + ", hash " + string(o.Hash) + "."
		tries := 1
		if strings.HasSuffix(string(o.Cipher), "DES") {
			tries = 10 // of what it garbles, about every thirtieth has a NUL, where it reads no further
		}
		var err error
		for range tries {
			if err = n.Notify(t.Context(), notify.Notification{Title: title, Body: "text"}); err == nil {
				break
			}
		}
		require.NoError(t, err, title)
		assert.Equal(t, [][]any{{"text"}}, s.query("select text from notification where title = ?", title))
	}
}

func TestRefusals(t *testing.T) {
	s := newServer(t, needsPassword)
	for name, tt := range map[string]struct {
		o    growl.Options
		want string
	}{
		"no password":    {growl.Options{}, "Invalid request"},
		"wrong password": {growl.Options{Password: "password"}, "Invalid data"},
		"unknown hash":   {growl.Options{Password: needsPassword["password"], Hash: growl.SHA512}, "Invalid request"},
	} {
		tt.o.AppName = "Chat"
		var refused *growl.ServerError
		require.ErrorAs(t, s.notifier(tt.o).Notify(t.Context(), changed), &refused, name)
		assert.Equal(t, growl.ServerError{Code: 0, Description: tt.want}, *refused, name)
	}
	assert.Empty(t, s.query("select * from notification where title = ?", changed.Title))
}
