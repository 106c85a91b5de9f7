package msrp

import "strings"

var rfc4975Section4 = []wireCase{
	example("Alice to Bob", "MSRP a786hjs2 SEND\r\nTo-Path: msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp\r\n"+
		"From-Path: msrp://atlanta.example.com:7654/jshA7weztas;tcp\r\nMessage-ID: 87652491\r\nByte-Range: 1-25/25\r\nContent-Type: text/plain\r\n",
		"Hey Bob, are you there?", Complete),
	example("Bob's response", "MSRP a786hjs2 200 OK\r\nTo-Path: msrp://atlanta.example.com:7654/jshA7weztas;tcp\r\n"+
		"From-Path: msrp://biloxi.example.com:12763/kjhd37s2s20w2a;tcp\r\n", "", Complete),
}

// The RFC leaves the paths out here.
var rfc4975Section5_1 = []wireCase{
	example("first chunk", "MSRP dkei38sd SEND\r\n"+paths+"Message-ID: 4564dpWd\r\nByte-Range: 1-*/8\r\nContent-Type: text/plain\r\n", "abcd", More),
	example("last chunk", "MSRP dkei38ia SEND\r\n"+paths+"Message-ID: 4564dpWd\r\nByte-Range: 5-8/8\r\nContent-Type: text/plain\r\n", "EFGH", Complete),
	good("first chunk that was not interrupted", "SEND", "Message-ID: 12339sdqwer\r\nByte-Range: 1-4/8\r\nContent-Type: text/plain\r\n", "abcd", More),
}

var rfc4975Section7_1 = []wireCase{
	good("aborted", "SEND", "Message-ID: 12339sdqwer\r\nByte-Range: 1-*/8\r\nContent-Type: text/plain\r\n", "abc", Aborted),
	good("aborted without a body", "SEND", "Message-ID: 12339sdqwer\r\nByte-Range: 4-*/8\r\n", "", Aborted),
	good("binds the session", "SEND", "Message-ID: 456so39s\r\nByte-Range: 1-0/0\r\n", "", Complete),
	good("keep-alive (Blink)", "SEND", "Message-ID: 456so39s\r\nByte-Range: 1-0/0\r\nKeep-Alive: yes\r\n", "", Complete),
	good("empty body", "SEND", "Message-ID: 456so39s\r\nContent-Type: text/plain\r\n", "", Complete),
	good("empty chunk", "SEND", "Message-ID: 456so39s\r\nByte-Range: 1-0/*\r\nContent-Type: text/plain\r\n", "", More),
	sloppy("empty body without its CRLF", "MSRP d93kswow SEND\r\n"+paths+"Content-Type: text/plain\r\n\r\n-------d93kswow$\r\n",
		good("", "SEND", "Content-Type: text/plain\r\n", "", Complete)),
	good("no Message-ID (RFC 4976 relays leave it to the endpoint to refuse)", "SEND", "Byte-Range: 1-1/1\r\nContent-Type: text/plain\r\n", "x", Complete),
	good("body of end-lines", "SEND", "Message-ID: 456so39s\r\nContent-Type: text/plain\r\n",
		"-------\r\n-------d93ksw\r\n-------d93kswoX$\r\n\r\n-------\r\n-------d93kswo", Complete),
	good("body of another frame", "SEND", "Message-ID: 456so39s\r\nContent-Type: text/plain\r\n", "MSRP aaaa SEND\r\n"+paths+"-------aaaa$\r\n", Complete),
	good("body of CR and LF", "SEND", "Message-ID: 456so39s\r\nContent-Type: text/plain\r\n", "\r\n\r\n\r\r\n\n", Complete),
	good("any bytes in the body", "SEND", "Message-ID: 456so39s\r\nContent-Type: application/octet-stream\r\n", everyByte()+everyByte(), Complete),
	good("large body", "SEND", "Message-ID: 456so39s\r\nByte-Range: 1-*/200000\r\nContent-Type: text/plain\r\n", strings.Repeat("0123456789\r\n-------", 10526)+"\r\n", Complete),
	example("longest transaction ID, in the body without its dashes", "MSRP "+strings.Repeat("a", 32)+" SEND\r\n"+paths+"Content-Type: text/plain\r\n",
		strings.Repeat("a", 64)+"------"+strings.Repeat("a", 32), Complete),
	example("shortest transaction ID", "MSRP .-+% SEND\r\n"+paths, "", Complete),
	example("transaction ID of dashes", "MSRP ---- SEND\r\n"+paths+"Content-Type: text/plain\r\n", "\r\n------\r\n---------", Complete),
	example("transaction ID of every kind of character", "MSRP Aa0.-+%=Zz9 SEND\r\n"+paths, "", Complete),
}

func everyByte() string {
	var all [256]byte
	for i := range all {
		all[i] = byte(i)
	}
	return string(all[:])
}

var rfc4975Section7_1_1 = []wireCase{
	good("no Byte-Range", "SEND", "Message-ID: 456so39s\r\nContent-Type: text/plain\r\n", "x", Complete),
	good("unknown end and total", "SEND", "Message-ID: 456so39s\r\nByte-Range: 1-*/*\r\nContent-Type: text/plain\r\n", "x", More),
	good("largest range", "SEND", "Message-ID: 456so39s\r\nByte-Range: 999999999999999999-999999999999999999/999999999999999999\r\nContent-Type: text/plain\r\n", "x", Complete),
	sloppy("leading zeros", strings.Replace(good("", "SEND", "Byte-Range: 7-08/009\r\n", "", Complete).wire, "7-08/009", "07-08/009", 1),
		good("", "SEND", "Byte-Range: 7-8/9\r\n", "", Complete)),
	good("both reports wanted", "SEND", "Message-ID: 456so39s\r\nSuccess-Report: yes\r\nFailure-Report: partial\r\nByte-Range: 1-1/1\r\nContent-Type: text/plain\r\n", "x", Complete),
	good("no reports wanted", "SEND", "Message-ID: 456so39s\r\nSuccess-Report: no\r\nFailure-Report: no\r\nByte-Range: 1-1/1\r\nContent-Type: text/plain\r\n", "x", Complete),
	good("other MIME headers", "SEND", "Message-ID: 456so39s\r\nContent-ID: <a@example.com>\r\nContent-Description: a text\r\nContent-Disposition: notification\r\n"+
		"Content-Type: text/plain\r\n", "x", Complete),
}

var rfc4975Section7_1_2 = []wireCase{
	good("success", "REPORT", "Message-ID: 12339sdqwer\r\nByte-Range: 1-39/39\r\nStatus: 000 200 OK\r\n", "", Complete),
	good("failure without a comment", "REPORT", "Message-ID: 12339sdqwer\r\nByte-Range: 1-39/39\r\nStatus: 000 408\r\n", "", Complete),
}

var rfc4975Section7_2 = []wireCase{
	good("200", "200 OK", "", "", Complete),
	good("481 with blanks in the comment", "481 No such  session", "", "", Complete),
	good("comment of other letters, and tabs", "400 größe\tfalsch", "", "", Complete),
	good("unknown code", "999 What", "", "", Complete),
	good("413", "413 Stop Sending", "", "", Complete),
	good("status without a comment (msrp-java)", "200", "", "", Complete),
	sloppy("status with an empty comment", "MSRP d93kswow 200 \r\n"+paths+"-------d93kswow$\r\n", good("", "200", "", "", Complete)),
	good("response with headers", "200 OK", "Message-ID: 12339sdqwer\r\nByte-Range: 1-39/39\r\nX-New: 1\r\n", "", Complete),
}

var rfc4975Section9 = []wireCase{
	good("unknown method", "FUTURE", "X-New: 1\r\n", "", Complete),
	good("unknown method with a body", "FUTURE", "Content-Type: a/b\r\n", "x", More),
	good("unknown headers, two of one name", "SEND", "X-New: 1\r\nx-new: 2\r\nX: a: b; c=\"d\"\r\nX!#$%&'*+-.^_`{|}~09: größe\r\n", "", Complete),
	good("names that are nearly those of RFC 4975", "SEND", "Status-X: 1\r\nByte-Ranges: 1-1/1\r\nMessage-IDs: x\r\nSuccess-Report-And-More: yes\r\nxxxxxxxxxxxxxxxxTo-Path: y\r\n", "", Complete),
	sloppy("an empty value", "MSRP d93kswow SEND\r\n"+paths+"X-New: \r\nX-Old:\r\n-------d93kswow$\r\n", wireCase{
		want: func() *Frame {
			f := framed("SEND", "", "", Complete)
			f.Header = []Header{{b("X-New"), nil}, {b("X-Old"), nil}}
			return f
		}(), wire: "MSRP d93kswow SEND\r\n" + paths + "X-New: \r\nX-Old: \r\n-------d93kswow$\r\n"}),
	sloppy("header names in any case, blanks around values",
		"MSRP d93kswow SEND\r\nto-path:"+bobPath+"\r\nFROM-PATH:   "+alicePath+" \t\r\n"+
			"message-id:456so39s\r\nByte-range:\t1-1/1\r\nx-new:\t1\r\nsuccess-rePORT:yes\r\nCONTENT-TYPE:text/plain\r\n\r\nx\r\n-------d93kswow$\r\n",
		good("", "SEND", "Message-ID: 456so39s\r\nSuccess-Report: yes\r\nByte-Range: 1-1/1\r\nx-new: 1\r\nContent-Type: text/plain\r\n", "x", Complete)),
	sloppy("headers in any order", "MSRP d93kswow SEND\r\nContent-Type: text/plain\r\nX-New: 1\r\nMessage-ID: 456so39s\r\nFrom-Path: "+alicePath+"\r\nTo-Path: "+bobPath+
		"\r\n\r\nx\r\n-------d93kswow$\r\n", good("", "SEND", "Message-ID: 456so39s\r\nX-New: 1\r\nContent-Type: text/plain\r\n", "x", Complete)),
	sloppy("what looks like an end-line and is a header", "MSRP d93kswow SEND\r\nX--------d93kswow$: 1\r\n"+paths+"-------d93kswow$\r\n",
		good("", "SEND", "X--------d93kswow$: 1\r\n", "", Complete)),
	good("as many headers as a frame may have", "SEND", strings.Repeat("X: x\r\n", defaultHeaders-2), "", Complete),
	good("a head as long as it may be", "SEND", "X: "+strings.Repeat("x", defaultHeadBytes-len("MSRP d93kswow SEND\r\n"+paths+"X: \r\n-------d93kswow$\r\n"))+"\r\n", "", Complete),
}

const cpimPaths = "To-Path: msrp://bobpc.example.com:8888/9di4eae923wzd;tcp\r\nFrom-Path: msrp://alicepc.example.com:7654/iau39soe2843z;tcp\r\n"

var rfc4975Section11 = []wireCase{
	good("11.1 Alice", "SEND", "Message-ID: 12339sdqwer\r\nByte-Range: 1-16/16\r\nContent-Type: text/plain\r\n", "Hi, I'm Alice!", Complete),
	example("11.1 Bob's response", "MSRP d93kswow 200 OK\r\nTo-Path: "+alicePath+"\r\nFrom-Path: "+bobPath+"\r\n", "", Complete),
	example("11.1 Bob", "MSRP dkei38sd SEND\r\nTo-Path: "+alicePath+"\r\nFrom-Path: "+bobPath+"\r\nMessage-ID: 456s9wlk3\r\nByte-Range: 1-21/21\r\nContent-Type: text/plain\r\n",
		"Hi, Alice!  I'm Bob!", Complete),
	good("11.2 XHTML", "SEND", "Message-ID: 12339sdqwer\r\nByte-Range: 1-374/374\r\nContent-Type: application/xhtml+xml\r\n",
		"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\r\n<html xmlns=\"http://www.w3.org/1999/xhtml\" xml:lang=\"en\" lang=\"en\">\r\n<body>See <a href=\"http://example.org\">this</a>.</body>\r\n</html>", Complete),
	example("11.4 first chunk of a CPIM message", "MSRP d93kswow SEND\r\n"+cpimPaths+"Message-ID: 12339sdqwer\r\nByte-Range: 1-137/148\r\nContent-Type: message/cpim\r\n",
		"To: Bob <sip:bob@example.com>\r\nFrom: Alice <sip:alice@example.com>\r\nDateTime: 2006-05-15T15:02:31-03:00\r\nContent-Type: text/plain\r\n\r\nABCD", More),
	example("11.4 last chunk of a CPIM message", "MSRP op2nc9a SEND\r\n"+cpimPaths+"Message-ID: 12339sdqwer\r\nByte-Range: 138-148/148\r\nContent-Type: message/cpim\r\n",
		"1234567890", Complete),
	example("11.5 from the system", "MSRP d93kswow SEND\r\nTo-Path: msrp://alicepc.example.com:8888/9di4eae923wzd;tcp\r\nFrom-Path: msrp://example.com:7777/iau39soe2843z;tcp\r\n"+
		"Message-ID: 12339sdqwer\r\nSuccess-Report: no\r\nFailure-Report: no\r\nByte-Range: 1-38/38\r\nContent-Type: text/plain\r\n", "This conference will end in 5 minutes", Complete),
	good("11.6 asks for a report", "SEND", "Message-ID: 12339sdqwer\r\nSuccess-Report: yes\r\nFailure-Report: no\r\nByte-Range: 1-106/106\r\nContent-Type: text/html\r\n",
		"<html><body>\r\n<p>Here is that important link...\r\n<a href=\"http://www.example.com/foobar\">foobar</a>\r\n</p>\r\n</body></html>", Complete),
	example("11.6 the report", "MSRP dkei38sd REPORT\r\nTo-Path: "+alicePath+"\r\nFrom-Path: "+bobPath+"\r\nMessage-ID: 12339sdqwer\r\nByte-Range: 1-106/106\r\nStatus: 000 200 OK\r\n", "", Complete),
}

const (
	relayPaths  = "To-Path: msrps://alice@intra.example.com;tcp\r\nFrom-Path: msrps://alice.example.com:9892/98cjs;tcp\r\n"
	clientPaths = "To-Path: msrps://alice.example.com:9892/98cjs;tcp\r\nFrom-Path: msrps://alice@intra.example.com;tcp\r\n"
)

var rfc4976Auth = []wireCase{
	example("AUTH", "MSRP 49fh AUTH\r\n"+relayPaths, "", Complete),
	example("challenge", "MSRP 49fh 401 Unauthorized\r\n"+clientPaths+
		"WWW-Authenticate: Digest realm=\"intra.example.com\", qop=\"auth\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\"\r\n", "", Complete),
	example("answer", "MSRP 49fi AUTH\r\n"+relayPaths+"Authorization: Digest username=\"Alice\", realm=\"intra.example.com\", nonce=\"dcd98b7102dd2f0e8b11d0f600bfb0c093\", "+
		"qop=auth, nc=00000001, cnonce=\"0a4f113b\", response=\"6629fae49393a05397450978507c4ef1\"\r\nExpires: 900\r\n", "", Complete),
	example("granted", "MSRP 49fi 200 OK\r\n"+clientPaths+"Use-Path: msrps://extra.example.com;tcp msrps://intra.example.com:9000/jui787s2f;tcp\r\n"+
		"Authentication-Info: nextnonce=\"40f2e879449675f288476d772627370a\", rspauth=\"7327570c586207eca2afae94fc20903d\", cnonce=\"0a4f113b\", nc=00000001, qop=auth\r\n"+
		"Expires: 900\r\n", "", Complete),
	example("Expires out of bounds", "MSRP 49fi 423 Out Of Bounds\r\n"+clientPaths+"Min-Expires: 60\r\nMax-Expires: 3600\r\n", "", Complete),
}

var rfc7701Nickname = []wireCase{
	example("NICKNAME", "MSRP d93kswow NICKNAME\r\nTo-Path: msrp://chat.example.com:12763/kjhd37s2s20w2a;tcp\r\nFrom-Path: msrp://atlanta.example.com:7654/jshA7weztas;tcp\r\n"+
		"Use-Nickname: \"Alice the great\"\r\n", "", Complete),
	good("unquoted (Blink)", "NICKNAME", "Use-Nickname: Alice the great\r\n", "", Complete),
	good("refused", "425 Nickname reserved or already in use", "", "", Complete),
}
