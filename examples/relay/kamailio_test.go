package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/otrchat/otrchat/internal/certtest"
	"github.com/otrchat/otrchat/internal/digest"
	"github.com/otrchat/otrchat/internal/interop/foreign"
	"github.com/otrchat/otrchat/msrp/relay"
)

const patience = 10 * time.Second

// deploy/kamailio.cfg runs, but for its database, which is a folder of text files here: users register with the HA1 of their users file, a call reaches a
// client behind a NAT over the connection that it has opened, and nobody calls as somebody else or to other domains.
func TestKamailioConfiguration(t *testing.T) {
	address := kamailio(t, alice, bob)
	callee, caller := dialSIP(t, address, bob, passwords[bob]), dialSIP(t, address, alice, passwords[alice])
	callee.request(t, "REGISTER", bob, bob, "200")
	caller.request(t, "REGISTER", alice, bob, "403")
	caller.request(t, "INVITE", bob, user{"bob", "example.org"}, "403")
	caller.request(t, "INVITE", user{"carol", "example.com"}, bob, "403")
	dialSIP(t, address, alice, "Wonderland").request(t, "REGISTER", alice, alice, "401")

	caller.request(t, "INVITE", alice, bob, "100")
	first, invite := callee.read(t)
	assert.Equal(t, "INVITE sip:bob@192.0.2.9:5060;transport=tcp SIP/2.0", first)
	assert.Contains(t, invite.Get("Contact"), ";alias=127.0.0.1~", "requests within the call find the way back")
	assert.Empty(t, invite.Get("Proxy-Authorization"))

	answer := textproto.MIMEHeader{"Via": invite["Via"], "Record-Route": invite["Record-Route"], "From": invite["From"], "To": {invite.Get("To") + ";tag=2"},
		"Call-Id": invite["Call-Id"], "Cseq": invite["Cseq"], "Contact": {"<sip:bob@192.0.2.9:5060;transport=tcp>"}}
	callee.write(t, "SIP/2.0 200 OK", answer)
	first, ok := caller.read(t)
	require.Equal(t, "SIP/2.0 200 OK", first)
	caller.write(t, "ACK "+uriOf(ok)+" SIP/2.0", within(ok, ok.Get("From"), ok.Get("To"), strings.Replace(ok.Get("Cseq"), "INVITE", "ACK", 1)))
	first, _ = callee.read(t)
	assert.Equal(t, "ACK sip:bob@192.0.2.9:5060;transport=tcp SIP/2.0", first)
	callee.write(t, "BYE "+uriOf(invite)+" SIP/2.0", within(invite, answer.Get("To"), answer.Get("From"), "1 BYE"))
	first, _ = caller.read(t)
	assert.Equal(t, "BYE sip:alice@192.0.2.9:5060;transport=tcp SIP/2.0", first)
}

// uriOf is that of the Contact, which is for requests within the call.
func uriOf(h textproto.MIMEHeader) string {
	uri, _, _ := strings.Cut(strings.TrimPrefix(h.Get("Contact"), "<"), ">")
	return uri
}

// within is the header of a request within the call that h is of.
func within(h textproto.MIMEHeader, from, to, cseq string) textproto.MIMEHeader {
	return textproto.MIMEHeader{"Via": {"SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK" + strings.Fields(cseq)[1]}, "Route": h["Record-Route"], "From": {from}, "To": {to},
		"Call-Id": h["Call-Id"], "Cseq": {cseq}, "Max-Forwards": {"70"}}
}

// kamailio starts Kamailio with the configuration and the users and returns its address.
func kamailio(t *testing.T, people ...user) string {
	program, tables, folder := foreign.Need(t, "kamailio"), "/usr/share/kamailio/dbtext/kamailio", t.TempDir()
	if _, err := os.Stat(tables); err != nil {
		foreign.Missing(t, tables)
	}
	require.NoError(t, os.CopyFS(folder, os.DirFS(tables)))
	lines := "id(int,auto) username(string) domain(string) password(string) ha1(string) ha1b(string)\n"
	for i, who := range people {
		lines += fmt.Sprintf("%d:%s:%s:-:%s:-\n", i+1, who.name, who.realm, relay.HA1(relay.MD5, who.name, who.realm, passwords[who]))
	}
	require.NoError(t, os.WriteFile(filepath.Join(folder, "subscriber"), []byte(lines), 0o600))
	pair, _ := certtest.New(t, "sip.example.com")
	chain, key := certtest.PEM(t, pair)
	address := freeAddress(t)
	config, err := os.ReadFile("deploy/kamailio.cfg")
	require.NoError(t, err)
	for old, changed := range map[string]string{
		"db_postgres.so": "db_text.so",
		"postgres://kamailio:secret@db.example.com/kamailio": "text://" + folder,
		"tcp:0.0.0.0:5060":      "tcp:" + address,
		"tls:0.0.0.0:5061":      "tls:" + freeAddress(t),
		"/etc/kamailio/sip.pem": write(t, "sip.pem", chain),
		"/etc/kamailio/sip.key": write(t, "sip.key", key),
	} {
		require.Equal(t, 1, strings.Count(string(config), old), old)
		config = []byte(strings.Replace(string(config), old, changed, 1))
	}
	file := write(t, "kamailio.cfg", config)
	p := foreign.Start(t, exec.Command(program, "-DD", "-E", "-f", file, "-n", "1", "-N", "1", "-m", "64", "-M", "8", "-Y", folder, "-P", filepath.Join(folder, "pid"), "-w", folder))
	require.Eventually(t, func() bool {
		c, err := net.Dial("tcp", address)
		if err == nil {
			c.Close()
		}
		return err == nil
	}, patience, 10*time.Millisecond, "%s", p.Output())
	return address
}

func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	return l.Addr().String()
}

// sipClient says that it is behind a NAT: its addresses are none that anybody can reach.
type sipClient struct {
	net.Conn
	r        *textproto.Reader
	who      user
	password string
	sequence int
}

func dialSIP(t *testing.T, address string, who user, password string) *sipClient {
	c, err := net.Dial("tcp", address)
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return &sipClient{Conn: c, r: textproto.NewReader(bufio.NewReader(c)), who: who, password: password}
}

// request sends a request, answers the challenge if there is one, and expects an answer with the code.
func (c *sipClient) request(t *testing.T, method string, from, to user, code string) {
	t.Helper()
	uri := "sip:" + to.name + "@" + to.realm
	if method == "REGISTER" {
		uri = "sip:" + to.realm
	}
	first, header := c.send(t, method, uri, from, to, "", "")
	for _, h := range []string{"WWW-Authenticate", "Proxy-Authenticate"} {
		if challenge := header.Get(h); challenge != "" {
			parsed, err := digest.ParseChallenge(challenge)
			require.NoError(t, err)
			credentials := digest.NewClient(parsed, c.who.name, c.password).Authorization(method, uri)
			name := map[string]string{"WWW-Authenticate": "Authorization", "Proxy-Authenticate": "Proxy-Authorization"}[h]
			first, _ = c.send(t, method, uri, from, to, name, credentials)
		}
	}
	assert.Equal(t, code, strings.Fields(first)[1], first)
}

func (c *sipClient) send(t *testing.T, method, uri string, from, to user, field, credentials string) (first string, header textproto.MIMEHeader) {
	t.Helper()
	c.sequence++
	n := strconv.Itoa(c.sequence)
	header = textproto.MIMEHeader{
		"Via": {"SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK" + c.who.name + n + ";rport"}, "Max-Forwards": {"70"},
		"From": {"<sip:" + from.name + "@" + from.realm + ">;tag=1"}, "To": {"<sip:" + to.name + "@" + to.realm + ">"},
		"Call-Id": {c.who.name + method + to.name}, "Cseq": {n + " " + method}, "Contact": {"<sip:" + c.who.name + "@192.0.2.9:5060;transport=tcp>"},
	}
	if credentials != "" {
		header.Set(field, credentials)
	}
	c.write(t, method+" "+uri+" SIP/2.0", header)
	return c.read(t)
}

func (c *sipClient) write(t *testing.T, first string, header textproto.MIMEHeader) {
	t.Helper()
	text := first + "\r\n"
	for name, values := range header {
		for _, v := range values {
			text += name + ": " + v + "\r\n"
		}
	}
	_, err := io.WriteString(c, text+"Content-Length: 0\r\n\r\n")
	require.NoError(t, err)
}

func (c *sipClient) read(t *testing.T) (first string, header textproto.MIMEHeader) {
	t.Helper()
	first, err := c.r.ReadLine()
	require.NoError(t, err)
	header, err = c.r.ReadMIMEHeader()
	require.NoError(t, err)
	return first, header
}
