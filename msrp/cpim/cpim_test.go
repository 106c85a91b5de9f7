package cpim_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp/cpim"
)

func TestParse(t *testing.T) {
	for _, c := range wireCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := cpim.Parse([]byte(c.wire))
			require.NoError(t, err)
			assert.True(t, c.want.DateTime.Equal(got.DateTime), "DateTime %v", got.DateTime)
			got.DateTime = c.want.DateTime
			assert.Equal(t, &c.want, got)
		})
	}
}

func TestAppend(t *testing.T) {
	for _, c := range wireCases {
		t.Run(c.name, func(t *testing.T) {
			want := c.encoded
			if want == "" {
				want = c.wire
			}
			got, err := cpim.Append([]byte("before"), &c.want)
			require.NoError(t, err)
			assert.Equal(t, "before"+want, string(got))

			again, err := cpim.Parse(got[len("before"):])
			require.NoError(t, err)
			assert.True(t, c.want.DateTime.Equal(again.DateTime))
			again.DateTime = c.want.DateTime
			assert.ElementsMatch(t, c.want.ContentHeaders, again.ContentHeaders)
			again.ContentHeaders = c.want.ContentHeaders
			assert.Equal(t, &c.want, again)
		})
	}
}

func TestParseRefuses(t *testing.T) {
	for _, c := range badCases {
		t.Run(c.name, func(t *testing.T) {
			m, err := cpim.Parse([]byte(c.wire))
			var syntax *cpim.SyntaxError
			require.ErrorAs(t, err, &syntax)
			assert.Nil(t, m)
			assert.Equal(t, c.line, syntax.Line, syntax.Reason)
			assert.NotContains(t, err.Error(), "a@b")
		})
	}
}

// Every proper prefix of a message that ends before its body is an error, never a panic and never a
// message.
func TestParseCutShort(t *testing.T) {
	for _, c := range wireCases {
		body := len(c.wire) - len(c.want.Body)
		for i := range body {
			_, err := cpim.Parse([]byte(c.wire[:i]))
			require.Error(t, err, "%s cut at %d", c.name, i)
		}
	}
}

func TestParseAliasesOnlyTheBody(t *testing.T) {
	b := []byte(wireCases[0].wire)
	m, err := cpim.Parse(b)
	require.NoError(t, err)
	assert.Same(t, &b[len(b)-1], &m.Body[len(m.Body)-1])
	assert.Equal(t, len(m.Body), cap(m.Body), "appending to the body must not write behind it")
	clear(b)
	assert.Equal(t, "im:piglet@100akerwood.com", m.From.URI)
	assert.Equal(t, make([]byte, len(m.Body)), m.Body)
}

func TestLimits(t *testing.T) {
	const head, tail = "Subject: ", "\r\n\r\nContent-Type: text/plain\r\n\r\n"
	fits := cpim.MaxHeaderBytes - len(head) - len(tail)
	for _, c := range []struct {
		name string
		wire string
		ok   bool
	}{
		{"longest headers", head + strings.Repeat("x", fits) + tail + "body", true},
		{"a byte over", head + strings.Repeat("x", fits+1) + tail + "body", false},
		{"no end in sight", strings.Repeat("x", 1<<20), false},
		{"most lines", strings.Repeat("Foo: x\n", cpim.MaxHeaders-1) + tail[2:], true},
		{"a line over", strings.Repeat("Foo: x\n", cpim.MaxHeaders) + tail[2:], false},
		{"a long body is none of our business", "\n\n" + strings.Repeat("\n", 1<<20), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			m, err := cpim.Parse([]byte(c.wire))
			if !c.ok {
				require.ErrorIs(t, err, cpim.ErrTooLarge)
				return
			}
			require.NoError(t, err)
			_, err = cpim.Append(nil, m)
			require.NoError(t, err)
		})
	}
	plain := func(subject int, headers int) *cpim.Message {
		return &cpim.Message{
			Subjects:    []cpim.Subject{{Text: strings.Repeat("x", subject)}},
			Headers:     slicesRepeat(cpim.Header{Name: "Foo", Value: "x"}, headers),
			ContentType: "text/plain",
		}
	}
	_, err := cpim.Append(nil, plain(fits, 0))
	require.NoError(t, err)
	_, err = cpim.Append(nil, plain(fits+1, 0))
	require.ErrorIs(t, err, cpim.ErrTooLarge)
	_, err = cpim.Append(nil, plain(1, cpim.MaxHeaders))
	require.ErrorIs(t, err, cpim.ErrTooLarge)
}

func slicesRepeat(h cpim.Header, n int) (all []cpim.Header) {
	for range n {
		all = append(all, h)
	}
	return all
}

// What an attacker would smuggle into headers is refused, and dst stays as it was.
func TestAppendRefuses(t *testing.T) {
	const inject = "x\r\nFrom: <sip:eve@example.com>"
	for _, c := range []struct {
		field  string
		change func(m *cpim.Message)
	}{
		{"From.URI", func(m *cpim.Message) { m.From.URI = "sip:" + inject }},
		{"From.URI", func(m *cpim.Message) { m.From.URI = "" }},
		{"From.URI", func(m *cpim.Message) { m.From.URI = "alice" }},
		{"From.URI", func(m *cpim.Message) { m.From.URI = "1sip:alice" }},
		{"From.URI", func(m *cpim.Message) { m.From.URI = "s_p:alice" }},
		{"From.URI", func(m *cpim.Message) { m.From.URI = "sip:a> <sip:b" }},
		{"From.URI", func(m *cpim.Message) { m.From.URI = "sip:a#b" }},
		{"From.URI", func(m *cpim.Message) { m.From.URI = "sip:a^b" }},
		{"From.URI", func(m *cpim.Message) { m.From.URI = "sip:%zz" }},
		{"From.URI", func(m *cpim.Message) { m.From.URI = "sip:a%2" }},
		{"From.DisplayName", func(m *cpim.Message) { m.From.DisplayName = "\xff" }},
		{"From.DisplayName", func(m *cpim.Message) { m.From.DisplayName = "a\x00b" }},
		{"To.URI", func(m *cpim.Message) { m.To = []cpim.Address{{}} }},
		{"CC.URI", func(m *cpim.Message) { m.CC = []cpim.Address{{URI: "sip:a b"}} }},
		{"DateTime", func(m *cpim.Message) { m.DateTime = time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC) }},
		{"Subjects", func(m *cpim.Message) { m.Subjects = []cpim.Subject{{Lang: inject, Text: "a"}} }},
		{"Subjects", func(m *cpim.Message) { m.Subjects = []cpim.Subject{{Lang: "4e", Text: "a"}} }},
		{"DateTime", func(m *cpim.Message) { m.DateTime = time.Date(2026, 1, 1, 0, 0, 0, 0, time.FixedZone("", 24*3600)) }},
		{"Subjects", func(m *cpim.Message) { m.Subjects = []cpim.Subject{{Text: "\x00"}} }},
		{"Subjects", func(m *cpim.Message) { m.Subjects = []cpim.Subject{{Text: "a "}} }},
		{"NS", func(m *cpim.Message) { m.NS = []cpim.Namespace{{Prefix: inject, URI: "urn:x"}} }},
		{"NS", func(m *cpim.Message) { m.NS = []cpim.Namespace{{Prefix: "", URI: "urn:x"}} }},
		{"NS", func(m *cpim.Message) { m.NS = []cpim.Namespace{{Prefix: "x", URI: "urn:" + inject}} }},
		{"NS", func(m *cpim.Message) {
			m.NS = []cpim.Namespace{{Prefix: "x", URI: "urn:x"}, {Prefix: "x", URI: "urn:y"}}
		}},
		{"NS", func(m *cpim.Message) { m.NS = []cpim.Namespace{{Prefix: "x", URI: "urn:ietf:params:cpim-headers:"}} }},
		{"NS", func(m *cpim.Message) { m.NS = []cpim.Namespace{{Prefix: "x", URI: "urn:x#y"}} }},
		{"Require", func(m *cpim.Message) { m.Require = []string{inject} }},
		{"Require", func(m *cpim.Message) { m.Require = []string{"a,b"} }},
		{"Require", func(m *cpim.Message) { m.Require = []string{"x.Foo"} }},
		{"Headers", func(m *cpim.Message) { m.Headers = []cpim.Header{{Name: inject}} }},
		{"Headers", func(m *cpim.Message) { m.Headers = []cpim.Header{{Name: "From", Value: "<sip:eve@example.com>"}} }},
		{"Headers", func(m *cpim.Message) { m.Headers = []cpim.Header{{Name: "x.Foo", Value: "a"}} }},
		{"Headers", func(m *cpim.Message) { m.Headers = []cpim.Header{{Name: "Foo", Params: "a b"}} }},
		{"Headers", func(m *cpim.Message) { m.Headers = []cpim.Header{{Name: "Foo", Params: inject}} }},
		{"Headers", func(m *cpim.Message) { m.Headers = []cpim.Header{{Name: "Foo", Params: "a=\"" + inject + "\""}} }},
		{"Headers", func(m *cpim.Message) { m.Headers = []cpim.Header{{Name: "Foo", Params: `a="`}} }},
		{"Headers", func(m *cpim.Message) { m.Headers = []cpim.Header{{Name: "Foo", Value: "a "}} }},
		{"ContentType", func(m *cpim.Message) { m.ContentType = "" }},
		{"ContentType", func(m *cpim.Message) { m.ContentType = "text" }},
		{"ContentType", func(m *cpim.Message) { m.ContentType = "text/" }},
		{"ContentType", func(m *cpim.Message) { m.ContentType = "text plain/x" }},
		{"ContentType", func(m *cpim.Message) { m.ContentType = "text/plain\r\n\r\nbody" }},
		{"ContentType", func(m *cpim.Message) { m.ContentType = "text/plain\n" }},
		{"ContentHeaders", func(m *cpim.Message) { m.ContentHeaders = []cpim.ContentHeader{{Name: "A", Value: inject}} }},
		{"ContentHeaders", func(m *cpim.Message) { m.ContentHeaders = []cpim.ContentHeader{{Name: "A: b", Value: "c"}} }},
		{"ContentHeaders", func(m *cpim.Message) {
			m.ContentHeaders = []cpim.ContentHeader{{Name: "content-type", Value: "text/html"}}
		}},
	} {
		t.Run(c.field, func(t *testing.T) {
			m := &cpim.Message{From: piglet, ContentType: "text/plain", Body: []byte("body")}
			c.change(m)
			got, err := cpim.Append([]byte("before"), m)
			var field *cpim.FieldError
			require.ErrorAs(t, err, &field)
			assert.Equal(t, c.field, field.Field)
			assert.NotContains(t, err.Error(), "eve")
			assert.Equal(t, "before", string(got))
		})
	}
}

// A text with line ends is escaped: whatever a user types, the headers stay as many as they were.
func TestAppendEscapesTexts(t *testing.T) {
	const evil = "x\r\n\r\nContent-Type: text/html\r\n\r\n\x1b[2J\x7f"
	wire, err := cpim.Append(nil, &cpim.Message{
		From:        cpim.Address{DisplayName: evil, URI: "sip:a@b"},
		Subjects:    []cpim.Subject{{Text: evil}},
		Headers:     []cpim.Header{{Name: "Foo", Value: evil}},
		ContentType: "text/plain",
	})
	require.NoError(t, err)
	assert.Equal(t, 6, bytes.Count(wire, []byte("\r\n")))
	assert.Equal(t, 6, bytes.Count(wire, []byte("\n")))
	m, err := cpim.Parse(wire)
	require.NoError(t, err)
	assert.Equal(t, []string{evil, evil, evil}, []string{m.From.DisplayName, m.Subjects[0].Text, m.Headers[0].Value})
}

func BenchmarkParse(b *testing.B) {
	wire := []byte(wireCases[1].wire)
	b.ReportAllocs()
	b.SetBytes(int64(len(wire)))
	for b.Loop() {
		if _, err := cpim.Parse(wire); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkAppend(b *testing.B) {
	m := wireCases[1].want
	var dst []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if dst, err = cpim.Append(dst[:0], &m); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(dst)))
}

func ExampleErrTooLarge() {
	_, err := cpim.Parse(bytes.Repeat([]byte("Subject: again\r\n"), 200))
	fmt.Println(err)
	// Output: cpim: headers over the limit
}
