package cpim_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp/cpim"
)

func TestDecode(t *testing.T) {
	for _, c := range []struct {
		encoding, body, want, field string
	}{
		{"", "a\x00\r\n", "a\x00\r\n", ""},
		{"8BIT", "ä", "ä", ""},
		{"Base64", "aGV5\r\nIHlvdQ==", "hey you", ""},
		{"quoted-printable", "=C3=A4=\r\nb", "äb", ""},
		{"base64", "!", "", "Body"},
		{"quoted-printable", "\x00=zz", "", "Body"},
		{"x-zip", "", "", "ContentHeaders"},
	} {
		t.Run(c.encoding+" "+c.field, func(t *testing.T) {
			m := &cpim.Message{Body: []byte(c.body)}
			if c.encoding != "" {
				m.ContentHeaders = []cpim.ContentHeader{{Name: "content-transfer-encoding", Value: c.encoding}}
			}
			got, err := m.Decode()
			if c.field == "" {
				require.NoError(t, err)
				assert.Equal(t, c.want, string(got))
				return
			}
			var field *cpim.FieldError
			require.ErrorAs(t, err, &field)
			assert.Equal(t, c.field, field.Field)
		})
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct{ name, contentType, body, want, field string }{
		{"UTF-8", "text/plain; charset=utf-8", "č", "č", ""},
		{"as Blink spells it", `text/plain; charset="utf8"`, "č", "č", ""},
		{"none", "text/plain", "č", "č", ""},
		{"ASCII", "text/plain; charset=US-ASCII", "c", "c", ""},
		{"Latin 1", "text/plain; charset=ISO-8859-1", "\xe9\x80", "é\u0080", ""},
		{"not what it says", "text/plain; charset=utf-8", "\xe9", "", "Body"},
		{"unknown", "text/plain; charset=koi8-r", "x", "", "ContentType"},
		{"no media type", "text/plain; charset", "x", "", "ContentType"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &cpim.Message{ContentType: c.contentType, Body: []byte(c.body)}
			got, err := m.Text()
			if c.field == "" {
				require.NoError(t, err)
				assert.Equal(t, c.want, got)
				return
			}
			var field *cpim.FieldError
			require.ErrorAs(t, err, &field)
			assert.Equal(t, c.field, field.Field)
			assert.Empty(t, got)
		})
	}
	t.Run("encoded for transfer", func(t *testing.T) {
		m := &cpim.Message{ContentType: "text/plain; charset=iso-8859-1", Body: []byte("=E9"),
			ContentHeaders: []cpim.ContentHeader{{Name: "Content-Transfer-Encoding", Value: "quoted-printable"}}}
		got, err := m.Text()
		require.NoError(t, err)
		assert.Equal(t, "é", got)
		m.Body = []byte("=zz\x00")
		_, err = m.Text()
		require.Error(t, err)
	})
}

// The content is any MIME entity, with a Content-Type and perhaps other headers, and its body is not touched.
func TestRFC3862_2_4_Content(t *testing.T) {
	wire := crlf(``, `Content-Type: text/plain; charset=utf-8`, `Content-ID: <1234567890@foo.com>`, ``, `This is my encapsulated text message content`)
	m, err := cpim.Parse([]byte(wire))
	require.NoError(t, err)
	assert.Equal(t, &cpim.Message{
		ContentType:    "text/plain; charset=utf-8",
		ContentHeaders: []cpim.ContentHeader{{Name: "Content-ID", Value: "<1234567890@foo.com>"}},
		Body:           []byte("This is my encapsulated text message content"),
	}, m)
	got, err := cpim.Append(nil, m)
	require.NoError(t, err)
	assert.Equal(t, wire, string(got))

	_, err = cpim.Append(nil, &cpim.Message{Body: []byte("x")})
	var field *cpim.FieldError
	require.ErrorAs(t, err, &field)
	assert.Equal(t, "ContentType", field.Field)
}
