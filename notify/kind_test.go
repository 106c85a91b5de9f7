package notify_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/notify"
)

func TestKinds(t *testing.T) {
	seen := map[string]bool{}
	for k := notify.Other; k <= notify.MessageReceived; k++ {
		assert.NotEmpty(t, k.String())
		assert.False(t, seen[k.String()], k)
		seen[k.String()] = true
		text, err := k.MarshalText()
		require.NoError(t, err)
		assert.Equal(t, k.String(), string(text))
		var again notify.Kind
		require.NoError(t, again.UnmarshalText(text))
		assert.Equal(t, k, again)
	}
	assert.Equal(t, "other", notify.Notification{}.Kind.String())
	assert.Equal(t, "verified fingerprint changed", notify.VerifiedFingerprintChanged.String())
	assert.Equal(t, "message received", notify.MessageReceived.String())
	for _, k := range []notify.Kind{-1, notify.MessageReceived + 1, 1 << 40} {
		assert.Contains(t, k.String(), "unknown(")
		assert.Equal(t, notify.Normal, k.Urgency())
		_, err := k.MarshalText()
		require.EqualError(t, err, "notify: unknown kind")
	}
	for _, name := range []string{"", "Other", "fingerprint-changed", "unknown(3)"} {
		require.EqualError(t, new(notify.Kind).UnmarshalText([]byte(name)), fmt.Sprintf("notify: unknown kind %q", name))
	}
	var c notify.Catalogue
	require.ErrorContains(t, json.Unmarshal([]byte(`{"fingerprint changes": {"body": "x"}}`), &c), `notify: unknown kind "fingerprint changes"`)
}

// What may be an attack goes before all else, and what needs nothing of the person comes last.
func TestUrgencies(t *testing.T) {
	want := map[notify.Kind]notify.Urgency{
		notify.FingerprintChanged: notify.Critical, notify.VerifiedFingerprintChanged: notify.Critical, notify.RevokedKeyUsed: notify.Critical,
		notify.ContactsUnavailable: notify.Critical, notify.PlaintextFallback: notify.Low, notify.PeerError: notify.Low, notify.MessageReceived: notify.Low,
	}
	for k := notify.Other; k <= notify.MessageReceived; k++ {
		assert.Equal(t, want[k], k.Urgency(), k) // Normal is the zero value
		assert.Equal(t, k == notify.FingerprintChanged || k == notify.VerifiedFingerprintChanged, k.IsFingerprintChange(), k)
	}
}
