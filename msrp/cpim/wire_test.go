package cpim_test

import (
	"strings"
	"time"

	"github.com/otrchat/otrchat/msrp/cpim"
)

// wireCase is one message as it stands on the wire. Parse, Append and the fuzz seeds use the table.
type wireCase struct {
	name string
	wire string
	want cpim.Message
	// encoded is what Append makes of want, empty if that is wire.
	encoded string
}

// crlf writes the line ends of RFC 3862.
func crlf(lines ...string) string { return strings.Join(lines, "\r\n") }

var (
	piglet = cpim.Address{DisplayName: "MR SANDERS", URI: "im:piglet@100akerwood.com"}
	eeyore = cpim.Address{DisplayName: "Depressed Donkey", URI: "im:eeyore@100akerwood.com"}
	sent   = time.Date(2000, 12, 13, 13, 40, 0, 0, time.FixedZone("", -8*3600))
)

var wireCases = []wireCase{
	{
		name: "RFC 3862 §5.1",
		wire: crlf(
			`From: MR SANDERS <im:piglet@100akerwood.com>`,
			`To: Depressed Donkey <im:eeyore@100akerwood.com>`,
			`DateTime: 2000-12-13T13:40:00-08:00`,
			`Subject: the weather will be fine today`,
			`Subject:;lang=fr beau temps prevu pour aujourd'hui`,
			`NS: MyFeatures <mid:MessageFeatures@id.foo.com>`,
			`Require: MyFeatures.VitalMessageOption`,
			`MyFeatures.VitalMessageOption: Confirmation-requested`,
			`MyFeatures.WackyMessageOption: Use-silly-font`,
			``,
			`Content-type: text/xml; charset=utf-8`,
			`Content-ID: <1234567890@foo.com>`,
			``,
			`<body>`,
			`Here is the text of my message.`,
			`</body>`),
		want: cpim.Message{
			From: piglet, To: []cpim.Address{eeyore}, DateTime: sent,
			Subjects: []cpim.Subject{
				{Text: "the weather will be fine today"},
				{Lang: "fr", Text: "beau temps prevu pour aujourd'hui"},
			},
			NS:      []cpim.Namespace{{Prefix: "MyFeatures", URI: "mid:MessageFeatures@id.foo.com"}},
			Require: []string{"MyFeatures.VitalMessageOption"},
			Headers: []cpim.Header{
				{Name: "MyFeatures.VitalMessageOption", Value: "Confirmation-requested"},
				{Name: "MyFeatures.WackyMessageOption", Value: "Use-silly-font"},
			},
			ContentType:    "text/xml; charset=utf-8",
			ContentHeaders: []cpim.ContentHeader{{Name: "Content-ID", Value: "<1234567890@foo.com>"}},
			Body:           []byte("<body>\r\nHere is the text of my message.\r\n</body>"),
		},
		encoded: crlf(
			`From: "MR SANDERS" <im:piglet@100akerwood.com>`,
			`To: "Depressed Donkey" <im:eeyore@100akerwood.com>`,
			`DateTime: 2000-12-13T13:40:00-08:00`,
			`Subject: the weather will be fine today`,
			`Subject:;lang=fr beau temps prevu pour aujourd'hui`,
			`NS: MyFeatures <mid:MessageFeatures@id.foo.com>`,
			`Require: MyFeatures.VitalMessageOption`,
			`MyFeatures.VitalMessageOption: Confirmation-requested`,
			`MyFeatures.WackyMessageOption: Use-silly-font`,
			``,
			`Content-Type: text/xml; charset=utf-8`,
			`Content-ID: <1234567890@foo.com>`,
			``,
			`<body>`,
			`Here is the text of my message.`,
			`</body>`),
	},
	{
		name: "as we write it",
		wire: crlf(`From: "Alice" <sip:alice@example.com>`, `To: <sip:bob@example.org>`, `cc: "Ć" <im:c@example.com>`, ``,
			`Content-Type: text/plain; charset=utf-8`, ``, "line one\nline two\r\n\r\nčetiri\x00\xff"),
		want: cpim.Message{
			From:        cpim.Address{DisplayName: "Alice", URI: "sip:alice@example.com"},
			To:          []cpim.Address{{URI: "sip:bob@example.org"}},
			CC:          []cpim.Address{{DisplayName: "Ć", URI: "im:c@example.com"}},
			ContentType: "text/plain; charset=utf-8",
			Body:        []byte("line one\nline two\r\n\r\nčetiri\x00\xff"),
		},
	},
	{
		name: "Blink: CRLF in the message headers, bare LF in the MIME part, charset utf8, empty transfer encoding",
		wire: crlf(`From: Alice "the" Ace <sip:alice@example.com>`, `To: <sip:bob@example.org>`,
			`DateTime: 2026-11-23T08:30:00.123456+01:00`, `Required: Foo, Bar`, ``,
			"MIME-Version: 1.0\nContent-Type: text/plain; charset=\"utf8\"\nContent-Transfer-Encoding: \n\n?OTRv3?"),
		want: cpim.Message{
			From:           cpim.Address{DisplayName: `Alice "the" Ace`, URI: "sip:alice@example.com"},
			To:             []cpim.Address{{URI: "sip:bob@example.org"}},
			DateTime:       time.Date(2026, 11, 23, 8, 30, 0, 123456000, time.FixedZone("", 3600)),
			Require:        []string{"Foo", "Bar"},
			ContentType:    `text/plain; charset="utf8"`,
			ContentHeaders: []cpim.ContentHeader{{Name: "MIME-Version", Value: "1.0"}},
			Body:           []byte("?OTRv3?"),
		},
		encoded: crlf(`From: "Alice \"the\" Ace" <sip:alice@example.com>`, `To: <sip:bob@example.org>`,
			`DateTime: 2026-11-23T08:30:00.123456+01:00`, `Require: Foo`, `Require: Bar`, ``,
			`Content-Type: text/plain; charset="utf8"`, `MIME-Version: 1.0`, ``, `?OTRv3?`),
	},
	{
		name: "Blink: headers of its own, a control character by its number",
		wire: crlf(`From: Alice\u0007 <sip:alice@example.com>`, `NS: agp <urn:ag-projects:xml:ns:cpim>`, `agp.Message-Type: status`,
			`NS: <urn:ag-projects:xml:ns:cpim>`, `Sender-Mood: good`, ``, "MIME-Version: 1.0\nContent-Type: text/plain\n\nhello"),
		want: cpim.Message{
			From: cpim.Address{DisplayName: "Alice\a", URI: "sip:alice@example.com"},
			NS:   []cpim.Namespace{{Prefix: "agp", URI: "urn:ag-projects:xml:ns:cpim"}},
			Headers: []cpim.Header{
				{Name: "agp.Message-Type", Value: "status"},
				{Name: "agp.Sender-Mood", Value: "good"},
			},
			ContentType:    "text/plain",
			ContentHeaders: []cpim.ContentHeader{{Name: "MIME-Version", Value: "1.0"}},
			Body:           []byte("hello"),
		},
		encoded: crlf(`From: "Alice\u0007" <sip:alice@example.com>`, `NS: agp <urn:ag-projects:xml:ns:cpim>`, `agp.Message-Type: status`,
			`agp.Sender-Mood: good`, ``, `Content-Type: text/plain`, `MIME-Version: 1.0`, ``, `hello`),
	},
	{
		name: "RFC 3862 §2.3: escapes",
		wire: crlf(`From: "a\"'\\\r\nb" <im:a@b>`, `Subject:  \tx \\n\b`, `Foo:;a="x; \" y";b=c d\u007f`, ``,
			`Content-Type: text/plain`, ``, ``),
		want: cpim.Message{
			From:        cpim.Address{DisplayName: "a\"'\\\r\nb", URI: "im:a@b"},
			Subjects:    []cpim.Subject{{Text: " \tx \\n\b"}},
			Headers:     []cpim.Header{{Name: "Foo", Params: `a="x; \" y";b=c`, Value: "d\x7f"}},
			ContentType: "text/plain",
			Body:        []byte{},
		},
	},
	{
		name: "escapes that we read and do not write",
		wire: crlf(`From: a\'\"\b\t\n\r\q <im:a@b>`, `To: "\ud83d\ude00\ud83d" <im:b@b>`, `Subject:;x=y;lang=en-GB \u00e9\u12`, ``,
			`Content-Type: text/plain`, ``, ``),
		want: cpim.Message{
			From:        cpim.Address{DisplayName: "a'\"\b\t\n\rq", URI: "im:a@b"},
			To:          []cpim.Address{{DisplayName: "😀\uFFFD", URI: "im:b@b"}},
			Subjects:    []cpim.Subject{{Lang: "en-GB", Text: `éu12`}},
			ContentType: "text/plain",
			Body:        []byte{},
		},
		encoded: crlf(`From: "a'\"\b\t\n\rq" <im:a@b>`, "To: \"😀\uFFFD\" <im:b@b>", `Subject:;lang=en-GB éu12`, ``,
			`Content-Type: text/plain`, ``, ``),
	},
	{
		name: "names with quotation marks and brackets inside",
		wire: crlf(`From: "x <im:eve@b>" <im:a@b>`, `To: "a" and "b" <im:c@b>`, `To: "d\" <im:d@b>`, `To: " <im:e@b>`, `To: "" <im:f@b>`, ``,
			`Content-Type: text/plain`, ``, ``),
		want: cpim.Message{
			From: cpim.Address{DisplayName: "x <im:eve@b>", URI: "im:a@b"},
			To: []cpim.Address{{DisplayName: `"a" and "b"`, URI: "im:c@b"}, {DisplayName: `"d"`, URI: "im:d@b"},
				{DisplayName: `"`, URI: "im:e@b"}, {URI: "im:f@b"}},
			ContentType: "text/plain",
			Body:        []byte{},
		},
		encoded: crlf(`From: "x <im:eve@b>" <im:a@b>`, `To: "\"a\" and \"b\"" <im:c@b>`, `To: "\"d\"" <im:d@b>`, `To: "\"" <im:e@b>`, `To: <im:f@b>`, ``,
			`Content-Type: text/plain`, ``, ``),
	},
	{
		name: "no headers, no Content-Type, folded MIME header, all LF",
		wire: "\nContent-Disposition: attachment;\n filename=\"x\"\n\nbody",
		want: cpim.Message{
			ContentType:    "text/plain",
			ContentHeaders: []cpim.ContentHeader{{Name: "Content-Disposition", Value: `attachment; filename="x"`}},
			Body:           []byte("body"),
		},
		encoded: crlf(``, `Content-Type: text/plain`, `Content-Disposition: attachment; filename="x"`, ``, `body`),
	},
	{
		name: "what has no meaning is dropped: a prefix without NS, a DateTime that is no time",
		wire: crlf(`From: <im:a@b>`, `DateTime: yesterday`, `NS: <urn:ietf:params:cpim-headers:>`, `x.Foo: bar`, `Foo:bar`, ``,
			`CONTENT-TYPE: text/plain`, ``, ``),
		want: cpim.Message{
			From:        cpim.Address{URI: "im:a@b"},
			Headers:     []cpim.Header{{Name: "Foo", Value: "bar"}},
			ContentType: "text/plain",
			Body:        []byte{},
		},
		encoded: crlf(`From: <im:a@b>`, `Foo: bar`, ``, `Content-Type: text/plain`, ``, ``),
	},
}

// badCases are messages that Parse refuses, with the line that is to blame.
var badCases = []struct {
	name, wire string
	line       int
}{
	{"empty", "", 1},
	{"ends in the message headers", "From: <im:a@b>\r\n", 2},
	{"ends in the MIME headers", "From: <im:a@b>\r\n\r\nContent-Type: text/plain\r\n", 4},
	{"ends within a line", "From: <im:a@b>\r\n\r\nContent-Type: te", 3},
	{"no colon", "From\r\n\r\n\r\n", 1},
	{"name with a space", "From : <im:a@b>\r\n\r\n\r\n", 1},
	{"two dots in a name", "a.b.c: x\r\n\r\n\r\n", 1},
	{"From without brackets", "From: im:a@b\r\n\r\n\r\n", 1},
	{"From without URI", "From: <>\r\n\r\n\r\n", 1},
	{"URI without scheme", "To: <alice>\r\n\r\n\r\n", 1},
	{"URI with a space", "To: <im:a b>\r\n\r\n\r\n", 1},
	{"URI with a letter beyond ASCII", "To: <im:ä@b>\r\n\r\n\r\n", 1},
	{"text after the URI", "cc: <im:a@b> x\r\n\r\n\r\n", 1},
	{"two URIs", "From: <im:a@b> <im:eve@b>\r\n\r\n\r\n", 1},
	{"two URIs behind names", "From: \"a\" <im:a@b> \"b\" <im:eve@b>\r\n\r\n\r\n", 1},
	{"second From", "From: <im:a@b>\r\nFrom: <im:c@d>\r\n\r\n\r\n", 2},
	{"second DateTime", "DateTime: 2026-01-01T00:00:00Z\r\nDateTime: 2026-01-01T00:00:00Z\r\n\r\n\r\n", 2},
	{"bare CR", "Subject: a\rFrom: <im:a@b>\r\n\r\n\r\n", 1},
	{"NUL", "Subject: a\x00\r\n\r\n\r\n", 1},
	{"escaped NUL in a subject", "Subject: a\\u0000\r\n\r\n\r\n", 1},
	{"escaped NUL in a name", "From: a\\u0000 <im:a@b>\r\n\r\n\r\n", 1},
	{"not UTF-8", "Subject: \xff\r\n\r\n\r\n", 3},
	{"open quote in parameters", "Foo:;a=\"b c\r\n\r\n\r\n", 1},
	{"tab in parameters", "Foo:;a\t=b c\r\n\r\n\r\n", 1},
	{"From in another namespace", "NS: <urn:x:y>\r\nFrom: <im:a@b>\r\n\r\n\r\n", 2},
	{"Require in another namespace", "NS: <urn:x:y>\r\nRequire: x\r\n\r\n\r\n", 2},
	{"second From behind a prefix", "From: <im:a@b>\r\nNS: x <urn:ietf:params:cpim-headers:>\r\nx.From: <im:c@d>\r\n\r\n\r\n", 3},
	{"namespace with a fragment", "NS: x <urn:x:y#z>\r\n\r\n\r\n", 1},
	{"namespace that is relative", "NS: x <y>\r\n\r\n\r\n", 1},
	{"default namespace that is relative", "NS: <y>\r\n\r\n\r\n", 1},
	{"a prefix that we gave to a default namespace", "NS: <urn:x:y>\r\nNS: ns1 <urn:x:z>\r\n\r\n\r\n", 2},
	{"prefix bound twice", "NS: x <urn:x:y>\r\nNS: x <urn:x:z>\r\n\r\n\r\n", 2},
	{"bad prefix", "NS: x.y <urn:x:y>\r\n\r\n\r\n", 1},
	{"NS without URI", "NS: x\r\n\r\n\r\n", 1},
	{"Require nothing", "Require: a,,b\r\n\r\n\r\n", 1},
	{"second Content-Type", "\r\nContent-Type: text/plain\r\ncontent-type: text/html\r\n\r\n", 4},
	{"MIME header without colon", "\r\nContent-Type\r\n\r\n", 2},
	{"MIME header without name", "\r\n: x\r\n\r\n", 2},
	{"MIME section begins folded", "\r\n x\r\n\r\n", 2},
	{"control character in a MIME header", "\r\nContent-Type: text/plain\x1b\r\n\r\n", 2},
}
