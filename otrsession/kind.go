package otrsession

import (
	"bytes"
	"strings"
)

// Kind tells what a chat message is to OTR.
type Kind int

// The kinds of messages.
const (
	// KindPlaintext is a text that has nothing to do with OTR.
	KindPlaintext Kind = iota
	// KindTagged is a text in clear with a whitespace tag: the peer offers OTR.
	KindTagged
	// KindQuery asks for OTR: "?OTRv3?" and the like, at the start of a message.
	KindQuery
	// KindEncoded is a message of the key exchange or an encrypted one: "?OTR:…".
	KindEncoded
	// KindFragment is a part of a message: "?OTR|…" or "?OTR,…".
	KindFragment
	// KindError is an error report: "?OTR Error:…".
	KindError
	// KindUnknown starts with "?OTR" and is nothing of the above.
	KindUnknown
)

const (
	marker         = "?OTR"
	encodedMarker  = "?OTR:"
	errorMarker    = "?OTR Error:"
	fragmentV3     = "?OTR|"
	fragmentV2     = "?OTR,"
	tagBase        = " \t  \t\t\t\t \t \t \t  "
	tagV2          = "  \t\t  \t "
	tagV3          = "  \t\t  \t\t"
	tagVersionSize = 8
)

// Classify tells what a message is to OTR without acting on it. An application
// that wants no OTR with a peer uses it to drop what would be garbage to a
// user (see Kind.IsProtocol). It is safe for concurrent use.
func Classify(message []byte) Kind {
	has := func(prefix string) bool { return bytes.HasPrefix(message, []byte(prefix)) }
	switch {
	case !has(marker):
		if bytes.Contains(message, []byte(tagBase)) {
			return KindTagged
		}
		return KindPlaintext
	case has(encodedMarker):
		return KindEncoded
	case has(fragmentV3), has(fragmentV2):
		return KindFragment
	case has(errorMarker):
		return KindError
	case has("?OTR?"), has("?OTRv"):
		return KindQuery
	}
	return KindUnknown
}

// IsProtocol tells whether messages of this kind are OTR's own: there is no
// text for a user in them.
func (k Kind) IsProtocol() bool { return k != KindPlaintext && k != KindTagged }

// StripTag removes the whitespace tag from a text in clear, so that a user of
// a chat without OTR does not get to see it. Other texts come back as they
// are. The result shares no memory with a text that had a tag.
func StripTag(message []byte) []byte {
	text, _ := cutTag(message)
	return text
}

// versions is a set of OTR versions.
type versions struct{ v2, v3 bool }

// best is the version to speak with a peer that offers these, or 0.
func (v versions) best(allowV2 bool) int {
	switch {
	case v.v3:
		return 3
	case v.v2 && allowV2:
		return 2
	}
	return 0
}

// cutTag takes the whitespace tag, wherever it stands, out of a text.
func cutTag(message []byte) ([]byte, versions) {
	before, rest, found := bytes.Cut(message, []byte(tagBase))
	if !found {
		return message, versions{}
	}
	var v versions
	for len(rest) >= tagVersionSize && strings.Trim(string(rest[:tagVersionSize]), " \t") == "" {
		switch string(rest[:tagVersionSize]) {
		case tagV2:
			v.v2 = true
		case tagV3:
			v.v3 = true
		}
		rest = rest[tagVersionSize:]
	}
	return append(bytes.Clone(before), rest...), v
}

// queryVersions reads "?OTR?", "?OTRv23?", "?OTR?v23?" and what may follow.
func queryVersions(message []byte) versions {
	var v versions
	rest := strings.TrimPrefix(string(message), marker)
	rest = strings.TrimPrefix(rest, "?")
	list, found := strings.CutPrefix(rest, "v")
	if !found {
		return v
	}
	list, _, found = strings.Cut(list, "?")
	if !found {
		return v
	}
	return versions{v2: strings.Contains(list, "2"), v3: strings.Contains(list, "3")}
}
