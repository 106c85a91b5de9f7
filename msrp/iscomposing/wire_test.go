package iscomposing_test

import (
	"strings"
	"time"

	"github.com/otrchat/otrchat/msrp/iscomposing"
)

const (
	prolog = `<?xml version="1.0" encoding="UTF-8"?>` + "\n"
	ours   = `<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing">`
	rfcs   = `<isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing"
  xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
  xsi:schemaLocation="urn:ietf:params:xml:ns:im-composing iscomposing.xsd">
`
)

// ownCases are documents as we write them; the others are read only.
var ownCases = []wireCase{
	{"active", prolog + ours + "\n  <state>active</state>\n</isComposing>\n", iscomposing.Document{Active: true}},
	{"idle", prolog + ours + "\n  <state>idle</state>\n</isComposing>\n", iscomposing.Document{}},
	{"all", prolog + ours + "\n  <state>active</state>\n  <lastactive>2026-11-23T08:30:00.5Z</lastactive>\n" +
		"  <contenttype>text/html;x=&lt;&amp;&gt;</contenttype>\n  <refresh>60</refresh>\n</isComposing>\n", iscomposing.Document{
		Active: true, LastActive: time.Date(2026, 11, 23, 8, 30, 0, 5e8, time.UTC), ContentType: "text/html;x=<&>", Refresh: time.Minute,
	}},
	{"longest refresh", prolog + ours + "\n  <state>active</state>\n  <refresh>3600</refresh>\n</isComposing>\n",
		iscomposing.Document{Active: true, Refresh: iscomposing.MaxRefresh}},
}

// rfcCases are the two examples of RFC 3994 section 5.
var rfcCases = []wireCase{
	{"active", prolog + rfcs + "    <state>active</state>\n    <contenttype>text/plain</contenttype>\n    <refresh>90</refresh>\n</isComposing>\n",
		iscomposing.Document{Active: true, ContentType: "text/plain", Refresh: 90 * time.Second}},
	{"idle", prolog + rfcs + "    <state>idle</state>\n    <lastactive>2003-01-27T10:43:00Z</lastactive>\n    <contenttype>audio</contenttype>\n</isComposing>\n",
		iscomposing.Document{LastActive: time.Date(2003, 1, 27, 10, 43, 0, 0, time.UTC), ContentType: "audio"}},
}

var readCases = []wireCase{
	{"Blink", "<?xml version='1.0' encoding='UTF-8'?>\n<isComposing xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\"><state>active</state><refresh>60</refresh></isComposing>",
		iscomposing.Document{Active: true, Refresh: time.Minute}},
	{"another prefix, another order, no declaration", `<c:isComposing xmlns:c="urn:ietf:params:xml:ns:im-iscomposing"><c:refresh>90</c:refresh>` +
		`<c:state>active</c:state></c:isComposing>`, iscomposing.Document{Active: true, Refresh: 90 * time.Second}},
	{"byte order mark, comments, white space", "\ufeff" + prolog + "<!-- a --> \n" + ours + "<!-- b -->\n\t<state>\r\n active </state></isComposing>\n<!-- c -->\n",
		iscomposing.Document{Active: true}},
	{"CDATA and character references", ours + "<state><![CDATA[act]]>&#105;ve</state></isComposing>", iscomposing.Document{Active: true}},
	{"a time zone", ours + "<state>idle</state><lastactive>2003-01-27T10:43:00+01:00</lastactive></isComposing>",
		iscomposing.Document{LastActive: time.Date(2003, 1, 27, 9, 43, 0, 0, time.UTC)}},
	{"a date without time zone is none", ours + "<state>idle</state><lastactive>2003-01-27T10:43:00</lastactive></isComposing>", iscomposing.Document{}},
	{"yesterday is no date", ours + "<state>idle</state><lastactive>yesterday</lastactive></isComposing>", iscomposing.Document{}},
	{"a year before 0", ours + "<state>idle</state><lastactive>0000-01-01T00:00:00+01:00</lastactive></isComposing>", iscomposing.Document{}},
	{"a year of five digits", ours + "<state>idle</state><lastactive>9999-12-31T23:59:59-01:00</lastactive></isComposing>", iscomposing.Document{}},
	{"refresh of nought", ours + "<state>active</state><refresh>0</refresh></isComposing>", iscomposing.Document{Active: true}},
	{"negative refresh", ours + "<state>active</state><refresh>-90</refresh></isComposing>", iscomposing.Document{Active: true}},
	{"refresh that is no number", ours + "<state>active</state><refresh>1e3</refresh></isComposing>", iscomposing.Document{Active: true}},
	{"empty refresh", ours + "<state>active</state><refresh/></isComposing>", iscomposing.Document{Active: true}},
	{"a plus and noughts", ours + "<state>active</state><refresh>+0090</refresh></isComposing>", iscomposing.Document{Active: true, Refresh: 90 * time.Second}},
	{"a refresh without end", ours + "<state>active</state><refresh>3601</refresh></isComposing>", iscomposing.Document{Active: true, Refresh: iscomposing.MaxRefresh}},
	{"a refresh of 200 digits", ours + "<state>active</state><refresh>" + strings.Repeat("9", 200) + "</refresh></isComposing>",
		iscomposing.Document{Active: true, Refresh: iscomposing.MaxRefresh}},
	{"a content type with an escape sequence", ours + "<state>active</state><contenttype>text/plain\u009b31m</contenttype></isComposing>", iscomposing.Document{Active: true}},
	{"a content type of two lines", ours + "<state>active</state><contenttype>text/plain\nx</contenttype></isComposing>", iscomposing.Document{Active: true}},
	{"a content type of 256 bytes", ours + "<state>active</state><contenttype>" + strings.Repeat("x", 256) + "</contenttype></isComposing>",
		iscomposing.Document{Active: true}},
}

// extendedCases hold what RFC 3994 section 3.5 lets later documents add.
var extendedCases = []wireCase{
	{"a state that we do not know is idle", ours + "<state>pondering</state><refresh>90</refresh></isComposing>", iscomposing.Document{Refresh: 90 * time.Second}},
	{"states are compared exactly", ours + "<state>Active</state></isComposing>", iscomposing.Document{}},
	{"an empty state", ours + "<state/></isComposing>", iscomposing.Document{}},
	{"elements of another namespace", ours + `<x:state xmlns:x="urn:x">idle</x:state><state>active</state><x:a xmlns:x="urn:x"><state>idle</state><x:b/></x:a></isComposing>`,
		iscomposing.Document{Active: true}},
	{"an element that nobody may add", ours + "<mood>good</mood><state>active</state></isComposing>", iscomposing.Document{Active: true}},
	{"attributes", ours + `<state xmlns:x="urn:x" x:since="now">active</state></isComposing>`, iscomposing.Document{Active: true}},
}

type wireCase struct {
	name, wire string
	want       iscomposing.Document
}

var badCases = []struct{ name, wire, reason string }{
	{"empty", "", "no isComposing element"},
	{"not XML", "active", "text outside the root element"},
	{"cut short", ours + "<state>active</state>", "not well-formed XML"},
	{"cut in a tag", ours + "<sta", "not well-formed XML"},
	{"crossed tags", ours + "<state>active</isComposing></state>", "not well-formed XML"},
	{"no namespace", "<isComposing><state>active</state></isComposing>", "no isComposing element"},
	{"another namespace", `<isComposing xmlns="urn:x"><state>active</state></isComposing>`, "no isComposing element"},
	{"another root", `<composing xmlns="urn:ietf:params:xml:ns:im-iscomposing"><state>active</state></composing>`, "no isComposing element"},
	{"no state", ours + "<refresh>90</refresh></isComposing>", "no state"},
	{"a state outside the namespace", ours + `<state xmlns="">active</state></isComposing>`, "no state"},
	{"two states", ours + "<state>idle</state><state>active</state></isComposing>", "an element twice"},
	{"two intervals", ours + "<state>active</state><refresh>60</refresh><refresh>90</refresh></isComposing>", "an element twice"},
	{"two documents", ours + "<state>idle</state></isComposing>" + ours + "<state>active</state></isComposing>", "a second root element"},
	{"text behind", ours + "<state>idle</state></isComposing>x", "text outside the root element"},
	{"NUL behind", ours + "<state>idle</state></isComposing>\x00", "not well-formed XML"},
	{"entities", `<!DOCTYPE isComposing [<!ENTITY a SYSTEM "file:///etc/passwd">]>` + ours + "<state>&a;</state></isComposing>", "a document type declaration"},
	{"an entity without declaration", ours + "<state>&a;</state></isComposing>", "not well-formed XML"},
	{"not UTF-8", ours + "<state>\xff</state></isComposing>", "not UTF-8"},
	{"another encoding", `<?xml version="1.0" encoding="ISO-8859-1"?>` + ours + "<state>active</state></isComposing>", "not well-formed XML"},
	{"UTF-16", "\xff\xfe<\x00", "not UTF-8"},
	{"another version of XML", `<?xml version="1.1"?>` + ours + "<state>active</state></isComposing>", "not well-formed XML"},
}
