package siptest

import (
	"bufio"
	"crypto/rand"
	"fmt"
	"strconv"
	"strings"
)

func newID() string { return rand.Text() }

// Send sends a request to where Dial or Use said, and returns it. The text has a start line, header fields, and after an empty line the body, with LF
// for CRLF. The header fields that a request needs and the text does not have are filled in: Via with a new branch, From, To, Call-ID, CSeq with the next
// number, Max-Forwards, Contact in an INVITE, Content-Length. So "OPTIONS sip:bob@192.0.2.2 SIP/2.0" is enough.
func (p *Peer) Send(text string) *Message {
	p.t.Helper()
	p.mu.Lock()
	send, via := p.send, p.via
	p.mu.Unlock()
	m := p.parse(text)
	if send == nil || m == nil {
		p.t.Error("siptest: Send before Dial, or a text that is no message")
		return new(Message)
	}
	m.via = via
	m.fill("Via", func() string { return fmt.Sprintf("SIP/2.0/%s %s;branch=z9hG4bK%s", via, p.Address(), newID()) })
	m.fill("Max-Forwards", func() string { return "70" })
	m.fill("From", func() string { return "<sip:peer@" + p.host.uriHost() + ">;tag=" + p.tag })
	m.fill("To", func() string { return "<" + m.URI + ">" })
	m.fill("Call-ID", newID)
	m.fill("CSeq", func() string { return p.next() + " " + m.Method })
	if m.Method == "INVITE" {
		m.fill("Contact", func() string { return p.contact(via) })
	}
	m.reply = send
	return m.leave()
}

// Respond answers a request, on the way it came, and returns the response. status is a code and a reason phrase such as "180 Ringing"; rest has more header fields
// and after an empty line the body, with LF for CRLF, or is empty. Filled in are Via, Record-Route, From, To with a tag, Call-ID and CSeq as the request
// has them, Contact in 101 to 299 to an INVITE, and Content-Length, unless rest has them.
func (p *Peer) Respond(req *Message, status, rest string) *Message {
	p.t.Helper()
	m := p.parse("SIP/2.0 " + status + "\n" + rest)
	if m == nil || req.reply == nil {
		p.t.Error("siptest: Respond to what was not received, or with a text that is no message")
		return new(Message)
	}
	for _, name := range []string{"Via", "Record-Route", "From", "To", "Call-ID", "CSeq"} {
		if len(m.Values(name)) > 0 {
			continue
		}
		for _, v := range req.Values(name) {
			if name == "To" && m.Status > 100 && req.Param("To", "tag") == "" {
				v += ";tag=" + p.tag
			}
			m.Header = append(m.Header, name+": "+v)
		}
	}
	if req.Method == "INVITE" && m.Status > 100 && m.Status < 300 {
		m.fill("Contact", func() string { return p.contact(req.via) })
	}
	m.reply = req.reply
	return m.leave()
}

// Within sends a request in the dialog that m began or belongs to: a request that was received, or a response to one that was sent. rest is as for
// Respond.
func (p *Peer) Within(m *Message, method, rest string) *Message {
	p.t.Helper()
	from, to, routes := m.Value("From"), m.Value("To"), m.Values("Record-Route")
	if m.Method != "" { // the peer is the called side
		if from, to = to, from; m.Param("To", "tag") == "" {
			from += ";tag=" + p.tag
		}
	} else {
		routes = reversed(routes)
	}
	seq := strconv.Itoa(m.Seq())
	if method != "ACK" {
		seq = p.next()
	}
	text := fmt.Sprintf("%s %s SIP/2.0\nFrom: %s\nTo: %s\nCall-ID: %s\nCSeq: %s %s\n",
		method, m.Address("Contact"), from, to, m.Value("Call-ID"), seq, method)
	for _, r := range routes {
		text += "Route: " + r + "\n"
	}
	return p.Send(text + rest)
}

// reversed is a route set for the calling side (RFC 3261 §12.1.2).
func reversed(lines []string) (routes []string) {
	for _, line := range lines {
		for r := range strings.SplitSeq(line, ",") {
			routes = append([]string{strings.TrimSpace(r)}, routes...)
		}
	}
	return routes
}

// Cancel sends the CANCEL of an INVITE that was sent (RFC 3261 §9.1).
func (p *Peer) Cancel(invite *Message) *Message {
	p.t.Helper()
	return p.Send(invite.sameTransaction("CANCEL", invite.Value("To")))
}

// Ack acknowledges the final response to an INVITE that was sent (RFC 3261 §13.2.2.4, §17.1.1.3). rest is as for Respond.
func (p *Peer) Ack(invite, final *Message, rest string) *Message {
	p.t.Helper()
	if final.Status < 300 {
		return p.Within(final, "ACK", rest)
	}
	return p.Send(invite.sameTransaction("ACK", final.Value("To")) + rest)
}

func (m *Message) sameTransaction(method, to string) string {
	text := fmt.Sprintf("%s %s SIP/2.0\nVia: %s\nFrom: %s\nTo: %s\nCall-ID: %s\nCSeq: %d %s\n",
		method, m.URI, m.Value("Via"), m.Value("From"), to, m.Value("Call-ID"), m.Seq(), method)
	for _, r := range m.Values("Route") {
		text += "Route: " + r + "\n"
	}
	return text
}

// Repeat sends a message that Send or Respond returned once more, unchanged, on the way it went.
func (p *Peer) Repeat(m *Message) { m.reply(m.Text()) }

// Write sends bytes that need not be a message to where Dial or Use said.
func (p *Peer) Write(b []byte) {
	p.t.Helper()
	p.mu.Lock()
	send := p.send
	p.mu.Unlock()
	send(string(b))
}

// SDP is the end of a text for Send or Respond: an offer or answer of a chat (RFC 4975 §8) at the peer, with a=setup: as given, or without where
// setup is empty.
func (p *Peer) SDP(setup string) string {
	ip := p.host.addr.String()
	kind := "IP4"
	if p.host.addr.Is6() {
		kind = "IP6"
	}
	if setup != "" {
		setup = "a=setup:" + setup + "\n"
	}
	return fmt.Sprintf("Content-Type: application/sdp\n\nv=0\no=- 1 1 IN %[1]s %[2]s\ns=-\nc=IN %[1]s %[2]s\nt=0 0\nm=message 2855 TCP/MSRP *\n"+
		"a=path:msrp://%[3]s:2855/peer;tcp\na=accept-types:message/cpim text/plain\n%[4]s", kind, ip, p.host.uriHost(), setup)
}

func (p *Peer) contact(via string) string {
	return "<" + p.URI(strings.ToLower(via)) + ">"
}

func (p *Peer) next() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.seq++
	return strconv.Itoa(p.seq)
}

// uriHost is the address as it stands in a URI.
func (h *Host) uriHost() string {
	if h.addr.Is6() {
		return "[" + h.addr.String() + "]"
	}
	return h.addr.String()
}

// parse reads what a test wrote, or returns nil.
func (p *Peer) parse(text string) *Message {
	head, body, _ := strings.Cut(strings.TrimLeft(strings.ReplaceAll(text, "\r\n", "\n"), "\n"), "\n\n")
	m, err := readMessage(bufio.NewReader(strings.NewReader(head+"\n\n")), true)
	if err != nil {
		return nil
	}
	m.Body = strings.ReplaceAll(body, "\n", "\r\n")
	return m
}

// fill adds a header field that is missing.
func (m *Message) fill(name string, value func() string) {
	if len(m.Values(name)) == 0 {
		m.Header = append(m.Header, name+": "+value())
	}
}

// leave sends a message of the peer's.
func (m *Message) leave() *Message {
	m.fill("Content-Length", func() string { return strconv.Itoa(len(m.Body)) })
	m.reply(m.Text())
	return m
}
