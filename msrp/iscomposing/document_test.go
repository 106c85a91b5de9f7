package iscomposing_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/msrp/cpim"
	"github.com/otrchat/otrchat/msrp/iscomposing"
)

func testParse(t *testing.T, cases []wireCase) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, err := iscomposing.Parse([]byte(c.wire))
			require.NoError(t, err)
			assert.Equal(t, &c.want, got)
		})
	}
}

func TestParse(t *testing.T) { testParse(t, slices.Concat(ownCases, readCases)) }

func TestRFC3994_3_5_Extensions(t *testing.T) { testParse(t, extendedCases) }

func TestRFC3994_5_Examples(t *testing.T) { testParse(t, rfcCases) }

func TestRFC3994_6_DocumentsAreWellFormedUTF8(t *testing.T) {
	for _, c := range badCases {
		t.Run(c.name, func(t *testing.T) {
			m, err := iscomposing.Parse([]byte(c.wire))
			var syntax *iscomposing.SyntaxError
			require.ErrorAs(t, err, &syntax)
			assert.Equal(t, "iscomposing: "+c.reason, err.Error())
			assert.Nil(t, m)
		})
	}
}

func TestRFC3994_6_1_Append(t *testing.T) {
	for _, c := range ownCases {
		t.Run(c.name, func(t *testing.T) {
			got, err := iscomposing.Append([]byte("before"), &c.want)
			require.NoError(t, err)
			assert.Equal(t, "before"+c.wire, string(got))
		})
	}
}

func TestParseCutShort(t *testing.T) {
	wire := strings.TrimSpace(rfcCases[0].wire)
	for i := range wire {
		_, err := iscomposing.Parse([]byte(wire[:i]))
		require.Error(t, err, "cut at %d", i)
	}
}

func TestMaxBytes(t *testing.T) {
	wire := ours + "<state>active</state></isComposing>"
	wire += strings.Repeat(" ", iscomposing.MaxBytes-len(wire))
	_, err := iscomposing.Parse([]byte(wire))
	require.NoError(t, err)
	_, err = iscomposing.Parse([]byte(wire + " "))
	require.ErrorIs(t, err, iscomposing.ErrTooLarge)
}

// Thousands of elements in each other fit into the limit; they must not fill the stack.
func TestParseDeepDocument(t *testing.T) {
	const depth = (iscomposing.MaxBytes - 200) / 7
	wire := ours + "<state>active</state>" + strings.Repeat("<a>", depth) + strings.Repeat("</a>", depth) + "</isComposing>"
	m, err := iscomposing.Parse([]byte(wire))
	require.NoError(t, err)
	assert.True(t, m.Active)
}

func TestAppendRefuses(t *testing.T) {
	for _, c := range []struct {
		field string
		m     iscomposing.Document
	}{
		{"LastActive", iscomposing.Document{LastActive: time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{"LastActive", iscomposing.Document{LastActive: time.Date(-1, 1, 1, 0, 0, 0, 0, time.UTC)}},
		{"ContentType", iscomposing.Document{ContentType: "text/plain\n"}},
		{"ContentType", iscomposing.Document{ContentType: "text/\x00"}},
		{"ContentType", iscomposing.Document{ContentType: "text/\xff"}},
		{"ContentType", iscomposing.Document{ContentType: "text/ä"}},
		{"ContentType", iscomposing.Document{ContentType: " text"}},
		{"ContentType", iscomposing.Document{ContentType: strings.Repeat("x", 256)}},
		{"Refresh", iscomposing.Document{Refresh: -time.Second}},
		{"Refresh", iscomposing.Document{Refresh: time.Second / 2}},
		{"Refresh", iscomposing.Document{Refresh: iscomposing.MaxRefresh + time.Second}},
	} {
		t.Run(c.field, func(t *testing.T) {
			got, err := iscomposing.Append([]byte("before"), &c.m)
			var field *iscomposing.FieldError
			require.ErrorAs(t, err, &field)
			assert.Equal(t, c.field, field.Field)
			assert.Equal(t, "before", string(got))
		})
	}
}

// No content type breaks out of its element.
func TestAppendInjection(t *testing.T) {
	evil := iscomposing.Document{ContentType: "a</contenttype><state>active</state><contenttype>]]>&lt;"}
	wire, err := iscomposing.Append(nil, &evil)
	require.NoError(t, err)
	m, err := iscomposing.Parse(wire)
	require.NoError(t, err)
	assert.Equal(t, &evil, m)
}

// Inside message/cpim the envelope tells who composes, as a conference needs it.
func TestRFC3994_3_5_InsideCPIM(t *testing.T) {
	body, err := iscomposing.Append(nil, &iscomposing.Document{Active: true})
	require.NoError(t, err)
	wire, err := cpim.Append(nil, &cpim.Message{From: cpim.Address{URI: "im:alice@example.com"}, ContentType: iscomposing.MediaType, Body: body})
	require.NoError(t, err)
	m, err := cpim.Parse(wire)
	require.NoError(t, err)
	require.Equal(t, iscomposing.MediaType, m.ContentType)
	document, err := iscomposing.Parse(m.Body)
	require.NoError(t, err)
	r := iscomposing.NewReceiver()
	r.Status(m.From.URI, document)
	change, err := r.Next(t.Context())
	require.NoError(t, err)
	assert.Equal(t, iscomposing.Change{From: "im:alice@example.com", Active: true}, change)
}

// Whatever Parse reads, Append writes, and that is read back as the same document.
func FuzzParse(f *testing.F) {
	for _, c := range slices.Concat(ownCases, rfcCases, readCases, extendedCases) {
		f.Add([]byte(c.wire))
	}
	for _, c := range badCases {
		f.Add([]byte(c.wire))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		first, err := iscomposing.Parse(b)
		if err != nil {
			return
		}
		require.True(t, first.Refresh >= 0 && first.Refresh <= iscomposing.MaxRefresh)
		wire, err := iscomposing.Append(nil, first)
		require.NoError(t, err)
		require.LessOrEqual(t, len(wire), iscomposing.MaxBytes)
		second, err := iscomposing.Parse(wire)
		require.NoError(t, err)
		require.Equal(t, first, second)
	})
}

func ExampleErrTooLarge() {
	_, err := iscomposing.Parse(make([]byte, 1<<20))
	fmt.Println(err)
	// Output: iscomposing: document over the limit
}
