package msrp

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func decoded(t *testing.T, wire string) *Frame {
	f, err := NewDecoder(strings.NewReader(wire), nil).Next()
	require.NoError(t, err)
	return f
}

func TestRFC4976_4_Headers(t *testing.T) {
	f := decoded(t, rfc4976Auth[3].wire)
	seconds, ok, err := f.Expires()
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, 900, seconds)
	path, err := f.UsePath()
	require.NoError(t, err)
	require.Equal(t, []string{"msrps://extra.example.com;tcp", "msrps://intra.example.com:9000/jui787s2f;tcp"}, path.Strings())
	require.True(t, strings.HasPrefix(string(f.Value("authentication-info")), "nextnonce="))
	require.True(t, strings.HasPrefix(string(decoded(t, rfc4976Auth[1].wire).Value("WWW-Authenticate")), "Digest realm="))
	require.True(t, strings.HasPrefix(string(decoded(t, rfc4976Auth[2].wire).Value("Authorization")), "Digest username="))

	f = decoded(t, rfc4976Auth[4].wire)
	least, ok, err := f.MinExpires()
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, 60, least)
	most, ok, err := f.MaxExpires()
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, 3600, most)

	_, ok, err = f.Expires()
	require.NoError(t, err)
	require.False(t, ok)
	path, err = f.UsePath()
	require.NoError(t, err)
	require.Nil(t, path)
	require.Nil(t, f.Value("Authorization"))
}

func TestRFC4976_4_HeadersMalformed(t *testing.T) {
	for _, v := range []string{"", "x", "-1", "+1", "1.5", "1 2", "0x10", "2147483648", "999999999999999999999", "１"} {
		for name, read := range map[string]func(*Frame) (int, bool, error){"Expires": (*Frame).Expires, "Min-Expires": (*Frame).MinExpires, "Max-Expires": (*Frame).MaxExpires} {
			_, ok, err := read(decoded(t, good("", "AUTH", name+": "+v+"\r\n", "", Complete).wire))
			require.ErrorIs(t, err, ErrMalformed, "%s %q", name, v)
			require.False(t, ok)
		}
	}
	_, _, err := decoded(t, good("", "AUTH", "Expires: 1\r\nexpires: 2\r\n", "", Complete).wire).Expires()
	require.ErrorIs(t, err, ErrMalformed)
	const uri = "msrps://a.example.com/topsecret;tcp"
	for _, v := range []string{"", "x", "sip:a@example.com", uri + ",", uri + " x", strings.Repeat(uri+" ", 17)} {
		_, err := decoded(t, good("", "200 OK", "Use-Path: "+v+"\r\n", "", Complete).wire).UsePath()
		require.ErrorIs(t, err, ErrMalformed, "%q", v)
		require.NotContains(t, err.Error(), "topsecret")
	}
}

func TestRFC7701_7_1_UseNickname(t *testing.T) {
	for value, want := range map[string]string{
		`"Alice the great"`: "Alice the great", `Alice the great`: "Alice the great", `""`: "", ``: "", `"say \"hi\" \\ bye"`: `say "hi" \ bye`, `"größe"`: "größe", `größe`: "größe",
		`Bob "the builder"`: `Bob "the builder"`, `a\b`: `a\b`, `"\a"`: "a",
	} {
		name, ok, err := decoded(t, good("", "NICKNAME", "Use-Nickname: "+value+"\r\n", "", Complete).wire).UseNickname()
		require.NoError(t, err, value)
		require.True(t, ok)
		require.Equal(t, want, name)
	}
	for _, value := range []string{`"`, `"a`, `"a\"`, `"a\`, `"a" b`, `"a"b"`, "\xff", "\"\xc3\"", `"a", "b"`} {
		_, ok, err := decoded(t, good("", "NICKNAME", "Use-Nickname: "+value+"\r\n", "", Complete).wire).UseNickname()
		require.ErrorIs(t, err, ErrMalformed, value)
		require.False(t, ok)
	}
	_, ok, err := decoded(t, good("", "NICKNAME", "", "", Complete).wire).UseNickname()
	require.NoError(t, err)
	require.False(t, ok)
	_, _, err = decoded(t, good("", "NICKNAME", "Use-Nickname: a\r\nUse-Nickname: b\r\n", "", Complete).wire).UseNickname()
	require.ErrorIs(t, err, ErrMalformed)
}

// What Quote writes comes back, and what cannot be written is refused.
func TestRFC4975_9_QuotedString(t *testing.T) {
	require.Equal(t, `"say \"hi\" \\ bye"`, Quote(`say "hi" \ bye`))
	for _, name := range []string{"", "Alice", `"`, `\`, `\"`, `""\\`, "größe\t😀", strings.Repeat(`"\`, 500)} {
		f := framed("NICKNAME", "", "", Complete)
		f.Add("Use-Nickname", Quote(name))
		wire, err := AppendFrame(nil, f, nil)
		require.NoError(t, err)
		got, ok, err := decoded(t, string(wire)).UseNickname()
		require.NoError(t, err)
		require.True(t, ok)
		require.Equal(t, name, got)
	}
	f := framed("NICKNAME", "", "", Complete)
	f.Add("Use-Nickname", Quote("Alice\r\nX: y"))
	_, err := AppendFrame(nil, f, nil)
	require.ErrorIs(t, err, ErrMalformed)
}
