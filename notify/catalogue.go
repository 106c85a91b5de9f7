package notify

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/otrchat/otrchat/notify/internal/plain"
)

// MaxText is how many bytes a text of a [Catalogue] may have.
const MaxText = 1 << 10

// Bounds of what is put into a text, so that nothing that a peer chooses makes the rest of the text disappear.
const (
	maxName        = 100
	maxContact     = 256
	maxFingerprint = 256
	maxQuoted      = 1 << 10 // of Notification.Text
	maxFilled      = 4 << 10 // each text of a notification
)

// Text is what a notification of some kind says. In each field these placeholders stand for fields of the [Notification]: {contact} for
// Contact; {name} for DisplayName with Contact in parentheses, as anybody may choose any name, or for Contact alone; {fingerprint} and {text}
// for Fingerprint and Text, in kinds whose English text has them.
type Text struct {
	Title  string `json:"title"`            // one short line
	Body   string `json:"body"`             // the whole notice; it is also what a chat shows among its messages
	Spoken string `json:"spoken,omitempty"` // what a voice says, where {name} has no full stops and the like; default: title and body
}

// Catalogue has the texts of each kind in the user's language. Kinds that it has no text for are told in English, so nil is the English
// catalogue. In JSON it is an object with the names of kinds, see [Kind.String].
type Catalogue map[Kind]Text

// Fill returns n with Title, Body and Spoken made of the text for its kind. What is put in for a placeholder is cleaned for one line ({text} in
// a body for several), cut, and not searched for placeholders again. A notification whose kind has no text, as Other, is returned as it is.
func (c Catalogue) Fill(n Notification) Notification {
	text, ok := c[n.Kind]
	if !ok {
		text, ok = english[n.Kind]
	}
	if !ok {
		return n
	}
	contact := plain.Line(n.Contact, maxContact)
	name := plain.Line(n.DisplayName, maxName)
	values := []string{
		"{contact}", contact, "{name}", named(name, contact), "{fingerprint}", plain.Line(n.Fingerprint, maxFingerprint), "{text}", plain.Line(n.Text, maxQuoted),
	}
	n.Title = fill(text.Title, values)
	values[3] = named(strings.Map(spoken, name), contact)
	n.Spoken = fill(text.Spoken, values)
	values[3], values[7] = named(name, contact), plain.Text(n.Text, maxQuoted)
	n.Body = fill(text.Body, values)
	return n
}

func fill(text string, values []string) string {
	return plain.Cut(strings.NewReplacer(values...).Replace(text), maxFilled)
}

func named(name, contact string) string {
	if strings.TrimSpace(name) == "" {
		return contact
	}
	return name + " (" + contact + ")"
}

// spoken leaves out what ends a sentence or a part of it: a voice shows no limits of a name, which could go on with a sentence of its own.
func spoken(r rune) rune {
	if unicode.Is(unicode.Terminal_Punctuation, r) {
		return -1
	}
	return r
}

// Validate returns an error that names each text that cannot be used: of no kind that has texts, without title or body, longer than MaxText,
// not UTF-8, or with a brace that belongs to no placeholder of its kind.
func (c Catalogue) Validate() error {
	var errs []error
	for _, k := range slices.Sorted(maps.Keys(c)) {
		if _, ok := english[k]; !ok {
			errs = append(errs, fmt.Errorf("notify: Catalogue: no texts for the kind %v", k))
			continue
		}
		text := c[k]
		for _, field := range []struct {
			name, text string
			required   bool
		}{{"title", text.Title, true}, {"body", text.Body, true}, {"spoken", text.Spoken, false}} {
			if what := fault(k, field.text, field.required); what != "" {
				errs = append(errs, fmt.Errorf("notify: Catalogue: the %s of %q %s", field.name, k, what))
			}
		}
	}
	return errors.Join(errs...)
}

var placeholder = regexp.MustCompile(`\{[a-z]+\}|[{}]`)

func fault(k Kind, text string, required bool) string {
	switch {
	case text == "" && required:
		return "is missing"
	case len(text) > MaxText:
		return fmt.Sprintf("is longer than %d bytes", MaxText)
	case !utf8.ValidString(text):
		return "is not UTF-8"
	}
	for _, p := range placeholder.FindAllString(text, -1) {
		if p != "{contact}" && p != "{name}" && !slices.Contains(placeholder.FindAllString(english[k].Body, -1), p) {
			return fmt.Sprintf("has %q, which is no placeholder there", p)
		}
	}
	return ""
}
