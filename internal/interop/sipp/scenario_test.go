package sipp

import (
	"fmt"
	"strings"
)

// A scenario is what sipp does in one call, from above to below, in its own language (XML). Its methods write one step each.
type scenario struct {
	text   strings.Builder
	seq    int    // of sipp's own requests
	invite int    // of the INVITE among them that was sent last
	last   string // method of the request that came last
}

// What sipp knows of a dialog: the peer's From or To as it stands with its tag, our own header with its tag, where the peer is reached, and Via and
// number of the first INVITE; the number of a reliable response; then what a digest response and a check have given.
var variables = []string{"peer", "self", "target", "via", "seq", "rseq", "good", "checked"}

// play writes a scenario. sipp calls when caller is set, and waits for a call otherwise.
func play(caller bool, steps func(s *scenario)) string {
	s := &scenario{}
	if caller {
		s.assign("self", `"sipp" <sip:sipp@[local_ip]:[local_port]>;tag=sipp[call_number]`)
		s.assign("peer", "<sip:[service]@[remote_ip]:[remote_port]>")
		s.assign("target", "sip:[service]@[remote_ip]:[remote_port]")
	}
	steps(s)
	for _, v := range variables {
		if strings.Contains(s.text.String(), `assign_to="`+v+`"`) { // sipp wants every variable to be used
			s.add(`<Reference variables="%s"/>`, v)
		}
	}
	return "<?xml version=\"1.0\" encoding=\"ISO-8859-1\" ?>\n<scenario name=\"test\">\n" + s.text.String() + "</scenario>\n"
}

func (s *scenario) add(format string, args ...any) { fmt.Fprintf(&s.text, format+"\n", args...) }

func (s *scenario) assign(variable, value string) {
	s.add(`<nop><action><assignstr assign_to="%s" value="%s"/></action></nop>`, variable, escape(value))
}

// An action is done with a message that has come.
type action string

// has wants a header field that fits a regular expression; it fails the call otherwise.
func has(name, expression string) action {
	return action(fmt.Sprintf(`<ereg regexp="%s" search_in="hdr" header="%s:" check_it="true" assign_to="checked"/>`, escape(expression), name))
}

// lacks wants no such header field.
func lacks(name string) action {
	return action(fmt.Sprintf(`<ereg regexp="." search_in="hdr" header="%s:" check_it_inverse="true" assign_to="checked"/>`, name))
}

// body wants a body that fits a regular expression.
func body(expression string) action {
	return action(fmt.Sprintf(`<ereg regexp="%s" search_in="body" check_it="true" assign_to="checked"/>`, escape(expression)))
}

func keep(variable, name, expression string) action {
	return action(fmt.Sprintf(`<ereg regexp="%s" search_in="hdr" header="%s:" check_it="true" assign_to="%s"/>`, escape(expression), name, variable))
}

// invited waits for the INVITE that begins a call and learns the dialog from it.
func (s *scenario) invited(actions ...action) {
	s.recv("INVITE", append(actions, keep("peer", "From", ".*"), keep("self", "To", ".*"), keep("target", "Contact", "sips?:[^>]*"),
		keep("via", "Via", ".*"), keep("seq", "CSeq", "[0-9]+"))...)
	s.assign("self", "[$self];tag=sipp[call_number]")
}

// recv waits for a request.
func (s *scenario) recv(method string, actions ...action) {
	s.last = method
	s.add(`<recv request="%s"><action>%s</action></recv>`, method, join(actions))
}

// answered waits for the response that makes the dialog and learns it.
func (s *scenario) answered(code int, actions ...action) {
	s.expect(code, append(actions, keep("peer", "To", ".*"), keep("target", "Contact", "sips?:[^>]*"))...)
}

// reliable waits for a provisional response that wants a PRACK, learns the dialog from it, and sends the PRACK (RFC 3262 §4).
func (s *scenario) reliable(code int) {
	s.answered(code, has("Require", "100rel"), keep("rseq", "RSeq", "[0-9]+"))
	s.request("PRACK", fmt.Sprintf("RAck: [$rseq] %d INVITE", s.invite))
	s.expect(200, has("CSeq", "PRACK"))
}

// expect waits for a response.
func (s *scenario) expect(code int, actions ...action) {
	if code >= 200 {
		s.add(`<recv response="100" optional="true"/>`)
	}
	s.add(`<recv response="%d"><action>%s</action></recv>`, code, join(actions))
}

func join(actions []action) string {
	var b strings.Builder
	for _, a := range actions {
		b.WriteString(string(a))
	}
	return b.String()
}

// challenged answers a request with a digest challenge, 401 or 407, and the one that comes again with 403 unless the password is right.
func (s *scenario) challenged(method string, code int) {
	name := map[int]string{401: "WWW-Authenticate", 407: "Proxy-Authenticate"}[code]
	s.reply(fmt.Sprint(code, " Challenge"), name+`: Digest realm="sipp.test", nonce="47ebe028cda119c35d4877b383027d28da013815", qop="auth"`)
	if method == "INVITE" {
		s.recv("ACK")
	}
	if code == 407 { // sipp checks the other header field only
		s.recv(method, has("Proxy-Authorization", `username="alice".*response="[0-9a-f]{32}"`))
		return
	}
	s.recv(method, `<verifyauth assign_to="good" username="alice" password="secret"/>`)
	s.add(`<nop test="good" next="%s"/>`, method)
	s.reply("403 Forbidden")
	s.add(`<label id="%s"/>`, method)
}

// reply answers the request that came last.
func (s *scenario) reply(status string, lines ...string) {
	s.respond(status, s.last, "[last_Via:]\n[last_CSeq:]", lines)
}

// answer answers the INVITE that made the call, whatever came since.
func (s *scenario) answer(status string, lines ...string) {
	s.respond(status, "INVITE", "Via: [$via]\nCSeq: [$seq] INVITE", lines)
}

func (s *scenario) respond(status, method, transaction string, lines []string) {
	retransmit := ""
	if status[0] == '2' && method == "INVITE" {
		retransmit = ` retrans="500"`
	}
	s.add("<send%s><![CDATA[\nSIP/2.0 %s\n%s\nFrom: [$peer]\nTo: [$self]\nCall-ID: [call_id]\n%s]]></send>", retransmit, status, transaction, ending(lines))
}

// forks lets what follows come from another callee that the same INVITE has reached.
func (s *scenario) forks(tag string) { s.assign("self", "[$self]"+tag) }

// request sends a request of sipp's in the dialog, or the one that begins it.
func (s *scenario) request(method string, lines ...string) {
	s.seq++
	if method == "INVITE" {
		s.invite = s.seq
	}
	s.send(`retrans="500"`, method, "", s.seq, lines)
}

// ack acknowledges a 2xx to the INVITE that was sent last.
func (s *scenario) ack(lines ...string) { s.send("", "ACK", "ack", s.invite, lines) }

// cancel cancels the INVITE that was sent last, whose branch it has (RFC 3261 §9.1).
func (s *scenario) cancel(lines ...string) { s.send(`retrans="500"`, "CANCEL", "", s.invite, lines) }

// refused acknowledges another final response to the INVITE that was sent last, whose branch it has (RFC 3261 §17.1.1.3).
func (s *scenario) refused() { s.send("", "ACK", "", s.invite, nil) }

func (s *scenario) send(attributes, method, branch string, seq int, lines []string) {
	s.add("<send %s><![CDATA[\n%s [$target] SIP/2.0\nVia: SIP/2.0/[transport] [local_ip]:[local_port];rport;branch=z9hG4bK-[pid]-[call_number]-%d%s\n"+
		"From: [$self]\nTo: [$peer]\nCall-ID: [call_id]\nCSeq: %d %s\nMax-Forwards: 70\n%s]]></send>",
		attributes, method, seq, branch, seq, method, ending(lines))
}

// pause waits.
func (s *scenario) pause(milliseconds int) { s.add(`<pause milliseconds="%d"/>`, milliseconds) }

func ending(lines []string) string {
	text := strings.Join(lines, "\n")
	switch {
	case text == "":
		return "Content-Length: 0\n\n"
	case strings.Contains(text, "\n\n"):
		return text
	}
	return text + "\nContent-Length: 0\n\n"
}

// contact is the Contact of sipp's side, with parameters of the header field such as ";isfocus".
func contact(params string) string {
	return "Contact: <sip:sipp@[local_ip]:[local_port];transport=[transport]>" + params
}

// sdp is a body with a chat at the given path, with more lines of the media description.
func sdp(version int, path string, lines ...string) string {
	return fmt.Sprintf("Content-Type: application/sdp\nContent-Length: [len]\n\nv=0\no=sipp 1 %d IN IP[local_ip_type] [local_ip]\ns=-\n"+
		"c=IN IP[local_ip_type] [local_ip]\nt=0 0\nm=message 2856 TCP/MSRP *\na=path:msrp://[local_ip]:2856/%s;tcp\n"+
		"a=accept-types:message/cpim text/plain\na=accept-wrapped-types:text/plain\n%s", version, path, strings.Join(append(lines, ""), "\n"))
}

// beside adds an audio line before the chat.
func beside(sdp, audio string) string {
	return strings.Replace(sdp, "m=message", audio+"\nm=message", 1)
}

// escape writes s as an XML attribute, with the entities that sipp knows.
func escape(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;").Replace(s)
}
