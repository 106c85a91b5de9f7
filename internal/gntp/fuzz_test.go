package gntp

import (
	"bytes"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const fuzzPassword = "password"

// seeds adds all messages, in the clear and protected in each way.
func seeds(f *testing.F) {
	var keys []*Key
	for _, names := range [][2]string{{"MD5", None}, {"SHA1", "DES"}, {"SHA256", "AES"}, {"SHA512", "3DES"}} {
		k, err := derive(names[0], names[1], fuzzPassword, []byte("salt"))
		require.NoError(f, err)
		if k.encrypts() {
			k.iv = make([]byte, k.block.BlockSize())
		}
		keys = append(keys, k)
	}
	for _, tt := range messages {
		f.Add([]byte(tt.wire), "")
		for _, k := range keys {
			b, err := tt.message.Append(nil, k)
			require.NoError(f, err)
			f.Add(b, fuzzPassword)
		}
	}
}

// same checks that what was read can be written and read again, where it can be written.
func same(t *testing.T, m *Message) {
	b, err := m.Append(nil, nil)
	if err != nil {
		require.ErrorIs(t, err, ErrMalformed)
		return
	}
	again, _, err := ReadRequest(bytes.NewReader(b), len(b), "")
	require.NoError(t, err)
	assert.Equal(t, m, again)
}

func FuzzReadRequest(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte, password string) {
		m, k, err := ReadRequest(bytes.NewReader(b), limit, password)
		if err != nil {
			assert.Nil(t, m)
			return
		}
		assert.Equal(t, password != "", k != nil, "with a password nothing is taken that does not prove it")
		same(t, m)
	})
}

func FuzzReadResponse(f *testing.F) {
	seeds(f)
	k, err := derive("SHA256", "AES", fuzzPassword, []byte("salt"))
	require.NoError(f, err)
	f.Fuzz(func(t *testing.T, b []byte, password string) {
		with := k
		if password == "" {
			with = nil
		}
		m, err := ReadResponse(bytes.NewReader(b), limit, with)
		if err != nil {
			assert.Nil(t, m)
			return
		}
		same(t, m)
	})
}
