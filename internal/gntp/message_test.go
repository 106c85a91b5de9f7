package gntp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/leakcheck"
)

func TestMain(m *testing.M) { leakcheck.Main(m) }

const limit = 64 << 10

var pixel = Resource{"0123abcd", []byte("\x89PNG\r\n\x1a\n\x00\r\n\r\nend")}

// messages are what goes over the wire without a key, and what it means.
var messages = []struct {
	name, wire string
	message    Message
}{
	{"NOTIFY", "GNTP/1.0 NOTIFY NONE\r\nApplication-Name: a\r\nNotification-Text: two\nlines: of text\r\nNotification-Icon: \r\n\r\n",
		Message{Notify, []Section{{{"Application-Name", "a"}, {"Notification-Text", "two\nlines: of text"}, {"Notification-Icon", ""}}}, nil}},
	{"NOTIFY with an image", "GNTP/1.0 NOTIFY NONE\r\nNotification-Icon: x-growl-resource://0123abcd\r\n\r\nIdentifier: 0123abcd\r\nLength: 16\r\n\r\n" +
		string(pixel.Data) + "\r\n\r\n",
		Message{Notify, []Section{{{"Notification-Icon", "x-growl-resource://0123abcd"}}}, []Resource{pixel}}},
	{"REGISTER", "GNTP/1.0 REGISTER NONE\r\nApplication-Name: a\r\nNotifications-Count: 2\r\n\r\nNotification-Name: x\r\n\r\nNotification-Name: y\r\n\r\n",
		Message{Register, []Section{{{"Application-Name", "a"}, {"Notifications-Count", "2"}}, {{"Notification-Name", "x"}}, {{"Notification-Name", "y"}}}, nil}},
	{"two headers for one image", "GNTP/1.0 NOTIFY NONE\r\nA: x-growl-resource://0123abcd\r\nB: x-growl-resource://0123abcd\r\n\r\nIdentifier: 0123abcd\r\nLength: 16\r\n\r\n" +
		string(pixel.Data) + "\r\n\r\n",
		Message{Notify, []Section{{{"A", "x-growl-resource://0123abcd"}, {"B", "x-growl-resource://0123abcd"}}}, []Resource{pixel}}},
	{"REGISTER of nothing", "GNTP/1.0 REGISTER NONE\r\nNotifications-Count: 0\r\n\r\n", Message{Register, []Section{{{"Notifications-Count", "0"}}}, nil}},
	{"-OK", "GNTP/1.0 -OK NONE\r\nResponse-Action: NOTIFY\r\n\r\n", Message{OK, []Section{{{"Response-Action", "NOTIFY"}}}, nil}},
	{"-ERROR", "GNTP/1.0 -ERROR NONE\r\nError-Code: 400\r\nError-Description: no\r\n\r\n",
		Message{Error, []Section{{{"Error-Code", "400"}, {"Error-Description", "no"}}}, nil}},
}

func TestGNTP_Structure(t *testing.T) {
	for _, tt := range messages {
		t.Run(tt.name, func(t *testing.T) {
			b, err := tt.message.Append([]byte("before"), nil)
			require.NoError(t, err)
			assert.Equal(t, "before"+tt.wire, string(b))
			for _, r := range []io.Reader{strings.NewReader(tt.wire), iotest.OneByteReader(strings.NewReader(tt.wire)), iotest.DataErrReader(strings.NewReader(tt.wire))} {
				m, k, err := ReadRequest(r, limit, "")
				require.NoError(t, err)
				assert.Nil(t, k)
				assert.Equal(t, &tt.message, m)
			}
			m, err := ReadResponse(strings.NewReader(tt.wire), limit, nil)
			require.NoError(t, err)
			assert.Equal(t, &tt.message, m)
			for end := range len(tt.wire) {
				_, _, err := ReadRequest(strings.NewReader(tt.wire[:end]), limit, "")
				require.ErrorIs(t, err, io.ErrUnexpectedEOF, "%q", tt.wire[:end])
			}
		})
	}
}

// What others write and we do not.
func TestGNTP_LenientReading(t *testing.T) {
	for wire, want := range map[string]Message{
		"GNTP/1.0 NOTIFY NONE \r\nApplication-Name:a \t\r\n\r\n":                              {Notify, []Section{{{"Application-Name", "a"}}}, nil},
		"GNTP/1.0 -ERROR Invalid request\r\nError-Description: Invalid request\r\n\r\n":       {Error, []Section{{{"Error-Description", "Invalid request"}}}, nil}, // growl-for-linux
		"GNTP/1.0 -OK NONE\r\n\r\n":                                                           {OK, []Section{nil}, nil},
		"GNTP/1.0 -OK NONE\r\nResponse-Action: NOTIFY\r\n\r\nGNTP/1.0 -CALLBACK NONE\r\n\r\n": {OK, []Section{{{"Response-Action", "NOTIFY"}}}, nil},
	} {
		m, err := ReadResponse(strings.NewReader(wire), limit, nil)
		require.NoError(t, err, wire)
		assert.Equal(t, &want, m)
	}
}

func TestGNTP_Malformed(t *testing.T) {
	for _, wire := range []string{
		"HTTP/1.1 200 OK\r\n\r\n", "GNTP/1.1 NOTIFY NONE\r\n\r\n", "X", "GNTP/1.0 NOTIFY\r\n\r\n", "GNTP/1.0\r\n\r\n", "GNTP/1.0x NOTIFY NONE\r\n\r\n",
		"GNTP/1.0 NOTIFY AES:00 \r\n\r\n", "GNTP/1.0 NOTIFY NONE NONE\r\n\r\n", "GNTP/1.0 NOTIFY NONE MD5:00.00 x\r\n\r\n", "GNTP/1.0 NOTIFY NONE SHA3:00.00\r\n\r\n",
		"GNTP/1.0 NOTIFY NONE MD5:00.\r\n\r\n", "GNTP/1.0 NOTIFY NONE MD5:0x.00\r\n\r\n", "GNTP/1.0 NOTIFY AES:00 MD5:00.00\r\n\r\n", "GNTP/1.0 NOTIFY BLOWFISH:00 MD5:00.00\r\n\r\n",
		"GNTP/1.0 NOTIFY NONE\r\nno colon\r\n\r\n", "GNTP/1.0 NOTIFY NONE\r\nword\r\n\r\n", "GNTP/1.0 NOTIFY NONE\r\n: no name\r\n\r\n", "GNTP/1.0 NOTIFY NONE\r\nwhite space: x\r\n\r\n",
		"GNTP/1.0 REGISTER NONE\r\nApplication-Name: a\r\n\r\n", "GNTP/1.0 REGISTER NONE\r\nNotifications-Count: -1\r\n\r\n",
		"GNTP/1.0 REGISTER NONE\r\nNotifications-Count: 1001\r\n\r\n", "GNTP/1.0 REGISTER NONE\r\nNotifications-Count: 99999999999999999999\r\n\r\n",
		"GNTP/1.0 NOTIFY NONE\r\nI: x-growl-resource://a\r\n\r\nIdentifier: b\r\nLength: 1\r\n\r\nx\r\n\r\n",
		"GNTP/1.0 NOTIFY NONE\r\nI: x-growl-resource://a\r\n\r\nIdentifier: a\r\nLength: -1\r\n\r\nx\r\n\r\n",
		"GNTP/1.0 NOTIFY NONE\r\nI: x-growl-resource://a\r\n\r\nIdentifier: a\r\n\r\nx\r\n\r\n",
		"GNTP/1.0 NOTIFY NONE\r\nI: x-growl-resource://a\r\n\r\nIdentifier: a\r\nLength: 1\r\n\r\nxy\r\n\r\n",
	} {
		_, _, err := ReadRequest(strings.NewReader(wire), limit, "")
		require.ErrorIs(t, err, ErrMalformed, wire)
	}
	for _, wire := range []string{"GNTP/1.0 -OK AES:00112233445566778899AABBCCDDEEFF\r\n\r\n", "GNTP/1.0 -OK X\r\n\r\n"} {
		_, err := ReadResponse(strings.NewReader(wire), limit, nil)
		require.ErrorIs(t, err, ErrMalformed, wire)
	}
}

// A length that is declared costs nothing, and what goes on for ever is given up.
func TestReadIsBounded(t *testing.T) {
	start := "GNTP/1.0 NOTIFY NONE\r\nI: x-growl-resource://a\r\n\r\nIdentifier: a\r\nLength: 9223372036854775807\r\n\r\n"
	for _, endless := range []string{"x", "GNTP/1.0 NOTIFY NONE\r\nA: x", "GNTP/1.0 NOTIFY NONE\r\n", start} {
		r := io.MultiReader(strings.NewReader(endless), endlessly("A: b\r\n"))
		_, _, err := ReadRequest(r, limit, "")
		if endless == "x" {
			require.ErrorIs(t, err, ErrMalformed)
		} else {
			require.ErrorIs(t, err, ErrTooLong)
		}
	}
	exact := messages[0].wire
	_, _, err := ReadRequest(strings.NewReader(exact), len(exact), "")
	require.NoError(t, err)
	_, _, err = ReadRequest(strings.NewReader(exact), len(exact)-1, "")
	require.ErrorIs(t, err, ErrTooLong)
	broken := errors.New("broken")
	_, err = ReadResponse(iotest.ErrReader(broken), limit, nil)
	require.ErrorIs(t, err, broken)
}

type endlessly string

func (e endlessly) Read(p []byte) (int, error) {
	return copy(p, strings.Repeat(string(e), 1+len(p)/len(e))), nil
}

// Whoever sends byte by byte does not make us read all that came before at each of them.
func TestReadByteByByte(t *testing.T) {
	for name, text := range map[string]string{
		"headers":          strings.Repeat("a:\r\n", 4000),
		"blank lines":      "a: x-growl-resource://b\r\n\r\nIdentifier: b\r\nLength: 16000\r\n\r\n" + strings.Repeat("\r\n", 8000),
		"a waiting server": "a: x-growl-resource://b\r\n" + strings.Repeat("a:\r\n", 3900) + "\r\n",
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := ReadResponse(iotest.OneByteReader(strings.NewReader("GNTP/1.0 -OK NONE\r\n"+text)), 17<<10, nil)
		runtime.ReadMemStats(&after)
		require.ErrorIs(t, err, io.ErrUnexpectedEOF, name)
		assert.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(32<<20), name)
	}
}

func TestGNTP_NoInjection(t *testing.T) {
	for _, bad := range []Header{{"A\r\nB", "x"}, {"A:", "x"}, {"", "x"}, {"A B", "x"}, {"Ä", "x"}, {"A", "x\r\nB: y"}, {"A", "x\r"}, {"A", "\x00"}} {
		_, err := (&Message{Type: Notify, Sections: []Section{{bad}}}).Append(nil, nil)
		require.ErrorIs(t, err, ErrMalformed, "%q", bad)
	}
	for _, id := range []string{"", "a b", "a\r\nb", "../ä"} {
		_, err := (&Message{Type: Notify, Resources: []Resource{{id, nil}}}).Append(nil, nil)
		require.ErrorIs(t, err, ErrMalformed, "%q", id)
	}
}

// Binary data that is not made of whole blocks was not encrypted by the rules.
func TestGNTP_EncryptedImageOfOddLength(t *testing.T) {
	k, err := NewKey("SHA256", "AES", "x")
	require.NoError(t, err)
	b, err := (&Message{Type: Notify, Sections: messages[1].message.Sections}).Append(nil, k)
	require.NoError(t, err)
	for _, data := range []string{"", "x", strings.Repeat("x", 17)} {
		wire := fmt.Appendf(bytes.Clone(b), "Identifier: 0123abcd\r\nLength: %d\r\n\r\n%s\r\n\r\n", len(data), data)
		_, _, err = ReadRequest(bytes.NewReader(wire), limit, "x")
		require.ErrorIs(t, err, ErrMalformed, data)
	}
}

func TestGNTP_EncryptedHeadersThatEndTooEarly(t *testing.T) {
	k, err := NewKey("SHA256", "AES", "x")
	require.NoError(t, err)
	for _, headers := range []string{"A: b\r\nC", "A: b\r\nC: d", "", "Notifications-Count: 1\r\n", "Notifications-Count: 2\r\n\r\nA: b\r\n"} {
		wire := string(k.appendInfo([]byte("GNTP/1.0 REGISTER "), false)) + "\r\n" + string(k.encrypt([]byte(headers))) + "\r\n\r\n"
		_, _, err = ReadRequest(strings.NewReader(wire), limit, "x")
		require.ErrorIs(t, err, ErrMalformed, headers)
		_, _, err = ReadRequest(strings.NewReader(strings.Replace(wire, "REGISTER", "NOTIFY", 1)), limit, "x")
		assert.Equal(t, strings.HasSuffix(headers, "\r\n"), err == nil, headers)
	}
}

func TestEmptyMessage(t *testing.T) {
	assert.Empty(t, (&Message{}).Head().Value("x"))
	assert.Equal(t, "1", Section{{"A", "1"}, {"a", "2"}}.Value("a"))
}

func fromHex(t *testing.T, s string) []byte {
	b, err := hex.DecodeString(s)
	require.NoError(t, err)
	return b
}

// combinations are all hashes and ciphers that go together.
func combinations(t *testing.T, f func(t *testing.T, hash, cipher string)) {
	for hash := range hashes {
		for _, cipher := range []string{None, "DES", "3DES", "AES"} {
			if strings.HasPrefix(hash, "SHA") && len(hash) > 4 || cipher == None || cipher == "DES" {
				t.Run(hash+" "+cipher, func(t *testing.T) { f(t, hash, cipher) })
			}
		}
	}
}

// The vectors come from another implementation's tests: password "password", salt 0123456789.
func TestGNTP_KeyGeneration(t *testing.T) {
	for hash, want := range map[string]string{
		"MD5":    "B80A1CD3F719006F932A3FAAC90FEEA5",
		"SHA1":   "926D135D821E07CD720E63FAB2629887E67A3601",
		"SHA256": "CF0D52E2716F54C0EA9D6BAD563F1E1C7C46122BE8BE9FB1A09587D064C723C7",
		"SHA512": "710F213B1F8E97C5BF04089367B4AE08BBDF82285557B4986E3170A3F214165B6320E4C63A8A55A6BD31652FEB9B17B8191B2884AE76D36AFEBF72298B982511",
	} {
		k, err := derive(hash, None, "password", fromHex(t, "0123456789"))
		require.NoError(t, err)
		line := "NONE " + hash + ":" + want + ".0123456789"
		assert.Equal(t, line, string(k.appendInfo(nil, false)))
		assert.Equal(t, "NONE", string(k.appendInfo(nil, true)), "responses have no key")

		wire := "GNTP/1.0 NOTIFY " + line + "\r\n\r\n"
		_, _, err = ReadRequest(strings.NewReader(wire), limit, "password")
		require.NoError(t, err)
		for _, other := range []string{"", "passwore", "password\x00"} {
			_, _, err = ReadRequest(strings.NewReader(wire), limit, other)
			require.ErrorIs(t, err, ErrPassword)
		}
	}
	_, _, err := ReadRequest(strings.NewReader(messages[0].wire), limit, "password")
	require.ErrorIs(t, err, ErrPassword, "a request without a key")
	empty, err := NewKey("MD5", None, "")
	require.NoError(t, err)
	b, err := messages[0].message.Append(nil, empty)
	require.NoError(t, err)
	_, _, err = ReadRequest(bytes.NewReader(b), limit, "")
	require.ErrorIs(t, err, ErrPassword, "a key where there is no password")
}

func TestGNTP_HashesTooShortForCiphers(t *testing.T) {
	for _, hash := range []string{"MD5", "SHA1"} {
		for _, cipher := range []string{"AES", "3DES"} {
			_, err := NewKey(hash, cipher, "x")
			require.EqualError(t, err, "gntp: "+hash+" is too short for the key of "+cipher)
		}
	}
	_, err := NewKey("SHA3", "AES", "x")
	require.EqualError(t, err, "gntp: unknown hash")
	_, err = NewKey("SHA256", "", "x")
	require.EqualError(t, err, "gntp: unknown cipher")
}

func TestGNTP_Encryption(t *testing.T) {
	combinations(t, func(t *testing.T, hash, cipher string) {
		for _, tt := range messages {
			k, err := NewKey(hash, cipher, "päss")
			require.NoError(t, err)
			b, err := tt.message.Append(nil, k)
			require.NoError(t, err)
			if strings.HasPrefix(tt.message.Type, "-") {
				m, err := ReadResponse(iotest.OneByteReader(bytes.NewReader(b)), limit, k)
				require.NoError(t, err)
				assert.Equal(t, &tt.message, m)
				continue
			}
			m, got, err := ReadRequest(iotest.OneByteReader(bytes.NewReader(b)), limit, "päss")
			require.NoError(t, err)
			assert.Equal(t, &tt.message, m)
			assert.Equal(t, k.key, got.key)
			if cipher != None {
				for _, secret := range []string{"Name", "lines", "PNG", "Count"} {
					assert.NotContains(t, string(b), secret)
				}
			}
			again, err := NewKey(hash, cipher, "päss")
			require.NoError(t, err)
			assert.NotEqual(t, k.salt, again.salt)
			assert.True(t, cipher == None || !bytes.Equal(k.iv, again.iv))
			assert.Len(t, k.salt, 16)
		}
	})
}

// An error is never encrypted; other answers may be, with the request's cipher only.
func TestGNTP_EncryptedResponses(t *testing.T) {
	taken, refused := messages[len(messages)-2], messages[len(messages)-1]
	k, err := NewKey("SHA256", "AES", "x")
	require.NoError(t, err)
	b, err := refused.message.Append(nil, k)
	require.NoError(t, err)
	assert.Equal(t, refused.wire, string(b))
	m, err := ReadResponse(strings.NewReader(taken.wire), limit, k)
	require.NoError(t, err)
	assert.Equal(t, &taken.message, m, "in the clear")

	ok, err := taken.message.Append(nil, k)
	require.NoError(t, err)
	for name, key := range map[string][2]string{"another password": {"SHA256", "AES"}, "another cipher": {"SHA256", "3DES"}, "none": {"SHA256", None}} {
		other, err := NewKey(key[0], key[1], "y")
		require.NoError(t, err)
		_, err = ReadResponse(bytes.NewReader(ok), limit, other)
		require.ErrorIs(t, err, ErrMalformed, name)
	}
	_, err = ReadResponse(bytes.NewReader(bytes.Replace(ok, []byte("AES"), []byte("XES"), 1)), limit, k)
	require.ErrorIs(t, err, ErrMalformed, "a cipher that is not the request's")
	broken := bytes.Clone(ok)
	broken[len(broken)-5] ^= 1
	_, err = ReadResponse(bytes.NewReader(broken), limit, k)
	require.ErrorIs(t, err, ErrMalformed)
	_, err = ReadResponse(bytes.NewReader(append(ok[:len(ok)-5], "\r\n\r\n"...)), limit, k)
	require.ErrorIs(t, err, io.ErrUnexpectedEOF, "not whole blocks")
	for _, iv := range []string{"", "00", "zz", strings.Repeat("0", 34)} {
		_, err = ReadResponse(strings.NewReader("GNTP/1.0 -OK AES:"+iv+"\r\n\r\n"), limit, k)
		require.ErrorIs(t, err, ErrMalformed, iv)
	}
}

func TestPadding(t *testing.T) {
	k, err := NewKey("SHA256", "AES", "x")
	require.NoError(t, err)
	for n := range 40 {
		text := bytes.Repeat([]byte{'x'}, n)
		out, err := k.decrypt(k.encrypt(text))
		require.NoError(t, err)
		assert.Equal(t, text, out)
	}
	for _, bad := range []string{strings.Repeat("x", 15) + "\x00", strings.Repeat("x", 15) + "\x11", strings.Repeat("x", 14) + "\x01\x02", strings.Repeat("\xff", 16)} {
		b := k.encrypt([]byte(bad))[:16] // without the block of padding
		_, err := k.decrypt(b)
		require.ErrorIs(t, err, ErrMalformed)
	}
	_, err = k.decrypt(nil)
	require.ErrorIs(t, err, ErrMalformed)
}
