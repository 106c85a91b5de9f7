package msrp

import (
	"fmt"
	"slices"
	"strings"
)

var badStartLines = slices.Concat([]wireCase{
	bad("empty line", "\r\n\r\n"),
	badStart("empty line before a frame", "\r\nMSRP d93kswow SEND\r\n"),
	bad("another protocol", "GET / HTTP/1.1\r\nHost: x\r\n\r\n"),
	bad("a TLS handshake", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
	bad("no MSRP", "hello\r\n"),
	bad("MSRP alone", "MSRP\r\n"),
	bad("MSRP and a blank", "MSRP \r\n"),
	bad("no blank behind the transaction ID", "MSRP d93kswow\r\n"),
	badStart("blank before", " MSRP d93kswow SEND\r\n"),
	badStart("byte order mark", "\xef\xbb\xbfMSRP d93kswow SEND\r\n"),
	badStart("lower case", "msrp d93kswow SEND\r\n"),
	badStart("MSRPS", "MSRPS d93kswow SEND\r\n"),
	badStart("no transaction ID", "MSRP  SEND\r\n"),
	badStart("two blanks", "MSRP  d93kswow SEND\r\n"),
	badStart("two blanks before the method", "MSRP d93kswow  SEND\r\n"),
	badStart("tab for a blank", "MSRP\td93kswow SEND\r\n"),
	badStart("another tab for a blank", "MSRP d93kswow\tSEND\r\n"),
	bad("short transaction ID", "MSRP d93 SEND\r\n"+paths+"-------d93$\r\n"),
	bad("long transaction ID", "MSRP "+strings.Repeat("a", 33)+" SEND\r\n"+paths+"-------"+strings.Repeat("a", 33)+"$\r\n"),
	badStart("no method", "MSRP d93kswow \r\n"),
	badStart("lower-case method", "MSRP d93kswow send\r\n"),
	badStart("method with a digit", "MSRP d93kswow SEND2\r\n"),
	badStart("method with a hyphen", "MSRP d93kswow SEND-IT\r\n"),
	badStart("method of other letters", "MSRP d93kswow SÉND\r\n"),
	badStart("two methods", "MSRP d93kswow SEND SEND\r\n"),
	badStart("blank behind the method", "MSRP d93kswow SEND \r\n"),
	badStart("status of two digits", "MSRP d93kswow 20 OK\r\n"),
	badStart("status of four digits", "MSRP d93kswow 2000 OK\r\n"),
	badStart("status below 100", "MSRP d93kswow 099 OK\r\n"),
	badStart("status with a sign", "MSRP d93kswow +20 OK\r\n"),
	badStart("status with a letter", "MSRP d93kswow 2OO OK\r\n"),
	badStart("status in other digits", "MSRP d93kswow ２００ OK\r\n"),
	badStart("comment at the status", "MSRP d93kswow 200OK\r\n"),
	badStart("start line that ends with LF", "MSRP d93kswow SEND\n"),
	badStart("start line that ends with CR", "MSRP d93kswow SEND\r"),
	badStart("start line that ends with CR CR LF", "MSRP d93kswow SEND\r\r\n"),
}, each("transaction ID with", " \t/:;,\"'\\<>()[]{}@!#$&*?^_`|~\x00\x1b\x7f\x80ä", func(c string) string {
	return "MSRP d93" + c + "kswow SEND\r\n" + paths + "-------d93" + c + "kswow$\r\n"
}), each("comment with", controls, func(c string) string {
	return "MSRP d93kswow 200 O" + c + "K\r\n" + paths + "-------d93kswow$\r\n"
}))

// controls are the control characters but the tab.
const controls = "\x00\x01\x02\x03\x04\x05\x06\a\b\n\v\f\r\x0e\x0f\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f"

// each makes a case for each character of a string.
func each(name, chars string, wire func(c string) string) (cases []wireCase) {
	for _, c := range chars {
		cases = append(cases, bad(fmt.Sprintf("%s %q", name, c), wire(string(c))))
	}
	return cases
}

var badHeaders = slices.Concat([]wireCase{
	bad("no To-Path", "MSRP d93kswow SEND\r\nFrom-Path: msrp://a:1/x;tcp\r\n-------d93kswow$\r\n"),
	bad("no From-Path", "MSRP d93kswow SEND\r\nTo-Path: msrp://a:1/x;tcp\r\n-------d93kswow$\r\n"),
	bad("no headers", "MSRP d93kswow SEND\r\n-------d93kswow$\r\n"),
	bad("empty To-Path", "MSRP d93kswow SEND\r\nTo-Path: \r\nFrom-Path: msrp://a:1/x;tcp\r\n-------d93kswow$\r\n"),
	bad("empty To-Path, then another", "MSRP d93kswow SEND\r\nTo-Path: \r\n"+paths+"-------d93kswow$\r\n"),
	badHeader("two To-Paths", "To-Path: "+bobPath+"\r\n"),
	badHeader("two From-Paths", "from-path: "+alicePath+"\r\n"),
	badHeader("two Message-IDs", "Message-ID: aaaa\r\nMessage-ID: aaaa\r\n"),
	badHeader("two Success-Reports", "Success-Report: no\r\nSuccess-Report: yes\r\n"),
	badHeader("two Failure-Reports", "Failure-Report: no\r\nFAILURE-REPORT: yes\r\n"),
	badHeader("two Statuses", "Status: 000 200\r\nStatus: 000 200\r\n"),
	badHeader("two Content-Types", "Content-Type: a/b\r\nContent-Type: a/b\r\n\r\nx\r\n"),
	badHeader("line without colon", "nonsense\r\n"),
	badHeader("no name", ": x\r\n"),
	badHeader("blank before the colon", "Message-ID : x\r\n"),
	badHeader("blank before the name", " Message-ID: x\r\n"),
	badHeader("continued line", "X: a\r\n b: c\r\n"),
	badHeader("name that begins with a digit", "1X: a\r\n"),
	badHeader("name that begins with a hyphen", "-X: a\r\n"),
	badHeader("name of other letters", "Ä: a\r\n"),
	badHeader("line that ends with LF", "X: a\nY: b\r\n"),
	badHeader("line that ends with CR", "X: a\rY: b\r\n"),
	badHeader("line that ends with LF CR", "X: a\n\r"),
	badHeader("body without Content-Type", "\r\nx\r\n"),
	badHeader("empty body without Content-Type", "\r\n\r\n"),
	badHeader("body with an empty Content-Type", "Content-Type:  \r\n\r\nx\r\n"),
	badHeader("Content-Type without body", "Content-Type: text/plain\r\n"),
	badHeader("blank line that ends with LF", "Content-Type: text/plain\r\n\nx\r\n"),
}, each("name with", " \t()<>@,;\\\"/[]?=\x80ä"+controls, func(c string) string {
	return "MSRP d93kswow SEND\r\n" + paths + "X" + c + "Y: z\r\n-------d93kswow$\r\n"
}), each("value with", controls, func(c string) string {
	return "MSRP d93kswow SEND\r\n" + paths + "X: some text before " + c + "and behind\r\n-------d93kswow$\r\n"
}))

// Behind headers, what is no end-line is no header either.
var badEndLines = slices.Concat([]wireCase{
	bad("other transaction ID", "MSRP d93kswow SEND\r\n"+paths+"-------d93kswoX$\r\n"),
	bad("transaction ID in another case", "MSRP d93kswow SEND\r\n"+paths+"-------D93KSWOW$\r\n"),
	bad("part of the transaction ID", "MSRP d93kswow SEND\r\n"+paths+"-------d93kswo$\r\n"),
	bad("more than the transaction ID", "MSRP d93kswow SEND\r\n"+paths+"-------d93kswoww$\r\n"),
	bad("six dashes", "MSRP d93kswow SEND\r\n"+paths+"------d93kswow$\r\n"),
	bad("eight dashes", "MSRP d93kswow SEND\r\n"+paths+"--------d93kswow$\r\n"),
	bad("no flag", "MSRP d93kswow SEND\r\n"+paths+"-------d93kswow\r\n"),
	bad("two flags", "MSRP d93kswow SEND\r\n"+paths+"-------d93kswow$$\r\n"),
	bad("blank behind the flag", "MSRP d93kswow SEND\r\n"+paths+"-------d93kswow$ \r\n"),
	bad("blank before the dashes", "MSRP d93kswow SEND\r\n"+paths+" -------d93kswow$\r\n"),
	bad("end-line that ends with LF", "MSRP d93kswow SEND\r\n"+paths+"-------d93kswow$\n"),
	bad("end-line that ends with CR", "MSRP d93kswow SEND\r\n"+paths+"-------d93kswow$\rMSRP"),
	bad("end-line at once", "-------d93kswow$\r\n"),
}, each("flag", "!%&*-.,=0aA \t\x00\x80", func(c string) string {
	return "MSRP d93kswow SEND\r\n" + paths + "-------d93kswow" + c + "\r\n"
}))

var badSizes = []wireCase{
	badHeader("endless line", "X: "+strings.Repeat("x", defaultHeadBytes)+"\r\n"),
	badHeader("one header too many", strings.Repeat("X: x\r\n", defaultHeaders-1)),
	badHeader("a head that is one byte too long", "X: "+strings.Repeat("x", 1+defaultHeadBytes-len("MSRP d93kswow SEND\r\n"+paths+"X: \r\n-------d93kswow$\r\n"))+"\r\n"),
	bad("endless start line", "MSRP d93kswow 200 "+strings.Repeat("x", defaultHeadBytes)),
	bad("endless name", "MSRP d93kswow SEND\r\n"+strings.Repeat("x", defaultHeadBytes)),
}
