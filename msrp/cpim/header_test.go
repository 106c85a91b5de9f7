package cpim_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp/cpim"
)

// encode writes a message without a body and returns its lines up to the first blank one.
func encode(t *testing.T, m *cpim.Message) []string {
	t.Helper()
	m.ContentType = "text/plain"
	wire, err := cpim.Append(nil, m)
	require.NoError(t, err)
	headers, content, _ := strings.Cut(string(wire), "\r\n\r\n")
	assert.Equal(t, "Content-Type: text/plain\r\n\r\n", content)
	return strings.Split(headers, "\r\n")
}

func TestRFC3862_2_2_Examples(t *testing.T) {
	m := parse(t, `To: Pooh Bear <im:pooh@100akerwood.com>`, `From: <im:piglet@100akerwood.com>`, `DateTime: 2001-02-02T10:48:54-05:00`)
	assert.Equal(t, []cpim.Address{{DisplayName: "Pooh Bear", URI: "im:pooh@100akerwood.com"}}, m.To)
	assert.Equal(t, cpim.Address{URI: "im:piglet@100akerwood.com"}, m.From)
	assert.Equal(t, "2001-02-02T10:48:54-05:00", m.DateTime.Format(time.RFC3339))
}

// One space belongs to the colon; all others in front belong to the text, and none can end a line.
func TestRFC3862_2_2_OctetsOfTextsAreKept(t *testing.T) {
	m := parse(t, `Subject:a`, `Subject: b`, `Subject:   c`, `Subject:;lang=en  d`, "Subject:\te", `Subject: f  `, "Subject: g\t", `Foo:  h`)
	assert.Equal(t, []cpim.Subject{{Text: "a"}, {Text: "b"}, {Text: "  c"}, {Lang: "en", Text: " d"}, {Text: "e"}, {Text: "f"}, {Text: "g"}}, m.Subjects)
	assert.Equal(t, []cpim.Header{{Name: "Foo", Value: " h"}}, m.Headers)
	assert.Equal(t, []string{`Subject: a`, `Subject: b`, `Subject:   c`, `Subject:;lang=en  d`, `Subject: e`, `Subject: f`, `Subject: g`, `Foo:  h`}, encode(t, m))
}

func TestRFC3862_2_2_HeaderNamesMatchExactly(t *testing.T) {
	m := parse(t, `from: <im:a@b>`, `CC: <im:a@b>`, `subject: x`, `ns: x <urn:x:y>`, `require: x`)
	assert.Equal(t, []cpim.Header{{Name: "from", Value: "<im:a@b>"}, {Name: "CC", Value: "<im:a@b>"}, {Name: "subject", Value: "x"},
		{Name: "ns", Value: "x <urn:x:y>"}, {Name: "require", Value: "x"}}, m.Headers)
	assert.Equal(t, cpim.Address{}, m.From)
}

// Headers that are not known, and those that come more than once, stay in their order.
func TestRFC3862_2_2_OrderIsKept(t *testing.T) {
	m := parse(t, `b: 1`, `To: <im:2@b>`, `a: 2`, `To: <im:1@b>`, `b: 3`)
	assert.Equal(t, []cpim.Header{{Name: "b", Value: "1"}, {Name: "a", Value: "2"}, {Name: "b", Value: "3"}}, m.Headers)
	assert.Equal(t, []cpim.Address{{URI: "im:2@b"}, {URI: "im:1@b"}}, m.To)
	assert.Equal(t, []string{`To: <im:2@b>`, `To: <im:1@b>`, `b: 1`, `a: 2`, `b: 3`}, encode(t, m))
}

func TestRFC3862_2_2_LinesEndInCRLF(t *testing.T) {
	wire, err := cpim.Append(nil, &wireCases[0].want)
	require.NoError(t, err)
	assert.Equal(t, strings.Count(string(wire), "\n"), strings.Count(string(wire), "\r\n"))
}

func TestRFC3862_2_3_1_EscapesWritten(t *testing.T) {
	var all []byte
	for c := byte(1); c < 0x80; c++ {
		if c < ' ' || c > '~' || c == '\\' || c == '"' || c == '\'' {
			all = append(all, c)
		}
	}
	const want = `\u0001\u0002\u0003\u0004\u0005\u0006\u0007\b\t\n\u000b\u000c\r\u000e\u000f` +
		`\u0010\u0011\u0012\u0013\u0014\u0015\u0016\u0017\u0018\u0019\u001a\u001b\u001c\u001d\u001e\u001f`
	m := &cpim.Message{From: cpim.Address{DisplayName: string(all), URI: "im:a@b"}, Subjects: []cpim.Subject{{Text: string(all)}}}
	assert.Equal(t, []string{`From: "` + want + `\"'\\\u007f" <im:a@b>`, `Subject: ` + want + `"'\\\u007f`}, encode(t, m))
}

func TestRFC3862_2_3_1_EscapesRead(t *testing.T) {
	for _, c := range []struct{ name, raw, want string }{
		{"special sequences", `\b\t\n\r\"\'\\`, "\b\t\n\r\"'\\"},
		{"by number, in either case", `\u0041\u00E9\u00e9`, "Aéé"},
		{"two halves of a surrogate pair", `\ud83d\ude00`, "😀"},
		{"one half", `\ud83dx`, "\uFFFDx"},
		{"the wrong half first", `\ude00\ud83d`, "\uFFFD\uFFFD"},
		{"unknown ones are what stands behind the backslash", `\q\é\ \u12`, "qé u12"},
		{"an escaped backslash begins nothing", `\\n`, `\n`},
		{"capital letters are unknown", `\N\U0041`, "NU0041"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := parse(t, `Subject: `+c.raw, `From: "`+c.raw+` " <im:a@b>`, `To: `+c.raw+` <im:a@b>`)
			assert.Equal(t, c.want, m.Subjects[0].Text)
			assert.Equal(t, c.want+" ", m.From.DisplayName)
			assert.Equal(t, c.want, m.To[0].DisplayName)
		})
	}
}

func TestRFC3862_2_3_1_BackslashAtTheEnd(t *testing.T) {
	m := parse(t, `Subject: a\`, `Foo: \`, `To: a\ <im:a@b>`)
	assert.Equal(t, "a", m.Subjects[0].Text)
	assert.Empty(t, m.Headers[0].Value)
	assert.Equal(t, "a", m.To[0].DisplayName)
}

// Every character of §3.6 and no other may stand in a name.
func TestRFC3862_3_1_HeaderNames(t *testing.T) {
	const good = "!#$%&'*+-^_`|~09AZaz"
	for c := byte(' ' + 1); c < 0x7f; c++ {
		name := "a" + string(rune(c)) + "b"
		_, err := cpim.Append(nil, &cpim.Message{ContentType: "text/plain", NS: []cpim.Namespace{{Prefix: "a", URI: "urn:x"}}, Headers: []cpim.Header{{Name: name}}})
		alphanumeric := '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		if alphanumeric || strings.IndexByte(good, c) >= 0 || c == '.' {
			assert.NoError(t, err, name)
		} else {
			assert.Error(t, err, name)
		}
	}
}

func TestRFC3862_3_3_Language(t *testing.T) {
	m := parse(t, `Subject:;lang=fr Objet de message`, `Subject:;lang=en Eeyore's feeling very depressed today`, `Subject: x`, `Subject:;lang=4 y`)
	assert.Equal(t, []cpim.Subject{{"fr", "Objet de message"}, {"en", "Eeyore's feeling very depressed today"}, {"", "x"}, {"", "y"}}, m.Subjects)
	assert.Equal(t, []string{`Subject:;lang=fr Objet de message`, `Subject:;lang=en Eeyore's feeling very depressed today`, `Subject: x`, `Subject: y`}, encode(t, m))
}

func TestRFC3862_3_6_Parameters(t *testing.T) {
	for params, ok := range map[string]bool{
		`a=b`:              true,
		`a=1;lang=en-GB`:   true,
		`a="x; \"\u0041y"`: true,
		`a="";b=é.é`:       true,
		`a`:                false,
		`a=`:               false,
		`=b`:               false,
		`a=b;`:             false,
		`;a=b`:             false,
		`a=b;;c=d`:         false,
		`a=b/c`:            false,
		`a="\q"`:           false,
		`a="b"c`:           false,
		`a="b`:             false,
		`lang=4`:           false,
		`lang="en"`:        false,
		"a=\"\t\"":         false,
		"a=\"\n\"":         false,
		"a=\xff":           false,
	} {
		_, err := cpim.Append(nil, &cpim.Message{ContentType: "text/plain", Headers: []cpim.Header{{Name: "Foo", Params: params}}})
		assert.Equal(t, ok, err == nil, "%q: %v", params, err)
	}
}

func TestRFC3862_4_AddressesMayRepeat(t *testing.T) {
	m := parse(t, `From: Winnie the Pooh <im:pooh@100akerwood.com>`, `To: <im:tigger@100akerwood.com>`, `To: Winnie the Pooh <im:pooh@100akerwood.com>`,
		`cc: <im:tigger@100akerwood.com>`, `cc: "Winnie the Pooh" <im:pooh@100akerwood.com>`)
	pooh, tigger := cpim.Address{DisplayName: "Winnie the Pooh", URI: "im:pooh@100akerwood.com"}, cpim.Address{URI: "im:tigger@100akerwood.com"}
	assert.Equal(t, pooh, m.From)
	assert.Equal(t, []cpim.Address{tigger, pooh}, m.To)
	assert.Equal(t, []cpim.Address{tigger, pooh}, m.CC)
	assert.Equal(t, []string{`From: "Winnie the Pooh" <im:pooh@100akerwood.com>`, `To: <im:tigger@100akerwood.com>`, `To: "Winnie the Pooh" <im:pooh@100akerwood.com>`,
		`cc: <im:tigger@100akerwood.com>`, `cc: "Winnie the Pooh" <im:pooh@100akerwood.com>`}, encode(t, m))
}

func TestRFC3862_4_4_DateTime(t *testing.T) {
	for _, c := range []struct {
		name, wire string
		want       time.Time
	}{
		{"the RFC's example", "2001-02-01T12:16:49-05:00", time.Date(2001, 2, 1, 17, 16, 49, 0, time.UTC)},
		{"small letters", "2001-02-01t12:16:49z", time.Date(2001, 2, 1, 12, 16, 49, 0, time.UTC)},
		{"fractions", "2001-02-01T12:16:49.123456789Z", time.Date(2001, 2, 1, 12, 16, 49, 123456789, time.UTC)},
		{"no zone", "2001-02-01T12:16:49", time.Time{}},
		{"a zone that no clock has", "2001-02-01T12:16:49+24:00", time.Time{}},
		{"another one", "2001-02-01T12:16:49-24:00", time.Time{}},
		{"a leap second", "2016-12-31T23:59:60Z", time.Time{}},
		{"yesterday", "yesterday", time.Time{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			assert.True(t, c.want.Equal(parse(t, "DateTime: "+c.wire).DateTime))
		})
	}
	t.Run("written", func(t *testing.T) {
		amsterdam := time.FixedZone("LMT", 19*60+32) // 1937
		for want, at := range map[string]time.Time{
			"DateTime: 2001-02-01T12:16:49.5-05:00": time.Date(2001, 2, 1, 12, 16, 49, 5e8, time.FixedZone("", -5*3600)),
			"DateTime: 1937-01-01T11:40:28Z":        time.Date(1937, 1, 1, 12, 0, 0, 0, amsterdam),
		} {
			assert.Equal(t, []string{want}, encode(t, &cpim.Message{DateTime: at}))
		}
	})
}
