package desktop

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/notify"
	"github.com/otrchat/otrchat/notify/internal/command"
)

func read(t *testing.T, path ...string) string {
	text, err := os.ReadFile(filepath.Join(path...))
	require.NoError(t, err)
	return string(text)
}

var texts = append([]string{"", "plain", "ä\u2028ö", "]]>", "<!--", "&#x0;", "'@\n\"@", "\U0010FFFF\uFFFE"}, hostileTexts()...)

func hostileTexts() (all []string) {
	for _, h := range hostile {
		all = append(all, h.text)
	}
	return all
}

// Only the standard input differs from one notification to another, and it holds the texts as they are.
func TestOsascript(t *testing.T) {
	for i, text := range texts {
		t.Run(fmt.Sprint("text ", i), func(t *testing.T) {
			dir := foreign.Fake(t, "osascript", "")
			n := newNotifier(mediumOf("darwin", Options{AppName: "Chat"}))
			defer n.Close()
			require.NoError(t, n.Notify(t.Context(), notify.Notification{Contact: text, Title: text, Body: text}))
			assert.Equal(t, "-l\x00JavaScript\x00-e\x00"+jxa+"\x00", read(t, dir, "args"))
			var got map[string]string
			require.NoError(t, json.Unmarshal([]byte(read(t, dir, "input")), &got))
			for _, h := range hostile {
				if h.text == text {
					assert.Equal(t, map[string]string{"app": "Chat", "title": h.title, "body": h.plain}, got)
				}
			}
			assert.Less(t, len(read(t, dir, "input")), 16<<10)
			name, err := n.Name(t.Context())
			require.NoError(t, err)
			assert.Equal(t, dir+"/osascript (macOS notifications)", name)
		})
	}
}

func TestPowershell(t *testing.T) {
	for i, text := range texts {
		t.Run(fmt.Sprint("text ", i), func(t *testing.T) {
			dir := foreign.Fake(t, "powershell", "")
			n := newNotifier(mediumOf("windows", Options{AppName: "Chat & <Co>", Icon: "/a b.png"}))
			defer n.Close()
			require.NoError(t, n.Notify(t.Context(), notify.Notification{Kind: notify.PeerError, Contact: text, Title: text, Body: text, Urgency: notify.Critical}))
			args := strings.Split(read(t, dir, "args"), "\x00")
			assert.Equal(t, []string{"-NoLogo", "-NoProfile", "-NonInteractive", "-Command", args[4], ""}, args)
			assert.Regexp(t, `^[^"\n]+$`, args[4], "nothing that would have to be quoted")

			input := read(t, dir, "input")
			assert.Regexp(t, `^[A-Za-z0-9+/=]+\n$`, input)
			decoded, err := base64.StdEncoding.DecodeString(strings.TrimSpace(input))
			require.NoError(t, err)
			var got struct{ App, Toast, Tag, Group string }
			require.NoError(t, json.Unmarshal(decoded, &got))
			assert.Equal(t, powershellID, got.App)
			assert.Equal(t, text != "", len(got.Tag) == 16 && got.Group == "otrchat")
			assert.LessOrEqual(t, len(got.Toast), 5000)
			checkToast(t, got.Toast, text)
		})
	}
}

// checkToast reads the toast as Windows would: whatever the text holds, the elements are these.
func checkToast(t *testing.T, toast, text string) {
	var got toastElement
	require.NoError(t, xml.Unmarshal([]byte(toast), &got))
	assert.Equal(t, "long", got.Duration)
	assert.Equal(t, &toastImage{"appLogoOverride", "file:///a%20b.png"}, got.Binding.Image)
	require.Len(t, got.Binding.Texts, 3)
	assert.Equal(t, toastText{"attribution", "Chat & <Co>"}, got.Binding.Texts[2])
	title, body := got.Binding.Texts[0].Text, got.Binding.Texts[1].Text
	assert.NotEmpty(t, title)
	for _, h := range hostile {
		if h.text == text && len(text) < 1000 {
			assert.Equal(t, []string{h.title, h.plain}, []string{title, body})
		}
	}
	assert.True(t, utf8.ValidString(toast))
	elements := 0
	for d := xml.NewDecoder(strings.NewReader(toast)); ; {
		token, err := d.Token()
		if err != nil {
			break
		}
		if _, ok := token.(xml.StartElement); ok {
			elements++
		}
	}
	assert.Equal(t, 7, elements, toast)
}

func TestToastOfAKnownProgram(t *testing.T) {
	var got toastElement
	require.NoError(t, xml.Unmarshal([]byte(toast(Options{AppName: "Chat", AppID: "Example.Chat", Icon: "name"}, changed)), &got))
	assert.Equal(t, []toastText{{Text: changed.Title}, {Text: changed.Body}}, got.Binding.Texts, "Windows adds the program's name")
	assert.Nil(t, got.Binding.Image)
	input, err := base64.StdEncoding.DecodeString(toastInput(Options{AppName: "Chat", AppID: "Example.Chat"}, changed))
	require.NoError(t, err)
	assert.Contains(t, string(input), `"app":"Example.Chat"`)

	other := changed
	other.Kind = notify.EncryptionEnded
	assert.NotEqual(t, toastInput(Options{}, changed), toastInput(Options{}, other), "each kind has a tag of its own")
}

// A text in braces would be bound to a value that never comes.
func TestToastBindsNothing(t *testing.T) {
	for text, want := range map[string]string{"{name}": "\u200b{name}", "{": "\u200b{", "a {name}": "a {name}"} {
		var got toastElement
		require.NoError(t, xml.Unmarshal([]byte(toast(Options{AppName: "Chat"}, notify.Notification{Title: text, Body: text})), &got))
		assert.Equal(t, []toastText{{Text: want}, {Text: want}, {"attribution", "Chat"}}, got.Binding.Texts)
	}
}

func TestFileURI(t *testing.T) {
	for path, want := range map[string]string{"/a b/ü.png": "file:///a%20b/%C3%BC.png", "C:/x.png": "file:///C:/x.png", "/%41?#": "file:///%2541%3F%23"} {
		assert.Equal(t, want, fileURI(path))
	}
}

func TestProgramIsMissing(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	for goos, file := range map[string]string{"darwin": "osascript", "windows": "powershell"} {
		n := newNotifier(mediumOf(goos, Options{AppName: "Chat"}))
		defer n.Close()
		err := n.Notify(t.Context(), changed)
		require.ErrorIs(t, err, ErrUnavailable)
		assert.ErrorContains(t, err, `desktop: unavailable: exec: "`+file+`": executable file not found`)
		_, err = n.Name(t.Context())
		require.ErrorIs(t, err, ErrUnavailable)
	}
}

// What the program writes about the notification is left out of the error.
func TestProgramFails(t *testing.T) {
	for goos, file := range map[string]string{"darwin": "osascript", "windows": "powershell"} {
		foreign.Fake(t, file, "echo 'cannot show <Verify it again> to bob@example.org: no such thing' >&2; exit 7")
		n := newNotifier(mediumOf(goos, Options{AppName: "Chat"}))
		defer n.Close()
		err := n.Notify(t.Context(), changed)
		var failed *command.Error
		require.ErrorAs(t, err, &failed)
		assert.EqualError(t, err, "desktop: "+file+": exit status 7: cannot show <… … …> to …@….…: no such thing")
	}
}

// A program that hangs is killed with its children when the context ends, and by Close.
func TestProgramHangs(t *testing.T) {
	for name, end := range map[string]func(n *Notifier, cancel func()){
		"context": func(_ *Notifier, cancel func()) { cancel() },
		"Close":   func(n *Notifier, _ func()) { _ = n.Close() },
	} {
		t.Run(name, func(t *testing.T) {
			dir := foreign.Fake(t, "osascript", "mkfifo started; sleep 1000 & echo >started; sleep 1000")
			n := newNotifier(mediumOf("darwin", Options{AppName: "Chat"}))
			defer n.Close()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			go func() {
				assert.Eventually(t, func() bool { _, err := os.Stat(filepath.Join(dir, "started")); return err == nil }, time.Minute, time.Millisecond)
				_, _ = os.ReadFile(filepath.Join(dir, "started"))
				end(n, cancel)
			}()
			err := n.Notify(ctx, changed)
			if name == "Close" {
				require.Equal(t, ErrClosed, err)
			} else {
				require.ErrorIs(t, err, context.Canceled)
			}
		})
	}
}
