package cpim_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp/cpim"
)

// parse reads message headers alone.
func parse(t *testing.T, headers ...string) *cpim.Message {
	t.Helper()
	m, err := cpim.Parse([]byte(crlf(append(headers, "", "", "")...)))
	require.NoError(t, err)
	return m
}

const widgets = "http://id.acme.widgets/wily-headers/"

// The three examples that mean the same.
func TestRFC3862_3_4_PrefixesMeanNothing(t *testing.T) {
	for _, headers := range [][]string{
		{`NS: acme <` + widgets + `>`, `acme.runner-trap: set`},
		{`NS: widget <` + widgets + `>`, `widget.runner-trap: set`},
		{`NS: <` + widgets + `>`, `runner-trap: set`},
	} {
		m := parse(t, headers...)
		value, ok := m.Header(widgets, "runner-trap")
		assert.True(t, ok)
		assert.Equal(t, "set", value)
		_, ok = m.Header("", "runner-trap")
		assert.False(t, ok)
	}
}

func TestRFC3862_3_4_DefaultNamespace(t *testing.T) {
	for _, c := range []struct {
		name    string
		headers []string
		ns      []cpim.Namespace
		want    []cpim.Header
	}{
		{"from there on, until the next", []string{`a: 1`, `NS: <urn:x:y>`, `a: 2`, `NS: <urn:x:z>`, `a: 3`, `NS: <urn:ietf:params:cpim-headers:>`, `a: 4`, `From: <im:a@b>`},
			[]cpim.Namespace{{Prefix: "ns1", URI: "urn:x:y"}, {Prefix: "ns2", URI: "urn:x:z"}},
			[]cpim.Header{{Name: "a", Value: "1"}, {Name: "ns1.a", Value: "2"}, {Name: "ns2.a", Value: "3"}, {Name: "a", Value: "4"}}},
		{"one that has a prefix already", []string{`NS: x <urn:x:y>`, `NS: <urn:x:y>`, `a: 1`},
			[]cpim.Namespace{{Prefix: "x", URI: "urn:x:y"}}, []cpim.Header{{Name: "x.a", Value: "1"}}},
		{"our prefix is taken", []string{`NS: ns1 <urn:x:z>`, `NS: <urn:x:y>`, `a: 1`},
			[]cpim.Namespace{{Prefix: "ns1", URI: "urn:x:z"}, {Prefix: "ns2", URI: "urn:x:y"}}, []cpim.Header{{Name: "ns2.a", Value: "1"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := parse(t, c.headers...)
			assert.Equal(t, c.ns, m.NS)
			assert.Equal(t, c.want, m.Headers)
		})
	}
}

// §4: a header of the RFC may stand behind a prefix that is declared for the RFC's namespace.
func TestRFC3862_3_4_PrefixOfTheRFC(t *testing.T) {
	m := parse(t, `NS: c <urn:ietf:params:cpim-headers:>`, `c.From: <im:a@b>`, `c.Subject:;lang=en hello`, `c.NS: x <urn:x:y>`, `x.Foo: 1`, `c.Require: c.Subject, x.Foo`, `c.Bar: 2`)
	assert.Equal(t, &cpim.Message{
		From:        cpim.Address{URI: "im:a@b"},
		Subjects:    []cpim.Subject{{Lang: "en", Text: "hello"}},
		NS:          []cpim.Namespace{{Prefix: "x", URI: "urn:x:y"}},
		Require:     []string{"Subject", "x.Foo"},
		Headers:     []cpim.Header{{Name: "x.Foo", Value: "1"}, {Name: "Bar", Value: "2"}},
		ContentType: "text/plain",
		Body:        []byte{},
	}, m)
}

// Writing declares prefixes before their first use; reading is content with a declaration anywhere, and drops what has none.
func TestRFC3862_3_4_DeclaredBeforeUse(t *testing.T) {
	m := parse(t, `x.Foo: 1`, `y.Foo: 2`, `NS: x <urn:x:y>`)
	assert.Equal(t, []cpim.Header{{Name: "x.Foo", Value: "1"}}, m.Headers)
	m.Require = []string{"x.Foo"}
	wire, err := cpim.Append(nil, m)
	require.NoError(t, err)
	assert.Equal(t, crlf(`NS: x <urn:x:y>`, `Require: x.Foo`, `x.Foo: 1`, ``, `Content-Type: text/plain`, ``, ``), string(wire))
}

func TestRFC3862_3_5_Require(t *testing.T) {
	m := parse(t, `NS: Locale <urn:x:locale>`, `Require: Locale.MustRenderKanji,Subject`, `Require: Other.Thing`)
	type meaning struct {
		namespace, name string
		ok              bool
	}
	var got []meaning
	for _, name := range m.Require {
		namespace, local, ok := m.Resolve(name)
		got = append(got, meaning{namespace, local, ok})
	}
	assert.Equal(t, []meaning{{"urn:x:locale", "MustRenderKanji", true}, {"", "Subject", true}, {"", "Thing", false}}, got)
}

func TestHeader(t *testing.T) {
	m := parse(t, `NS: d <urn:ietf:params:imdn>`, `Message-ID: plain`, `d.Message-ID: first`, `d.Message-ID: second`)
	for _, c := range []struct {
		namespace, name, value string
		ok                     bool
	}{
		{cpim.IMDN, "Message-ID", "first", true},
		{"", "Message-ID", "plain", true},
		{cpim.IMDN, "message-id", "", false},
		{"urn:other", "Message-ID", "", false},
		{"", "d.Message-ID", "", false},
	} {
		value, ok := m.Header(c.namespace, c.name)
		assert.Equal(t, c.value, value)
		assert.Equal(t, c.ok, ok, "%+v", c)
	}
}
