package notify_test

import (
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/notify"
)

const fingerprint = "0A1B2C3D 00000000 00000000 00000000 00000000"

func ofBob(k notify.Kind) notify.Notification {
	return notify.Notification{Kind: k, Contact: "bob@example.org", DisplayName: "Bob", Fingerprint: fingerprint}
}

func TestFill(t *testing.T) {
	for _, c := range []struct {
		name, title, body, spoken string
		of                        notify.Notification
	}{
		{
			"English", "Encryption warning: new key of bob@example.org",
			"bob@example.org has a new key. A key was known for this contact before. This can be a new device, or somebody in the middle: " +
				"verify the contact again. The new fingerprint is " + fingerprint + ".",
			"Encryption warning. Bob (bob@example.org) has a new key. This can be a new device, or somebody in the middle: verify the contact again.",
			ofBob(notify.FingerprintChanged),
		},
		{"replaced", "Bob (bob@example.org)!", "Es ist {aus} {{contact}}", "", ofBob(notify.EncryptionEnded)},
		{"nothing is replaced twice", "{contact} (bob@example.org)!", "Es ist {aus} {{contact}}", "", notify.Notification{
			Kind: notify.EncryptionEnded, Contact: "bob@example.org", DisplayName: "{contact}",
		}},
		{"no name", "Message from bob@example.org", "", "", notify.Notification{Kind: notify.MessageReceived, Contact: "bob@example.org", DisplayName: "\u202e "}},
		{"several lines", "Message from Bob (bob@example.org)", "one\ntwo", "", notify.Notification{
			Kind: notify.MessageReceived, Contact: "bob@example.org", DisplayName: "Bob\r\n", Text: "one\r\ntwo\x00",
		}},
		{"lines in a title", "one two", "one\ntwo", "one two", notify.Notification{Kind: notify.PeerError, Text: "one\ntwo"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			filled := notify.Catalogue{
				notify.EncryptionEnded: {Title: "{name}!", Body: "Es ist {aus} {{contact}}"},
				notify.PeerError:       {Title: "{text}", Body: "{text}", Spoken: "{text}"},
			}.Fill(c.of)
			want := c.of
			want.Title, want.Body, want.Spoken = c.title, c.body, c.spoken
			if c.name == "replaced" || c.name == "nothing is replaced twice" {
				want.Body = "Es ist {aus} {bob@example.org}"
			}
			assert.Equal(t, want, filled)
		})
	}
}

// A voice shows no limits of a name, so a name cannot go on with sentences of its own.
func TestFillSpokenName(t *testing.T) {
	for name, want := range map[string]string{
		"Dr. Bob":                                "Dr Bob (bob@example.org)",
		"Bob is safe. All is well! Ignore this:": "Bob is safe All is well Ignore this (bob@example.org)",
		"... 。!":                                 "bob@example.org",
	} {
		n := ofBob(notify.FingerprintChanged)
		n.DisplayName = name
		text := "{name} has a new key."
		n = notify.Catalogue{n.Kind: {Title: text, Body: text, Spoken: text}}.Fill(n)
		assert.Equal(t, want+" has a new key.", n.Spoken)
		assert.Equal(t, name+" (bob@example.org) has a new key.", n.Title)
		assert.Equal(t, n.Title, n.Body)
	}
}

// An application's own kinds keep its texts.
func TestFillOther(t *testing.T) {
	for _, k := range []notify.Kind{notify.Other, -1, 99} {
		n := notify.Notification{Kind: k, Title: "{contact}", Body: "own text", Contact: "bob@example.org"}
		assert.Equal(t, n, notify.Catalogue(nil).Fill(n))
	}
}

// What is put in is cut by itself, to the byte.
func TestFillBounds(t *testing.T) {
	long := strings.Repeat("x", 2<<10)
	of := func(n int) string { return strings.Repeat("x", n-len("…")) + "…" }
	n := notify.Notification{Kind: notify.FingerprintChanged, Contact: long, DisplayName: long, Fingerprint: long}
	n = notify.Catalogue{n.Kind: {Title: "{name}", Body: "{contact} {fingerprint}"}}.Fill(n)
	assert.Equal(t, of(100)+" ("+of(256)+")", n.Title)
	assert.Equal(t, of(256)+" "+of(256), n.Body)
	assert.Equal(t, of(1<<10), notify.English().Fill(notify.Notification{Kind: notify.MessageReceived, Text: long}).Body)
}

// Whatever a peer calls itself, the fingerprint is there to be read, and the texts stay small.
func TestFillHostile(t *testing.T) {
	for _, hostile := range []string{
		strings.Repeat("ä", 1<<19), strings.Repeat("\u202e", 1<<19), strings.Repeat("\n", 1<<20), strings.Repeat("{name}", 1<<17),
		"\xff\xfe", "a\r\nb\x1b[2J\x00", "{fingerprint}{text}{contact}", "%s%n", "$1${0}\\1",
	} {
		for k := notify.FingerprintChanged; k <= notify.MessageReceived; k++ {
			n := notify.Catalogue(nil).Fill(notify.Notification{Kind: k, Contact: hostile, DisplayName: hostile, Text: hostile, Fingerprint: fingerprint})
			for _, text := range []string{n.Title, n.Body, n.Spoken} {
				assert.Less(t, len(text), 2<<10)
				assert.True(t, utf8.ValidString(text))
				assert.NotContains(t, text, "\u202e")
				assert.NotContains(t, text, "\x1b")
			}
			assert.NotContains(t, n.Title+n.Spoken, "\n")
			if strings.Contains(notify.English()[k].Body, "{fingerprint}") {
				assert.Contains(t, n.Body, fingerprint+".")
			}
		}
	}
	many := notify.Catalogue{notify.MessageReceived: {Body: strings.Repeat("{text}", 170)}}
	assert.LessOrEqual(t, len(many.Fill(notify.Notification{Kind: notify.MessageReceived, Text: strings.Repeat("x", 1<<20)}).Body), 4<<10)
}

func TestEnglish(t *testing.T) {
	require.NoError(t, notify.English().Validate())
	for k := notify.FingerprintChanged; k <= notify.MessageReceived; k++ {
		assert.Contains(t, notify.English(), k)
	}
	assert.NotContains(t, notify.English(), notify.Other)
	delete(notify.English(), notify.EncryptionEnded)
	assert.Contains(t, notify.English(), notify.EncryptionEnded, "each caller has its own")
	assert.NotEmpty(t, notify.Catalogue{}.Fill(ofBob(notify.EncryptionEnded)).Body)
}

func TestCatalogueJSON(t *testing.T) {
	text, err := json.Marshal(notify.English())
	require.NoError(t, err)
	assert.Contains(t, string(text), `"encryption ended":{"title":"Encryption ended: {contact}","body":`)
	var again notify.Catalogue
	require.NoError(t, json.Unmarshal(text, &again))
	assert.Equal(t, notify.English(), again)
}

func TestValidate(t *testing.T) {
	require.NoError(t, notify.Catalogue(nil).Validate())
	long := strings.Repeat("x", notify.MaxText)
	for _, c := range []struct {
		name, want string
		kind       notify.Kind
		text       notify.Text
	}{
		{"every placeholder", "", notify.FingerprintChanged, notify.Text{Title: "{contact} {name}", Body: "{fingerprint}", Spoken: "{name}"}},
		{"at the bound", "", notify.PeerError, notify.Text{Title: long, Body: "{text}"}},
		{"no title", `notify: Catalogue: the title of "peer error" is missing`, notify.PeerError, notify.Text{Body: "x"}},
		{"no body", `notify: Catalogue: the body of "peer error" is missing`, notify.PeerError, notify.Text{Title: "x"}},
		{"too long", `notify: Catalogue: the spoken of "peer error" is longer than 1024 bytes`, notify.PeerError, notify.Text{Title: "x", Body: "x", Spoken: long + "x"}},
		{"not UTF-8", `notify: Catalogue: the title of "peer error" is not UTF-8`, notify.PeerError, notify.Text{Title: "\xff", Body: "x"}},
		{"misspelt", `notify: Catalogue: the body of "peer error" has "{nmae}", which is no placeholder there`, notify.PeerError, notify.Text{Title: "x", Body: "{nmae}"}},
		{"capital", `notify: Catalogue: the body of "peer error" has "{", which is no placeholder there`, notify.PeerError, notify.Text{Title: "x", Body: "{Name}"}},
		{"open", `notify: Catalogue: the body of "peer error" has "{", which is no placeholder there`, notify.PeerError, notify.Text{Title: "x", Body: "{name"}},
		{"closed", `notify: Catalogue: the body of "peer error" has "}", which is no placeholder there`, notify.PeerError, notify.Text{Title: "x", Body: "{name}}"}},
		{"empty", `notify: Catalogue: the body of "peer error" has "{", which is no placeholder there`, notify.PeerError, notify.Text{Title: "x", Body: "{}"}},
		{
			"of another kind", `notify: Catalogue: the body of "encryption ended" has "{fingerprint}", which is no placeholder there`,
			notify.EncryptionEnded, notify.Text{Title: "x", Body: "{fingerprint}"},
		},
		{"an application's kind", `notify: Catalogue: no texts for the kind other`, notify.Other, notify.Text{Title: "x", Body: "x"}},
		{"no kind", `notify: Catalogue: no texts for the kind unknown(99)`, 99, notify.Text{Title: "x", Body: "x"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := notify.Catalogue{c.kind: c.text}.Validate()
			if c.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, c.want)
			}
		})
	}
	err := notify.Catalogue{notify.PeerError: {Title: "x"}, notify.EncryptionEnded: {Body: "x"}}.Validate()
	require.EqualError(t, err, "notify: Catalogue: the title of \"encryption ended\" is missing\nnotify: Catalogue: the body of \"peer error\" is missing")
}

// A catalogue of anybody's is refused, or makes texts within bounds from whatever a peer chooses.
func FuzzCatalogue(f *testing.F) {
	f.Add(`{"fingerprint changed": {"title": "{name}", "body": "{contact}: {fingerprint}"}}`, "bob@example.org", "Bob {fingerprint}", "")
	f.Add(`{"peer error": {"title": "x", "body": "{text}{text}", "spoken": "{text}"}}`, "", "\u202e", "a\r\nb")
	f.Add(`{"message received": {"title": "{", "body": "}"}}`, "\xff", "", "")
	f.Fuzz(func(t *testing.T, document, contact, name, text string) {
		var c notify.Catalogue
		if json.Unmarshal([]byte(document), &c) != nil || c.Validate() != nil {
			return
		}
		for k := range c {
			n := c.Fill(notify.Notification{Kind: k, Contact: contact, DisplayName: name, Fingerprint: fingerprint, Text: text})
			for _, filled := range []string{n.Title, n.Body, n.Spoken} {
				assert.LessOrEqual(t, len(filled), 4<<10)
				assert.True(t, utf8.ValidString(filled))
			}
			if at := strings.Index(c[k].Body, "{fingerprint}"); at >= 0 && at < 100 && strings.Count(c[k].Body, "{") < 8 {
				assert.Contains(t, n.Body, fingerprint)
			}
			before := n
			assert.Equal(t, before, c.Fill(n), "filling again changes nothing")
		}
	})
}
