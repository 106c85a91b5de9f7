package speech

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"

	"github.com/otrchat/otrchat/notify"
)

func TestWords(t *testing.T) {
	long := strings.Repeat("x", 100)
	tests := []struct {
		name string
		n    notify.Notification
		want string
	}{
		{"title and body", notify.Notification{Title: "New key", Body: "Verify again."}, "New key. Verify again."},
		{"title with an end", notify.Notification{Title: "New key!", Body: "Verify."}, "New key! Verify."},
		{"title alone", notify.Notification{Title: "New key"}, "New key"},
		{"body alone", notify.Notification{Body: "Verify."}, "Verify."},
		{"digits", notify.Notification{Spoken: "- 5 new keys"}, "5 new keys"},
		{"spoken", notify.Notification{Title: "x", Body: "y", Spoken: "Bob has a new key."}, "Bob has a new key."},
		{"blank spoken", notify.Notification{Title: "x", Body: "y", Spoken: " \n"}, "x. y"},
		{"no fingerprint", notify.Notification{Title: "x", Body: "The key is 0A1B 2C3D.", Fingerprint: "0A1B 2C3D"}, "x. The key is ."},
		{"languages", notify.Notification{Spoken: "Grüße, 日本語 हिन्दी می\u200cخواهم 3,5 %"}, "Grüße, 日本語 हिन्दी می\u200cخواهم 3,5 %"},
		{"joined emoji and letters", notify.Notification{Spoken: "क्\u200dष 👩\u200d🔬"}, "क्\u200dष \u200d"},
		{"address", notify.Notification{Spoken: "O'Brien (o_brien@example.org:5060)"}, "O'Brien (o brien@example.org:5060)"},
		{"lines", notify.Notification{Spoken: "a\r\nb\n\n!-!STOP ALL\n.\n"}, "a b !-!STOP ALL ."},
		{"server command", notify.Notification{Spoken: "!-!STOP ALL"}, "STOP ALL"},
		{"options", notify.Notification{Spoken: "--version -w/tmp/x"}, "version -w/tmp/x"},
		{"phonemes", notify.Notification{Spoken: "a [[h@'loU]] b [[slnc 5000]]"}, "a h@'loU b slnc 5000"},
		{"markup", notify.Notification{Spoken: `<speak><audio src="http://x/"/>&lt;b&gt;</speak>`}, "speak audio src http://x/ / lt;b gt; /speak"},
		{"shell", notify.Notification{Spoken: "a$(id)`id`;\"'|\\%n%s\x00{}"}, "a (id) id ; ' %n%s"},
		{"controls", notify.Notification{Spoken: "a\x01b\x1b[2Jc\u202ed\ufeff"}, "ab 2Jcd"},
		{"not UTF-8", notify.Notification{Spoken: "a\xffb"}, "a b"},
		{"symbols", notify.Notification{Title: "🔥★", Body: "… !"}, ""},
		{"at the bound", notify.Notification{Spoken: strings.Repeat(long, 6)}, strings.Repeat(long, 6)},
		{"too long", notify.Notification{Spoken: strings.Repeat(long, 6) + "x"}, strings.Repeat(long, 6)[:597]},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { assert.Equal(t, tt.want, words(tt.n)) })
	}
}

// Whatever a peer calls itself, the warning is said to its end.
func TestWordsOfAWarning(t *testing.T) {
	for _, hostile := range []string{strings.Repeat("x", 1<<20), strings.Repeat("[[", 1<<19), strings.Repeat("<b>", 1<<18), strings.Repeat("9", 1<<20)} {
		n := notify.English().Fill(notify.Notification{Kind: notify.FingerprintChanged, Contact: hostile, DisplayName: hostile, Fingerprint: "0123ABCD"})
		assert.True(t, strings.HasPrefix(words(n), "Encryption warning. "))
		assert.Contains(t, words(n), "has a new key.")
		assert.True(t, strings.HasSuffix(words(n), "verify the contact again."), words(n))
	}
}

func FuzzWords(f *testing.F) {
	for _, s := range []string{"Bob has a new key.", "!-!STOP", "[[x]]", "\xff\u202e\n.", strings.Repeat("ä ", 400)} {
		f.Add(s, "")
		f.Add("", s)
	}
	f.Fuzz(func(t *testing.T, title, body string) {
		got := words(notify.Notification{Title: title, Body: body})
		assert.LessOrEqual(t, len(got), maxSpoken)
		assert.True(t, utf8.ValidString(got))
		assert.NotContains(t, got, "\n")
		assert.Equal(t, -1, strings.IndexAny(got, "[]<>{}&|\\\"`$*_^=~#"))
		if first, _ := utf8.DecodeRuneInString(got); got != "" {
			assert.True(t, unicode.IsLetter(first) || unicode.IsDigit(first))
		}
	})
}
