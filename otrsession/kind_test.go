package otrsession

import (
	"testing"

	"github.com/stretchr/testify/assert"
)

func TestClassify(t *testing.T) {
	for message, want := range map[string]Kind{
		"":                          KindPlaintext,
		"hello":                     KindPlaintext,
		" ?OTRv3?":                  KindPlaintext,
		"?OT":                       KindPlaintext,
		"hello ?OTRv3?":             KindPlaintext,
		"hello" + tagBase + tagV3:   KindTagged,
		tagBase:                     KindTagged,
		tagBase[:15]:                KindPlaintext,
		"?OTR?":                     KindQuery,
		"?OTRv3?":                   KindQuery,
		"?OTR?v23?":                 KindQuery,
		"?OTRv3? Bob wants to":      KindQuery,
		"?OTRv3?" + tagBase:         KindQuery,
		"?OTR:":                     KindEncoded,
		"?OTR:AAMD":                 KindEncoded,
		"?OTR|100|0,1,1,x,":         KindFragment,
		"?OTR,1,1,x,":               KindFragment,
		"?OTR Error: what":          KindError,
		"?OTR Error":                KindUnknown,
		"?OTR":                      KindUnknown,
		"?OTRX":                     KindUnknown,
		"?OTR is off the record":    KindUnknown,
		"?otrv3?":                   KindPlaintext,
		"?OTR!":                     KindUnknown,
		"?OTR:AAMD" + tagBase + ".": KindEncoded,
	} {
		got := Classify([]byte(message))
		assert.Equal(t, want, got, "%q", message)
		assert.Equal(t, want != KindPlaintext && want != KindTagged, got.IsProtocol())
	}
}

func TestQueryVersions(t *testing.T) {
	for message, want := range map[string]versions{
		"?OTR?":             {},
		"?OTRv?":            {},
		"?OTRv3":            {},
		"?OTRv3?":           {v3: true},
		"?OTRv2?":           {v2: true},
		"?OTRv23?":          {v2: true, v3: true},
		"?OTR?v2?":          {v2: true},
		"?OTR?v23?":         {v2: true, v3: true},
		"?OTRv24x?":         {v2: true},
		"?OTRv3? 2 friends": {v3: true},
		"?OTRv4? 3?":        {},
	} {
		assert.Equal(t, want, queryVersions([]byte(message)), message)
	}
}

func TestStripTagLeavesOtherTextsAlone(t *testing.T) {
	text := []byte("hello \t world")
	assert.Equal(t, "hello \t world", string(StripTag(text)))
	tagged := []byte("ab" + tagBase + tagV3 + "cd")
	stripped := StripTag(tagged)
	stripped[0] = 'X'
	assert.Equal(t, byte('a'), tagged[0])
}
